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

__all__ = [
    *("DIRECT_PAIRS", "Pairs"),
    *("centred", "check_structures", "complete_cells", "find_pairs", "fractional"),
    *("periodic", "places", "sizes"),
]

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
    cells = np.concatenate([atoms.cell.array for atoms in structures])
    sound = (
        np.isin(numbers, [atomic_numbers[symbol] for symbol in elements]).all()
        and np.isfinite(positions).all()
        and np.isfinite(cells).all()
    )
    doubtful = periodic(structures) | (sizes(structures) == 0)
    for place in np.flatnonzero(doubtful).tolist() if sound else range(len(structures)):
        _check(structures[place], elements)


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


def sizes(structures: Sequence[Atoms]) -> np.ndarray:
    """Atoms of each structure (n,)."""
    return np.array([len(atoms.arrays["numbers"]) for atoms in structures], dtype=int)


def periodic(structures: Sequence[Atoms]) -> np.ndarray:
    """Is each structure periodic in any direction (n,)?"""
    flags = [atoms.pbc for atoms in structures]
    return np.asarray(np.concatenate([np.empty(0, bool), *flags]).reshape(-1, 3).any(axis=1))


def centred(structures: Sequence[Atoms]) -> np.ndarray:
    """Positions of all atoms, those of each structure around its own centre (N, 3), Å.

    In float32 a network loses what is far from the origin.
    """
    counts = sizes(structures)
    positions = np.concatenate([atoms.positions for atoms in structures])
    sums = np.add.reduceat(positions, np.cumsum(counts) - counts)
    return np.asarray(positions - np.repeat(sums / counts[:, None], counts, axis=0))


def complete_cells(structures: Sequence[Atoms]) -> np.ndarray:
    """Cells (n, 3, 3), Å, with vectors of 1 Å where there are none, as ASE completes them."""
    cells = np.concatenate([atoms.cell.array for atoms in structures]).reshape(-1, 3, 3)
    given = cells.any(axis=(1, 2))
    cells[~given] = np.eye(3)
    for place in np.flatnonzero(given).tolist():
        cells[place] = structures[place].cell.complete().array
    return cells


def fractional(structures: Sequence[Atoms]) -> np.ndarray:
    """`centred` positions in terms of the completed cell vectors (N, 3)."""
    cells = np.repeat(complete_cells(structures), sizes(structures), axis=0)
    return np.linalg.solve(cells.transpose(0, 2, 1), centred(structures)[:, :, None])[:, :, 0]


def places(structures: Sequence[Atoms], elements: Sequence[str]) -> np.ndarray:
    """Where in `elements` the element of each atom stands (N,); all must be there."""
    table = np.zeros(len(atomic_numbers), dtype=int)
    table[[atomic_numbers[symbol] for symbol in elements]] = np.arange(len(elements))
    return np.asarray(table[np.concatenate([atoms.numbers for atoms in structures])])


def find_pairs(structures: Sequence[Atoms], cutoff: float, finder: Finder | None = None) -> Pairs:
    """Find the pairs of a batch.

    Parameters
    ----------
    structures
        Free and periodic ones, of any size.
    cutoff
        Å; a pair at exactly this distance is none.
    finder
        Finds the pairs of a periodic (or very large) structure; ASE's neighbour list when `None`.
    """
    counts = sizes(structures)
    starts = np.cumsum(counts) - counts
    direct = ~periodic(structures) & (counts <= DIRECT_PAIRS)
    found = [_NONE]
    for place in np.flatnonzero(~direct).tolist():
        atoms = structures[place]
        i, j, images = (finder or _ase_pairs)(atoms, cutoff)
        cell = atoms.cell.complete().array
        vectors = atoms.positions[j] - atoms.positions[i] + images @ cell
        found.append(
            (np.full(len(i), place), i + starts[place], j + starts[place], images, vectors)
        )
    positions = np.concatenate([np.empty((0, 3)), *(atoms.positions for atoms in structures)])
    for size in np.unique(counts[direct]):
        places = np.flatnonzero(direct & (counts == size))
        step = max(1, _BLOCK // max(1, size * size))
        for start in range(0, len(places), step):
            some = places[start : start + step]
            found.append(_direct(positions, some, starts[some][:, None] + np.arange(size), cutoff))
    owner, first, second, images, vectors = map(np.concatenate, zip(*found, strict=True))
    order = np.argsort(owner, kind="stable")
    pairs = np.bincount(owner, minlength=len(structures))
    return Pairs(first[order], second[order], images[order], vectors[order], pairs)


_NONE = (*(np.empty(0, int) for _ in range(3)), np.empty((0, 3), int), np.empty((0, 3)))


def _direct(
    positions: np.ndarray, places: np.ndarray, atoms: np.ndarray, cutoff: float
) -> tuple[np.ndarray, ...]:
    """Pairs of free structures of one size, whose atoms (g, n) these are, from their distances."""
    here = positions[atoms]  # (g, n, 3)
    vectors = here[:, None, :, :] - here[:, :, None, :]  # (g, n, n, 3), i to j
    near = np.einsum("gijk,gijk->gij", vectors, vectors) < cutoff**2
    diagonal = np.arange(atoms.shape[1])
    near[:, diagonal, diagonal] = False
    which, i, j = near.nonzero()
    images = np.zeros((len(which), 3), dtype=int)
    return places[which], atoms[which, i], atoms[which, j], images, vectors[near]


def _ase_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from ase.neighborlist import primitive_neighbor_list

    i, j, images = primitive_neighbor_list(
        "ijS", atoms.pbc, atoms.cell.complete(), atoms.positions, cutoff
    )
    return i, j, images
