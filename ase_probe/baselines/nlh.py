"""Tier ``analytic:nlh``: repulsion fitted pair by pair to all-electron calculations.

E(r) = (k Z₁Z₂/r) Σ aᵢ exp(−bᵢr), Σ aᵢ = 1, K. Nordlund, S. Lehtola and G. Hobler, Phys. Rev. A 111,
032818 (2025). Every pair comes with the error of its fit above 30 eV, and only there is it
offered: farther out bonding takes over, and some tails are undamped Coulomb terms, so it is never
an asymptote. The stated error is an average over the range: N–N is off by −25 % at 0.5 Å against a
stated 11 %. Three times the column is taken as the uncertainty, and it is no truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from ase_probe.baselines.tables import bundled, number, rows
from ase_probe.baselines.tier import Level, Unavailable, curve
from ase_probe.dimer import Dimer, ground_multiplicity
from ase_probe.errors import InputError
from ase_probe.units import COULOMB

if TYPE_CHECKING:
    from ase_probe.curve import Curve

__all__ = ["FLOOR", "Screening", "nlh", "parse", "table"]

FLOOR = 30.0
"""The tier ends where its energy falls to this, eV: the lower end of the range of the fits."""

_SAFETY = 3.0  # stated errors are averages; see above
_SOURCE = (
    "K. Nordlund, S. Lehtola and G. Hobler, Phys. Rev. A 111, 032818 (2025); "
    "erratum Phys. Rev. A 112, 059901 (2025)"
)
_COLUMNS = (
    "Z1", "Z2", "a1", "b1", "a2", "b2", "a3", "b3", "error_above_30eV", "error_above_10eV",
)  # fmt: skip
_ROUNDING = 2e-5  # of the sum of three coefficients with five decimals


@dataclass(frozen=True)
class Screening:
    """One pair.

    Attributes
    ----------
    weights, rates
        aᵢ (3,) and bᵢ (3,), Å⁻¹.
    error
        Stated relative error above 30 eV.
    """

    weights: tuple[float, ...]
    rates: tuple[float, ...]
    error: float

    def __call__(self, first: int, second: int, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy (n,), eV, and slope (n,), eV/Å, of nuclei Z₁, Z₂ at distances (n,), Å."""
        rates = np.array(self.rates)
        terms = np.array(self.weights) * np.exp(-np.multiply.outer(r, rates))  # (n, 3)
        bare = COULOMB * first * second / r
        energy = bare * terms.sum(axis=-1)
        return energy, -energy / r - bare * (terms @ rates)


def _percent(row: Mapping[str, str], column: str) -> float:
    cell = row[column]
    if not cell.endswith("%"):
        raise ValueError(f"{column} is {cell}, not a percentage")
    return number({column: cell[:-1]}, column, low=0.0) / 100.0


def _entry(row: Mapping[str, str]) -> tuple[tuple[int, int], Screening]:
    pair = int(row["Z1"]), int(row["Z2"])
    if not 0 < pair[0] <= pair[1]:
        raise ValueError("Z1 and Z2 must be positive and ordered")
    weights = tuple(number(row, f"a{i}") for i in (1, 2, 3))
    if abs(sum(weights) - 1.0) > _ROUNDING:
        raise ValueError(f"the weights add up to {sum(weights):.6g}, not to 1")
    rates = tuple(number(row, f"b{i}", low=0.0) for i in (1, 2, 3))
    _percent(row, "error_above_10eV")
    return pair, Screening(weights, rates, _percent(row, "error_above_30eV"))


def parse(text: str) -> dict[tuple[int, int], Screening]:
    """Read and check the table: (Z₁, Z₂), Z₁ ≤ Z₂ -> screening.

    Raises
    ------
    InputError
        Wrong columns, a bad number, weights that do not add up to 1, a pair that appears twice; the
        message names the row.
    """
    found: dict[tuple[int, int], Screening] = {}
    for row in rows(text, _COLUMNS, "NLH coefficients"):
        try:
            pair, made = _entry(row)
            if pair in found:
                raise ValueError("the pair appears twice")
        except ValueError as error:
            raise InputError(
                f"Bad row {','.join(row.values())!r} of the NLH coefficients: {error}."
            ) from error
        found[pair] = made
    return found


@cache
def table() -> Mapping[tuple[int, int], Screening]:
    """Return the bundled pairs, read once."""
    return MappingProxyType(parse(bundled("nlh_coefficients.csv")))


@cache
def _end(first: int, second: int) -> float:
    """Distance at which the potential has fallen to `FLOOR`, Å; it falls monotonically."""
    screening = table()[first, second]

    def excess(r: float) -> float:
        return float(screening(first, second, np.array([r]))[0][0]) - FLOOR

    return float(brentq(excess, 1e-3, 10.0, xtol=1e-12))


def nlh(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """NLH repulsion of a neutral dimer in its ground state, where it exceeds `FLOOR`.

    Parameters
    ----------
    dimer
        Any dimer; the table holds a selection of pairs.
    r
        Distances (n,), Å.
    """
    first, second = sorted(dimer.numbers)
    ground = ground_multiplicity(dimer.symbols)
    if dimer.charge or dimer.multiplicity != ground:
        return Unavailable(f"{dimer} is no neutral ground state, to which the fits were made.")
    if (first, second) not in table():
        return Unavailable(f"No NLH coefficients of {dimer.formula} are bundled.")
    screening = table()[first, second]
    level = Level(
        tier="analytic:nlh",
        level=f"NLH pair-specific screening, above {FLOOR:g} eV",
        source=_SOURCE,
        valid_r=(0.0, _end(first, second)),
        relative_uncertainty=_SAFETY * screening.error,
        truth=False,
    )
    return curve(level, r, lambda radii: screening(first, second, radii))
