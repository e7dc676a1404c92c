"""The looks of the study's figures: fonts, colours, panels. Matplotlib is imported in functions."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase_probe.errors import ModelNotInstalledError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS", "KINDS", "LEVELS", "empty", "key", "legend", "log", "panel_legend", "panels",
    "sizes", "styled", "write",
]  # fmt: skip

# Okabe and Ito's colours, which colour-blind readers tell apart; black and grey are references.
COLOURS = ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7")

LEVELS = ("#F9C80E", "#F28C28", "#D1495B", "#8E2C75", "#3D1A6B", "#12082E")
"""For something that grows, such as the number of shots."""

KINDS = {"none": "#777777", "without-h2": "#009E73", "with-h2": "#D55E00"}
"""Kind of shots -> its colour."""

_STYLE: Any = {
    "font.size": 8.0,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "text.parse_math": False,  # a name is no formula
    "svg.fonttype": "path",
    "svg.hashsalt": "ase-probe",  # the same runs give the same file
    "figure.dpi": 150,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the study's style.

    Raises
    ------
    ModelNotInstalledError
        Matplotlib is missing.
    """
    try:
        import matplotlib
    except ModuleNotFoundError as missing:
        raise ModelNotInstalledError(
            "Figures are drawn by matplotlib, which is not installed here. Install it with: "
            "pip install 'ase-probe[scaling]'."
        ) from missing
    with matplotlib.rc_context(_STYLE):
        yield


def panels(rows: int, columns: int, *, height: float = 2.4) -> tuple[Figure, Any]:
    """Return a figure, 7.2 inches wide, and its panels (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, rows * height + 0.4), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def empty(panel: Axes, why: str) -> None:
    """Say in a panel why nothing is drawn there."""
    panel.set_axis_off()
    panel.text(0.5, 0.5, why, ha="center", va="center", color="#777777", transform=panel.transAxes)


def key(**look: Any) -> Any:
    """Return what a legend shows for a look."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **look)


def legend(figure: Figure, handles: dict[str, Any], columns: int = 4) -> None:
    """Put one legend below all panels."""
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns)


def panel_legend(panel: Axes, handles: dict[str, Any], place: Any = "best") -> None:
    """Put a legend into a panel."""
    if handles:
        panel.legend(list(handles.values()), list(handles), loc=place, handlelength=1.4)


def log(panel: Axes, axis: str) -> None:
    """Make an axis logarithmic once all is drawn, with plain numbers as ticks."""
    from matplotlib.ticker import AutoLocator, LogLocator, NullLocator

    low, high = panel.dataLim.intervalx if axis == "x" else panel.dataLim.intervaly
    getattr(panel, f"set_{axis}scale")("log")
    ticks = getattr(panel, f"{axis}axis")
    ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if high > 5 * low else AutoLocator())
    ticks.set_minor_locator(NullLocator())
    ticks.set_major_formatter(lambda value, _: f"{value:.3g}")


def sizes(panel: Axes, axis: str, values: Sequence[float]) -> None:
    """Make an axis logarithmic, with a tick at every size that was run."""
    ticks = sorted(set(values))
    getattr(panel, f"set_{axis}scale")("log")
    getattr(panel, f"set_{axis}ticks")(ticks, [_short(tick) for tick in ticks])
    getattr(panel, f"set_{axis}ticks")([], minor=True)


def _short(value: float) -> str:
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def write(figure: Figure, path: Path) -> None:
    """Write a figure by the ending of `path`, ``.svg`` or ``.png``; no date, no trailing spaces."""
    ending = path.suffix[1:]
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if ending == "svg" else None
    figure.savefig(buffer, format=ending, dpi=150, facecolor="white", metadata=metadata)
    content = buffer.getvalue()
    if ending == "svg":
        content = b"\n".join(line.rstrip() for line in content.splitlines()) + b"\n"
    path.write_bytes(content)
