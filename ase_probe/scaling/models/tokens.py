"""SELFIES as numbers: one token per bracket, between a start and an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ase_probe.errors import InputError
from ase_probe.scaling.models import require

__all__ = ["END", "LONGEST", "MOSES", "PADDING", "START", "Vocabulary"]

PADDING, START, END = 0, 1, 2
_SPECIAL = 3


@dataclass(frozen=True)
class Vocabulary:
    """The tokens a model knows; number 0 is padding, 1 the start, 2 the end.

    Attributes
    ----------
    symbols
        SELFIES symbols such as ``[C]``, numbered from 3 on.
    """

    symbols: tuple[str, ...]

    @classmethod
    def of(cls, selfies: Iterable[str]) -> Vocabulary:
        """Every symbol that occurs in `selfies`, in alphabetical order."""
        split = require("selfies").split_selfies
        return cls(tuple(sorted({symbol for text in selfies for symbol in split(text)})))

    def __len__(self) -> int:
        return _SPECIAL + len(self.symbols)

    def encode(self, selfies: Sequence[str]) -> np.ndarray:
        """Return (n, longest) token numbers, padded behind the end.

        Raises
        ------
        InputError
            A symbol that is not in the vocabulary.
        """
        split = require("selfies").split_selfies
        number = {symbol: _SPECIAL + place for place, symbol in enumerate(self.symbols)}
        rows = []
        for text in selfies:
            symbols = list(split(text))
            unknown = sorted(set(symbols) - number.keys())
            if unknown:
                raise InputError(
                    f"{text!r} holds {', '.join(unknown)}, which the vocabulary lacks; make it of "
                    "all the molecules that will be encoded."
                )
            rows.append([START, *(number[symbol] for symbol in symbols), END])
        encoded = np.full((len(rows), max(map(len, rows), default=0)), PADDING, dtype=np.int64)
        for row, tokens in zip(encoded, rows, strict=True):
            row[: len(tokens)] = tokens
        return encoded


_SYMBOLS = (
    "[#Branch1] [#Branch2] [#C] [#N] [=Branch1] [=Branch2] [=C] [=N] [=O] [=Ring1] [=Ring2] [=S] "
    "[Br] [Branch1] [Branch2] [C] [Cl] [F] [H] [NH1] [N] [O] [P] [Ring1] [Ring2] [S]"
)
MOSES = Vocabulary(tuple(_SYMBOLS.split()))
"""Every symbol in the 1,936,962 SELFIES (selfies 2.2) of MOSES, so that all models share one."""

LONGEST = 57
"""Tokens of the longest of them, start and end included."""
