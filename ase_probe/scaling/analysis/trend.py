"""A straight line through cells: the slope that both the power law and equivalence tests rest on.

    y = c_group + slope · x, weighted by the number of runs, Student's t with its own scatter.

The groups (all cells of one D when N is the variable) have levels of their own, so the other
variable need not obey any law.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.runs import VARIABLES, Cells

__all__ = ["Trend", "other", "trend"]


@dataclass(frozen=True)
class Trend:
    """A common slope.

    Attributes
    ----------
    slope, error
        The slope and its standard error, per unit of ln N or ln D.
    levels
        Size of the other variable -> y in the middle of the range.
    degrees_of_freedom
        Cells less parameters.
    range
        ln of the largest size over the smallest.
    """

    slope: float
    error: float
    levels: dict[float, float]
    degrees_of_freedom: int
    range: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Student's interval of the slope."""
        half = self.error * float(t.ppf((1.0 + confidence) / 2.0, self.degrees_of_freedom))
        return self.slope - half, self.slope + half


def other(variable: str) -> str:
    """Return D for N and N for D."""
    return "D" if variable == "N" else "N"


def trend(cells: Cells, variable: str) -> Trend:
    """Fit one slope against ln N or ln D, with a level of its own for every other size.

    Parameters
    ----------
    cells
        Values by cell.
    variable
        ``N`` or ``D``.

    Raises
    ------
    InputError
        One size only, or too few cells for a slope and its error.
    """
    x = cells.log(variable)
    sizes, group = np.unique(getattr(cells, other(variable)), return_inverse=True)
    spare = len(cells) - len(sizes) - 1
    if cells.levels(variable) < 2 or spare < 1:
        raise InputError(
            f"{len(cells)} cells with {cells.levels(variable)} different numbers of "
            f"{VARIABLES[variable]} give no slope with an error; add sizes."
        )
    root = np.sqrt(cells.count)[:, None]
    columns = np.column_stack([group[:, None] == np.arange(len(sizes)), x]) * root
    solution, *_ = np.linalg.lstsq(columns, cells.value * root[:, 0], rcond=None)
    rest = cells.value * root[:, 0] - columns @ solution
    covariance = np.linalg.pinv(columns.T @ columns) * float(rest @ rest) / spare
    return Trend(
        slope=float(solution[-1]),
        error=float(np.sqrt(covariance[-1, -1])),
        levels=dict(zip(sizes.tolist(), solution[:-1].tolist(), strict=True)),
        degrees_of_freedom=spare,
        range=float(np.ptp(x)),
    )
