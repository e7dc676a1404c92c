"""One curve made of two methods: the inner one sets the scale of the outer one.

What NEVPT2 lacks (basis, core, higher excitations) shrinks with the bond itself, so it is put right
by a factor, not by a shift that would have to be faded out by hand:

    E(r) = c(r) E_outer(r),    c(r) = E_inner(r)/E_outer(r)    for r ≤ r_j,
    c(r) = c_j + c'_j λ (1 − exp(−(r − r_j)/λ))                beyond.

Value and slope of the curve are continuous at the junction r_j, and the factor soon stands still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ase_probe.errors import InputError

__all__ = ["Splice", "splice"]

_FADE = 0.1  # λ / r_j
_POINTS = 3  # that give the slope of the factor


@dataclass(frozen=True, kw_only=True)
class Splice:
    """How two curves were joined.

    Attributes
    ----------
    junction
        Last distance of the inner curve, Å.
    factor, slope
        c and dc/dr there, 1/Å.
    """

    junction: float
    factor: float
    slope: float

    def scale(self, r: np.ndarray) -> np.ndarray:
        """Factor c at distances (n,), Å, beyond the junction."""
        reach = _FADE * self.junction
        rise = 1.0 - np.exp(-(np.asarray(r) - self.junction) / reach)
        return np.asarray(self.factor + self.slope * reach * rise)


def splice(r: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> Splice:
    """Find the factor between two curves at the last of their common distances.

    Parameters
    ----------
    r
        Common distances (n,), Å, increasing; the last one is the junction.
    inner, outer
        Energies (n,) relative to the separated atoms.

    Raises
    ------
    InputError
        Fewer than three points, or no bond left to scale.
    """
    if len(r) < _POINTS:
        raise InputError(f"A splice needs {_POINTS} common points, got {len(r)}: more points.")
    r, inner, outer = r[-_POINTS:], inner[-_POINTS:], outer[-_POINTS:]
    if np.any(inner * outer <= 0):
        raise InputError("The two curves to be spliced differ in sign at the junction.")
    parabola = np.polynomial.Polynomial.fit(r, inner / outer, _POINTS - 1)
    return Splice(
        junction=float(r[-1]),
        factor=float(inner[-1] / outer[-1]),
        slope=float(parabola.deriv()(r[-1])),
    )
