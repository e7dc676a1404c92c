"""`bond`: position, depth and curvature of a reference curve's minimum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import atomic_mass, c, electron_volt
from scipy.optimize import brentq

from ase_probe.baselines.tier import Unavailable
from ase_probe.curve import Curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase_probe.dimer import Dimer

__all__ = ["Bond", "bond"]

_GRID = np.geomspace(0.3, 9.0, 1200)  # Å
_STEP = 1e-3  # Å
_CM_PER_ROOT = math.sqrt(electron_volt / 1e-20 / atomic_mass) / (2 * math.pi * c * 100)


@dataclass(frozen=True)
class Bond:
    """Constants of a minimum.

    Attributes
    ----------
    r_e
        Position, Å.
    D_e
        Depth below separated atoms, eV.
    omega_e
        Harmonic wavenumber of the most common isotopes, cm⁻¹.
    """

    r_e: float
    D_e: float
    omega_e: float


def bond(
    dimer: Dimer, tier: Callable[[Dimer, np.ndarray], Curve | Unavailable]
) -> Bond | Unavailable:
    """Find the lowest minimum of a reference curve.

    Parameters
    ----------
    dimer
        The pair.
    tier
        Its curve at given distances: a value of ``TIERS``, or one with a branch bound to it.

    Returns
    -------
    Bond or Unavailable
        Unavailable where the tier is, or where its curve has no minimum inside its range.
    """
    curve = tier(dimer, _GRID)
    if isinstance(curve, Unavailable):
        return curve
    lowest = int(np.argmin(curve.energy))
    if lowest in (0, len(curve) - 1) or curve.energy[lowest] >= 0:
        return Unavailable(f"The curve of {dimer} has no bound minimum where it holds.")

    def values(r: float) -> tuple[float, float]:
        """Energy, eV, and slope, eV/Å."""
        at = tier(dimer, np.array([r]))
        assert isinstance(at, Curve)
        assert at.axial_force is not None
        return float(at.energy[0]), -float(at.axial_force[0])

    r_e = float(brentq(lambda r: values(r)[1], curve.r[lowest - 1], curve.r[lowest + 1], xtol=1e-8))
    stiffness = (values(r_e + _STEP)[1] - values(r_e - _STEP)[1]) / (2 * _STEP)
    return Bond(
        r_e=r_e,
        D_e=-values(r_e)[0],
        omega_e=_CM_PER_ROOT * math.sqrt(stiffness / _reduced_mass(dimer)),
    )


def _reduced_mass(dimer: Dimer) -> float:
    """Reduced mass of the most common isotopes, u."""
    from ase.data import atomic_masses_common

    first, second = (float(atomic_masses_common[z]) for z in dimer.numbers)
    return first * second / (first + second)
