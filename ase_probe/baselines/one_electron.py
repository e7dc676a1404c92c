"""One electron and two nuclei: the exact ground state, in prolate spheroidal coordinates.

With ξ = (r₁ + r₂)/R, η = (r₁ − r₂)/R and p² = −E R²/2 the Schrödinger equation separates (atomic
units, m = 0; E is the electronic energy, A the separation constant):

    [d/dξ (ξ² − 1) d/dξ − p²ξ² + R(Z₁ + Z₂)ξ + A] X(ξ) = 0,    ξ ≥ 1
    [d/dη (1 − η²) d/dη + p²η² − R(Z₁ − Z₂)η − A] Y(η) = 0,    |η| ≤ 1

E. A. Hylleraas, Z. Phys. 71, 739 (1931); D. R. Bates, K. Ledsham and A. L. Stewart, Phil. Trans. R.
Soc. A 246, 215 (1953). Laguerre functions of x = 2p(ξ − 1) make the first operator a symmetric
tridiagonal matrix, Legendre polynomials make the second a symmetric banded one. The ground state
has no nodes, so it is the top of both spectra: the p at which the two largest eigenvalues add up to
zero. Their sum falls monotonically with p, so the root is unique; Newton's method finds it inside a
bracket, with derivatives from the eigenvectors (Hellmann–Feynman).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import eig_banded, eigh_tridiagonal

from ase_probe.baselines.tier import Level, Unavailable, curve
from ase_probe.errors import EvaluationError, InputError
from ase_probe.units import BOHR, HARTREE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase_probe.curve import Curve
    from ase_probe.dimer import Dimer

__all__ = ["MAX_Z", "covers", "electronic_energy", "one_electron"]

MAX_Z = 10
"""Heaviest nucleus: the energies are non-relativistic, and E (Zα)²/4 is 1.8 eV for Ne⁹⁺ already."""

_VALID_R = (0.001, 1000.0)  # Å; the range the tests cover
_MAX_BASIS = 4096
_RESIDUAL = (
    1e-8  # of an eigenvector cut off at the last function; its eigenvalue errs by the square
)
_STEP = 1e-11  # relative change of p at which Newton's method, then quadratic, has converged
_MAX_STEPS = 60


class _Top(NamedTuple):
    """Largest eigenvalue of one of the two operators, and its partial derivatives."""

    value: float
    by_p: float
    by_R: float
    residual: float


def _radial(p: float, R: float, total: int, size: int) -> _Top:
    """Largest eigenvalue of the ξ operator (without A) plus p², in `size` Laguerre functions.

    With σ = R(Z₁ + Z₂)/2p the matrix is
    T[n, n] = (2n + 1)(σ − 1 − n) − 4pn + n + R(Z₁ + Z₂) − 2p and T[n, n + 1] = (n + 1)(n + 1 − σ).
    """
    n = np.arange(size, dtype=float)
    sigma = R * total / (2.0 * p)
    constant = R * total - 2.0 * p
    diagonal = (2.0 * n + 1.0) * (sigma - 1.0 - n) - 4.0 * p * n + n
    coupling = (n + 1.0) * (n + 1.0 - sigma)  # the last one leads out of the basis
    _, vectors = eigh_tridiagonal(
        diagonal, coupling[:-1], select="i", select_range=(size - 1, size - 1)
    )
    v = vectors[:, 0]
    weight, overlap = v * v, v[1:] * v[:-1]
    by_sigma = float((2.0 * n + 1.0) @ weight - 2.0 * (n[:-1] + 1.0) @ overlap)
    # The Rayleigh quotient is far more accurate than LAPACK's eigenvalue, which carries the
    # rounding of the largest matrix element.
    value = float(diagonal @ weight + 2.0 * (coupling[:-1] @ overlap))
    return _Top(
        value=value + constant,
        by_p=-by_sigma * sigma / p - 4.0 * float(n @ weight) - 2.0,
        by_R=by_sigma * sigma / R + total,
        residual=abs(float(coupling[-1] * v[-1])),
    )


def _angular(p: float, R: float, difference: int, size: int) -> _Top:
    """Largest eigenvalue of the η operator (without A) minus p², in `size` Legendre polynomials.

    With η Pₗ = aₗ Pₗ₊₁ + aₗ₋₁ Pₗ₋₁ for normalised Pₗ, aₗ = (l + 1)/√((2l + 1)(2l + 3)), the matrix
    of −l(l + 1) − p²(1 − η²) − R(Z₁ − Z₂)η has two off-diagonals.
    """
    ell = np.arange(size + 1, dtype=float)
    a = (ell + 1.0) / np.sqrt((2.0 * ell + 1.0) * (2.0 * ell + 3.0))
    before = np.concatenate([[0.0], a[:-1]])
    outside = 1.0 - (before**2 + a**2)[:size]  # diagonal of 1 − η²
    jump = a[:-1] * a[1:]  # second off-diagonal of η²
    bands = np.stack(
        [
            -ell[:size] * (ell[:size] + 1.0) - p * p * outside,
            -R * difference * a[:size],
            p * p * jump[:size],
        ]
    )
    _, vectors = eig_banded(bands, lower=True, select="i", select_range=(size - 1, size - 1))
    v = vectors[:, 0]
    next_to = 2.0 * float(a[: size - 1] @ (v[1:] * v[:-1]))  # ⟨η⟩
    off_axis = float(outside @ (v * v)) - 2.0 * float(jump[: size - 2] @ (v[2:] * v[:-2]))
    kinetic = float((ell[:size] * (ell[:size] + 1.0)) @ (v * v))
    return _Top(
        value=-kinetic - p * p * off_axis - R * difference * next_to,
        by_p=-2.0 * p * off_axis,
        by_R=-difference * next_to,
        residual=float(np.hypot(bands[2, -2] * v[-2], (abs(bands[1, -1]) + bands[2, -1]) * v[-1])),
    )


def _converged(top: Callable[[int], _Top], size: int, what: str) -> tuple[_Top, int]:
    """Double the basis until the eigenvector fits into it."""
    while size <= _MAX_BASIS:
        result = top(size)
        if result.residual <= _RESIDUAL:
            return result, size
        size *= 2
    raise EvaluationError(
        f"The two-centre problem did not converge: {what}, {size // 2} functions."
    )


def _root(
    R: float, charges: tuple[int, int], guess: float, sizes: tuple[int, int]
) -> tuple[float, float, tuple[int, int]]:
    """Solve for p at one distance; return p, dp/dR and the basis sizes used."""
    total, difference = sum(charges), charges[0] - charges[1]
    # −(Z₁ + Z₂)²/2 ≤ E ≤ −max(Z)²/2: the united atom below, the lowest fragment above.
    low, high = R * max(charges) / 2.0, R * total / 2.0
    p = guess if low < guess < high else (low + high) / 2.0
    radial_size, angular_size = sizes
    for _ in range(_MAX_STEPS):
        at = f"Z = {charges}, R = {R:g} a0, p = {p:.6g}"
        trial = p
        radial, radial_size = _converged(
            lambda size, p=trial: _radial(p, R, total, size),  # type: ignore[misc]
            radial_size,
            f"radial, {at}",
        )
        angular, angular_size = _converged(
            lambda size, p=trial: _angular(p, R, difference, size),  # type: ignore[misc]
            angular_size,
            f"angular, {at}",
        )
        mismatch = radial.value + angular.value
        by_p = radial.by_p + angular.by_p
        low, high = (p, high) if mismatch > 0 else (low, p)
        new = p - mismatch / by_p
        if not low <= new <= high:
            new = (low + high) / 2.0
        if abs(new - p) <= _STEP * p:
            return new, -(radial.by_R + angular.by_R) / by_p, (radial_size, angular_size)
        p = new
    raise EvaluationError(
        f"The two-centre problem did not converge at Z = {charges}, R = {R:g} a0: "
        f"p = {p!r} after {_MAX_STEPS} steps."
    )


def _first_guess(charges: tuple[int, int], R: float) -> float:
    """√(−E/2) from a form that is exact to O(R²) at the united atom and falls like 1/R beyond."""
    total, lowest = sum(charges), -(max(charges) ** 2) / 2.0
    depth = total**2 / 2.0 + lowest
    rise = 2.0 / 3.0 * charges[0] * charges[1] * total**2  # E = −(Z₁ + Z₂)²/2 + rise R² + …
    energy = lowest - depth / np.sqrt(1.0 + 2.0 * rise / depth * R * R)
    return float(np.sqrt(-energy / 2.0))


def electronic_energy(charges: tuple[int, int], R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Electronic ground-state energy of one electron and two nuclei.

    Parameters
    ----------
    charges
        Nuclear charges Z₁, Z₂.
    R
        Distances (n,), a₀; solved in the order given, each starting from the one before.

    Returns
    -------
    energy, slope
        E (n,), Eh, without nuclear repulsion, and dE/dR (n,), Eh/a₀.

    Raises
    ------
    EvaluationError
        Basis or root did not converge. An unconverged number is never returned.
    """
    energy, slope = np.empty(len(R)), np.empty(len(R))
    momentum = rate = last = 0.0  # p/R = √(−E/2), its derivative, the distance they are at
    radial_size = 24
    if len(R):
        momentum = _first_guess(charges, last := float(R[0]))
    for i, distance in enumerate(map(float, R)):
        guess = distance * (momentum + rate * (distance - last))
        # exp(±pη) needs polynomials up to about √(2p·37) for 16 digits.
        angular_size = 16 + int(9.0 * np.sqrt(distance * sum(charges) / 2.0))
        p, by_R, (radial_size, _) = _root(distance, charges, guess, (radial_size, angular_size))
        momentum, last = p / distance, distance
        rate = (by_R - momentum) / distance
        energy[i] = -2.0 * momentum**2
        slope[i] = -4.0 * momentum * rate
    return energy, slope


def covers(dimer: Dimer) -> bool:
    """Tell whether the dimer has exactly one electron and no nucleus beyond `MAX_Z`."""
    return dimer.electrons == 1 and max(dimer.numbers) <= MAX_Z


def one_electron(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """Exact ground-state curve of a one-electron dimer such as ``H2+`` or ``HeH++``.

    The zero is the lowest pair of fragments: the electron on the heavier nucleus.

    Parameters
    ----------
    dimer
        A dimer with one electron; anything else is refused.
    r
        Distances (n,), Å.

    Raises
    ------
    InputError
        The dimer has not exactly one electron, or is too heavy.
    EvaluationError
        The solver did not converge.
    """
    if not covers(dimer):
        raise InputError(f"The one-electron solver cannot describe {dimer}.")
    first, second = dimer.numbers

    def potential(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        R = r / BOHR
        energy, slope = electronic_energy((first, second), R)
        repulsion = first * second / R
        total = energy + repulsion + max(first, second) ** 2 / 2.0
        return HARTREE * total, HARTREE / BOHR * (slope - repulsion / R)

    level = Level(
        tier="exact",
        level="non-relativistic Born–Oppenheimer ground state of one electron, two point nuclei",
        source="E. A. Hylleraas, Z. Phys. 71, 739 (1931); solved here to 1e-10 Eh",
        valid_r=_VALID_R,
        uncertainty_eV=1e-10 * HARTREE,
    )
    return curve(level, r, potential)
