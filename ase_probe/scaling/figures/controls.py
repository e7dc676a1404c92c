"""Bonds that the networks were taught, C–H of methane and C–C of ethane, beside H2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.scaling.analysis.table import labels_curve
from ase_probe.scaling.data.bonds import BONDS
from ase_probe.scaling.figures.style import COLOURS, key, legend, panels
from ase_probe.scaling.summary import Summary
from ase_probe.scaling.summary.controls import CONTROL_NAMES, control_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

_FRAME = (-4.0, 14.0)  # eV


def draw(summary: Summary) -> Figure | None:
    """Draw one row of two panels for every potential; `None` without any curve."""
    families = [family for family in summary.families if family.judged]
    if not families:
        return None
    figure, axes = panels(len(families), len(CONTROL_NAMES), height=2.5)
    handles: dict[str, Any] = {}
    for line, family in zip(axes, families, strict=True):
        most = max(row.spec.molecules for row in family.judged)
        widths = sorted({row.spec.width for row in family.judged})
        for panel, name in zip(line, CONTROL_NAMES, strict=True):
            length = BONDS[name].length
            for row in family.judged:
                if row.spec.molecules == most and name in row.result.curves:
                    curve = control_curve(row.result.curves, name)
                    colour = COLOURS[widths.index(row.spec.width) % len(COLOURS)]
                    zero = np.interp(length, curve.r, curve.energy)
                    panel.plot(curve.r, curve.energy - zero, color=colour, lw=0.8)
                    handles[f"{family.name}, width {row.spec.width}"] = key(color=colour)
            handles |= _labels(panel, name, length)
            panel.set_title(f"{family.name}, {most} molecules: {name}")
    legend(figure, handles)
    return figure


def _labels(panel: Axes, name: str, length: float) -> dict[str, Any]:
    """Draw the labels' own curves and the axes."""
    looks = {"unrestricted": "--", "restricted": ":"}
    for kind, style in looks.items():
        curve = labels_curve(kind, name)
        zero = np.interp(length, curve.r, curve.energy)
        panel.plot(curve.r, curve.energy - zero, color="black", ls=style, zorder=3)
    panel.set_xlim(0.6, 5.0)
    panel.set_ylim(*_FRAME)
    panel.set_xlabel("r / Å")
    panel.set_ylabel("E − E(r_e) / eV")
    return {f"labels' level, {kind}": key(color="black", ls=look) for kind, look in looks.items()}
