"""One self-consistent field at one distance: converged, stability followed, with its record.

Traps it is built around:

- DIIS reports convergence on saddle points. Each solution is tested for internal stability and,
  when unstable, left along the unstable mode and converged again (`ase_probe.baselines.quantum.
  stability`).
- PySCF 2.14 removes basis functions whose overlap eigenvalue is below 1e-6. On a wall more of them
  go with every step inward, and the energy jumps each time. Here the limit is `_DEPENDENT`.
- A zero-electron molecule has no SCF; its energy is the nuclear repulsion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.baselines.quantum.molecule import load
from ase_probe.baselines.quantum.stability import unstable_mode

if TYPE_CHECKING:
    from ase_probe.baselines.quantum.methods import Method

__all__ = ["Solution", "converge", "post_scf_vv10", "solve"]

_CONVERGED = 1e-9  # Eh
_DEPENDENT = 1e-10  # smallest eigenvalue of the overlap matrix that is kept
_ATTEMPTS = ((0.0, 0.0, 40), (0.3, 0.0, 25), (0.5, 0.4, 100))  # level shift, Eh; damping; cycles
_NEWTON = 30
_FOLLOW = 6  # how often an instability is followed
_LOWER = 1e-7  # Eh; what following an instability must gain
_ZERO_MODE = -5e-3  # Eh; a mode above it that gains nothing is a rotation
_STATE = ("mo_coeff", "mo_occ", "mo_energy", "e_tot", "converged")


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """A self-consistent field.

    Attributes
    ----------
    energy
        Total energy, Eh, VV10 correlation included where the method has it.
    density
        Density matrices of the two spins (2, nao, nao).
    spin_squared
        <S²>.
    converged
        Did the SCF converge? The energy of one that did not is kept and flagged.
    stable
        Is it a minimum among solutions of its kind? `None` where there is nothing to rotate.
    homo, hole
        Highest occupied and lowest unoccupied spin orbital, Eh; NaN where there is none.
    charge
        Mulliken charge of the first atom, e.
    followed
        How many instabilities were followed.
    dependent
        How many basis functions were removed as linearly dependent.
    """

    energy: float
    density: np.ndarray
    spin_squared: float
    converged: bool
    stable: bool | None
    homo: float
    hole: float
    charge: float
    followed: int = 0
    dependent: int = 0


def _mean_field(mol: Any, method: Method, restricted: bool, hartree_fock: bool = False) -> Any:
    pyscf = load()
    mf = (pyscf.dft.RKS if restricted else pyscf.dft.UKS)(mol)
    mf.xc = method.xc
    mf.grids.level = method.grid
    mf.nlcgrids.level = method.grid if method.vv10_grid is None else method.vv10_grid
    mf.nlc = 0  # VV10, where the functional has it, is added afterwards
    mf.conv_tol = _CONVERGED
    mf.max_memory = 8000
    mf._chkfile.close()  # a temporary file nobody reads
    mf.chkfile = None

    def orthogonal(overlap: np.ndarray, verbose: object = None) -> np.ndarray:
        value, vector = np.linalg.eigh(overlap)
        kept = value > _DEPENDENT
        return np.asarray(vector[:, kept] / np.sqrt(value[kept]))

    mf.check_linear_dependency = orthogonal
    return mf


def converge(
    mf: Any, density: np.ndarray | None, *, restricted: bool = False, patient: bool = True
) -> None:
    """Run the SCF by DIIS; where that fails by Newton's method, with more and more damping before.

    A stretched restricted pair needs a level shift from the start: its frontier orbitals are
    degenerate, DIIS fills them in turns and ends in an ion pair 10 eV higher. A few shifted cycles
    lead into the right basin, from which Newton's method finds the bottom several times faster.
    PySCF's last diagonalisation, without the shift, would swap the orbitals again, so it is left
    out. ``mf.converged`` tells how the last attempt ended.
    """
    attempts = _ATTEMPTS[1:] if restricted else _ATTEMPTS
    for shift, damp, cycles in attempts if patient else attempts[:2]:
        mf.level_shift, mf.damp, mf.max_cycle, mf.conv_check = shift, damp, cycles, not shift
        mf.kernel(dm0=density)
        # Virtual levels come back shifted.
        mf.mo_energy = np.asarray(mf.mo_energy) - shift * (np.asarray(mf.mo_occ) == 0)
        mf.level_shift = mf.damp = 0.0
        if not mf.converged and shift and patient:
            newton = mf.newton()
            newton.max_cycle = _NEWTON
            newton.kernel(mf.mo_coeff, mf.mo_occ)
            for name in _STATE:
                setattr(mf, name, getattr(newton, name))
        if mf.converged:
            return


def post_scf_vv10(mf: Any) -> float:
    """VV10 correlation energy of the converged density, Eh."""
    density = _spins(mf).sum(axis=0)
    mf.nlcgrids.build()
    return float(mf._numint.nr_nlc_vxc(mf.mol, mf.nlcgrids, mf.xc, density)[1])


def _spins(mf: Any) -> np.ndarray:
    """Density matrices of the two spins (2, nao, nao), whatever the mean field."""
    density = np.asarray(mf.make_rdm1())
    return density if density.ndim == 3 else np.stack([density / 2, density / 2])


def _frontier(mf: Any) -> tuple[float, float]:
    """HOMO and lowest hole over both spins, Eh."""
    energy, occupied = np.ravel(mf.mo_energy), np.ravel(mf.mo_occ) > 0
    homo = energy[occupied].max() if occupied.any() else np.nan
    hole = energy[~occupied].min() if (~occupied).any() else np.nan
    return float(homo), float(hole)


def _first_charge(mol: Any, density: np.ndarray) -> float:
    overlap = mol.intor_symmetric("int1e_ovlp")
    start, stop = mol.aoslice_by_atom()[0, 2:]
    population = np.einsum("ij,ji->i", density.sum(axis=0), overlap)[start:stop].sum()
    return float(mol.atom_charge(0) - population)


def _bare(mol: Any) -> Solution:
    size = mol.nao
    return Solution(
        energy=float(mol.energy_nuc()), density=np.zeros((2, size, size)), spin_squared=0.0,
        converged=True, stable=None, homo=np.nan, hole=np.nan, charge=float(mol.atom_charge(0)),
    )  # fmt: skip


def _follow(mf: Any, limit: int, restricted: bool, patient: bool) -> tuple[bool | None, int]:
    """Leave saddle points until there is none; change `mf` in place.

    Returns
    -------
    tuple
        Is it stable (`None`: a zero mode, such as the direction of an open shell), and how many
        instabilities were followed.
    """
    for followed in range(limit):
        found = unstable_mode(mf)
        if found is None:
            return True, followed
        value, moved = found
        kept = {name: getattr(mf, name) for name in _STATE}
        density = mf.make_rdm1(moved, mf.mo_occ)
        converge(mf, density, restricted=restricted, patient=patient)
        if not mf.converged or mf.e_tot > kept["e_tot"] - _LOWER:
            for name, before in kept.items():
                setattr(mf, name, before)
            return (None if value > _ZERO_MODE else False), followed
    return unstable_mode(mf) is None, limit


def solve(
    mol: Any,
    method: Method,
    guess: np.ndarray | None = None,
    *,
    restricted: bool = False,
    follow: int = _FOLLOW,
    patient: bool = True,
) -> Solution:
    """Converge an SCF, follow its instabilities, add VV10.

    Parameters
    ----------
    mol
        From `molecule`.
    method
        Functional and grid.
    guess
        Density matrices (2, nao, nao) to start from; PySCF's default where `None`.
    restricted
        The same orbitals for both spins?
    follow
        How many instabilities to follow; 0 leaves stability untested.
    patient
        Try everything to converge? Not worth it where the result is masked.
    """
    if mol.nelectron == 0:
        return _bare(mol)
    mf = _mean_field(mol, method, restricted)
    start = guess
    if restricted and guess is not None and mol.spin == 0:
        start = guess.sum(axis=0)
    converge(mf, start, restricted=restricted, patient=patient)
    stable, followed = (
        _follow(mf, follow, restricted, patient) if follow and mf.converged else (None, 0)
    )
    density = _spins(mf)
    homo, hole = _frontier(mf)
    return Solution(
        energy=float(mf.e_tot) + (post_scf_vv10(mf) if method.vv10 else 0.0),
        density=density,
        spin_squared=float(mf.spin_square()[0]),
        converged=bool(mf.converged),
        stable=stable,
        homo=homo,
        hole=hole,
        charge=_first_charge(mol, density),
        followed=followed,
        dependent=int(mol.nao - np.shape(mf.mo_energy)[-1]),
    )
