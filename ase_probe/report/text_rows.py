"""The row-by-row part of the terminal report: one block per dimer, a plot of the worst one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ase_probe.curve import Audit, Finding
from ase_probe.report import digest
from ase_probe.report.numbers import clean, limits, quantity
from ase_probe.report.plot import text_plot
from ase_probe.report.text_layout import Line, Span, flow, listed, pad, width_of

__all__ = ["blocks"]

_MAX_BLOCKS = 12  # dimers shown row by row unless verbose


class _Table:
    """Columns shared by all blocks, so that the eye can run down them."""

    HEADS = ("value", "reference", "pass | fail")

    def __init__(self, rows: Sequence[Finding], width: int) -> None:
        self.width = width
        cells = [self.cells(row) for row in rows]
        self.status = max((len(row.status) for row in rows), default=4)
        self.check = max((width_of(clean(row.check)) for row in rows), default=8)
        self.columns = [
            max([width_of(head), *(width_of(cell[i]) for cell in cells)])
            for i, head in enumerate(self.HEADS)
        ]
        self.indent = 2 + self.status + 2
        self.wide = self.indent + self.check + sum(self.columns) + 6 <= width

    @staticmethod
    def cells(row: Finding) -> tuple[str, str, str]:
        return (quantity(row.value, row.unit), quantity(row.reference, row.unit), limits(row))

    def head(self, dimer: str, counts: str) -> list[Line]:
        name = clean(dimer) or "whole model"
        room = self.indent + self.check
        title: Line = [(name, "strong"), ("  " + counts, "dim")]
        used = width_of(name) + 2 + width_of(counts)
        if not self.wide or used > room:
            lines = flow([(name, "strong"), ("", ""), (counts, "dim")], self.width, 2, first=[])
            return lines if not self.wide else [*lines, [(" " * room, ""), *self._heads()]]
        return [[*title, (" " * (room - used), ""), *self._heads()]]

    def _heads(self) -> Line:
        value, reference, limit = self.columns
        return [
            ("  " + pad("value", value, right=True), "dim"),
            ("  " + pad("reference", reference, right=True), "dim"),
            ("  " + pad("pass | fail", limit).rstrip(), "dim"),
        ]

    def row(self, row: Finding, *, verbose: bool) -> list[Line]:
        value, reference, limit = self.cells(row)
        status: Line = [("  " + pad(row.status, self.status) + "  ", row.status)]
        check = clean(row.check)
        if self.wide:
            widths = self.columns
            line = [
                *status,
                (pad(check, self.check), ""),
                ("  " + pad(value, widths[0], right=True), "strong"),
                ("  " + pad(reference, widths[1], right=True), ""),
                ("  " + limit, "dim"),
            ]
            lines = [line]
        else:
            spans: list[Span] = [(check, ""), (value, "strong")]
            if row.reference is not None:
                spans.append((f"reference {reference}", ""))
            if row.threshold is not None:
                spans.append((f"({limit})", "dim"))
            lines = flow(spans, self.width, self.indent, first=status)
        if row.reason:
            lines += flow([(clean(row.reason), "")], self.width, self.indent)
        if verbose and row.source:
            lines += flow([(f"source: {clean(row.source)}", "dim")], self.width, self.indent)
        return lines


def _plot(audit: Audit, dimer: str, width: int) -> list[Line]:
    curve = audit.curves.get(dimer)
    inside = min(60, width - 12)
    if curve is None or inside < 24:
        return []
    plot = text_plot(curve, audit.references.get(dimer, {}), name=dimer, width=inside)
    lines: list[Line] = [[]]
    for row in plot.splitlines():
        if width_of(row) > width - 2:
            lines += flow([(row, "dim")], width, 2)
            continue
        line: Line = [("  ", "")]
        for char in row:
            style = "accent" if "\u2800" <= char <= "\u28ff" else "dim"
            style = "fail" if char in "▲▼×" else style
            if line[-1][1] == style:
                line[-1] = (line[-1][0] + char, style)
            else:
                line.append((char, style))
        lines.append(line)
    return lines


def _drawn(audit: Audit, rows: Mapping[str, Sequence[Finding]], names: Sequence[str]) -> str | None:
    """Return the worst dimer with a verdict and something to draw."""
    for name in names:
        curve = audit.curves.get(name)
        if curve is not None and np.isfinite(curve.energy).sum() > 1:
            return name if any(f.status in ("fail", "warn") for f in rows[name]) else None
    return None


def blocks(audit: Audit, width: int, *, verbose: bool) -> list[Line]:
    """Return a block of rows per dimer with findings, worst first, and a list of the others."""
    rows = digest.dimers(audit)
    loud = [
        name
        for name, findings in rows.items()
        if verbose or any(f.status in ("fail", "warn", "inherited") for f in findings)
    ]
    loud.sort(key=lambda name: digest.severity(rows[name][0]) if rows[name] else (99.0,))
    shown = loud if verbose else loud[:_MAX_BLOCKS]

    def visible(name: str) -> list[Finding]:
        return [f for f in rows[name] if verbose or f.status in ("fail", "warn", "inherited")]

    table = _Table([finding for name in shown for finding in visible(name)], width)
    lines: list[Line] = []
    drawn = _drawn(audit, rows, shown)
    for name in shown:
        lines.append([])
        verdicts = (f.status for f in rows[name] if f.status in digest.VERDICTS)
        lines += table.head(name, digest.count(verdicts))
        for finding in visible(name):
            lines += table.row(finding, verbose=verbose)
        if name == drawn:
            lines += _plot(audit, name, width)
    rest = loud[len(shown) :]
    if rest:
        tally = "; ".join(
            f"{clean(name)} {digest.count(f.status for f in visible(name))}" for name in rest
        )
        lines.append([])
        label = f"{len(rest)} more with findings:"
        lines += flow([(label, "strong"), (tally, "")], width, 2, first=[])
    quiet = [name for name in rows if name not in set(loud)]
    clean_pass = [n for n in quiet if any(f.status == "pass" for f in rows[n])]
    silent = [name for name in quiet if not rows[name]]
    limit = None if len(clean_pass) <= 60 else 60
    for label, style, names in (
        ("pass", "pass", clean_pass),
        ("no findings", "dim", silent),
    ):
        if names:
            total = sum(f.status == "pass" for n in names for f in rows[n])
            note = f"({total} finding{'s' * (total != 1)})" if style == "pass" else ""
            head: Line = [(label + "  ", style)]
            lines.append([])
            spans = [(listed(names, limit), ""), (note, "dim")]
            lines += flow(spans, width, min(len(label) + 2, width // 3), first=head)
    return lines
