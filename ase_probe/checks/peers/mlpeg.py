"""ml-peg's metrics of a pair's curve.

Source: https://github.com/ddmms/ml-peg, ``ml_peg/analysis/physicality/diatomics``; its table shows
the mean of each over the pairs. There a point that could not be evaluated is a NaN that no sign
change, minimum or inflection is found at, which is the best mark; here it is NaN.
"""

from __future__ import annotations

import math

import numpy as np

from ase_probe.checks.peers.variation import FORCE_ZERO, MISSING, flips, spearman
from ase_probe.curve import Curve

__all__ = ["mlpeg"]

_PROMINENCE = 0.1  # eV: a minimum is at least as deep as this
_WIDTH = 1  # grid spacings, at half its prominence
_CURVATURE_ZERO = 0.5  # eV/Å²: a smaller curvature has no sign
_FEWEST = 3  # points


@np.errstate(over="ignore", invalid="ignore")  # what explodes gets inf or NaN
def mlpeg(curve: Curve) -> dict[str, float]:
    """Return ml-peg's metrics, all distances from the largest (first) to the smallest (last).

    ================== ============================================================================
    key                formula
    ================== ============================================================================
    Force flips        changes of sign of the axial force, of those with |F| > 10 meV/Å
    Energy minima      `scipy.signal.find_peaks` on −E: prominence 0.1 eV, width one grid spacing
    Energy inflections changes of sign of d²E/dr² (`numpy.gradient`, twice), of those with a size
                       above 0.5 eV/Å²
    ρ(E, repulsion)    Spearman's rank correlation of r and E from the energy minimum inward
    ρ(E, attraction)   the same outside of it, the minimum left out
    ================== ============================================================================

    Parameters
    ----------
    curve
        On the grid ``ml-peg`` for numbers comparable with the published ones.

    Returns
    -------
    dict
        The five keys above and `MISSING`, the number of points without a finite energy or force.
        What needs a missing number is NaN; so is everything for fewer than three points.
    """
    r, energy = curve.r[::-1], curve.energy[::-1]
    force = None if curve.axial_force is None else curve.axial_force[::-1]
    known = np.isfinite(energy)
    forced = known if force is None else np.isfinite(force)
    names = (
        *("Force flips", "Energy minima", "Energy inflections"),
        *("ρ(E, repulsion)", "ρ(E, attraction)"),
    )
    metrics = dict.fromkeys(names, math.nan)
    metrics[MISSING] = float(len(r) - int((known & forced).sum()))
    if len(r) < _FEWEST:
        return metrics
    if known.all():
        from scipy.signal import find_peaks  # slow to import

        bottom = int(np.argmin(energy))
        curvature = np.gradient(np.gradient(energy, r), r)
        minima, _ = find_peaks(-energy, prominence=_PROMINENCE, width=_WIDTH)
        metrics |= {
            "Energy minima": float(len(minima)),
            "Energy inflections": float(flips(curvature[np.abs(curvature) > _CURVATURE_ZERO])),
            "ρ(E, repulsion)": spearman(r[bottom:], energy[bottom:]),
            "ρ(E, attraction)": spearman(r[:bottom], energy[:bottom]),
        }
    if force is not None and forced.all():
        metrics["Force flips"] = float(flips(force[np.abs(force) > FORCE_ZERO]))
    return metrics
