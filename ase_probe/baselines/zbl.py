"""Tier ``analytic:zbl``: the universal screened Coulomb repulsion of two neutral atoms.

E(r) = k Z₁Z₂/r φ(r/a), a = 0.8854 a₀/(Z₁^0.23 + Z₂^0.23), φ(x) = Σ cᵢ exp(−dᵢx). It knows no bond
and no shells, so it is an order of magnitude and no truth: it is offered only where it exceeds
100 eV, with ±20 %.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from ase_probe.baselines.tier import Level, Unavailable, curve
from ase_probe.units import BOHR, COULOMB

if TYPE_CHECKING:
    from ase_probe.curve import Curve
    from ase_probe.dimer import Dimer

__all__ = ["FLOOR", "universal", "zbl"]

FLOOR = 100.0
"""The tier ends where its energy falls to this, eV: below, bonding is no longer negligible."""

_SOURCE = (
    "J. F. Ziegler, J. P. Biersack and U. Littmark, The Stopping and Range of Ions in Matter, "
    "vol. 1 (Pergamon, New York, 1985)"
)
_WEIGHTS = np.array([0.18175, 0.50986, 0.28022, 0.02817])  # sum is 1: bare Coulomb at r = 0
_RATES = np.array([3.19980, 0.94229, 0.40290, 0.20162])


def universal(first: int, second: int, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Universal ZBL potential.

    Parameters
    ----------
    first, second
        Atomic numbers.
    r
        Distances (n,), Å.

    Returns
    -------
    energy, slope
        E (n,), eV, and dE/dr (n,), eV/Å.
    """
    length = 0.8854 * BOHR / (first**0.23 + second**0.23)
    terms = _WEIGHTS * np.exp(-np.multiply.outer(r / length, _RATES))  # (n, 4)
    screening = terms.sum(axis=-1)
    bare = COULOMB * first * second / r
    energy = bare * screening
    return energy, -energy / r - bare * (terms @ _RATES) / length


@cache
def _end(first: int, second: int) -> float:
    """Distance at which the potential has fallen to `FLOOR`, Å; it falls monotonically."""

    def excess(r: float) -> float:
        return float(universal(first, second, np.array([r]))[0][0]) - FLOOR

    return float(brentq(excess, 1e-3, 10.0, xtol=1e-12))


def zbl(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """Universal ZBL repulsion of a neutral dimer, where it exceeds `FLOOR`.

    Parameters
    ----------
    dimer
        Any dimer; with a charge the tier is unavailable.
    r
        Distances (n,), Å.
    """
    if dimer.charge:
        return Unavailable(f"{dimer} is charged; the ZBL screening is that of neutral atoms.")
    first, second = dimer.numbers
    level = Level(
        tier="analytic:zbl",
        level=f"universal ZBL screening, where it exceeds {FLOOR:g} eV",
        source=_SOURCE,
        valid_r=(0.0, _end(first, second)),
        relative_uncertainty=0.20,
        truth=False,
    )
    return curve(level, r, lambda radii: universal(first, second, radii))
