"""Everything the runs say about the scaling of the loss, and what they cannot say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ase_probe.scaling.analysis import bootstrap
from ase_probe.scaling.analysis.equivalence import LOSS_MARGIN, Change, loss_change
from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.analysis.law import SYMBOLS, Fit, Law, fit
from ase_probe.scaling.analysis.profile import verdicts
from ase_probe.scaling.analysis.runs import VARIABLES, Runs

__all__ = ["Parameter", "Report", "analyse"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of the law, as far as the design identifies it.

    Attributes
    ----------
    name, symbol
        Such as ``alpha`` and α.
    value, interval, bootstrap
        Best value, profile-likelihood and bootstrap interval, 95 %; `None` where the design does
        not identify the parameter.
    unidentified
        Why it does not; `None` if it does.
    """

    name: str
    symbol: str
    value: float | None
    interval: Interval | None
    bootstrap: Interval | None
    unidentified: str | None

    def __str__(self) -> str:
        if self.value is None or self.interval is None or self.bootstrap is None:
            return f"{self.symbol:<3} not identifiable: {self.unidentified}"
        return f"{self.symbol:<3} {self.value:.3g}  {_span(self.interval)}, bootstrap " + _span(
            self.bootstrap
        )


def _span(interval: Interval) -> str:
    return f"{interval.low:.3g} to {interval.high:.3g}"


@dataclass(frozen=True, eq=False)
class Report:
    """The law fitted to one design.

    Attributes
    ----------
    fit
        The best fit, for drawing its curve.
    parameters
        What may be quoted.
    changes
        Variable -> does the loss change with it at all?
    drawn
        The bootstrap.
    """

    fit: Fit
    parameters: tuple[Parameter, ...]
    changes: Mapping[str, Change]
    drawn: bootstrap.Drawn

    def text(self) -> str:
        """Return the report as lines of text."""
        law, cells = self.fit.law, self.fit.cells
        terms = {"N": "a (N/N₀)^−α", "D": "b (D/D₀)^−β"}
        formula = " + ".join([*(["L∞"] if law.floor else []), *(terms[t] for t in law.terms)])
        middles = ", ".join(f"{term}₀ = {cells.middle(term):.4g}" for term in law.terms)
        p = self.fit.lack_of_fit
        fits = "no cell has a second run, so whether the law fits was not tested"
        if p is not None:
            fits = f"that the law fits: p = {p:.2g}" + (" (it does not)" if p < 0.05 else "")
        return "\n".join(
            [
                f"L = {formula}, {middles}",
                f"{len(cells)} cells, {cells.count.sum()} runs, scatter of a run about the law "
                f"{self.fit.noise:.1%}; {fits}",
                *(f"  {parameter}" for parameter in self.parameters),
                *(_said(change) for change in self.changes.values()),
            ]
        )


def _said(change: Change) -> str:
    """Say whether the loss scales."""
    subject = f"with the number of {VARIABLES[change.variable]}"
    low, high = (f"{math.expm1(end):+.0%}".replace("-", "−") for end in (change.low, change.high))
    margin = f"±{math.expm1(change.margin):.0%}"
    span = f"change over the range {low} to {high} (90 %), margin {margin}"
    verdict = {
        "none": f"no scaling {subject}",
        "falls": f"the loss falls {subject}",
        "rises": f"the loss rises {subject}",
        "undecided": f"undecided whether the loss changes {subject}",
    }[change.verdict]
    return f"{verdict}: {span}"


def analyse(
    runs: Runs,
    law: Law | None = None,
    *,
    margin: float = LOSS_MARGIN,
    repeats: int = 999,
    seed: int = 0,
) -> Report:
    """Fit a law to runs and say which of its parameters the design identifies.

    Parameters
    ----------
    runs
        Finished runs with a loss each.
    law
        By default L∞ + A N^−α + B D^−β.
    margin
        Largest change of ln L over the range of the design that counts as no scaling.
    repeats, seed
        Of the bootstrap.

    Raises
    ------
    InputError
        Diverged runs, or too few cells.
    """
    best = fit(runs.log_loss, law)
    drawn = bootstrap.draw(best, repeats, seed)
    spans = bootstrap.intervals(best, drawn)
    parameters = tuple(
        Parameter(
            name=name,
            symbol=SYMBOLS[name],
            value=None if reason else best.values[name],
            interval=None if reason else interval,
            bootstrap=None if reason else spans[name],
            unidentified=reason,
        )
        for name, (interval, reason) in verdicts(best).items()
    )
    return Report(
        fit=best,
        parameters=parameters,
        changes={term: loss_change(runs, term, margin) for term in best.law.terms},
        drawn=drawn,
    )
