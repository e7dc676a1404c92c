"""The exact Born–Oppenheimer curve of H2, X ¹Σg⁺, at every distance.

Three pieces, in atomic units:

- R < 0.4 a₀, united atom: E = 1/R + E_He + c₂R² + c₃R³ + Σ cₖRᵏ (k = 4…11). The first terms are
  exact: c₂ = (2π/3)(1/2) ρ_He(0) and, by the cusp at the united nucleus, c₃ = −2c₂ (W. A. Bingel,
  J. Chem. Phys. 30, 1250 (1959)). The other eight make it pass through the first eight points of
  the table; fits through 6 to 10 points differ by 3 meV.
- 0.4–8 a₀: spline of order 7 of E − 1/R through the table, continued to the third derivative into
  the pieces on both sides. Without these the spline errs by 0.1 meV in the gap from 6 to 8 a₀.
- R > 8 a₀: −C₆/R⁶ − C₈/R⁸ − C₁₀/R¹⁰ − (A + B/R) J(R). The exchange energy J is that of C. Herring
  and M. Flicker, Phys. Rev. 134, A362 (1964); A and B match the last two points of the table.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Polynomial
from scipy.interpolate import make_interp_spline

from ase_probe.baselines.tier import Level, Potential, Unavailable, curve
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import BOHR, HARTREE

if TYPE_CHECKING:
    from ase_probe.curve import Curve

__all__ = ["covers", "hydrogen", "parse", "table"]

_SOURCE = (
    "J. S. Sims and S. A. Hagstrom, J. Chem. Phys. 124, 094101 (2006); "
    "L. Wolniewicz, J. Chem. Phys. 103, 1792 (1995)"
)
_POINTS = 48
_SEPARATED = -1.0  # two hydrogen atoms, Eh

_HELIUM = -2.903724377034  # Eh; G. W. F. Drake, Springer Handbook of Atomic Physics (2006), ch. 11
_HELIUM_DENSITY = 3.620858637  # electrons/a0³ at the nucleus; same source
_FITTED = 8  # coefficients of the united-atom series beyond the exact ones

# H–H dispersion coefficients, atomic units; Z.-C. Yan, J. F. Babb, A. Dalgarno and G. W. F. Drake,
# Phys. Rev. A 54, 2824 (1996).
_DISPERSION = {6: 6.499026705, 8: 124.3990835, 10: 3285.828415}
_EXCHANGE = 1.636572063 / 2  # half the singlet–triplet splitting is R^(5/2) exp(−2R) times this

# Largest error from each distance on (a0 -> eV): spread over orders of the united-atom fit, the
# spline with and without its end conditions, the spline against the tail inside the last gap.
_UNCERTAINTY = ((0.0, 3e-3), (0.4, 1e-4), (0.7, 2e-5))


def parse(text: str) -> np.ndarray:
    """Read and check the table.

    Parameters
    ----------
    text
        Comment lines, one header line, then ``R_bohr,E_hartree`` rows.

    Returns
    -------
    np.ndarray
        (n, 2): R, a₀, increasing, and E, Eh, nuclear repulsion included. Read-only.

    Raises
    ------
    InputError
        Wrong header, count or order, or something that is not a finite number.
    """
    header, *rows = [line for line in text.splitlines() if line and not line.startswith("#")]
    if header != "R_bohr,E_hartree":
        raise InputError(f"The H2 table starts with {header!r}, expected 'R_bohr,E_hartree'.")
    try:
        values = np.array([[float(cell) for cell in row.split(",")] for row in rows])
    except ValueError as error:
        raise InputError(f"The H2 table holds something that is no number: {error}.") from error
    if values.shape != (_POINTS, 2) or not np.all(np.isfinite(values)):
        raise InputError(f"The H2 table must hold {_POINTS} rows of two finite numbers.")
    if values[0, 0] <= 0 or np.any(np.diff(values[:, 0]) <= 0):
        raise InputError("The distances of the H2 table must be positive and increasing.")
    values.setflags(write=False)
    return values


@cache
def table() -> np.ndarray:
    """Return the published points (48, 2): R, a₀, and total energy, Eh."""
    path = files("ase_probe.baselines") / "data" / "h2_exact.csv"
    return parse(path.read_text(encoding="utf-8"))


def _dispersion(R: np.ndarray, order: int = 0) -> np.ndarray:
    """Return −Σ Cₙ/Rⁿ or one of its derivatives, atomic units."""
    total = np.zeros_like(R)
    for n, c in _DISPERSION.items():
        falling = float(np.prod(np.arange(n, n + order))) * (-1) ** order
        total -= c * falling / R ** (n + order)
    return total


def _powers(exponents: dict[float, float], order: int) -> dict[float, float]:
    """Differentiate Σ a Rᵉ exp(−2R), given as {e: a}, `order` times."""
    for _ in range(order):
        derived: dict[float, float] = {}
        for e, a in exponents.items():
            derived[e] = derived.get(e, 0.0) - 2.0 * a
            derived[e - 1.0] = derived.get(e - 1.0, 0.0) + a * e
        exponents = derived
    return exponents


class _Tail:
    """Energy beyond the table, relative to separated atoms, and its derivatives."""

    def __init__(self, R: np.ndarray, energy: np.ndarray) -> None:
        exchange = _EXCHANGE * R**2.5 * np.exp(-2.0 * R)
        share = (energy - _SEPARATED - _dispersion(R)) / -exchange
        a, b = np.linalg.solve(np.stack([np.ones(2), 1.0 / R], axis=1), share)
        self._exchange = {2.5: -_EXCHANGE * float(a), 1.5: -_EXCHANGE * float(b)}

    def __call__(self, R: np.ndarray, order: int = 0) -> np.ndarray:
        terms = _powers(self._exchange, order)
        total = _dispersion(R, order)
        for e, a in terms.items():
            total += a * R**e * np.exp(-2.0 * R)
        return total


def _united_atom(R: np.ndarray, energy: np.ndarray) -> Polynomial:
    """E(R) − 1/R below the table, Eh: the exact leading terms, the rest through the points."""
    second = np.pi / 3.0 * _HELIUM_DENSITY
    leading = Polynomial([_HELIUM, 0.0, second, -2.0 * second])
    fitted = np.linalg.solve(
        R[:, None] ** np.arange(4, 4 + len(R)), energy - 1.0 / R - leading(R)
    )  # (8,)
    return Polynomial(np.concatenate([leading.coef, fitted]))


@cache
def _potential() -> Potential:
    """Build the curve once: distances, Å -> interaction energy, eV, and slope, eV/Å."""
    R, energy = table().T
    united = _united_atom(R[:_FITTED], energy[:_FITTED])
    tail = _Tail(R[-2:], energy[-2:])
    # The spline carries E − 1/R, so 1/R is taken off the tail's derivatives: (−1)ⁿ n!/Rⁿ⁺¹.
    bare = {1: -1.0 / R[-1] ** 2, 2: 2.0 / R[-1] ** 3, 3: -6.0 / R[-1] ** 4}
    left = [(n, float(united.deriv(n)(R[0]))) for n in bare]
    right = [(n, float(tail(R[-1:], n)[0] - bare[n])) for n in bare]
    middle = make_interp_spline(R, energy - 1.0 / R, k=7, bc_type=(left, right))

    def smooth(R: np.ndarray, order: int) -> np.ndarray:
        """E(R) − E(∞) − 1/R or its first derivative, atomic units; no piece overflows."""
        below = united.deriv(order) if order else united
        zero = 0.0 if order else _SEPARATED
        values = np.empty_like(R)
        inner, outer = middle.t[0] > R, middle.t[-1] < R
        between = ~(inner | outer)
        values[inner] = below(R[inner]) - zero
        values[between] = middle(R[between], order) - zero
        bare = -1.0 / R[outer] ** 2 if order else 1.0 / R[outer]
        values[outer] = tail(R[outer], order) - bare
        return values

    def potential(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        R = r / BOHR
        return (
            HARTREE * (smooth(R, 0) + 1.0 / R),
            HARTREE / BOHR * (smooth(R, 1) - 1.0 / R**2),
        )

    return potential


def _uncertainty(r: np.ndarray) -> float:
    """Largest error over the radii, eV."""
    starts = [start * BOHR for start, _ in _UNCERTAINTY] + [np.inf]
    return max(
        (
            error
            for (low, high), (_, error) in zip(pairwise(starts), _UNCERTAINTY, strict=True)
            if np.any((r >= low) & (r < high))
        ),
        default=_UNCERTAINTY[0][1],
    )


def covers(dimer: Dimer) -> bool:
    """Tell whether this is neutral singlet H2."""
    return dimer == Dimer(("H", "H"))


def hydrogen(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """Exact curve of H2.

    Parameters
    ----------
    dimer
        H2; anything else is refused.
    r
        Distances (n,), Å.

    Raises
    ------
    InputError
        The dimer is not singlet H2.
    """
    if not covers(dimer):
        raise InputError(f"The H2 table cannot describe {dimer}.")
    level = Level(
        tier="exact",
        level="non-relativistic Born–Oppenheimer energy of H2, X ¹Σg⁺: published points from 0.4 "
        "to 8 a0, united-atom form below, dispersion and exchange beyond",
        source=_SOURCE,
        uncertainty_eV=_uncertainty(r),
    )
    return curve(level, r, _potential())
