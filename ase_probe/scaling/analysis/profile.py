"""Profile-likelihood intervals, and which parameters a design cannot identify.

The profile of a parameter is the smallest sum of squares S that the others can reach while it is
held. With Gaussian scatter of unknown size, {θ: S(θ) ≤ S_min (1 + F/ν)} holds the truth with the
confidence of F, the quantile of the F distribution with 1 and ν = cells − parameters degrees of
freedom (Bates and Watts, Nonlinear Regression Analysis, 1988, section 6.1.1). In a linear model
that is Student's interval, exactly.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import f as f_distribution

from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.analysis.law import STEEPEST, SYMBOLS, Fit

__all__ = ["LIMITS", "profile", "verdicts"]

LIMITS = {"exponent": 1.0, "amplitude": 4.0, "floor": 0.5}
"""Widest interval of an identified parameter.

Exponent: width over best value, that is ±50 %. Amplitude: upper over lower end, that is a factor
of two either way. Floor: width over the smallest loss of the design.
"""

_BEYOND = 1e-3  # outside a crossing, in the logarithm of a parameter: where it is tried again


def profile(fit: Fit, name: str, confidence: float = 0.95) -> Interval:
    """Return the profile-likelihood interval of one parameter.

    Parameters
    ----------
    fit
        The best fit.
    name
        One of ``fit.law.names``.
    confidence
        Of the interval.
    """
    index = fit.law.names.index(name)
    nu = fit.degrees_of_freedom
    limit = fit.squares * (1.0 + float(f_distribution.ppf(confidence, 1, nu)) / nu)
    low, open_low = _end(fit, index, -1, limit)
    high, open_high = _end(fit, index, 1, limit)
    return Interval(low, high, open_low, open_high)


def _end(fit: Fit, index: int, side: int, limit: float) -> tuple[float, bool]:
    """Return where the profile crosses the limit on one side, and whether it never does."""
    last = float(fit.law.outer(np.full(len(fit.inner), side * math.inf))[index])
    if math.isfinite(last) and fit.best(index, side * math.inf)[1] <= limit:
        return last, True
    lowest, highest = (float(ends[index]) for ends in fit.ranges)
    at, others = float(np.clip(fit.inner[index], lowest, highest)), fit.inner
    beyond = side * _BEYOND
    while True:
        crossing = _crossing(fit, index, at, others, side, limit)
        at = math.inf if crossing is None else crossing + beyond
        if crossing is None or not lowest <= at <= highest:
            return last, True
        # Started elsewhere, the others may find a deeper minimum: then the interval goes on.
        others, squares = fit.best(index, at)
        if squares > limit:
            break
        beyond *= 2
    ends = fit.inner.copy()
    ends[index] = crossing
    return float(fit.law.outer(ends)[index]), False


def _crossing(
    fit: Fit, index: int, start: float, others: np.ndarray, side: int, limit: float
) -> float | None:
    """Follow the profile from one place, where the others are known, to where it crosses."""
    nearest = others

    @cache  # the root is searched between two places already asked for
    def excess(at: float) -> float:
        nonlocal nearest
        guess = nearest.copy()
        guess[index] = at
        found, squares = fit.minimise(guess, fixed=index)
        if squares <= limit:
            nearest = found
        return squares - limit

    if excess(start) > 0:
        return start
    inside, step = start, side * _first_step(fit, index)
    while excess(inside + step) <= 0:
        inside, step = inside + step, 2 * step
        if not fit.ranges[0][index] <= inside <= fit.ranges[1][index]:
            return None
    return float(brentq(excess, inside, inside + step, xtol=1e-6, rtol=1e-9))


def _first_step(fit: Fit, index: int) -> float:
    """About two standard errors of the linear theory; one half where that has none."""
    step = 2 * float(fit.errors(fit.inner, fit.squares)[index])
    return step if 1e-12 < step < 1.0 else 0.5


def verdicts(fit: Fit) -> dict[str, tuple[Interval, str | None]]:
    """Return the interval of every parameter, and why the design does not identify it, if so.

    Where L∞ is not identified nothing else is: exponents and amplitudes follow from how much of the
    loss is floor. Judged by itself, an interval of a poor design is narrow where chance was kind,
    and then it is often wrong: of those for β in 4 x 3 cells with 8 % scatter one in five.
    """
    intervals = {name: profile(fit, name) for name in fit.law.names}
    reasons = {name: _unidentified(fit, name, interval) for name, interval in intervals.items()}
    if reasons.get("floor"):
        for name, reason in reasons.items():
            reasons[name] = reason or f"{SYMBOLS[name]} follows from L∞, which is not identifiable"
    return {name: (interval, reasons[name]) for name, interval in intervals.items()}


def _unidentified(fit: Fit, name: str, interval: Interval) -> str | None:
    """Say why an interval by itself says too little; `None` if it does not."""
    symbol = SYMBOLS[name]
    if name in ("alpha", "beta"):
        if interval.open_low:
            return f"{symbol} = 0, no dependence, is within the interval"
        if interval.open_high:
            return f"{symbol} may be as large as {STEEPEST:g}, the largest considered"
        wide = (interval.high - interval.low) / fit.values[name]
        if wide > LIMITS["exponent"]:
            return f"the interval is {wide:.1f} times as wide as {symbol} itself"
        return None
    if interval.open_high:
        return f"no upper end: nothing stops {symbol} from growing"
    if name == "floor":
        wide = (interval.high - interval.low) / float(np.exp(fit.cells.value.min()))
        if wide > LIMITS["floor"]:
            return f"the interval spans {wide:.0%} of the smallest loss"
        return None
    if interval.open_low:
        return f"{symbol} = 0 is within the interval: the law fits without this term"
    ratio = interval.high / interval.low
    if ratio > LIMITS["amplitude"]:
        return f"the upper end is {ratio:.3g} times the lower one"
    return None
