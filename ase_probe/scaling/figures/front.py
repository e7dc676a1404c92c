"""Test loss against what training cost, and the runs that no cheaper one beats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ase_probe.scaling.figures.style import COLOURS, key, log, panel_legend, panels
from ase_probe.scaling.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]


def draw(summary: Summary) -> Figure | None:
    """Draw one panel for every kind of model; `None` without any run."""
    families = [family for family in summary.families if family.rows]
    if not families:
        return None
    figure, axes = panels(1, len(families), height=2.7)
    for panel, family in zip(axes[0], families, strict=True):
        handles: dict[str, Any] = {}
        widths = sorted({row.spec.width for row in family.rows})
        for row in family.rows:
            if math.isfinite(row.result.test_loss):
                colour = COLOURS[widths.index(row.spec.width) % len(COLOURS)]
                look: dict[str, Any] = {"color": colour, "marker": "o", "ms": 3, "ls": "none"}
                panel.plot(row.result.seconds, row.result.test_loss, **look)
                handles[f"width {row.spec.width}"] = key(**look)
        cost = [row.result.seconds for row in family.front]
        loss = [row.result.test_loss for row in family.front]
        panel.step(cost, loss, where="post", color="black", lw=0.8, zorder=0)
        log(panel, "x")
        log(panel, "y")
        panel.set_title(family.name)
        panel.set_xlabel("CPU time / s")
        panel.set_ylabel(f"test loss / {family.unit}")
        handles["front"] = key(color="black", lw=0.8)
        panel_legend(panel, handles)
    return figure
