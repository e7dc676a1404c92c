"""Molecules with energies: the one container that the study's rooms hand to each other.

Flat arrays, one molecule after the other, because QM9 holds 2.4 million atoms and a training loop
wants slices. A `Molecules` is checked when it is made and never changes: its arrays are read-only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Molecules"]


@dataclass(frozen=True, eq=False)
class Molecules:
    """Geometries and energies of n molecules.

    Attributes
    ----------
    names
        n names, each once.
    numbers
        (atoms,) atomic numbers, one molecule after the other.
    positions
        (atoms, 3) Å.
    counts
        (n,) atoms of each molecule.
    energies
        (n,) eV: electronic energy minus that of the isolated atoms at the same level of theory;
        negative where the molecule is bound.

    Raises
    ------
    InputError
        Names that repeat, lengths that do not agree, numbers that are not finite.
    """

    names: tuple[str, ...]
    numbers: np.ndarray
    positions: np.ndarray
    counts: np.ndarray
    energies: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        types = {"numbers": int, "positions": float, "counts": int, "energies": float}
        for field, kind in types.items():
            array: np.ndarray = np.array(getattr(self, field), dtype=kind)
            array.setflags(write=False)
            object.__setattr__(self, field, array)
        n, atoms = len(self.names), len(self.numbers)
        if len(set(self.names)) != n:
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise InputError(f"{twice!r} is there twice; every molecule needs a name of its own.")
        shapes = {
            "numbers": (atoms,), "positions": (atoms, 3), "counts": (n,), "energies": (n,),
        }  # fmt: skip
        for field, shape in shapes.items():
            if getattr(self, field).shape != shape:
                raise InputError(
                    f"{field} has shape {getattr(self, field).shape}; {n} molecules with "
                    f"{atoms} atoms need {shape}."
                )
        if np.any(self.counts < 1) or self.counts.sum() != atoms:
            raise InputError(
                f"counts add up to {self.counts.sum()} for {atoms} atoms, or one is below 1; give "
                "the number of atoms of each molecule."
            )
        if np.any(self.numbers < 1):
            raise InputError(f"{self.numbers.min()} is no atomic number; give 1 or more.")
        if not (np.isfinite(self.positions).all() and np.isfinite(self.energies).all()):
            raise InputError("A position or an energy is not a finite number; leave that one out.")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, which: slice | Sequence[int] | np.ndarray) -> Molecules:
        """Return some of the molecules, in the order asked for.

        Parameters
        ----------
        which
            Slice, indices (each at most once) or a mask of n truth values.
        """
        chosen = np.arange(len(self))[which]
        if chosen.ndim != 1:
            raise InputError(
                f"{which!r} is not a slice or list of molecules; for one, take [i:i+1]."
            )
        counts = self.counts[chosen]
        starts = (np.cumsum(self.counts) - self.counts)[chosen]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        atoms = np.repeat(starts, counts) + offsets
        return Molecules(
            names=tuple(self.names[i] for i in chosen),
            numbers=self.numbers[atoms],
            positions=self.positions[atoms],
            counts=counts,
            energies=self.energies[chosen],
        )

    def join(self, *others: Molecules) -> Molecules:
        """Return these molecules followed by the others'."""
        parts = (self, *others)
        return Molecules(
            names=tuple(name for part in parts for name in part.names),
            numbers=np.concatenate([part.numbers for part in parts]),
            positions=np.concatenate([part.positions for part in parts]),
            counts=np.concatenate([part.counts for part in parts]),
            energies=np.concatenate([part.energies for part in parts]),
        )

    def structures(self) -> list[Atoms]:
        """Return the geometries, each with its name in ``info["name"]``."""
        from ase import Atoms

        stops = np.cumsum(self.counts)
        return [
            Atoms(self.numbers[a:b], self.positions[a:b], info={"name": name})
            for name, a, b in zip(self.names, stops - self.counts, stops, strict=True)
        ]
