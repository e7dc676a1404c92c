"""Equivalence tests: "no scaling" and "no improvement" are claims, and need evidence of their own.

That a change is not significant says nothing: few or noisy runs never see one. Two one-sided tests
(Schuirmann, J. Pharmacokinet. Biopharm. 15, 657 (1987)) call a change equivalent to none when its
90 % interval lies within ± a margin that was stated beforehand; that errs in at most 5 % of cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.runs import VARIABLES, Cells, Runs
from ase_probe.scaling.analysis.trend import trend
from ase_probe.scaling.outcomes import MEASURES

__all__ = ["LOSS_MARGIN", "Change", "loss_change", "outcome_change"]

LOSS_MARGIN = math.log(1.1)
"""A loss that changes by less than 10 % from the smallest size to the largest does not scale."""


@dataclass(frozen=True)
class Change:
    """How much a quantity changes from the smallest size of a design to the largest.

    Attributes
    ----------
    what, variable
        The quantity, and N or D.
    value
        The change; `None` where it is not defined.
    low, high
        Its 90 % interval, that of two one-sided tests at 5 %.
    margin
        What would matter.
    verdict
        ``none`` (equivalent to no change), ``falls``, ``rises`` or ``undecided``. A change that
        differs from zero but stays within the margin is ``none``.
    reason
        One sentence.
    """

    what: str
    variable: str
    value: float | None
    low: float
    high: float
    margin: float
    verdict: str
    reason: str


def _judged(
    what: str, variable: str, value: float, ends: tuple[float, float], sure: tuple[float, float],
    margin: float,
) -> Change:  # fmt: skip
    """Give the verdict; `ends` is the 90 % interval, `sure` the 95 % one."""
    low, high = ends
    said = f"{value:+.3g} (90 % interval {low:+.3g} to {high:+.3g}), margin ±{margin:.3g}"
    if -margin < low and high < margin:
        verdict, reason = "none", f"equivalent to no change: {said}"
    elif sure[1] < 0:
        verdict, reason = "falls", said
    elif sure[0] > 0:
        verdict, reason = "rises", said
    else:
        verdict, reason = "undecided", f"neither a change nor its absence is shown: {said}"
    return Change(what, variable, value, low, high, margin, verdict, reason)


def loss_change(runs: Runs, variable: str, margin: float = LOSS_MARGIN) -> Change:
    """Test whether the loss scales with N or D: change of ln L over the range of the design.

    The change is that of the power law through all cells, with a level of its own for every size of
    the other variable.

    Parameters
    ----------
    runs
        Finished runs.
    variable
        ``N`` or ``D``.
    margin
        In ln L.
    """
    return _along_trend(runs.log_loss, "ln loss", variable, margin)


def _along_trend(cells: Cells, what: str, variable: str, margin: float) -> Change:
    line = trend(cells, variable)
    ends, sure = line.interval(0.90), line.interval(0.95)
    return _judged(
        what,
        variable,
        line.range * line.slope,
        (line.range * ends[0], line.range * ends[1]),
        (line.range * sure[0], line.range * sure[1]),
        margin,
    )


def outcome_change(runs: Runs, name: str, variable: str, margin: float | None = None) -> Change:
    """Test whether an outcome changes with N or D.

    Parameters
    ----------
    runs
        Finished runs with this outcome.
    name
        One of `MEASURES`.
    variable
        ``N`` or ``D``.
    margin
        In the unit of the outcome; by default the one stated in `MEASURES`.

    Returns
    -------
    Change
        Undecided, and without a number, where runs have no value of it: a mean over those that
        happen to have a well would be of another set of models at every size.

    Raises
    ------
    InputError
        An unknown outcome, or one that the runs do not have.
    """
    if name not in MEASURES or name not in runs.outcomes:
        known = ", ".join(outcome for outcome in MEASURES if outcome in runs.outcomes)
        raise InputError(f"The runs have no outcome {name!r}; they have: {known or 'none'}.")
    margin = MEASURES[name].margin if margin is None else margin
    values = runs.outcomes[name]
    missing = int(np.sum(~np.isfinite(values)))
    if missing:
        reason = f"{missing} of {len(runs)} runs have no value, so no change is defined"
        return Change(name, variable, None, -math.inf, math.inf, margin, "undecided", reason)
    if name == "well":
        return _share_change(runs, values, name, variable, margin)
    return _along_trend(runs.cells(values), name, variable, margin)


def _share_change(
    runs: Runs, values: np.ndarray, name: str, variable: str, margin: float
) -> Change:
    """Share of yes at the largest size less that at the smallest.

    Newcombe's hybrid of Wilson's intervals (Statistics in Medicine 17, 873 (1998), method 10):
    unlike a line with Student's interval it knows that 0 of 9 is not certainly 0. It takes runs of
    different seeds as independent.
    """
    sizes = getattr(runs, variable)
    if sizes.min() == sizes.max():
        raise InputError(f"All runs have the same number of {VARIABLES[variable]}; add sizes.")
    first, last = values[sizes == sizes.min()], values[sizes == sizes.max()]
    p, q = float(first.mean()), float(last.mean())

    def ends(confidence: float) -> tuple[float, float]:
        (p_low, p_high), (q_low, q_high) = (
            binomtest(int(v.sum()), len(v)).proportion_ci(confidence, method="wilson")
            for v in (first, last)
        )
        change = q - p
        return (
            change - math.hypot(q - q_low, p_high - p),
            change + math.hypot(q_high - q, p - p_low),
        )

    return _judged(name, variable, q - p, ends(0.90), ends(0.95), margin)
