"""What k shots do: to the H2 curve, and to what was known before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ase_probe.scaling.figures.style import KINDS, key, legend, panels
from ase_probe.scaling.summary import Summary
from ase_probe.scaling.summary.rows import Row, shape
from ase_probe.scaling.summary.shots import ShotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

_PANELS: dict[str, Callable[[Row], float | None]] = {
    "(e) log10 of the error, 0.4 to 3 Å / eV": lambda row: row.h2.log10_rmse if row.h2 else None,
    "(d) share of the wall that repels": lambda row: row.h2.repulsive if row.h2 else None,
    "has the shape of a bond": lambda row: float(shape(row.h2)) if row.h2 else None,
    "mean error of test molecules / eV": lambda row: row.result.test_mae,
}


def draw(summary: Summary) -> Figure | None:
    """Draw four panels for every fine-tuned cell that has runs; `None` without any."""
    tables = [table for table in summary.shots if any(shots.rows for shots in table.table)]
    if not tables:
        return None
    figure, axes = panels(2 * len(tables), 2)
    for table, block in zip(tables, axes.reshape(-1, len(_PANELS)), strict=True):
        for i, (panel, (title, value)) in enumerate(zip(block, _PANELS.items(), strict=True)):
            _panel(panel, table, value)
            panel.set_title(title if i else f"{table.name}\n{title}")
    drawn = {shots.kind for table in tables for shots in table.table if shots.rows}
    handles = {
        kind: key(color=colour, marker="o", ms=3) for kind, colour in KINDS.items() if kind in drawn
    }
    if "none" in handles:
        handles["none, k = 0: as long on molecules only"] = handles.pop("none")
    legend(figure, handles)
    return figure


def _panel(panel: Axes, table: ShotTable, value: Callable[[Row], float | None]) -> None:
    """Points are runs, the line goes through their means."""
    for kind, colour in KINDS.items():
        means: list[tuple[int, float]] = []
        for shots in table.of(kind):
            found = [x for x in map(value, shots.rows) if x is not None]
            panel.plot(
                [shots.k] * len(found), found, "o", ms=3, color=colour, alpha=0.5, mec="none"
            )
            if found:
                means.append((shots.k, sum(found) / len(found)))
        look: dict[str, Any] = {"color": colour, "lw": 1.0}
        if kind == "none" and means:
            panel.axhline(means[0][1], ls=":", **look)
        elif means:
            panel.plot(*zip(*means, strict=True), **look)
    asked = sorted({shots.k for shots in table.table})
    panel.set_xscale("symlog", linthresh=1)
    panel.set_xticks(asked, [str(k) for k in asked])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("k")
