"""Runs of one recipe over widths, training sets and seeds: what the statistics make of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.association import Association, follows_loss
from ase_probe.scaling.analysis.early import ESTIMATORS, Correlation, rank_correlation
from ase_probe.scaling.analysis.equivalence import Change, outcome_change
from ase_probe.scaling.analysis.front import Allocation, allocation, front
from ase_probe.scaling.analysis.power import PowerLaw, power_law
from ase_probe.scaling.analysis.report import Report, analyse
from ase_probe.scaling.analysis.runs import VARIABLES, Runs
from ase_probe.scaling.analysis.table import table
from ase_probe.scaling.analysis.trend import other
from ase_probe.scaling.outcomes import MEASURES
from ase_probe.scaling.summary.plan import Count
from ase_probe.scaling.summary.rows import Row
from ase_probe.scaling.training.result import RunResult
from ase_probe.scaling.training.spec import RunSpec

__all__ = ["EARLY", "Family", "family"]

EARLY = 0.2
"""Share of the shortest run after which training-performance estimation has to judge all runs."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Family:
    """What was found. Where a statistic cannot be had, a sentence says why.

    Attributes
    ----------
    name
        Such as ``schnet``.
    recipe
        What all runs share.
    count
        How much of the plan is done.
    rows
        The runs, small to large.
    diverged
        Runs without a usable loss; they are left out of the statistics of the loss.
    law
        L = L∞ + A N^−α + B D^−β.
    powers
        Variable -> the pure power law in it, over all runs and at the largest size of the other
        one, as scaling studies mostly give it.
    early
        Estimator and choice of runs -> rank correlation with the test loss.
    front
        Rows that no cheaper run beats, cheap to dear.
    allocation
        Compute-optimal exponents.
    follows
        Outcome -> does it follow the loss, given N and D?
    changes
        Outcome, variable -> does it change with N or D?
    """

    name: str
    recipe: RunSpec
    count: Count
    rows: tuple[Row, ...]
    diverged: int
    law: Report | str
    powers: Mapping[str, PowerLaw | str]
    early: Mapping[str, Correlation | str]
    front: tuple[Row, ...]
    allocation: Allocation | str
    follows: Mapping[str, Association | str]
    changes: Mapping[tuple[str, str], Change | str]

    @property
    def judged(self) -> list[Row]:
        """Runs with an H2 curve."""
        return [row for row in self.rows if row.h2 is not None]

    @property
    def unit(self) -> str:
        """Of the loss."""
        return self.rows[0].result.loss_unit if self.rows else ""


def family(
    name: str, recipe: RunSpec, rows: Sequence[Row], count: Count, *, kind: str, repeats: int
) -> Family:
    """Summarise the runs of one recipe.

    Parameters
    ----------
    name, recipe, rows, count
        As in `Family`.
    kind
        Curve of the labels that the outcomes are counted from.
    repeats
        Of the bootstraps.
    """
    ordered = sorted(rows, key=lambda r: (r.result.parameters, r.spec.molecules, r.spec.seed))
    runs = table([row.result for row in ordered], kind) if rows else "no run yet"
    usable = runs if isinstance(runs, str) else runs[~runs.diverged]

    def ask(call: Callable[..., _T], *arguments: str) -> _T | str:
        return usable if isinstance(usable, str) else _tried(partial(call, usable, *arguments))

    law = ask(partial(analyse, repeats=repeats))
    measures = () if isinstance(runs, str) else tuple(m for m in MEASURES if m in runs.outcomes)
    return Family(
        name=name,
        recipe=recipe,
        count=count,
        rows=tuple(ordered),
        diverged=0 if isinstance(runs, str) else int(runs.diverged.sum()),
        law=law,
        powers=_powers(usable),
        early=_early(ordered, repeats),
        front=_front(ordered),
        allocation=law if isinstance(law, str) else allocation(law),
        follows={name: ask(follows_loss, name) for name in measures},
        changes={
            (name, variable): ask(outcome_change, name, variable)
            for name in measures
            for variable in VARIABLES
        },
    )


def _powers(runs: Runs | str) -> dict[str, PowerLaw | str]:
    if isinstance(runs, str):
        return dict.fromkeys(VARIABLES, runs)
    found: dict[str, PowerLaw | str] = {}
    for variable in VARIABLES:
        found[variable] = _tried(partial(_power, runs, variable, variable))
        sizes = getattr(runs, other(variable))
        if np.unique(sizes).size > 1:
            largest = runs[sizes == sizes.max()]
            name = f"{variable} at {other(variable)} = {sizes.max():.0f}"
            found[name] = _tried(partial(_power, largest, variable, name))
    return found


def _power(runs: Runs, variable: str, name: str) -> PowerLaw:
    return replace(power_law(runs.log_loss, variable), variable=name)


def _tried(call: Callable[[], _T]) -> _T | str:
    """Return what a statistic says, or why this design is too small for it."""
    try:
        return call()
    except InputError as error:
        return str(error)


def _early(rows: Sequence[Row], repeats: int) -> dict[str, Correlation | str]:
    """Rank correlation of the early estimates with the test loss.

    Over all runs, and over those with the largest training set: small training sets are learnt by
    heart, so that their training losses are low and their test losses high.
    """
    found: dict[str, Correlation | str] = {}
    largest = max((row.spec.molecules for row in rows), default=0)
    choices = {
        "all runs": list(rows),
        f"runs with D = {largest}": [row for row in rows if row.spec.molecules == largest],
    }
    for name, estimator in ESTIMATORS.items():
        for choice, chosen in choices.items():
            estimates = _estimates(estimator, [row.result for row in chosen])
            final = [row.result.test_loss for row in chosen]
            found[f"{name}, {choice}"] = _tried(
                partial(rank_correlation, estimates, final, repeats=repeats)
            )
    return found


def _estimates(estimator: Callable[..., float], results: Sequence[RunResult]) -> list[float]:
    """Judge all runs after the same number of epochs, or their sums would tell their lengths.

    A run that diverged before that is NaN.
    """
    histories = [result.train_losses for result in results]
    lengths = [len(each.train_losses) for each in results if math.isfinite(each.test_loss)]
    epochs = max(1, math.floor(EARLY * min(lengths, default=0)))
    return [
        estimator(history, epochs) if len(history) >= epochs else math.nan for history in histories
    ]


def _front(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows on the compute-optimal front, by measured CPU seconds."""
    if not rows:
        return ()
    seconds = np.array([row.result.seconds for row in rows])
    loss = np.array([row.result.test_loss for row in rows])
    return tuple(rows[i] for i in front(seconds, loss))
