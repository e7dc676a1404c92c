"""Internal stability of a self-consistent field, tested so that it cannot look the other way.

PySCF's own test starts its Davidson iteration from one vector made of the orbital gradient, which
on a spin-restricted density is the same for both spins: the direction that separates the spins is
then orthogonal to everything the iteration ever sees. Here it starts from the cheapest excitations
of ONE spin plus a little deterministic noise, so no symmetry is left to hide behind. The response
is evaluated on a coarser grid: only the sign of the lowest eigenvalue is wanted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["unstable_mode"]

_NEGATIVE = -5e-4  # Eh; a zero mode (an open shell may turn) is no instability
_STARTS = 2
_COARSE = 1  # grid level of the response
_SMALL = 1e-8


def _response(mf: Any) -> tuple[Any, np.ndarray]:
    """Hessian times vector, and its diagonal, in the space of orbital rotations."""
    from pyscf.soscf import newton_ah

    make = newton_ah.gen_g_hop_uhf
    if np.ndim(mf.mo_occ) == 1:
        restricted = bool(np.all(np.isin(mf.mo_occ, (0, 2))))
        make = newton_ah.gen_g_hop_rhf if restricted else newton_ah.gen_g_hop_rohf
    _, product, diagonal = make(mf, mf.mo_coeff, mf.mo_occ, with_symmetry=False)
    return product, np.asarray(diagonal)


def _rotated(mf: Any, mode: np.ndarray) -> Any:
    """Orbitals turned along the mode."""
    from pyscf.scf.hf import unpack_uniq_var
    from scipy.linalg import expm

    if np.ndim(mf.mo_occ) == 1:
        return mf.mo_coeff @ expm(unpack_uniq_var(mode, mf.mo_occ))
    moved, start = [], 0
    for orbitals, occupied in zip(mf.mo_coeff, mf.mo_occ, strict=True):
        stop = start + int(np.sum(occupied > 0) * np.sum(occupied == 0))
        moved.append(orbitals @ expm(unpack_uniq_var(mode[start:stop], occupied)))
        start = stop
    return np.asarray(moved)


def unstable_mode(mf: Any) -> tuple[float, Any] | None:
    """Look for a direction in which the energy falls.

    Parameters
    ----------
    mf
        A converged mean field of PySCF.

    Returns
    -------
    tuple or None
        Eigenvalue of the orbital Hessian, Eh, and the orbitals turned along its mode; `None` where
        the field is stable.
    """
    from pyscf import lib

    fine = mf.grids
    mf.grids = fine.copy()
    mf.grids.reset(mf.mol)
    mf.grids.level = min(_COARSE, fine.level)
    try:
        product, diagonal = _response(mf)
        if not diagonal.size:
            return None
        noise = np.cos(np.arange(diagonal.size) ** 2 * 0.7)  # deterministic, no symmetry
        starts = []
        for index in np.argsort(diagonal, kind="stable")[:_STARTS]:
            start = 1e-2 * noise / np.sqrt(diagonal.size)
            start[index] += 1.0
            starts.append(start)

        def precondition(residual: np.ndarray, energy: float, _: Any) -> np.ndarray:
            shifted = diagonal - energy
            shifted[np.abs(shifted) < _SMALL] = _SMALL
            return np.asarray(residual / shifted)

        value, mode = lib.davidson(
            product, starts, precondition, tol=1e-4, nroots=1, max_cycle=40, verbose=0
        )
    finally:
        mf.grids = fine
    return (float(value), _rotated(mf, mode)) if value < _NEGATIVE else None
