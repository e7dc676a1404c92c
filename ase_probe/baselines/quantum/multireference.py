"""One point where the bond breaks: full-valence CASSCF and strongly contracted NEVPT2.

The active space is every valence orbital with every valence electron (Σ of 1s, 2s2p or 3s3p), so
it is the same at every distance and dissociates to the same for two atoms. It is found without any
threshold: the orbitals above the cores that overlap most with the atoms' valence shells, from a
high-spin field that has no bond to break. Points follow one another inward and hand on their
orbitals, then outward again: between two open shells states of other symmetry lie close, and coming
from outside CASSCF stays in one of them (F2 at 2.5 to 4 Å: 0.1 eV too high).

Strongly contracted NEVPT2 changes by up to 1e-5 Eh when degenerate orbitals of two distant atoms
mix, so that is how well a point can be repeated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ase_probe.baselines.quantum.cluster import System, frozen, molecule_of
from ase_probe.baselines.quantum.molecule import load
from ase_probe.baselines.quantum.recipe import Recipe
from ase_probe.errors import InputError

__all__ = ["Space", "multireference", "valence"]

_CYCLES = 100
_LOWER = 1e-6  # Eh
_SHIFT = 0.3  # Eh; how far states of another spin are lifted
_SHELLS = {2: ("1s",), 10: ("2s", "2p"), 18: ("3s", "3p")}


class Space:
    """Size of the active space: orbitals, electrons of the two spins, inactive orbitals."""

    def __init__(self, system: System) -> None:
        numbers = system.numbers
        self.inactive = frozen(numbers)
        electrons = sum(numbers) - system.charge - 2 * self.inactive
        self.electrons = (electrons + system.two_s) // 2, (electrons - system.two_s) // 2
        self.orbitals = sum(1 if z <= 2 else 4 for z in numbers)
        if self.electrons[0] > self.orbitals:
            raise InputError(
                f"{system.symbols} has not room for 2S = {system.two_s} in its shells."
            )


def valence(system: System, mf: Any, space: Space) -> np.ndarray:
    """Sort a field's orbitals (nao, nmo): cores, the valence space, the rest.

    The valence space is the image of the atoms' valence shells (minimal basis) in the span of all
    orbitals above the cores: right singular vectors of their overlap.
    """
    gto = load().gto
    mol, orbitals = mf.mol, np.asarray(mf.mo_coeff)
    minimal = gto.M(atom=mol.atom, basis="minao", unit=mol.unit, spin=None, verbose=0)
    wanted = [
        i
        for i, (atom, symbol, shell, _) in enumerate(minimal.ao_labels(fmt=None))
        if shell in next(s for z, s in _SHELLS.items() if gto.charge(symbol) <= z)
    ]
    overlap = gto.intor_cross("int1e_ovlp", minimal, mol)[wanted]
    above = orbitals[:, space.inactive :]
    _, _, mixing = np.linalg.svd(overlap @ above, full_matrices=True)
    return np.hstack([orbitals[:, : space.inactive], above @ mixing.T])


def _high_spin(system: System, plan: Recipe, space: Space) -> Any:
    """Restricted open-shell field with as many parallel spins as the two atoms have."""
    from ase_probe.baselines.quantum.atoms import ground_two_s

    scf = load().scf
    most = sum(ground_two_s(s) for s in system.symbols)
    mol = molecule_of(replace(system, two_s=most), plan.far, symmetry=False)
    mf = scf.ROHF(mol)
    mf.chkfile, mf.conv_tol, mf.max_cycle = None, 1e-8, 200
    mf.kernel()
    return mf


def multireference(
    system: System,
    plan: Recipe,
    previous: tuple[Any, np.ndarray] | None = None,
    *,
    below: float | None = None,
) -> tuple[dict[str, Any], tuple[Any, np.ndarray]]:
    """Return energies of one point, and its orbitals for the next.

    Parameters
    ----------
    system, plan
        What to compute, and in which basis.
    previous
        Molecule and orbitals of the neighbouring point.
    below
        CASSCF energy, Eh, that is known already: from `previous` alone it is tried to find a lower
        one, and without success ``nevpt2`` is `None`.

    Returns
    -------
    tuple
        Record: ``casscf`` and ``nevpt2`` (total energies, Eh), ``converged``, ``s2``, ``weight``
        (of the leading configuration); then molecule and orbitals.
    """
    from pyscf import mcscf, mrpt

    space = Space(system)
    spin = system.two_s / 2
    mf = _high_spin(system, plan, space)
    mol = molecule_of(system, plan.far, symmetry=False)
    target = load().scf.ROHF(mol)
    target._eri = mf._eri
    guesses = [valence(system, mf, space)]
    best = None
    if previous is not None:
        probe = mcscf.CASSCF(target, space.orbitals, space.electrons)
        target.mo_coeff, target.mo_occ = guesses[0], mf.mo_occ
        projected = mcscf.project_init_guess(probe, previous[1], prev_mol=previous[0])
        guesses = [projected] if below is not None else [projected, *guesses]
    for guess in guesses:
        mc = mcscf.CASSCF(target, space.orbitals, space.electrons)
        mc.fix_spin_(shift=_SHIFT, ss=spin * (spin + 1))
        mc.max_cycle_macro, mc.conv_tol, mc.conv_tol_grad, mc.chkfile = _CYCLES, 1e-9, 1e-4, None
        mc.canonicalization = True
        mc.kernel(guess)
        if best is None or (not mc.converged, mc.e_tot) < (not best.converged, best.e_tot):
            best = mc
        if best.converged:
            break
    assert best is not None
    higher = below is not None and not best.e_tot < below - _LOWER
    second = None if higher else float(best.e_tot) + float(mrpt.NEVPT(best).kernel())
    ci = np.asarray(best.ci)
    squared, _ = best.fcisolver.spin_square(ci, space.orbitals, space.electrons)
    record = {
        "casscf": float(best.e_tot),
        "nevpt2": second,
        "converged": bool(best.converged) and abs(float(squared) - spin * (spin + 1)) < 1e-3,
        "s2": round(float(squared), 4),
        "weight": round(float(np.max(np.abs(ci)) ** 2), 4),
    }
    return record, (mol, np.asarray(best.mo_coeff))
