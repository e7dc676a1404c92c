"""Training-performance estimation: does the loss of a run's first epochs tell where it will end?

The estimators of Ru et al. (arXiv:2006.04492), from the mean training loss of every epoch. Smaller
is better for all three; only their order among runs means anything. Whether they work is a rank
correlation with the final loss, with an interval: with a handful of runs it is wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, spearmanr

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.interval import Interval

__all__ = ["ESTIMATORS", "Correlation", "rank_correlation", "tse", "tse_e", "tse_ema"]


def _early(losses: Sequence[float], epochs: int) -> np.ndarray:
    history = np.asarray(losses, dtype=float)
    if not 1 <= epochs <= len(history):
        raise InputError(f"The history has {len(history)} epochs; asked for the first {epochs}.")
    return history[:epochs]


def tse(losses: Sequence[float], epochs: int) -> float:
    """TSE: sum of the mean training losses of the first `epochs` epochs; NaN if one diverged.

    Parameters
    ----------
    losses
        Mean training loss of every epoch.
    epochs
        How many of the first ones are known.
    """
    return float(_early(losses, epochs).sum())


def tse_e(losses: Sequence[float], epochs: int, last: int = 1) -> float:
    """TSE-E: the same, without the burn-in; only the `last` of the first `epochs` epochs count."""
    if not 1 <= last <= epochs:
        raise InputError(f"TSE-E sums the last 1 to {epochs} epochs; asked for {last}.")
    return float(_early(losses, epochs)[-last:].sum())


def tse_ema(losses: Sequence[float], epochs: int, decay: float = 0.9) -> float:
    """TSE-EMA: Σ decay^(epochs − t) · loss_t; 0.9 remembers about ten epochs (our choice)."""
    if not 0 < decay <= 1:
        raise InputError(f"The decay of TSE-EMA lies above 0 and up to 1; got {decay}.")
    history = _early(losses, epochs)
    return float(history @ decay ** np.arange(epochs - 1, -1, -1))


ESTIMATORS = {"TSE": tse, "TSE-E": tse_e, "TSE-EMA": tse_ema}
"""Name -> function of (losses, epochs)."""


_FEWEST = 8


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of an early estimate with the final loss.

    Attributes
    ----------
    spearman, kendall
        ρ and τ_b.
    spearman_interval, kendall_interval
        95 % percentile intervals, drawing whole runs with replacement.
    runs
        How many runs.
    """

    spearman: float
    spearman_interval: Interval
    kendall: float
    kendall_interval: Interval
    runs: int


def rank_correlation(
    estimate: Sequence[float], final: Sequence[float], *, repeats: int = 999, seed: int = 0
) -> Correlation:
    """Correlate the order by an early estimate with the order by the final loss.

    A run that diverged (NaN or infinite, early or in the end) takes the last place.

    Parameters
    ----------
    estimate
        (n,) early estimates, smaller is better.
    final
        (n,) final losses.
    repeats, seed
        Of the bootstrap. A drawing in which all values are equal has no order and counts as 0.

    Raises
    ------
    InputError
        Fewer than eight runs, whose interval would be too narrow, or runs that do not differ.
    """
    x, y = (_last_place(np.asarray(values, dtype=float)) for values in (estimate, final))
    if x.shape != y.shape or x.ndim != 1 or len(x) < _FEWEST:
        raise InputError(
            f"Give both numbers of at least {_FEWEST} runs; got {x.shape} and {y.shape}."
        )
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise InputError("All runs have the same value, so there is no order to compare.")
    random = np.random.default_rng(seed)
    drawn = []
    for chosen in random.integers(0, len(x), (repeats, len(x))):
        alike = np.ptp(x[chosen]) == 0 or np.ptp(y[chosen]) == 0
        drawn.append((0.0, 0.0) if alike else _both(x[chosen], y[chosen]))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    spearman, kendall = _both(x, y)
    return Correlation(
        spearman=spearman,
        spearman_interval=Interval(float(low[0]), float(high[0])),
        kendall=kendall,
        kendall_interval=Interval(float(low[1]), float(high[1])),
        runs=len(x),
    )


def _both(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    return float(spearmanr(x, y).statistic), float(kendalltau(x, y).statistic)


def _last_place(values: np.ndarray) -> np.ndarray:
    """Return finite numbers of the same order, with everything that is not finite at the end."""
    finite = np.isfinite(values)
    return np.where(finite, values, values[finite].max(initial=0.0) + 1.0)
