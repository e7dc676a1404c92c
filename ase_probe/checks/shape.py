"""The shape of a curve: its well, its noise, its derivative. Pure functions on arrays and `Curve`s.

All of them skip non-finite points instead of repairing them, and say so by returning `None`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from scipy.constants import atomic_mass, c, electron_volt

from ase_probe.curve import Curve

__all__ = ["Slope", "Well", "find_well", "noise", "slope", "unevenness"]

# sqrt(k/μ)/(2πc) in cm⁻¹ for k in eV/Å² and μ in u
_CM_PER_ROOT = math.sqrt(electron_volt / 1e-20 / atomic_mass) / (2 * math.pi * c * 100)

_HALF_WINDOW = 0.12  # of r_e: where the well is fitted
_DEGREE = 8
_STENCIL_SPAN = 0.031  # of r: just the clusters of the standard grid, not their neighbours


@dataclass(frozen=True)
class Well:
    """A minimum of a curve.

    Attributes
    ----------
    r_e
        Position, Å.
    energy
        Energy there, eV, on the curve's own zero.
    force_constant
        d²E/dr² there, eV/Å².
    r_e_error, force_constant_error
        Change when the fit's degree is lowered by two: the interpolation error.
    """

    r_e: float
    energy: float
    force_constant: float
    r_e_error: float
    force_constant_error: float

    def omega_e(self, masses: tuple[float, float]) -> float:
        """Harmonic wavenumber, cm⁻¹: ω_e = sqrt(k/μ)/(2πc), masses in u."""
        reduced = masses[0] * masses[1] / (masses[0] + masses[1])
        return float(_CM_PER_ROOT * math.sqrt(self.force_constant / reduced))


def noise(curve: Curve) -> float:
    """Rounding noise of the energies, eV: 4 eps·|E|, single precision unless known better."""
    finite = curve.energy[np.isfinite(curve.energy)]
    if not finite.size:
        return 0.0
    eps = np.finfo(np.float64 if curve.provenance.get("dtype") == "float64" else np.float32).eps
    return 4.0 * float(eps) * float(np.median(np.abs(finite)))


def find_well(curve: Curve, low: float, high: float) -> Well | None:
    """Find the lowest proper minimum between `low` and `high` (Å).

    A local polynomial (degree 8, least squares, r within 12 % of the minimum, at least nine points)
    gives position and curvature. `None` when no grid point lies below both its neighbours by more
    than the noise, or when the neighbourhood holds non-finite points.
    """
    r, energy = curve.r, curve.energy
    inside = np.flatnonzero((r >= low) & (r <= high))
    inside = inside[(inside > 0) & (inside < len(r) - 1)]
    lowest = [
        int(i)
        for i in inside
        if np.all(np.isfinite(energy[i - 1 : i + 2])) and energy[i] <= energy[i - 1 : i + 2].min()
    ]
    if not lowest:
        return None
    centre = min(lowest, key=lambda i: energy[i])
    fit, coarser = (_fit(r, energy, centre, degree) for degree in (_DEGREE, _DEGREE - 2))
    if fit is None or coarser is None:
        return None
    (r_e, e_min, k), (r_2, _, k_2) = fit, coarser
    depth = min(np.nanmax(energy[centre:]), np.nanmax(energy[: centre + 1])) - e_min
    if not k > 0 or not depth > 5 * noise(curve):
        return None
    return Well(r_e, e_min, k, abs(r_e - r_2), abs(k - k_2))


def _fit(
    r: np.ndarray, energy: np.ndarray, centre: int, degree: int
) -> tuple[float, float, float] | None:
    """Position, energy and curvature of the minimum of a local polynomial, or `None`."""
    near = np.flatnonzero(np.abs(r - r[centre]) <= _HALF_WINDOW * r[centre])
    first = max(0, min(near[0], centre - 4))
    last = min(len(r), max(near[-1], centre + 4) + 1)
    if last - first <= degree or not np.all(np.isfinite(energy[first:last])):
        return None
    polynomial = Polynomial.fit(r[first:last], energy[first:last], degree)
    roots = polynomial.deriv().roots()
    real = np.real(roots[np.abs(np.imag(roots)) < 1e-8 * r[centre]])
    real = real[(real >= r[centre - 1]) & (real <= r[centre + 1])]
    if not real.size:
        return None
    r_e = float(real[np.argmin(polynomial(real))])
    return r_e, float(polynomial(r_e)), float(polynomial.deriv(2)(r_e))


@dataclass(frozen=True)
class Slope:
    """dE/dr at the grid points with its error; NaN where it cannot be had.

    Attributes
    ----------
    value, error
        (n,), eV/Å. The error is the difference between the seven-point and the five-point
        formula plus the propagated noise of the energies.
    """

    value: np.ndarray
    error: np.ndarray


def slope(curve: Curve) -> Slope:
    """Differentiate the energy where seven points lie within 3 % of r.

    The standard grid has such clusters on purpose. Between its ordinary points a model can have
    features (the onset of its cutoff function) that no difference formula sees, nor its error
    estimate.
    """
    seven, weight = _derivative(curve.r, curve.energy, 3)
    five, _ = _derivative(curve.r, curve.energy, 2)
    span = np.full(len(curve), np.inf)
    span[3:-3] = curve.r[6:] - curve.r[:-6]
    seven[span > _STENCIL_SPAN * curve.r] = np.nan
    return Slope(seven, np.abs(seven - five) + weight * noise(curve))


def unevenness(r: np.ndarray, values: np.ndarray) -> np.ndarray:
    """|value − polynomial through its six neighbours| (n,); NaN at the ends."""
    result = np.full(len(r), np.nan)
    if len(r) > 6:
        windows = np.lib.stride_tricks.sliding_window_view(r, 7)
        weights = _interpolation_weights(windows, 3)
        weights[:, 3] = -1.0
        stencil = np.lib.stride_tricks.sliding_window_view(values, 7)
        with np.errstate(invalid="ignore", over="ignore"):
            result[3:-3] = np.abs(np.sum(weights * stencil, axis=1))
    return result


def _derivative(r: np.ndarray, energy: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """First derivative from 2·half + 1 points, and the norm of its weights (noise gain)."""
    value, gain = np.full(len(r), np.nan), np.full(len(r), np.nan)
    if len(r) < 2 * half + 1:
        return value, gain
    windows = np.lib.stride_tricks.sliding_window_view(r, 2 * half + 1)
    distance = windows - windows[:, [half]]
    distance[:, half] = 1.0
    # d/dx at x_c of Lagrange's polynomial: w_j/(x_j − x_c), and minus their sum for x_c itself.
    weights = _interpolation_weights(windows, half) / distance
    weights[:, half] = -weights.sum(axis=1)
    middle = slice(half, len(r) - half)
    with np.errstate(invalid="ignore", over="ignore"):
        stencil = np.lib.stride_tricks.sliding_window_view(energy, 2 * half + 1)
        value[middle] = np.sum(weights * stencil, axis=1)
    gain[middle] = np.linalg.norm(weights, axis=1)
    return value, gain


def _interpolation_weights(x: np.ndarray, centre: int) -> np.ndarray:
    """Weights (m, p) that interpolate to column `centre` of x (m, p) from the other columns.

    Lagrange: w_j = Π_{k≠j,c} (x_c − x_k)/(x_j − x_k), and 0 for j = c.
    """
    weights = np.zeros_like(x)
    others = [j for j in range(x.shape[1]) if j != centre]
    for j in others:
        rest = [k for k in others if k != j]
        weights[:, j] = np.prod((x[:, [centre]] - x[:, rest]) / (x[:, [j]] - x[:, rest]), axis=1)
    return weights
