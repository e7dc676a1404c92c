"""Bonds of small molecules that are compressed and stretched: H2, controls and k-shot bonds.

A bond moves rigidly: the atoms on one side keep their places, those on the other side move together
along the bond; nothing else relaxes. The equilibrium geometries (QM9's own where it has the
molecule) are in ``labels/geometries.xyz``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["BONDS", "CONTROLS", "H2", "OTHERS", "Bond", "equilibria", "nearest_hydrogens"]

_GEOMETRIES = Path(__file__).parent / "labels" / "geometries.xyz"


@cache
def equilibria() -> dict[str, Atoms]:
    """Return the equilibrium geometries by molecule; treat them as read-only."""
    from ase.io import read

    return {atoms.info["molecule"]: atoms for atoms in read(_GEOMETRIES, ":", format="extxyz")}


@dataclass(frozen=True)
class Bond:
    """One bond of one molecule.

    Attributes
    ----------
    name
        Molecule and bond, ``"CH4 C-H"``.
    fixed
        The bond's atom on the side that stays.
    moving
        The atoms on the other side, the bond's first.
    pairs
        Electron pairs that make the bond: where it is broken, so many spins stand on each side.
    """

    name: str
    fixed: int
    moving: tuple[int, ...]
    pairs: int = 1

    @property
    def molecule(self) -> str:
        """Formula, without the bond."""
        return self.name.split()[0]

    @property
    def length(self) -> float:
        """Equilibrium length, Å."""
        return float(equilibria()[self.molecule].get_distance(self.fixed, self.moving[0]))

    def at(self, r: float) -> Atoms:
        """Return the molecule with this bond at length `r`, Å."""
        if not r > 0:
            raise InputError(f"{r} Å is no bond length; give more than 0.")
        atoms: Atoms = equilibria()[self.molecule].copy()
        atoms.info = {"name": f"{self.name} {r:.4f}"}
        step = atoms.positions[self.moving[0]] - atoms.positions[self.fixed]
        length = np.linalg.norm(step)
        atoms.positions[list(self.moving)] += step * (r - length) / length
        return atoms


H2 = Bond("H2 H-H", 0, (1,))

CONTROLS = (Bond("CH4 C-H", 0, (1,)), Bond("C2H6 C-C", 0, (1, 5, 6, 7)))
"""Bonds whose like is everywhere in QM9: what a network should do better than H2."""

OTHERS = (
    Bond("HF H-F", 0, (1,)),
    Bond("F2 F-F", 0, (1,)),
    Bond("N2 N-N", 0, (1,), pairs=3),
    Bond("CO C-O", 0, (1,), pairs=2),
    Bond("HCN C-H", 0, (2,)),
    Bond("C2H2 C-H", 0, (3,)),
    Bond("CH2O C-H", 0, (2,)),
    Bond("CH2O C-O", 0, (1,), pairs=2),
    Bond("CH3OH C-O", 0, (1, 5)),
    Bond("CH3OH O-H", 1, (5,)),
    Bond("CH3CN C-C", 1, (0, 3, 4, 5)),
    Bond("H2O O-H", 0, (1,)),
    Bond("NH3 N-H", 0, (1,)),
)
"""Bonds of the k-shot sets without H2. The controls' molecules are not among them, so that these
stay unseen in both kinds of sets."""

BONDS = {bond.name: bond for bond in (H2, *CONTROLS, *OTHERS)}
"""All of them by name."""


def nearest_hydrogens(atoms: Atoms) -> float:
    """Smallest H–H distance, Å; infinite with fewer than two hydrogens."""
    hydrogens = atoms.positions[atoms.numbers == 1]
    if len(hydrogens) < 2:
        return float("inf")
    apart = np.linalg.norm(hydrogens[:, None] - hydrogens, axis=2)
    return float(apart[np.triu_indices(len(hydrogens), 1)].min())
