"""One geometry, one energy, at exactly the level that labelled QM9; computed with PySCF.

The level is described in `ase_probe.scaling.data.level`. Two things keep PySCF from computing it
by name. Its table of 6-31G(2df,p), like that of the Basis Set Exchange, has the d exponents of
6-311G. And the 6-31G family has six Cartesian d functions but seven pure f functions, while PySCF
wants all shells of one kind: here all are Cartesian, and the three p-like functions in each f shell
are kept out of the orbitals.

A self-consistent field that does not converge raises; it is never returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.baselines.quantum.molecule import load
from ase_probe.baselines.quantum.scf import converge
from ase_probe.baselines.quantum.stability import unstable_mode
from ase_probe.errors import EvaluationError, InputError
from ase_probe.scaling.data.level import ATOMS, D_EXPONENTS, GRID
from ase_probe.units import BOHR, HARTREE

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Solution", "flipped", "solve"]

_CONVERGED = 1e-9  # Eh
_FOLLOW = 6  # how often an instability is followed
_LOWER = 1e-7  # Eh; what following an instability must gain
_STATE = ("mo_coeff", "mo_occ", "mo_energy", "e_tot", "converged")


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """A converged self-consistent field.

    Attributes
    ----------
    total
        Total electronic energy, Eh.
    energy
        The same minus the isolated atoms', eV.
    forces
        (atoms, 3) eV/Å, or `None` where they were not asked for.
    spin_squared
        <S²>.
    density
        (2, nao, nao) density matrices of the two spins, a first guess for a geometry nearby.
    """

    total: float
    energy: float
    forces: np.ndarray | None
    spin_squared: float
    density: np.ndarray


@cache
def _basis(symbol: str) -> list[Any]:
    """6-31G(2df,p) as Gaussian has it: s, p and f of PySCF's table, d exponents of 6-31G(2d)."""
    table = load().gto.basis.load("6-31g(2df,p)", symbol)
    if symbol == "H":
        return list(table)
    shells = [shell for shell in table if shell[0] != 2]
    return shells + [[2, [exponent, 1.0]] for exponent in D_EXPONENTS]


def _molecule(structure: Atoms, two_s: int) -> Any:
    unknown = sorted(set(structure.symbols) - set(ATOMS))
    if unknown:
        raise InputError(
            f"QM9 has no {', '.join(unknown)}; its level is known for {', '.join(ATOMS)}."
        )
    symbols = list(structure.symbols)
    return load().gto.M(
        atom=list(zip(symbols, structure.positions.tolist(), strict=True)),
        basis={symbol: _basis(symbol) for symbol in set(symbols)},
        cart=True,
        spin=two_s,
        unit="Angstrom",
        verbose=0,
    )


def _pure_f(mol: Any) -> np.ndarray:
    """Return the level's functions in Cartesian ones, (Cartesian, level): f shells are pure."""
    from scipy.linalg import block_diag

    blocks = []
    for shell in range(mol.nbas):
        angular = mol.bas_angular(shell)
        if angular == 3:
            pure = load().gto.cart2sph(3, normalized="sp")
        else:
            pure = np.eye((angular + 1) * (angular + 2) // 2)
        blocks += [pure] * mol.bas_nctr(shell)
    return np.asarray(block_diag(*blocks))


def _mean_field(mol: Any, restricted: bool) -> Any:
    dft = load().dft
    mf = (dft.RKS if restricted else dft.UKS)(mol, xc="b3lypg")  # the flavour of Gaussian
    mf.grids.level = GRID
    mf.conv_tol = _CONVERGED
    mf._chkfile.close()  # a temporary file nobody reads
    mf.chkfile = None
    inside = _pure_f(mol)

    def orthogonal(overlap: np.ndarray, verbose: object = None) -> np.ndarray:
        value, vector = np.linalg.eigh(inside.T @ overlap @ inside)
        return np.asarray(inside @ (vector / np.sqrt(value)))

    # PySCF diagonalises between the columns returned here, so no orbital leaves their span. They
    # do not change with the geometry, which is why its forces hold without a further term.
    mf.check_linear_dependency = orthogonal
    return mf


def _spins(mf: Any) -> np.ndarray:
    density = np.asarray(mf.make_rdm1())
    return density if density.ndim == 3 else np.stack([density / 2, density / 2])


def _follow(mf: Any, restricted: bool) -> None:
    """Leave saddle points for lower solutions; change `mf` in place.

    A mode that gains nothing is a rotation, such as that of an open shell's axis.
    """
    for _ in range(_FOLLOW):
        found = unstable_mode(mf)
        if found is None:
            return
        kept = {name: getattr(mf, name) for name in _STATE}
        converge(mf, mf.make_rdm1(found[1], mf.mo_occ), restricted=restricted)
        if not mf.converged or mf.e_tot > kept["e_tot"] - _LOWER:
            for name, before in kept.items():
                setattr(mf, name, before)
            return
    raise EvaluationError(
        f"{_FOLLOW} instabilities were followed and there is another; give a better first guess."
    )


def solve(
    structure: Atoms,
    *,
    restricted: bool = False,
    two_s: int = 0,
    guesses: Sequence[np.ndarray | None] = (None,),
    forces: bool = True,
) -> Solution:
    """Compute one geometry: the lowest solution reached from several first guesses.

    Parameters
    ----------
    structure
        Neutral molecule or atom of H, C, N, O and F; Å.
    restricted
        The same orbitals for both spins, as QM9 has it? Otherwise spin symmetry may break, which a
        stretched bond needs to come apart into neutral atoms.
    two_s
        2S, unpaired electrons.
    guesses
        Densities (2, nao, nao) to start from; `None` is PySCF's own.
    forces
        Compute the forces as well?

    Raises
    ------
    InputError
        An element that QM9 lacks.
    EvaluationError
        No guess led to a converged field, or to a stable one.
    """
    mol = _molecule(structure, two_s)
    best: Any = None
    for guess in guesses:
        mf = _mean_field(mol, restricted)
        start = guess.sum(axis=0) if restricted and guess is not None and not two_s else guess
        converge(mf, start)
        if mf.converged and (best is None or mf.e_tot < best.e_tot):
            best = mf
    if best is None:
        raise EvaluationError(
            f"{structure.symbols} did not converge at QM9's level "
            f"({'restricted' if restricted else 'unrestricted'}, 2S = {two_s}). "
            "Give the density of a neighbouring geometry as a guess, or leave this geometry out."
        )
    _follow(best, restricted)
    gradient = None
    if forces:
        method = best.nuc_grad_method()
        method.grid_response = True
        gradient = np.asarray(method.kernel())
    total = float(best.e_tot)
    return Solution(
        total=total,
        energy=(total - sum(ATOMS[symbol] for symbol in structure.symbols)) * HARTREE,
        forces=None if gradient is None else -gradient * HARTREE / BOHR,
        spin_squared=float(best.spin_square()[0]),
        density=_spins(best),
    )


def flipped(structure: Atoms, moving: Sequence[int], pairs: int) -> np.ndarray:
    """First guess for a bond that is coming apart: all its spins up on one side, down on the other.

    Parameters
    ----------
    structure
        The stretched molecule.
    moving
        Atoms on one side of the bond.
    pairs
        Electron pairs of the bond.

    Returns
    -------
    np.ndarray
        (2, nao, nao): the density of the high-spin state, with the spins of one side exchanged.
    """
    mol = _molecule(structure, 2 * pairs)
    high = solve(structure, two_s=2 * pairs, forces=False).density
    side = np.zeros(mol.nao, dtype=bool)
    for atom in moving:
        start, stop = mol.aoslice_by_atom()[atom, 2:]
        side[start:stop] = True
    same = side[:, None] & side
    return np.where(same, high[::-1], np.where(~side[:, None] & ~side, high, 0.0))
