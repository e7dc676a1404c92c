"""One point of the single-reference composite: fields, MP2, CCSD(T), and how far to trust them.

The reference is found once, in the base set: restricted for singlets, unrestricted else, within
the symmetry of the dimer, lowest of several starts. Every other set then gets the same number of
electrons in every irreducible representation, so all terms of the sum describe one state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ase_probe.baselines.quantum.molecule import load
from ase_probe.baselines.quantum.recipe import Recipe
from ase_probe.baselines.quantum.scf import converge
from ase_probe.baselines.quantum.two_electron import pair_energy
from ase_probe.errors import EvaluationError, InputError

__all__ = ["Cluster", "System", "cluster", "core_level", "field", "frozen", "molecule_of", "parts"]

_CYCLES = 150
_DEPENDENT = 1e-8  # smallest eigenvalue of the overlap matrix that is kept
_FIT = "aug-cc-pv5z-jkfit"
_FIT_ELSE = "def2-universal-jkfit"
_UNFITTED = ("He", "Li", "Be", "Na", "Mg")  # the first set has no functions for them
_ALKALI = (3, 11)
_LAST = 18  # Ar; beyond, relativity and missing core sets would have to be dealt with
_CHEAP_CORE = 12  # electrons up to which the core of an alkali dimer gets CCSD(T)
_STARTS = ("minao", "hcore")


@dataclass(frozen=True, kw_only=True)
class System:
    """A molecule or atom to be computed.

    Attributes
    ----------
    symbols
        One or two chemical symbols.
    r
        Distance, Å.
    charge, two_s
        Charge, e, and 2S.
    ghost
        Index of an atom of which only the basis is there; −1 for none.
    """

    symbols: tuple[str, ...]
    r: float = 0.0
    charge: int = 0
    two_s: int = 0
    ghost: int = -1

    @property
    def numbers(self) -> list[int]:
        """Charges of the nuclei; those of ghosts are 0."""
        from ase.data import atomic_numbers

        return [
            0 if i == self.ghost else int(atomic_numbers[s]) for i, s in enumerate(self.symbols)
        ]


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Result of one coupled-cluster calculation.

    Attributes
    ----------
    mp2, correlation
        Correlation energies of MP2 and CCSD(T), Eh.
    converged
        Did the amplitudes converge?
    t1, t2
        Norm of the singles per √(correlated electrons); largest double amplitude.
    """

    mp2: float
    correlation: float
    converged: bool
    t1: float
    t2: float


def frozen(numbers: Sequence[int], *, inner: bool = False) -> int:
    """Count the orbitals that are left out of the correlation.

    Parameters
    ----------
    numbers
        Charges of the nuclei.
    inner
        Freeze only the 1s of Na and beyond (8000 eV deep), which core sets do not describe?

    Raises
    ------
    InputError
        An element beyond Ar.
    """
    if max(numbers) > _LAST:
        raise InputError(
            "The wavefunction tier ends at Ar: beyond, it would need scalar relativity and basis "
            "sets for the core."
        )
    below = {2: 0, 10: 0 if inner else 1, 18: 1 if inner else 5}
    return sum(next(n for last, n in below.items() if z <= last) for z in numbers)


@contextmanager
def _nearly_dependent() -> Iterator[None]:
    """Keep what PySCF would remove as linearly dependent, at a wall more with every step inward."""
    hf = load().scf.hf
    before = hf.overlap_zero_eigenvalue_threshold
    hf.overlap_zero_eigenvalue_threshold = _DEPENDENT
    try:
        yield
    finally:
        hf.overlap_zero_eigenvalue_threshold = before


def molecule_of(
    system: System, basis: str, *, uncontracted: bool = False, symmetry: bool | str = True
) -> Any:
    """Return PySCF's molecule; hydrogen and helium have no core and get the plain set.

    Raises
    ------
    InputError
        The basis has no functions for an element.
    """
    gto = load().gto
    atoms, sets = [], {}
    for i, symbol in enumerate(system.symbols):
        label = f"X-{symbol}" if i == system.ghost else symbol
        name = basis.replace("cc-pCV", "cc-pV") if symbol in ("H", "He") else basis
        try:
            functions = gto.basis.load(name, symbol)
        except (KeyError, RuntimeError, gto.basis.BasisNotFoundError) as error:
            raise InputError(f"{basis} has no functions for {symbol}: {error}.") from error
        sets[label] = gto.uncontract(functions) if uncontracted else functions
        atoms.append((label, (0.0, 0.0, i * system.r)))
    if symmetry is True:
        # In the full groups degenerate partners share their orbitals, and no Π state converges.
        same = len(atoms) == 1 or atoms[0][0] == atoms[1][0]
        symmetry = "D2h" if same else "C2v"
    return gto.M(
        atom=atoms, basis=sets, charge=system.charge, spin=system.two_s, unit="Angstrom",
        symmetry=symmetry, verbose=0, max_memory=8000,
    )  # fmt: skip


def _fitting(system: System) -> dict[str, str]:
    return {
        (f"X-{s}" if i == system.ghost else s): _FIT_ELSE if s in _UNFITTED else _FIT
        for i, s in enumerate(system.symbols)
    }


def field(
    system: System,
    basis: str,
    *,
    restricted: bool,
    fit: bool = False,
    uncontracted: bool = False,
    occupation: Mapping[str, Any] | None = None,
    starts: Sequence[np.ndarray | str] = _STARTS,
    symmetry: bool | str = True,
) -> Any:
    """Return the lowest Hartree–Fock field of several starts.

    Parameters
    ----------
    system, basis, uncontracted
        What to compute, and in which functions.
    restricted
        The same orbitals for both spins?
    fit
        Fit the density? Near a nucleus errors cancel to 10 µeV, at 0.1 Å they are 16 meV of 4 keV.
    occupation
        Electrons per irreducible representation; free where `None`.
    starts
        Names of PySCF's guesses, or density matrices.
    symmetry
        Find and keep the dimer's symmetry?
    """
    scf = load().scf
    mol = molecule_of(system, basis, uncontracted=uncontracted, symmetry=symmetry)
    best = None
    with _nearly_dependent():
        for start in starts:
            mf = (scf.RHF if restricted else scf.UHF)(mol)
            if fit:
                mf = mf.density_fit(auxbasis=_fitting(system))
                if best is not None:
                    mf.with_df = best.with_df
            elif best is not None:
                mf._eri = best._eri
            mf.chkfile = None
            mf.conv_tol = 1e-9
            if occupation is not None:
                mf.irrep_nelec = {k: v for k, v in occupation.items() if k in mol.irrep_name}
            guess = mf.get_init_guess(mol, start) if isinstance(start, str) else start
            converge(mf, guess, patient=best is None)
            if best is None or (not mf.converged, mf.e_tot) < (not best.converged, best.e_tot):
                best = mf
    return best


def _electrons(mf: Any) -> tuple[int, int]:
    return tuple(map(int, mf.mol.nelec))  # type: ignore[return-value]


def _none_to_correlate(mf: Any, core: int) -> bool:
    return sum(_electrons(mf)) - 2 * core < 2


def _mp2(mf: Any, core: int) -> float:
    """MP2 correlation energy of a density-fitted field, Eh."""
    if _none_to_correlate(mf, core):
        return 0.0
    from pyscf.mp.dfmp2 import DFRMP2
    from pyscf.mp.dfump2 import DFUMP2

    solver = (DFRMP2 if np.ndim(mf.mo_occ) == 1 else DFUMP2)(mf, frozen=core or None)
    return float(solver.kernel(with_t2=False)[0])


def cluster(mf: Any, core: int) -> Cluster:
    """CCSD(T) on a field.

    Parameters
    ----------
    mf
        Restricted or unrestricted Hartree–Fock, converged.
    core
        Number of frozen orbitals.
    """
    if _none_to_correlate(mf, core):
        return Cluster(mp2=0.0, correlation=0.0, converged=True, t1=0.0, t2=0.0)
    from pyscf import cc

    restricted = np.ndim(mf.mo_occ) == 1
    solver = (cc.ccsd.CCSD if restricted else cc.uccsd.UCCSD)(mf, frozen=core or None)
    solver.max_cycle, solver.conv_tol, solver.conv_tol_normt = _CYCLES, 1e-8, 1e-6
    eris = solver.ao2mo()
    solver.kernel(eris=eris)
    if not solver.converged:
        solver.iterative_damping, solver.diis_start_cycle = 0.6, 4
        solver.kernel(eris=eris)
    triples = float(solver.ccsd_t(eris=eris)) if solver.converged else 0.0
    singles = [solver.t1] if restricted else list(solver.t1)
    doubles = [solver.t2] if restricted else list(solver.t2)
    correlated = sum(_electrons(mf)) - 2 * core
    norm = sum(float(np.sum(x**2)) for x in singles) * (2 if restricted else 1)
    return Cluster(
        mp2=float(solver.emp2),
        correlation=float(solver.e_corr) + triples,
        converged=bool(solver.converged),
        # Lee and Taylor: |t1|/√N with t1 over spatial orbitals, so half the sum over both spins.
        t1=float(np.sqrt(norm / 2 / correlated)),
        t2=max((float(np.abs(x).max()) for x in doubles if x.size), default=0.0),
    )


def _flipped(system: System, basis: str) -> np.ndarray:
    """Densities of the two spins of two atoms side by side, the second one's spin turned over."""
    from ase_probe.baselines.quantum.atoms import ground_two_s

    blocks = []
    for i, symbol in enumerate(system.symbols):
        atom = System(symbols=(symbol,), two_s=ground_two_s(symbol))
        mf = field(atom, basis, restricted=False, starts=_STARTS[:1], symmetry=False)
        density = np.asarray(mf.make_rdm1())
        blocks.append(density[::-1] if i else density)
    n, m = (x.shape[-1] for x in blocks)
    both = np.zeros((2, n + m, n + m))
    both[:, :n, :n], both[:, n:, n:] = blocks
    return both


def core_level(numbers: Sequence[int], charge: int = 0) -> str:
    """Which calculation corrects for the cores of a dimer and of its atoms: MP2 or CCSD(T).

    The core of an alkali atom is polarised by its one electron, which MP2 overestimates.
    """
    electrons = sum(numbers) - charge - 2 * frozen(numbers, inner=True)
    alkali = any(z in _ALKALI for z in numbers)
    return "CCSD(T)" if alkali and electrons <= _CHEAP_CORE else "MP2"


def _core_correction(
    system: System, plan: Recipe, pair: bool, occupation: Mapping[str, Any], level: str
) -> tuple[float, bool]:
    """Correlation of the cores and of cores with valence, Eh, and is it converged?

    A valence pair is followed to separate atoms, where only an unrestricted reference carries
    perturbation theory or the cluster expansion.
    """
    outer, inner = frozen(system.numbers), frozen(system.numbers, inner=True)
    if outer == inner:
        return 0.0, True
    second = level == "MP2"
    if pair:
        mf = field(
            system, plan.core, restricted=False, fit=second, symmetry=False,
            starts=(_flipped(system, plan.core), _STARTS[0]),
        )  # fmt: skip
    else:
        mf = field(
            system, plan.core, restricted=system.two_s == 0, fit=second, occupation=occupation,
            starts=_STARTS[:1],
        )  # fmt: skip
    if second:
        return _mp2(mf, inner) - _mp2(mf, outer), bool(mf.converged)
    full, valence = cluster(mf, inner), cluster(mf, outer)
    sound = mf.converged and full.converged and valence.converged
    return full.correlation - valence.correlation, bool(sound)


def _spin_squared(mf: Any) -> float:
    return float(mf.spin_square()[0])


def parts(
    system: System,
    plan: Recipe,
    *,
    base: str = "",
    pair: bool = False,
    previous: np.ndarray | None = None,
    core: str = "",
) -> tuple[dict[str, Any], np.ndarray]:
    """Compute everything `ase_probe.baselines.quantum.recipe.total` adds up.

    Parameters
    ----------
    system, plan
        What to compute, and how.
    base
        Basis of CCSD(T), if not the one the recipe has for these symbols; an atom needs that of its
        dimer.
    pair
        Treat the two valence electrons by full configuration interaction?
    previous
        Density of a neighbouring point in the base set.
    core
        What `core_level` says of the dimer an atom belongs to; of these symbols if empty.

    Returns
    -------
    tuple
        Record: ``parts``, ``converged``, ``failed`` (which parts did not converge), ``s2``, ``t1``,
        ``t2``, ``occupation``; and the density of the base set.
    """
    restricted = system.two_s == 0
    outer = frozen(system.numbers)
    starts: list[np.ndarray | str] = [*_STARTS] if previous is None else [previous, *_STARTS]
    reference = field(
        system,
        base or plan.base_of(system.symbols, system.two_s),
        restricted=restricted,
        starts=starts,
    )
    occupation = {k: _plain(v) for k, v in reference.get_irrep_nelec().items()}
    found: dict[str, float] = {}
    sound = {"base": bool(reference.converged)}
    t1 = t2 = weight = None
    if not pair:
        made = cluster(reference, outer)
        found |= {"base": made.correlation, "base_mp2": made.mp2}
        sound["base"] &= made.converged
        t1, t2 = made.t1, made.t2
    wall = field(
        system, plan.wall, restricted=restricted, fit=True, uncontracted=True,
        occupation=occupation, starts=_STARTS[:1],
    )  # fmt: skip
    found["wall"], sound["wall"] = float(wall.e_tot), bool(wall.converged)
    for name, basis in (("low", plan.low), ("high", plan.high)):
        # A pair has no other wall than the one its high basis makes.
        mf = wall if pair and name == "high" else field(
            system, basis, restricted=restricted, fit=True, occupation=occupation,
            starts=_STARTS[:1],
        )  # fmt: skip
        sound[name] = bool(mf.converged)
        if not pair:
            found[name] = _mp2(mf, outer)
            continue
        try:
            energy, static, weight = pair_energy(mf, outer)
        except EvaluationError:
            energy = static = float(mf.e_tot)
            sound[name] = False
        found[name] = energy - static
        if name == "high":
            found["wall"] = static
    found["core"], sound["core"] = _core_correction(
        system, plan, pair, occupation, core or core_level(system.numbers, system.charge)
    )
    record = {
        "parts": found,
        "converged": all(sound.values()),
        "failed": [name for name, ok in sound.items() if not ok],
        "s2": round(_spin_squared(reference), 4),
        "t1": t1 if t1 is None else round(t1, 4),
        "t2": t2 if t2 is None else round(t2, 4),
        "weight": weight if weight is None else round(weight, 4),
        "occupation": {k: v for k, v in occupation.items() if np.any(v)},
    }
    return record, np.asarray(reference.make_rdm1())


def _plain(value: Any) -> Any:
    return [int(x) for x in value] if np.ndim(value) else int(value)
