"""The pairs of a structure, and the supercells in which one of them is pushed together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.dimer import Dimer
from ase_probe.engine import Evaluator
from ase_probe.errors import InputError
from ase_probe.grids import R_MIN

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Pair", "closest_pairs", "distances", "places_of", "pushed", "repeats_for", "supercell"]

GROWTH = 1.05
"""From one distance to the next at most, as on the wall of the standard grid."""

_TIE = 1e-6  # Å: pairs as close as that are equally close, and the first one is taken


@dataclass(frozen=True)
class Pair:
    """Two atoms of the structure and the vector (3,), Å, from the first to that image."""

    indices: tuple[int, int]
    image: tuple[int, int, int]
    vector: np.ndarray

    @property
    def distance(self) -> float:
        """Length of the vector, Å."""
        return float(np.linalg.norm(self.vector))


def closest_pairs(atoms: Atoms, elements: Sequence[str] | None) -> dict[str, Pair]:
    """Formula -> closest pair of that combination of elements, images included."""
    present = set(atoms.symbols)
    wanted = present if elements is None else set(elements)
    absent = sorted(wanted - present)
    if absent:
        raise InputError(
            f"The structure {atoms.symbols} has no {', '.join(absent)}; "
            f"it has {', '.join(sorted(present)) or 'no atoms'}."
        )
    best: dict[str, Pair] = {}
    for pair in _candidates(atoms):
        first, second = (atoms.symbols[i] for i in pair.indices)
        if first in wanted and second in wanted:
            name = Dimer((first, second)).formula
            if name not in best or pair.distance < best[name].distance - _TIE:
                best[name] = pair
    if not best:
        raise InputError(
            f"The structure {atoms.symbols} has no pair of atoms to push together; "
            "give one with two atoms or with periodic directions."
        )
    for name, pair in best.items():
        if pair.distance <= R_MIN:
            raise InputError(
                f"Atoms {pair.indices[0]} and {pair.indices[1]} ({name}) are "
                f"{pair.distance:.3g} Å apart; the test ends at {R_MIN} Å. Give a sound structure."
            )
    return best


def _candidates(atoms: Atoms) -> list[Pair]:
    """Each two atoms at their smallest distance, and one atom with its nearest own image."""
    from ase.geometry import find_mic, minkowski_reduce

    found = []
    cell = atoms.cell.complete().array
    inverse = np.linalg.inv(cell)
    for i in range(len(atoms) - 1):
        direct = atoms.positions[i + 1 :] - atoms.positions[i]
        vectors, _ = find_mic(direct, atoms.cell, atoms.pbc)
        images = np.rint((vectors - direct) @ inverse).astype(int)
        found += [Pair((i, i + 1 + k), _whole(images[k]), vectors[k]) for k in range(len(direct))]
    if atoms.pbc.any():
        reduced, operation = minkowski_reduce(cell, atoms.pbc)
        lengths = np.where(atoms.pbc, np.linalg.norm(reduced, axis=1), math.inf)
        shortest = int(np.argmin(lengths))
        own = _whole(operation[shortest]), reduced[shortest]
        found += [Pair((i, i), *own) for i in range(len(atoms))]
    return found


def _whole(image: np.ndarray) -> tuple[int, int, int]:
    a, b, c = (int(x) for x in image)
    return a, b, c


def distances(longest: float) -> np.ndarray:
    """From 0.1 Å to the distance in the structure, in even steps of ln r, 5 % at most."""
    r = np.geomspace(R_MIN, longest, 2 + int(math.log(longest / R_MIN) / math.log(GROWTH)))
    r[[0, -1]] = R_MIN, longest
    return r


def repeats_for(atoms: Atoms, reach: float) -> tuple[int, int, int]:
    """How often to repeat the cell so that no lattice vector is shorter than `reach` (Å).

    A lattice vector T = Σ n_i a_i has n_i = T·g_i with the reciprocal vectors g_i, so that
    |T| ≥ |n_i|/|g_i|: it is enough that each 1/|g_i|, the distance of two lattice planes, is long
    enough. An image of a pushed atom is then at least `reach` − r from its partner.
    """
    repeats = [1, 1, 1]
    periodic = np.flatnonzero(atoms.pbc)
    if periodic.size:
        spacings = 1.0 / np.linalg.norm(np.linalg.pinv(atoms.cell.array[periodic]), axis=0)
        for axis, spacing in zip(periodic, spacings, strict=True):
            repeats[axis] = math.ceil(reach / spacing - 1e-9)
    return repeats[0], repeats[1], repeats[2]


def supercell(atoms: Atoms, repeats: tuple[int, int, int], evaluator: Evaluator) -> Atoms:
    """Repeat the structure without its calculator and constraints."""
    card = evaluator.card
    given = {"charge": card.uses_charge is not False, "spin": card.uses_spin is not False}
    info = {key: atoms.info[key] for key, taken in given.items() if taken and key in atoms.info}
    if max(repeats) > 1 and (info.get("charge", 0) != 0 or info.get("spin", 1) != 1):
        raise InputError(
            f"The cell has {' and '.join(f'{key} {value}' for key, value in info.items())} and "
            f"would have to be repeated {' × '.join(map(str, repeats))} times: give a neutral "
            "structure without spin, or that supercell with its own."
        )
    cell: Atoms = atoms.copy()
    cell.calc = None
    cell.set_constraint()
    cell.info = info
    repeated: Atoms = cell.repeat(repeats)
    return repeated


def places_of(pair: Pair, repeats: tuple[int, int, int], size: int) -> tuple[int, int]:
    """Where the two atoms stand in the supercell (ASE repeats the last vector fastest)."""
    a, b, c = (image % n for image, n in zip(pair.image, repeats, strict=True))
    first, second = pair.indices
    return first, second + size * ((a * repeats[1] + b) * repeats[2] + c)


def pushed(cell: Atoms, moved: tuple[int, int], pair: Pair, r: float) -> Atoms:
    """Return a copy with the pair at distance `r` (Å), its midpoint and all others unmoved."""
    atoms: Atoms = cell.copy()
    shift = 0.5 * (1.0 - r / pair.distance) * pair.vector
    atoms.positions[moved[0]] += shift
    atoms.positions[moved[1]] -= shift
    return atoms
