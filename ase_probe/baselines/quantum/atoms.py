"""Isolated atoms: the zero of every curve, the blocks of every first guess, the transfer test.

Unrestricted, integer occupations, ground-state 2S, stability followed. An open p or d shell has an
axis: the density is turned so that the axis points along z, x or y, and converged again there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.baselines.quantum.molecule import molecule
from ase_probe.baselines.quantum.scf import solve
from ase_probe.dimer import atom_multiplicity
from ase_probe.errors import EvaluationError, InputError

if TYPE_CHECKING:
    from ase_probe.baselines.quantum.methods import Method
    from ase_probe.dimer import Dimer

__all__ = ["AXES", "Atom", "atom", "fragments", "ground_two_s"]

AXES = {"z": 2, "x": 0, "y": 1}
"""Direction of an open shell's axis -> Cartesian index."""

_ISOTROPIC = 1e-3  # of <r²>: spread of the density's second moments


@dataclass(frozen=True, eq=False, kw_only=True)
class Atom:
    """One isolated atom or ion.

    Attributes
    ----------
    symbol, charge, two_s
        Which atom; charge in e.
    energy
        Total energy, Eh.
    density
        Density matrices of the two spins (2, nao, nao), majority spin first.
    homo, hole
        Highest occupied and lowest unoccupied spin orbital, Eh; NaN where there is none.
    spin_squared
        <S²>.
    axial
        Has its density an axis, so that it may point in several directions?
    """

    symbol: str
    charge: int
    two_s: int
    energy: float
    density: np.ndarray
    homo: float
    hole: float
    spin_squared: float
    axial: bool


def ground_two_s(symbol: str, charge: int = 0) -> int:
    """2S of the ground state; for an ion that of the neutral atom with as many electrons."""
    from ase.data import atomic_numbers, chemical_symbols

    electrons = atomic_numbers[symbol] - charge
    if electrons < 0:
        raise InputError(f"{symbol} has {atomic_numbers[symbol]} electrons, none to make {charge}.")
    return atom_multiplicity(chemical_symbols[electrons]) - 1 if electrons else 0


def _unique_axis(mol: Any, density: np.ndarray) -> np.ndarray | None:
    """Axis of the density, a unit vector; `None` for a spherical one."""
    moments = mol.intor("int1e_rr", comp=9).reshape(3, 3, mol.nao, mol.nao)
    tensor = np.einsum("abij,ji->ab", moments, density.sum(axis=0))
    value, vector = np.linalg.eigh(tensor)
    if value[2] - value[0] < _ISOTROPIC * value.sum():
        return None
    column = 2 if value[2] - value[1] > value[1] - value[0] else 0
    return np.asarray(vector[:, column])


def _turned(mol: Any, density: np.ndarray, axis: np.ndarray, to: str) -> np.ndarray:
    """Turn a density so that `axis` points along the Cartesian direction `to`."""
    target = np.eye(3)[AXES[to]]
    # The two half-turns about axis + target carry one into the other.
    middle = axis + target if axis @ target >= 0 else axis - target
    middle = middle / np.linalg.norm(middle)
    rotation = 2.0 * np.outer(middle, middle) - np.eye(3)
    u = mol.ao_rotation_matrix(rotation)
    return np.asarray(np.einsum("pi,sij,qj->spq", u, density, u))


@cache
def atom(
    symbol: str, method: Method, *, charge: int = 0, two_s: int | None = None, axis: str = "z"
) -> Atom:
    """Return an isolated atom.

    Parameters
    ----------
    symbol
        Chemical symbol.
    method
        Functional and basis.
    charge
        Charge, e.
    two_s
        2S; the ground state's where `None`.
    axis
        Where an open shell's axis points: ``z`` (along the bond), ``x`` or ``y``.

    Raises
    ------
    EvaluationError
        The atom did not converge, so there is no zero of energy.
    """
    spin = ground_two_s(symbol, charge) if two_s is None else two_s
    mol = molecule((symbol,), method, charge=charge, two_s=spin)
    found = solve(mol, method)
    direction = _unique_axis(mol, found.density) if mol.nelectron else None
    if direction is not None:
        again = solve(mol, method, _turned(mol, found.density, direction, axis))
        turned = _unique_axis(mol, again.density)
        if again.converged and turned is not None and abs(turned[AXES[axis]]) > 0.99:
            found = again
    if not found.converged:
        raise EvaluationError(
            f"{symbol} (charge {charge:+d}, 2S = {spin}) did not converge with {method.label}: "
            "no zero of energy. Try another basis."
        )
    return Atom(
        symbol=symbol, charge=charge, two_s=spin, energy=found.energy, density=found.density,
        homo=found.homo, hole=found.hole, spin_squared=found.spin_squared,
        axial=direction is not None,
    )  # fmt: skip


def fragments(dimer: Dimer, method: Method) -> tuple[int, int]:
    """Charges of the two separated atoms: the partition of lowest energy.

    A neutral dimer leads to neutral atoms, whatever the functional makes of it. A charged one leads
    to the cheaper of the two ways to put the charge on one atom; a charge that one atom cannot
    carry is shared.
    """
    if not dimer.charge:
        return 0, 0
    first, second = dimer.symbols
    z1, z2 = dimer.numbers
    step = 1 if dimer.charge > 0 else -1
    options = [(q, dimer.charge - q) for q in range(0, dimer.charge + step, step)]
    allowed = [(a, b) for a, b in options if a <= z1 and b <= z2]
    if first == second:
        allowed = [(a, b) for a, b in allowed if a <= b]

    def energy(pair: tuple[int, int]) -> float:
        return sum(
            atom(s, method, charge=q).energy for s, q in zip((first, second), pair, strict=True)
        )

    return min(allowed, key=energy)
