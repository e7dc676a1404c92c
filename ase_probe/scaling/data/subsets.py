"""Which molecules a network learns from, and which it is judged by: fixed, nested, disjoint.

Every molecule has a place that depends on its name only, by SHA-256, so a subset is the same on any
machine, with any version of any library, in whatever order the molecules come. One order, the same
for all seeds, sets aside a tenth of all molecules for tests and a tenth for validation. The seed
orders the rest: of one seed the 100 are the first of the 300, and these the first of the 1000.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ase_probe.errors import InputError

__all__ = ["HELD_OUT", "Split", "ordered", "split"]

HELD_OUT = 10
"""One part in ten is set aside for tests, another for validation."""


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of molecules; the three have none in common.

    Attributes
    ----------
    training
        (size,) In the order of the seed.
    validation, test
        The same for every seed and size.
    """

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def ordered(names: Sequence[str], salt: str) -> np.ndarray:
    """Return the indices of names in the order of the SHA-256 of ``salt:name``.

    Raises
    ------
    InputError
        A name is there twice, so it could be on two sides of a split.
    """
    digests = [hashlib.sha256(f"{salt}:{name}".encode()).digest() for name in names]
    if len(set(digests)) != len(digests):
        raise InputError("A name is there twice; a split needs every molecule once.")
    return np.array(sorted(range(len(names)), key=digests.__getitem__), dtype=int)


def split(
    names: Sequence[str], size: int, *, seed: int, validation: int = 1000, test: int = 1000
) -> Split:
    """Choose molecules for training, validation and tests.

    Parameters
    ----------
    names
        Of all molecules.
    size
        How many to learn from; those of a smaller size, same seed, are the first of these.
    seed
        0, 1, 2, …: another seed, other molecules to learn from, but the same tests.
    validation, test
        How many; fewer are the first of more.

    Raises
    ------
    InputError
        More than there are, or a name that is there twice.

    Examples
    --------
    >>> names = [f"molecule {i}" for i in range(100)]
    >>> small, large = (split(names, n, seed=0, validation=5, test=5) for n in (10, 30))
    >>> (small.training == large.training[:10]).all()
    np.True_
    """
    if seed < 0:
        raise InputError(f"Seed {seed}; give 0 or more.")
    fixed = ordered(names, "held out")
    tenth = len(names) // HELD_OUT
    pool = np.sort(fixed[2 * tenth :])
    for what, wanted, there in (
        ("training", size, len(pool)), ("validation", validation, tenth), ("test", test, tenth),
    ):  # fmt: skip
        if not 0 <= wanted <= there:
            raise InputError(
                f"{wanted} molecules for {what}; of {len(names)} there are {there} for it."
            )
    place = ordered([names[i] for i in pool], f"seed {seed}")
    return Split(
        training=pool[place[:size]],
        validation=fixed[tenth : tenth + validation],
        test=fixed[:test],
    )
