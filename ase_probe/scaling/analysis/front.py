"""The compute-optimal front: the lowest loss that a cost can buy, and how to spend more.

Costs are measured (seconds of CPU) or estimated as 6·N·D floating-point operations for a model of N
parameters that saw D items: a multiply and an add forward, twice that backward (Kaplan et al.,
arXiv:2001.08361). The estimate holds for a transformer and its tokens. A graph network uses its
parameters once an atom or an edge, so for those take what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.bootstrap import percentiles
from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.analysis.report import Report

__all__ = ["Allocation", "allocation", "flops", "front"]


def flops(N: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """6·N·D: operations of training; `seen` counts every token of every epoch."""
    return np.asarray(6.0 * np.asarray(N, dtype=float) * np.asarray(seen, dtype=float))


def front(cost: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return the runs that none cheaper or equally cheap beats.

    Parameters
    ----------
    cost, loss
        (n,) of each run. Runs that diverged (NaN) are never on the front.

    Returns
    -------
    np.ndarray
        Indices, from cheap to dear.

    Raises
    ------
    InputError
        A cost that is not finite and positive.
    """
    cost, loss = np.asarray(cost, dtype=float), np.asarray(loss, dtype=float)
    if cost.shape != loss.shape or cost.ndim != 1:
        raise InputError(f"Give one cost and one loss a run; got {cost.shape} and {loss.shape}.")
    if not np.all(np.isfinite(cost) & (cost > 0)):
        raise InputError(
            "A cost is not finite and positive; every finished run has cost something."
        )
    order = np.lexsort([loss, cost])
    order = order[np.isfinite(loss[order])]
    best = np.minimum.accumulate(loss[order])
    return np.asarray(order[loss[order] < np.concatenate([[np.inf], best[:-1]])])


@dataclass(frozen=True)
class Allocation:
    """How to spend a larger budget C ∝ N·D, if the law holds there.

    Attributes
    ----------
    N, D
        Exponents of the best N ∝ C^(β/(α+β)) and D ∝ C^(α/(α+β)).
    loss
        Exponent with which the loss above L∞ falls, αβ/(α+β).
    N_interval, D_interval, loss_interval
        95 % bootstrap intervals.
    """

    N: float
    D: float
    loss: float
    N_interval: Interval
    D_interval: Interval
    loss_interval: Interval


def allocation(report: Report) -> Allocation | str:
    """Return the compute-optimal exponents of a fitted law, or why there are none.

    Minimising a N^−α + b D^−β at fixed N·D gives α a N^−α = β b D^−β.
    """
    parameters = {parameter.name: parameter for parameter in report.parameters}
    for name in ("alpha", "beta"):
        if name not in parameters:
            return "the law has no terms in both N and D"
        if parameters[name].unidentified:
            return f"{parameters[name].symbol} is not identifiable: {parameters[name].unidentified}"
    names = report.fit.law.names
    drawn = report.drawn.values[:, [names.index("alpha"), names.index("beta")]]
    best = np.array([[report.fit.values["alpha"], report.fit.values["beta"]]])
    N, D, loss = _exponents(best)[0]
    return Allocation(float(N), float(D), float(loss), *percentiles(report.fit, _exponents(drawn)))


def _exponents(pairs: np.ndarray) -> np.ndarray:
    alpha, beta = pairs[:, 0], pairs[:, 1]
    total = alpha + beta
    return np.stack([beta / total, alpha / total, alpha * beta / total], axis=1)
