"""Full configuration interaction of two electrons: a Davidson iteration over exchange builds.

A singlet of two electrons is one symmetric matrix C, Ψ = Σ C_pq p(1) q(2), ΣC² = 1. The Hamiltonian
acts on it as

    σ = h C + C h + V[C],    V[C]_pq = Σ_rs (pr|qs) C_rs,

and V is what a Hartree–Fock program calls the exchange matrix of the "density" C. So one iteration
costs one exchange build, in any basis, and nothing of the usual machinery of determinants is
needed. In aug-cc-pVTZ that is 0.1 s against 2.4 s for ``pyscf.fci``, equal to 5e-12 Eh.

With closed shells frozen underneath, h is their Fock operator and the pair lives in what is left of
the orbital space: the valence pair of Li2 or NaH is exact in its basis at every distance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ase_probe.baselines.quantum.molecule import load
from ase_probe.errors import EvaluationError

__all__ = ["pair_energy"]

_TOLERANCE = 1e-10  # Eh
_CYCLES = 100
_STARTS = 3  # lowest configurations; one of another symmetry would stay there
_SMALL = 1e-8


def pair_energy(mf: Any, frozen: int = 0) -> tuple[float, float, float]:
    """Lowest singlet of the two electrons outside the frozen orbitals.

    Parameters
    ----------
    mf
        Converged restricted mean field of PySCF, with or without density fitting, whose electrons
        outside `frozen` orbitals are two.
    frozen
        Number of doubly occupied orbitals left as they are, the lowest ones.

    Returns
    -------
    tuple
        Total energy, Eh; the expectation value of its two leading natural configurations, Eh; and
        the weight of the first of them. The second energy dissociates as the first one does, but
        depends on the basis as a mean field: their difference is what X⁻³ extrapolates.

    Raises
    ------
    EvaluationError
        The iteration did not converge.
    """
    lib = load().lib
    core, active = mf.mo_coeff[:, :frozen], np.asarray(mf.mo_coeff[:, frozen:])
    n = active.shape[1]
    bare = mf.get_hcore()
    outside = float(mf.mol.energy_nuc())
    one = bare
    if frozen:
        density = 2.0 * np.asarray(core @ core.T)
        field = np.asarray(mf.get_veff(mf.mol, density))
        outside += float(np.einsum("ij,ji->", bare + field / 2, density))
        one = bare + field
    h = active.T @ one @ active
    level = np.diag(h).copy()

    def product(vector: np.ndarray) -> np.ndarray:
        c = vector.reshape(n, n)
        exchange = np.asarray(mf.get_k(mf.mol, active @ c @ active.T, hermi=0))
        sigma = h @ c + c @ h + active.T @ exchange @ active
        return np.asarray((sigma + sigma.T).ravel() / 2)

    # Orbital energies of the mean field precondition better than the bare h.
    shifted = np.asarray(mf.mo_energy)[frozen:] - (np.asarray(mf.mo_energy)[frozen] - level[0]) / 2
    diagonal = (shifted[:, None] + shifted[None, :]).ravel()
    starts = []
    for index in range(min(_STARTS, n)):
        start = np.zeros((n, n))
        start[index, index] = 1.0
        starts.append(start.ravel())

    def precondition(residual: np.ndarray, energy: float, _: Any) -> np.ndarray:
        gap = diagonal - energy
        gap[np.abs(gap) < _SMALL] = _SMALL
        return np.asarray(residual / gap)

    converged, value, vector = lib.davidson1(
        lambda vectors: [product(v) for v in vectors],
        starts, precondition, tol=_TOLERANCE, nroots=1, max_cycle=_CYCLES, max_space=20, verbose=0,
    )  # fmt: skip
    if not converged[0]:
        raise EvaluationError(
            f"The two-electron iteration did not converge in {_CYCLES} cycles; "
            "distance or basis ask for a better start."
        )
    c = vector[0].reshape(n, n)
    c = (c + c.T) / 2
    amplitude, orbital = np.linalg.eigh(c)
    leading = np.argsort(-np.abs(amplitude))[:2]
    two = (orbital[:, leading] * amplitude[leading]) @ orbital[:, leading].T
    two /= np.linalg.norm(two)
    static = outside + float(np.sum(two * product(two.ravel()).reshape(n, n)))
    return outside + float(value[0]), static, float(amplitude[leading[0]] ** 2 / np.sum(c**2))
