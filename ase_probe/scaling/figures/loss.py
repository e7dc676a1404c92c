"""Test loss against the number of molecules, by width, with the fitted law and its band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.scaling.analysis.bootstrap import percentiles
from ase_probe.scaling.analysis.report import Report
from ase_probe.scaling.figures.style import COLOURS, key, log, panel_legend, panels, sizes
from ase_probe.scaling.models import LANGUAGE
from ase_probe.scaling.summary import Summary
from ase_probe.scaling.summary.families import Family

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "draw_language"]

_DRAWN = 200  # laws of the bootstrap that make the band


def draw(summary: Summary) -> Figure | None:
    """Draw one panel for every potential; `None` without any run."""
    return _draw([family for family in summary.families if family.recipe.model not in LANGUAGE])


def draw_language(summary: Summary) -> Figure | None:
    """Draw the language models: against the molecules, and against the parameters."""
    return _draw([family for family in summary.families if family.recipe.model in LANGUAGE], "DN")


def _draw(families: Sequence[Family], variables: str = "D") -> Figure | None:
    families = [family for family in families if family.rows]
    if not families:
        return None
    wanted = [(family, variable) for family in families for variable in variables]
    figure, axes = panels(1, len(wanted), height=2.9)
    for panel, (family, variable) in zip(axes[0], wanted, strict=True):
        _panel(panel, family, variable)
    return figure


def _panel(panel: Axes, family: Family, variable: str) -> None:
    """Points are runs; the law is the line and the band."""
    handles: dict[str, Any] = {}
    sets = {
        "D": [row.spec.molecules for row in family.rows],
        "N": [row.result.parameters for row in family.rows],
    }
    other = "N" if variable == "D" else "D"
    loss = [row.result.test_loss for row in family.rows]
    ranges = {name: (min(values), max(values)) for name, values in sets.items()}
    names = {row.result.parameters: f"width {row.spec.width}" for row in family.rows}
    for i, size in enumerate(sorted(set(sets[other]))):
        colour = COLOURS[i % len(COLOURS)]
        chosen = [j for j, value in enumerate(sets[other]) if value == size]
        x = [sets[variable][j] for j in chosen]
        panel.plot(x, [loss[j] for j in chosen], "o", ms=3, color=colour, mec="none")
        handles[names[size] if other == "N" else f"D = {size}"] = key(
            color=colour, marker="o", ms=3
        )
        if not isinstance(family.law, str):
            _law(panel, family.law, variable, np.geomspace(*ranges[variable], 50), size, colour)
    titles = {"D": "molecules D", "N": "parameters N"}
    note = "" if not isinstance(family.law, str) else ", too few runs for a law"
    panel.set_title(f"{family.name}{note}")
    log(panel, "y")
    sizes(panel, "x", sets[variable])
    panel.set_xlabel(titles[variable])
    panel.set_ylabel(f"test loss / {family.unit}")
    panel_legend(panel, handles)


def _law(
    panel: Axes, report: Report, variable: str, x: np.ndarray, other: float, colour: str
) -> None:
    fit = report.fit
    fixed = np.full(len(x), float(other))
    N, D = (x, fixed) if variable == "N" else (fixed, x)
    panel.plot(x, fit.predict(N, D), color=colour, lw=0.9)
    drawn = [
        replace(fit, inner=fit.law.inner(values)).predict(N, D)
        for values in report.drawn.values[:_DRAWN]
    ]
    band = percentiles(fit, np.array(drawn))
    low, high = [interval.low for interval in band], [interval.high for interval in band]
    panel.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
