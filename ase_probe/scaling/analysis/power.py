"""The pure power law L = A·x^−β in one variable, with a prefactor for every size of the other.

A straight line in ln L against ln x, so its interval is Student's, exactly. It has no floor: an
exponent from it describes the sizes that were run and says nothing about larger ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.analysis.profile import LIMITS
from ase_probe.scaling.analysis.runs import Cells
from ase_probe.scaling.analysis.trend import trend

__all__ = ["PowerLaw", "power_law"]


@dataclass(frozen=True)
class PowerLaw:
    """L = A·x^−exponent.

    Attributes
    ----------
    variable
        What x is, ``N`` or ``D``, and where, such as ``N at D = 3000``.
    exponent, interval
        The common exponent and its interval.
    prefactors
        Size of the other variable -> loss in the middle of the range of x.
    unidentified
        Why the design does not identify the exponent; `None` if it does.
    """

    variable: str
    exponent: float
    interval: Interval
    prefactors: Mapping[float, float]
    unidentified: str | None

    def __str__(self) -> str:
        if self.unidentified:
            return f"exponent in {self.variable}: not identifiable, {self.unidentified}"
        low, high = self.interval.low, self.interval.high
        return f"exponent in {self.variable}: {self.exponent:.3g} ({low:.3g} to {high:.3g})"


def power_law(cells: Cells, variable: str, confidence: float = 0.95) -> PowerLaw:
    """Fit a pure power law in N or D.

    Parameters
    ----------
    cells
        As `Runs.log_loss` gives them.
    variable
        ``N`` or ``D``.
    confidence
        Of the interval.

    Raises
    ------
    InputError
        Too few sizes.
    """
    line = trend(cells, variable)
    low, high = sorted(-end for end in line.interval(confidence))
    reason = None
    if low <= 0 <= high:
        reason = "0, no dependence, is within the interval"
    elif high - low > LIMITS["exponent"] * abs(line.slope):
        reason = (
            f"the interval is {(high - low) / abs(line.slope):.1f} times as wide as it is large"
        )
    return PowerLaw(
        variable=variable,
        exponent=-line.slope,
        interval=Interval(low, high),
        prefactors={size: math.exp(level) for size, level in line.levels.items()},
        unidentified=reason,
    )
