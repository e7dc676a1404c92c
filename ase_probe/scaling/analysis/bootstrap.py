"""Bootstrap of a law, clustered by cell: the second opinion on its intervals.

All runs of a cell move together: the residual of its mean is what is drawn. The design stays as it
is, because drawing whole cells of a small factorial design with replacement leaves sizes out and
so answers for another design. Residuals are widened by √(c/(c − p)), which a fit of p parameters to
c cells took from them, and the percentiles are those that correct for few cells (Hesterberg, The
American Statistician 69, 371 (2015): "expanded percentiles", with c − p degrees of freedom).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, t

from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.analysis.law import Fit

__all__ = ["draw", "intervals", "tails"]


def draw(fit: Fit, repeats: int, seed: int = 0) -> np.ndarray:
    """Return the parameters (repeats, p) of laws fitted to redrawn cells.

    Parameters
    ----------
    fit
        The best fit.
    repeats
        How many.
    seed
        Of the drawing.
    """
    random = np.random.default_rng(seed)
    cells = len(fit.cells)
    residuals = fit.residuals - fit.residuals.mean()
    residuals *= np.sqrt(cells / fit.degrees_of_freedom)
    expected = fit.law.log_loss(fit.inner, fit.x)[0]
    drawn = np.empty((repeats, len(fit.inner)))
    for i in range(repeats):
        noise = random.choice(residuals, cells) / np.sqrt(fit.cells.count)
        drawn[i] = fit.minimise(fit.inner, value=expected + noise)[0]
    return fit.law.outer(drawn)


def tails(fit: Fit, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two quantiles of the drawn values that bound the interval."""
    tail = float(norm.cdf(t.ppf((1.0 - confidence) / 2.0, fit.degrees_of_freedom)))
    return tail, 1.0 - tail


def intervals(fit: Fit, drawn: np.ndarray, confidence: float = 0.95) -> dict[str, Interval]:
    """Return the interval of every parameter.

    Parameters
    ----------
    fit
        The best fit.
    drawn
        As `draw` returns them.
    confidence
        Of the intervals.
    """
    low, high = np.quantile(drawn, tails(fit, confidence), axis=0)
    return {
        name: Interval(float(a), float(b))
        for name, a, b in zip(fit.law.names, low, high, strict=True)
    }
