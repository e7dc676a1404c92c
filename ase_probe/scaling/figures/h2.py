"""H2 curves: labels' own level, exact, and every network; by size, and by number of shots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.scaling.analysis.table import h2_curve, labels_curve
from ase_probe.scaling.figures.style import (
    COLOURS,
    KINDS,
    LEVELS,
    empty,
    key,
    legend,
    panel_legend,
    panels,
)
from ase_probe.scaling.summary import Summary, exact_curve
from ase_probe.scaling.summary.families import Family
from ase_probe.scaling.summary.rows import Row
from ase_probe.scaling.summary.shots import CONTROL, ShotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

_FRAME = ((0.1, 4.0), (-8.0, 16.0))  # Å, eV
_TITLES = {"without-h2": "shots without H2", "with-h2": "shots with H2"}


def draw(summary: Summary) -> Figure | None:
    """Draw three panels for every potential, and two for every further fine-tuned cell of it.

    Returns
    -------
    matplotlib.figure.Figure or None
        `None` without any curve.
    """
    lines = [
        (family, i, table)
        for family in summary.families
        if family.judged
        for i, table in enumerate(
            [table for table in summary.shots if table.family == family.name] or [None]
        )
    ]
    if not lines:
        return None
    figure, axes = panels(len(lines), 3, height=2.5)
    handles: dict[str, Any] = {}
    for (stable, *shots), (family, i, table) in zip(axes, lines, strict=True):
        if i == 0:
            _stable(stable, family)
        else:
            empty(stable, "as above")
        for panel, kind in zip(shots, _TITLES, strict=True):
            _shots(panel, table, kind)
    for panel in axes.flat:
        if panel.axison:
            handles |= _frame(panel)
    legend(figure, handles)
    return figure


def _stable(panel: Axes, family: Family) -> None:
    """Colour tells the width, strength the number of molecules."""
    panel.set_title(f"{family.name}: stable only")
    widths = sorted({row.spec.width for row in family.judged})
    amounts = sorted({row.spec.molecules for row in family.judged})
    handles = {}
    for row in family.judged:
        colour = COLOURS[widths.index(row.spec.width) % len(COLOURS)]
        strength = (1 + amounts.index(row.spec.molecules)) / len(amounts)
        _curve(panel, row, color=colour, alpha=0.25 + 0.75 * strength)
        handles[f"width {row.spec.width}"] = key(color=colour)
    panel_legend(panel, handles, "upper right")


def _shots(panel: Axes, table: ShotTable | None, kind: str) -> None:
    """Colour tells k; grey is the control."""
    asked = [] if table is None else [shots for shots in table.of(kind) if shots.rows]
    if table is None or not asked:
        planned = table is not None and table.of(kind)
        empty(panel, f"{_TITLES[kind]}:\n" + ("no run yet" if planned else "not in this study"))
        return
    panel.set_title(f"{_TITLES[kind]}, w{table.cell.width} D{table.cell.molecules}")
    control = [row for shots in table.of(CONTROL) for row in shots.rows]
    for row in control:
        _curve(panel, row, color=KINDS[CONTROL])
    handles = {"k = 0": key(color=KINDS[CONTROL])} if control else {}
    for i, shots in enumerate(asked):
        colour = LEVELS[i % len(LEVELS)]
        for row in shots.rows:
            _curve(panel, row, color=colour)
        handles[f"k = {shots.k}"] = key(color=colour)
    panel_legend(panel, handles, "upper right")


def _curve(panel: Axes, row: Row, **look: Any) -> None:
    """Draw a network's curve, counted from its energy at the largest distance, if it has one."""
    if row.h2 is None:  # it diverged; tables and verdicts say so
        return
    curve = h2_curve(row.result.curves)
    energy = curve.energy - curve.energy[-1]
    panel.plot(curve.r, np.where(np.isfinite(energy), energy, np.nan), lw=0.8, **look)


def _frame(panel: Axes) -> dict[str, Any]:
    """Draw the references, counted from separate atoms, and the axes."""
    looks: dict[str, Any] = {
        "labels' level, unrestricted": {"color": "black", "ls": "--"},
        "labels' level, restricted": {"color": "black", "ls": ":"},
        "exact": {"color": "black", "ls": "-", "lw": 0.6},
    }
    curves = (labels_curve("unrestricted"), labels_curve("restricted"), exact_curve())
    for curve, look in zip(curves, looks.values(), strict=True):
        panel.plot(curve.r, curve.energy, zorder=3, **look)
    panel.axhline(0.0, color="#bbbbbb", lw=0.5, zorder=0)
    panel.set_xlim(*_FRAME[0])
    panel.set_ylim(*_FRAME[1])
    panel.set_xlabel("r / Å")
    panel.set_ylabel("E − E(far) / eV")
    return {name: key(**look) for name, look in looks.items()}
