"""`RunSpec`: everything a run depends on, and the key under which its result is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from ase_probe.errors import InputError
from ase_probe.scaling.models import LANGUAGE, MODELS

__all__ = ["KINDS", "RECIPE", "RunSpec", "Shots"]

KINDS = ("with-h2", "without-h2")
"""Kinds of shots: with geometries of H2, and with bonds of other molecules only."""

RECIPE = 2
"""Part of every key: raise it when the same spec would train another model."""


@dataclass(frozen=True, kw_only=True)
class Shots:
    """Fine-tuning of a trained network on k labelled geometries.

    Attributes
    ----------
    kind
        ``with-h2``: H2 at k distances. ``without-h2``: bonds of other molecules. With k = 0 it
        becomes ``none``, since both kinds share that run.
    k
        Number of geometries; 0 is the control, trained as long on molecules only.
    steps, learning_rate
        Of the fine-tuning; the learning rate falls to zero along a cosine, without warm-up.
    """

    kind: str
    k: int
    steps: int
    learning_rate: float

    def __post_init__(self) -> None:
        if self.k == 0:
            object.__setattr__(self, "kind", "none")
        elif self.kind not in KINDS:
            raise InputError(f"Unknown kind of shots {self.kind!r}; allowed: {', '.join(KINDS)}.")
        _at_least(0, k=self.k)
        _at_least(1, steps=self.steps)
        _positive(learning_rate=self.learning_rate)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run of the study.

    Exactly one of `steps` and `epochs` is given. With `steps` every run takes that many, its
    learning rate falling to zero along a cosine: small training sets are then seen more often, so
    that the amount of data and the number of passes change together. With `epochs` a run stops by
    itself: the learning rate is halved after 20 epochs without progress on the validation set, and
    after 50 the run ends.

    Attributes
    ----------
    model
        ``schnet``, ``visnet`` or ``chemgpt``.
    width, layers
        Size of the features, number of interaction blocks.
    molecules
        Size of the training set, the D of scaling laws.
    seed
        Of the initial weights, of the choice of molecules and of their order. Each width has its
        own molecules, those of a smaller D among those of a larger one; each run its own weights.
    batch
        Molecules per step.
    steps, epochs
        Length of the run, see above; an epoch is as many steps as show D molecules.
    warmup
        Steps or epochs in which the learning rate rises linearly from zero.
    learning_rate, weight_decay, clip
        Of AdamW, and the largest norm of the gradient.
    validation, test
        Molecules in each of the two sets; the weights kept are those best on the first.
    shots
        Start from the trained network of the same spec without `shots` and fine-tune it.

    Raises
    ------
    InputError
        A value that makes no sense, or fine-tuning of a language model.
    """

    model: str
    width: int
    layers: int
    molecules: int
    seed: int
    batch: int
    warmup: int
    steps: int | None = None
    epochs: int | None = None
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    clip: float = 1000.0
    validation: int = 1000
    test: int = 1000
    shots: Shots | None = None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise InputError(f"Unknown model {self.model!r}; allowed: {', '.join(MODELS)}.")
        if (self.steps is None) == (self.epochs is None):
            raise InputError(
                f"steps is {self.steps} and epochs is {self.epochs}; give exactly one of them."
            )
        length = self.steps if self.steps is not None else self.epochs
        _at_least(
            1,
            width=self.width,
            layers=self.layers,
            molecules=self.molecules,
            batch=self.batch,
            length=length,
            validation=self.validation,
            test=self.test,
        )
        _at_least(0, seed=self.seed, warmup=self.warmup)
        _positive(learning_rate=self.learning_rate, clip=self.clip)
        if not 0 <= self.weight_decay < 1:
            raise InputError(f"weight_decay is {self.weight_decay!r}; give a number from 0 to 1.")
        if self.shots is not None and self.model in LANGUAGE:
            raise InputError(f"{self.model} knows no geometries; give shots to a potential only.")
        if self.shots is not None and self.batch < 2:
            raise InputError("A batch of 1 cannot hold a molecule and a shot; give 2 or more.")

    @property
    def base(self) -> RunSpec | None:
        """The run whose network this one fine-tunes."""
        return None if self.shots is None else replace(self, shots=None)

    @property
    def choice(self) -> int:
        """What decides the choice of molecules: the same for all D, so that they are nested."""
        return _number(self.model, self.width, self.seed)

    @property
    def start(self) -> int:
        """What decides the initial weights."""
        return _number(self.model, self.width, self.seed, self.molecules)

    @property
    def label(self) -> str:
        """For people: ``schnet w50 D1000 seed 0, 10 shots with-h2``."""
        text = f"{self.model} w{self.width} D{self.molecules} seed {self.seed}"
        return text if self.shots is None else f"{text}, {self.shots.k} shots {self.shots.kind}"

    def key(self) -> str:
        """Hash of the content: the name of this run's files."""
        content = json.dumps({"recipe": RECIPE, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        """Read what ``dataclasses.asdict`` and JSON or TOML made of a spec.

        Raises
        ------
        InputError
            A key that is unknown or missing, a value that makes no sense.
        """
        return _read(cls, {**values, "shots": _shots(values.get("shots"))})


def _number(*parts: str | int) -> int:
    """A number below 2³² by which runs that share a seed do not share what is drawn with it.

    Runs that shared their weights or molecules would not be independent, and the intervals of the
    analysis count on that.
    """
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def _shots(values: Mapping[str, Any] | None) -> Shots | None:
    return None if values is None else _read(Shots, values)


_T = TypeVar("_T")


def _read(kind: type[_T], values: Mapping[str, Any]) -> _T:
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise InputError(f"Unknown key {', '.join(unknown)}; allowed: {', '.join(known)}.")
    try:
        return kind(**values)
    except TypeError as wrong:
        raise InputError(f"{kind.__name__}: {wrong}.") from wrong


def _at_least(least: int, **values: int | None) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{name} is {value!r}; give a whole number, {least} or more.")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise InputError(f"{name} is {value!r}; give a number above zero.")
