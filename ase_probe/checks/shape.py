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
_FEWEST_STENCILS = 4
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
    """Noise of the energies, eV: measured, and never below rounding.

    The sixth difference of seven evenly spaced points has sqrt(924) times their noise and next to
    nothing of a smooth curve. The median over the outer stencils of the standard grid counts; a
    curve without stencils gets 4 eps·|E|, single precision unless its dtype is stated.
    """
    finite = np.abs(curve.energy[np.isfinite(curve.energy)])
    if not finite.size:
        return 0.0
    dtype = curve.provenance.get("dtype")
    size = float(np.median(finite))
    differences = _sixth_differences(curve)
    if differences.size < _FEWEST_STENCILS:
        return 4.0 * float(np.finfo(dtype or np.float32).eps) * size
    floor = float(np.finfo(dtype or np.float64).eps) * size
    outer = differences[len(differences) // 2 :]  # a hole's features are no noise
    return max(floor, float(np.median(outer)) / (0.6745 * math.sqrt(924)))


def _sixth_differences(curve: Curve) -> np.ndarray:
    """|sixth difference| of the energy over every narrow, even stencil of seven finite points."""
    if len(curve) < 7:
        return np.empty(0)
    r = np.lib.stride_tricks.sliding_window_view(curve.r, 7)
    energy = np.lib.stride_tricks.sliding_window_view(curve.energy, 7)
    steps = np.diff(r, axis=1)
    even = np.ptp(steps, axis=1) < 1e-6 * r[:, 3]
    narrow = r[:, 6] - r[:, 0] < _STENCIL_SPAN * r[:, 3]
    use = even & narrow & np.all(np.isfinite(energy), axis=1)
    return np.asarray(np.abs(np.diff(energy[use], n=6, axis=1)[:, 0]))


def find_well(curve: Curve, low: float, high: float, floor: float = -math.inf) -> Well | None:
    """Find the lowest proper minimum between `low` and `high` (Å) that is not below `floor` (eV).

    A local polynomial (degree 8, least squares, r within 12 % of the minimum, at least nine points)
    gives position and curvature. Non-finite points are left out. `None` when no minimum stands out
    of the noise.
    """
    finite = np.isfinite(curve.energy)
    r, energy = curve.r[finite], curve.energy[finite]
    if len(r) < 3:
        return None
    middle = energy[1:-1]
    is_lowest = (middle <= energy[:-2]) & (middle <= energy[2:]) & (middle >= floor)
    candidates = 1 + np.flatnonzero(is_lowest & (r[1:-1] >= low) & (r[1:-1] <= high))
    if not candidates.size:
        return None
    centre = int(candidates[np.argmin(energy[candidates])])
    fit, coarser = (_fit(r, energy, centre, degree) for degree in (_DEGREE, _DEGREE - 2))
    if fit is None or coarser is None:
        return None
    (r_e, e_min, k), (r_2, _, k_2) = fit, coarser
    depth = min(energy[centre:].max(), energy[: centre + 1].max()) - e_min
    if not depth > 5 * noise(curve):
        return None
    return Well(r_e, e_min, k, abs(r_e - r_2), abs(k - k_2))


def _fit(
    r: np.ndarray, energy: np.ndarray, centre: int, degree: int
) -> tuple[float, float, float] | None:
    """Position, energy and curvature of the minimum of a local polynomial, or `None`."""
    near = np.flatnonzero(np.abs(r - r[centre]) <= _HALF_WINDOW * r[centre])
    first = max(0, min(int(near[0]), centre - 4))
    last = min(len(r), max(int(near[-1]), centre + 4) + 1)
    if last - first <= degree:
        return None
    polynomial = Polynomial.fit(r[first:last], energy[first:last], degree)
    curvature = polynomial.deriv(2)
    roots = polynomial.deriv().roots()
    real = np.real(roots[np.abs(np.imag(roots)) < 1e-8 * r[centre]])
    real = real[(real >= r[first]) & (real <= r[last - 1])]
    real = real[curvature(real) > 0]
    if not real.size:
        return None
    r_e = float(real[np.argmin(np.abs(real - r[centre]))])
    return r_e, float(polynomial(r_e)), float(curvature(r_e))


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


def unevenness(r: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Twice the largest distance of seven values from their cubic (n,), at the indices `at`."""
    result = np.full(len(r), np.nan)
    for i in at:
        stencil = slice(max(0, i - 3), i + 4)
        if np.all(np.isfinite(values[stencil])):
            cubic = Polynomial.fit(r[stencil], values[stencil], 3)
            result[i] = 2.0 * np.abs(values[stencil] - cubic(r[stencil])).max()
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
