"""Structures -> pairs of atoms within a cutoff, for many small structures at once.

Vendors build one graph per structure; for dimers that costs more than their networks. Here free
structures of one size share a single distance matrix, in float64, and nothing depends on where a
molecule lies or on a box around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from ase_probe.errors import EvaluationError, UnsupportedElementError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["DIRECT_PAIRS", "Pairs", "check_structures", "find_pairs"]

DIRECT_PAIRS = 1000
"""Free structures of up to this many atoms get their pairs from a distance matrix."""
_BLOCK = 2_000_000  # distances in memory at once

Finder = Callable[["Atoms", float], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""(structure, cutoff) -> i (m,), j (m,), cell images of j (m, 3), each pair both ways."""


@dataclass(frozen=True)
class Pairs:
    """All pairs of a batch, each both ways, ordered by structure, then by `first`.

    Attributes
    ----------
    first, second
        Indices (m,) into the concatenated atoms of all structures.
    images
        Cell (m, 3) in which the second atom lies, whole numbers.
    vectors
        From the first atom to that image of the second (m, 3), Å.
    counts
        Pairs of each structure (n,).
    """

    first: np.ndarray
    second: np.ndarray
    images: np.ndarray
    vectors: np.ndarray
    counts: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """Lengths of `vectors` (m,), Å."""
        return np.asarray(np.linalg.norm(self.vectors, axis=1))


def check_structures(structures: Sequence[Atoms], elements: Collection[str]) -> None:
    """Raise where a model would answer as if the question were another one.

    Parameters
    ----------
    structures
        To be evaluated.
    elements
        Symbols the model knows.

    Raises
    ------
    UnsupportedElementError
        An element the model does not know.
    EvaluationError
        No atoms; a position or cell vector that is not finite (no pair would be found, as if the
        atom were alone); periodic directions without cell vectors of their own.
    """
    if not structures:
        return
    numbers = np.concatenate([atoms.numbers for atoms in structures])
    positions = np.concatenate([atoms.positions for atoms in structures])
    cells = np.stack([atoms.cell.array for atoms in structures])
    periodic = [bool(atoms.pbc.any()) for atoms in structures]
    sound = (
        np.isin(numbers, [atomic_numbers[symbol] for symbol in elements]).all()
        and np.isfinite(positions).all()
        and np.isfinite(cells).all()
    )
    for atoms, periods in zip(structures, periodic, strict=True):
        if not sound or periods or not len(atoms):
            _check(atoms, elements)


def _check(atoms: Atoms, elements: Collection[str]) -> None:
    unknown = sorted(set(atoms.symbols) - set(elements))
    if unknown:
        raise UnsupportedElementError(
            f"The model does not know {', '.join(unknown)}; it knows {len(elements)} elements, "
            "see its card."
        )
    if not len(atoms):
        raise EvaluationError("A structure without atoms has no energy.")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise EvaluationError("A position or a cell vector is not a finite number.")
    if (atoms.pbc & ~atoms.cell.array.any(axis=1)).any():
        raise EvaluationError("A periodic direction has no cell vector.")
    if atoms.pbc.any() and np.linalg.matrix_rank(atoms.cell.array[atoms.pbc]) < atoms.pbc.sum():
        raise EvaluationError("The periodic cell vectors are linearly dependent.")


def find_pairs(structures: Sequence[Atoms], cutoff: float, periodic: Finder | None = None) -> Pairs:
    """Find the pairs of a batch.

    Parameters
    ----------
    structures
        Free and periodic ones, of any size.
    cutoff
        Å; a pair at exactly this distance is none.
    periodic
        Finds the pairs of a periodic (or very large) structure; ASE's neighbour list when `None`.
    """
    parts: dict[int, tuple[np.ndarray, ...]] = {}
    free: dict[int, list[int]] = {}
    for place, atoms in enumerate(structures):
        if atoms.pbc.any() or len(atoms) > DIRECT_PAIRS:
            i, j, images = (periodic or _ase_pairs)(atoms, cutoff)
            cell = atoms.cell.complete().array
            vectors = atoms.positions[j] - atoms.positions[i] + images @ cell
            parts[place] = i, j, images, vectors
        else:
            free.setdefault(len(atoms), []).append(place)
    for size, places in free.items():
        step = max(1, _BLOCK // max(1, size * size))
        for start in range(0, len(places), step):
            some = places[start : start + step]
            parts |= _direct(structures, some, size, cutoff)
    ordered = [parts[place] for place in range(len(structures))]
    sizes = np.array([len(atoms) for atoms in structures], dtype=int)
    counts = np.array([len(part[0]) for part in ordered], dtype=int)
    shifts = np.repeat(np.cumsum(sizes) - sizes, counts)
    i, j, images, vectors = (
        np.concatenate([empty, *(part[k] for part in ordered)])
        for k, empty in enumerate(
            (np.empty(0, int), np.empty(0, int), np.empty((0, 3), int), np.empty((0, 3)))
        )
    )
    return Pairs(i + shifts, j + shifts, images, vectors, counts)


def _direct(
    structures: Sequence[Atoms], places: Sequence[int], size: int, cutoff: float
) -> dict[int, tuple[np.ndarray, ...]]:
    """Pairs of free structures of one size, from one array of distances."""
    positions = np.stack([structures[place].positions for place in places])  # (g, n, 3)
    vectors = positions[:, None, :, :] - positions[:, :, None, :]  # (g, n, n, 3), i to j
    near = np.einsum("gijk,gijk->gij", vectors, vectors) < cutoff**2
    near[:, np.arange(size), np.arange(size)] = False
    which, i, j = near.nonzero()
    found = vectors[near]
    ends = np.searchsorted(which, np.arange(len(places) + 1))
    return {
        place: (i[a:b], j[a:b], np.zeros((b - a, 3), dtype=int), found[a:b])
        for place, a, b in zip(places, ends[:-1], ends[1:], strict=True)
    }


def _ase_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from ase.neighborlist import primitive_neighbor_list

    i, j, images = primitive_neighbor_list(
        "ijS", atoms.pbc, atoms.cell.complete(), atoms.positions, cutoff
    )
    return i, j, images
