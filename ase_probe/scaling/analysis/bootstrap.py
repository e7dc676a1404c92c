"""Bootstrap of a law, clustered by cell: the second opinion on its intervals.

All runs of a cell move together: the residual of its mean is what is drawn. The design stays as it
is, because drawing whole cells of a small factorial design with replacement leaves sizes out and
so answers for another design. Residuals are widened by √(c/(c − p)), which a fit of p parameters to
c cells took from them.

Intervals are of the bootstrap-t kind (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 12): every redrawn fit is counted in its own standard errors, so that what few cells leave
unknown of the scatter is in the interval. Plain percentiles are too narrow with eight cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.analysis.law import Fit

__all__ = ["Drawn", "draw", "intervals", "percentiles"]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Laws fitted to redrawn cells.

    Attributes
    ----------
    values
        (repeats, p) parameters.
    pivots
        (repeats, p) distance of the unbounded parameters from the best ones, in standard errors.
    """

    values: np.ndarray
    pivots: np.ndarray


def draw(fit: Fit, repeats: int, seed: int = 0) -> Drawn:
    """Redraw the cells and fit the law again, many times.

    Parameters
    ----------
    fit
        The best fit.
    repeats
        How many times.
    seed
        Of the drawing.
    """
    random = np.random.default_rng(seed)
    cells = len(fit.cells)
    residuals = fit.residuals - fit.residuals.mean()
    residuals *= np.sqrt(cells / fit.degrees_of_freedom)
    expected = fit.law.log_loss(fit.inner, fit.x)[0]
    drawn = np.empty((repeats, len(fit.inner)))
    pivots = np.zeros_like(drawn)
    for i in range(repeats):
        noise = random.choice(residuals, cells) / np.sqrt(fit.cells.count)
        drawn[i], squares = fit.minimise(fit.inner, value=expected + noise)
        errors = fit.errors(drawn[i], squares)
        np.divide(drawn[i] - fit.inner, errors, out=pivots[i], where=errors > 0)
    return Drawn(fit.law.outer(drawn), pivots)


def intervals(fit: Fit, drawn: Drawn, confidence: float = 0.95) -> dict[str, Interval]:
    """Return the bootstrap-t interval of every parameter.

    Parameters
    ----------
    fit
        The best fit.
    drawn
        As `draw` returns it.
    confidence
        Of the intervals.
    """
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(drawn.pivots, [tail, 1.0 - tail], axis=0)
    errors = fit.errors(fit.inner, fit.squares)
    with np.errstate(over="ignore"):  # a parameter without an upper end
        ends = fit.law.outer(np.stack([fit.inner - high * errors, fit.inner - low * errors]))
    return {
        name: Interval(float(a), float(b))
        for name, a, b in zip(fit.law.names, ends[0], ends[1], strict=True)
    }


def percentiles(fit: Fit, values: np.ndarray, confidence: float = 0.95) -> list[Interval]:
    """Return intervals of quantities (repeats, q) derived from the drawn parameters.

    Percentiles, expanded by Student's t for the few cells (Hesterberg, The American Statistician
    69, 371 (2015)).
    """
    tail = float(norm.cdf(t.ppf((1.0 - confidence) / 2.0, fit.degrees_of_freedom)))
    low, high = np.quantile(values, [tail, 1.0 - tail], axis=0)
    return [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]
