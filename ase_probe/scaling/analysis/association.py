"""Do the outcomes follow the loss? Partial Spearman correlation given N and D.

Loss and outcomes both improve with N and D, so they correlate even if one has nothing to do with
the other. Held fixed here are N and D themselves: from the ranks of both quantities the mean of
each cell is taken away, and what is left differs by the seed alone. Taking out a linear dependence
on the ranks of N and D instead, as is often done, leaves some of the common trend behind: on
synthetic studies without any association it found +0.2 on average.

Every outcome is turned so that larger is worse, and "none" is worse than any number: a positive
correlation means that a smaller loss comes with a better outcome.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.analysis.runs import Runs
from ase_probe.scaling.outcomes import MEASURES

__all__ = ["Association", "follows_loss"]


@dataclass(frozen=True)
class Association:
    """How an outcome goes with the loss, given N and D.

    Attributes
    ----------
    outcome
        Its name.
    correlation, interval, p_value
        Partial Spearman correlation, its 95 % interval and its two-sided p-value from permuting
        runs within cells; `None` where they cannot be had.
    none
        Runs without a value of the outcome, ranked as worst.
    reason
        Why there is no correlation.
    """

    outcome: str
    correlation: float | None
    interval: Interval | None
    p_value: float | None
    none: int
    reason: str = ""


def follows_loss(
    runs: Runs, outcome: str, *, permutations: int = 4999, seed: int = 0
) -> Association:
    """Correlate an outcome with the loss, given N and D.

    Parameters
    ----------
    runs
        Finished runs with this outcome, several seeds a cell.
    outcome
        One of `MEASURES`.
    permutations, seed
        Of the p-value.

    Raises
    ------
    InputError
        An unknown outcome, or diverged runs.
    """
    if outcome not in MEASURES or outcome not in runs.outcomes:
        known = ", ".join(name for name in MEASURES if name in runs.outcomes)
        raise InputError(f"The runs have no outcome {outcome!r}; they have: {known or 'none'}.")
    if runs.diverged.any():
        raise InputError("Some runs have no usable loss; pass runs[~runs.diverged] and say so.")
    values = runs.outcomes[outcome]
    missing = np.isnan(values)
    badness = -values if MEASURES[outcome].larger_is_better else values
    first = _within_cells(rankdata(np.where(missing, math.inf, badness)), runs.cell)
    second = _within_cells(rankdata(runs.loss), runs.cell)
    none = int(missing.sum())
    spare = len(runs) - np.unique(runs.cell).size
    if spare < 4:
        reason = f"{spare} runs more than cells; the interval needs four"
        return Association(outcome, None, None, None, none, reason)
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    if size < 1e-9:
        reason = "within every cell all runs are alike, in the outcome or in the loss"
        return Association(outcome, None, None, None, none, reason)
    random = np.random.default_rng(seed)
    permuted = np.tile(second, (permutations, 1))
    for cell in np.unique(runs.cell):
        here = np.flatnonzero(runs.cell == cell)
        permuted[:, here] = random.permuted(permuted[:, here], axis=1)
    found = float(first @ second) / size
    as_large = np.abs(permuted @ first) / size >= abs(found) - 1e-12
    p_value = (1 + int(as_large.sum())) / (1 + permutations)
    return Association(outcome, found, _fisher(found, spare), p_value, none)


def _within_cells(ranks: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the ranks (n,) less the mean of their cell."""
    mean = np.bincount(cell, weights=ranks) / np.bincount(cell)
    return np.asarray(ranks - mean[cell])


def _fisher(r: float, spare: int) -> Interval:
    """Fisher's interval with the variance (1 + r²/2)/(n − 3) of ranks.

    Bonett and Wright, Psychometrika 65, 23 (2000), with n − 1, the degrees of freedom of a plain
    correlation, replaced by runs less cells.
    """
    centre = math.atanh(math.copysign(min(abs(r), 1.0 - 1e-12), r))
    half = float(norm.ppf(0.975)) * math.sqrt((1.0 + r * r / 2.0) / (spare - 2))
    return Interval(math.tanh(centre - half), math.tanh(centre + half))
