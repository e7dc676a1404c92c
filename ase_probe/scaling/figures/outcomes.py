"""Outcomes against the test loss: does a better loss bring a better H2 curve?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ase_probe.scaling.figures.style import COLOURS, key, legend, log, panels
from ase_probe.scaling.outcomes import MEASURES
from ase_probe.scaling.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

_SHOWN = {
    "r_e_error": "(b) |Δr_e| / Å",
    "D_e_error_r_max": "(c) |ΔD_e| from the largest distance / eV",
    "repulsive": "(d) share of the wall that repels",
    "log10_rmse": "(e) log10 of the error, 0.4 to 3 Å / eV",
}
_MARKERS = ("o", "s", "^", "D", "v", "P")


def draw(summary: Summary) -> Figure | None:
    """Draw one panel an outcome; `None` without any curve."""
    families = [family for family in summary.families if family.judged]
    if not families:
        return None
    figure, axes = panels(2, 2)
    handles: dict[str, Any] = {}
    for panel, (name, title) in zip(axes.flat, _SHOWN.items(), strict=True):
        for i, family in enumerate(families):
            widths = sorted({row.spec.width for row in family.judged})
            for row in family.judged:
                value = row.h2.row()[name] if row.h2 else math.nan
                if not math.isfinite(row.result.test_loss):
                    continue
                look: dict[str, Any] = {
                    "color": COLOURS[(2 * i + 1) % len(COLOURS)],
                    "marker": _MARKERS[widths.index(row.spec.width) % len(_MARKERS)],
                    "ms": 4, "mfc": "none", "ls": "none",
                }  # fmt: skip
                handles[f"{family.name}, width {row.spec.width}"] = key(**look)
                if math.isfinite(value):
                    panel.plot(row.result.test_loss, value, **look)
                else:
                    look |= {"marker": "x", "transform": panel.get_xaxis_transform()}
                    panel.plot(row.result.test_loss, 1.0, clip_on=False, **look)
                    handles["x at the top: no well, so no value"] = key(
                        color="grey", marker="x", ls="none", ms=4
                    )
        if name == "repulsive":
            panel.set_ylim(0, 1.05)
        if name in ("r_e_error", "D_e_error_r_max"):
            panel.axhline(MEASURES[name].margin, color="#bbbbbb", lw=0.6, ls=":")
            panel.set_ylim(bottom=0)
        log(panel, "x")
        panel.set_title(title)
        panel.set_xlabel("test loss / eV²")
    handles["margin of a right r_e, D_e"] = key(color="#bbbbbb", ls=":")
    legend(figure, handles, 3)
    return figure
