"""Figures for papers: energy against distance, models beside the truth and their labels' level.

Two layouts. ``symlog``: one panel per dimer with wall and well on one axis, linear inside ±1 eV and
logarithmic beyond. ``split``: two panels per dimer, the wall on that axis and the well on a linear
one. Widths are those of a journal's columns, fonts are embedded as TrueType, curves are vectors.
Matplotlib comes with the extra ``plot`` and is imported only here, inside the functions.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase_probe.curve import Audit
from ase_probe.errors import AseProbeError, InputError
from ase_probe.report.figure_panel import draw
from ase_probe.report.figure_panel import labels as labels_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "LAYOUTS", "WIDTHS", "figure", "write_figure"]

WIDTHS = {1: 3.37, 2: 7.0}
"""Columns that the figure fills -> its width, inches."""

LAYOUTS = ("symlog", "split")
FORMATS = (".pdf", ".svg", ".png")

_MOST = 12  # dimers in one figure
_STYLE = {
    "font.size": 7.0,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8.0,
    "lines.linewidth": 1.1,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.frameon": False,
    "legend.fontsize": 6.0,
    "text.parse_math": False,  # a name is no formula
    "pdf.fonttype": 42,  # journals refuse Type 3 fonts
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "ase-probe",  # the same audit gives the same file
}


def figure(
    audits: Sequence[Audit],
    dimers: Sequence[str] | None = None,
    *,
    columns: int = 2,
    layout: str | None = None,
) -> Figure:
    """Draw curves of one audit or of several.

    Every panel shows the models relative to their isolated atoms (or to the largest distance, where
    there are none), the true curve and the curve at the level of the training labels where the
    audit has them, ZBL or NLH where there is no truth, each model's cutoff (dotted line) and
    trusted radius (triangle). Energies outside the frame and missing ones are marked at its edge.

    Parameters
    ----------
    audits
        One or more.
    dimers
        Names of dimers that at least one audit has a curve of; by default the worst three.
    columns
        1 (3.37 in) or 2 (7.0 in) columns of a journal.
    layout
        ``symlog`` or ``split``; by default ``symlog`` in one column and ``split`` in two.

    Raises
    ------
    InputError
        No audit, an unknown dimer, number of columns or layout, or too many dimers for one figure.
    AseProbeError
        Matplotlib is not installed.
    """
    matplotlib = _matplotlib()
    if not audits:
        raise InputError("There is nothing to draw: give at least one audit.")
    if columns not in WIDTHS:
        raise InputError(f"A figure fills 1 or 2 columns, got {columns!r}.")
    layout = layout or ("symlog" if columns == 1 else "split")
    if layout not in LAYOUTS:
        raise InputError(f"Unknown layout {layout!r}; allowed: {', '.join(LAYOUTS)}.")
    names = _names(audits, dimers)
    across = columns if layout == "symlog" and len(names) > 1 else 1
    rows = math.ceil(len(names) / across)
    width = WIDTHS[columns]
    high = 2.3 if layout == "symlog" or columns == 2 else 1.9
    with matplotlib.rc_context(_STYLE):
        drawn: Figure = _Figure()(figsize=(width, rows * high + 0.35), layout="constrained")
        panels = drawn.subplots(rows, across * (2 if layout == "split" else 1), squeeze=False)
        handles: dict[str, Any] = {}
        for i, name in enumerate(names):
            if layout == "split":
                left, right = panels[i]
                handles |= draw(left, audits, name, name, wall=True)
                draw(right, audits, name, f"{name}, well", wall=False)
            else:
                handles |= draw(panels[i // across][i % across], audits, name, name, wall=True)
        for spare in list(panels.flat)[len(names) :] if layout == "symlog" else ():
            spare.set_axis_off()
        labels = [label for label in (*labels_of(audits), *handles) if label in handles]
        keys = {label: handles[label] for label in labels}  # models first
        drawn.legend(keys.values(), keys, loc="outside lower center", ncols=2 * columns)
    return drawn


def write_figure(
    audits: Sequence[Audit],
    path: str | Path,
    dimers: Sequence[str] | None = None,
    *,
    columns: int = 2,
    layout: str | None = None,
) -> Path:
    """Draw a figure and write it as ``.pdf``, ``.svg`` or ``.png`` (600 dots per inch).

    The other parameters and the errors are those of `figure`.

    Raises
    ------
    InputError
        Another ending, or the folder does not exist or cannot be written to.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in FORMATS:
        raise InputError(f"A figure is written as {', '.join(FORMATS)}; got {target.name!r}.")
    drawn = figure(audits, dimers, columns=columns, layout=layout)
    dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    buffer = io.BytesIO()
    with _matplotlib().rc_context(_STYLE):
        drawn.savefig(buffer, format=ending[1:], dpi=600, metadata=dates.get(ending))
    try:
        target.write_bytes(buffer.getvalue())
    except OSError as error:
        raise InputError(
            f"Cannot write {str(target)!r}: {error.strerror}. Give a file in a folder that exists "
            "and that you may write to."
        ) from error
    return target


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise AseProbeError(
            "Figures are drawn by matplotlib, which is not installed: pip install 'ase-probe[plot]'"
        ) from error
    return matplotlib


def _Figure() -> type[Figure]:
    """Return a figure that notebooks show; pyplot, which they know, would keep it alive."""
    from matplotlib.figure import Figure as Base

    class Figure(Base):  # type: ignore[misc, unused-ignore]
        def _repr_svg_(self) -> str:
            buffer = io.StringIO()
            with _matplotlib().rc_context(_STYLE):
                self.savefig(buffer, format="svg", metadata={"Date": None})
            return buffer.getvalue()

    return Figure


def _names(audits: Sequence[Audit], dimers: Sequence[str] | None) -> list[str]:
    known = list(dict.fromkeys(name for audit in audits for name in audit.curves))
    if dimers is None:
        rank = {"fail": 0, "warn": 1}
        worst = {
            name: min(
                (rank.get(f.status, 2), f.score if f.score is not None else 1.0)
                for audit in audits
                for f in audit.findings
                if f.dimer == name
            )
            for name in known
            if any(f.dimer == name for audit in audits for f in audit.findings)
        }
        dimers = sorted(worst, key=worst.__getitem__)[:3] or known[:3]
    missing = [name for name in dimers if name not in known]
    if missing:
        raise InputError(
            f"No audit has a curve of {', '.join(missing)}; there are {', '.join(known) or 'none'}."
        )
    if not dimers:
        raise InputError("There is nothing to draw: the audits have no curve.")
    if len(dimers) > _MOST:
        raise InputError(f"One figure holds {_MOST} dimers at most, got {len(dimers)}.")
    return list(dict.fromkeys(dimers))
