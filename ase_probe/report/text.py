"""The terminal report, built as lines by pure functions: verdict, groups, dimers, what next.

A line is a list of (text, style) spans. `text` joins the texts, `print_audit` colours them; both
show the same characters. Styles are the statuses plus ``strong``, ``dim`` and ``accent``.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.curve import STATUSES, Audit, Finding
from ase_probe.report import digest
from ase_probe.report.means import means
from ase_probe.report.numbers import MISSING, NBSP, clean, limits, quantity
from ase_probe.report.overview import COLUMNS, holes, overview
from ase_probe.report.plot import text_plot
from ase_probe.report.verdict import paragraph

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_audit", "report_lines", "text"]

Span = tuple[str, str]
Line = list[Span]

WIDTH = 100
_NARROWEST = 30
_MAX_BLOCKS = 12  # dimers shown row by row unless verbose
_MAX_ROWS = 50  # dimers in the overview unless verbose
_MAX_HOLES = 12
_MAX_HEAPS = 8  # reasons for "not judged" unless verbose
_COLOURS = {
    "fail": "bold red",
    "warn": "yellow",
    "inherited": "cyan",
    "pass": "green",
    "strong": "bold",
    "dim": "dim",
    "accent": "cyan",
}
_ASCII = str.maketrans(
    {"–": "-", "−": "-", "·": "-", "…": "...", "≤": "<=", "≥": ">=", "±": "+/-", "Å": "A",
     "⁻": "^-", "¹": "1", "ω": "omega", "∞": "inf", "█": "#", "░": ".", "─": "-", "│": "|",
     "┤": "+", "└": "+", "▲": "^", "▼": "v", "×": "x"}
)  # fmt: skip


def _cells(text: str) -> int:
    """Columns a terminal needs for `text`."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _pad(text: str, width: int, *, right: bool = False) -> str:
    space = " " * (width - _cells(text))
    return space + text if right else text + space


def _pieces(word: str, room: int) -> Iterable[str]:
    """Cut a word that fits no line."""
    piece = ""
    for char in word:
        if piece and _cells(piece + char) > room:
            yield piece
            piece = ""
        piece += char
    yield piece


def _flow(
    spans: Sequence[Span], width: int, indent: int = 0, first: Line | None = None
) -> list[Line]:
    """Set spans as a paragraph; `first` replaces the indent of the first line."""
    line: Line = list(first) if first is not None else [(" " * indent, "")]
    used = sum(_cells(part) for part, _ in line)
    start, lines = used, []
    room = max(width - indent, 1)
    for part, style in spans:
        for word in part.split(" "):
            if not word:
                continue
            for piece in _pieces(word, room):
                need = _cells(piece)
                if used + (used > start) + need > width and (used > start or used > indent):
                    lines.append(line)
                    line, used, start = [(" " * indent, "")], indent, indent
                if used > start:
                    line.append((" ", ""))
                    used += 1
                line.append((piece, style))
                used += need
    lines.append(line)
    return lines


def _sentence(finding: Finding) -> str:
    reason = clean(finding.reason)
    if reason:
        return reason
    return f"{quantity(finding.value, finding.unit)}, limits {limits(finding)}"


def _names(names: Sequence[str], limit: int | None) -> str:
    shown = [clean(name) or "whole model" for name in names]
    if limit is None or len(shown) <= limit + 1:
        return ", ".join(shown)
    return ", ".join(shown[:limit]) + f" and {len(shown) - limit} more"


def _verdict(audit: Audit, width: int) -> list[Line]:
    worst = audit.worst
    judged = any(finding.status in ("pass", "warn", "fail") for finding in audit.findings)
    word = (worst if judged else "no verdict").upper()
    lines = _flow(
        [
            (clean(audit.card.name), "strong"),
            (f"({digest.who(audit)})", "dim"),
            (digest.headline(audit), ""),
        ],
        width,
        0,
        first=[(f"{word}  ", worst if judged else "dim")],
    )
    plain = paragraph(audit)
    if plain:
        lines += [[], *_flow([(plain, "")], width, 0)]
    stories = digest.telling(audit)
    if stories:
        lines.append([])
        column = min(max(_cells(clean(finding.dimer)) for finding, _ in stories) + 4, width // 3)
    for finding, others in stories:
        dimer = clean(finding.dimer) or "model"
        tail = f"[{clean(finding.check)}]"
        if others:
            tail += f" {clean(finding.group)} fails on {others} other dimer{'s' * (others != 1)}."
        spans: list[Span] = [(_sentence(finding), ""), (tail, "dim")]
        head: Line = [("  ", ""), (_pad(dimer, column - 2), "fail")]
        if _cells(dimer) > column - 4:
            head, spans = [("  ", "")], [(dimer, "fail"), *spans]
        lines += _flow(spans, width, column, first=head)
    return lines


def _holes(audit: Audit, width: int) -> list[Line]:
    found = holes(audit)
    if not found:
        return []
    lines: list[Line] = [[], [("Holes on compression", "strong")]]
    column = min(max(_cells(clean(finding.dimer)) for finding, _ in found) + 4, width // 3)
    for finding, telling in found[:_MAX_HOLES]:
        said = "; farther in, ".join(hole.sentence() for hole in telling)
        head: Line = [("  ", ""), (_pad(clean(finding.dimer), column - 2), "strong")]
        spans: list[Span] = [(said, "")]
        if _cells(clean(finding.dimer)) > column - 4:
            head, spans = [("  ", "")], [(clean(finding.dimer), "strong"), *spans]
        lines += _flow(spans, width, column, first=head)
    if len(found) > _MAX_HOLES:
        more = f"and {len(found) - _MAX_HOLES} more, behind higher barriers"
        lines += _flow([(more, "dim")], width, 2)
    return lines


def _overview(audit: Audit, width: int, *, verbose: bool) -> list[Line]:
    rows = [(clean(dimer), cells) for dimer, cells in overview(audit)]
    if not rows:
        return []
    shown = rows if verbose else rows[:_MAX_ROWS]
    name = max(_cells(dimer) for dimer, _ in shown)
    columns: list[tuple[int, str, int]] = []
    used = 2 + name
    for i, (head, _) in enumerate(COLUMNS):
        wide = max(_cells(head), *(_cells(cells[i].text) for _, cells in shown))
        if used + 3 + wide <= width and any(cells[i].text.strip(MISSING) for _, cells in shown):
            columns.append((i, head, wide))
            used += 3 + wide
    if not columns:
        return []
    title = [("   " + _pad(head, wide, right=True), "dim") for _, head, wide in columns]
    lines: list[Line] = [[], [("  " + _pad("", name), ""), *title]]
    for dimer, cells in shown:
        line: Line = [("  " + _pad(dimer, name), "strong")]
        for i, _, wide in columns:
            line.append(("   " + _pad(cells[i].text, wide, right=True), cells[i].status))
        lines.append(line)
    if len(rows) > len(shown):
        more = f"… and {len(rows) - len(shown)} more dimers; --verbose lists them"
        lines += _flow([(more, "dim")], width, 2)
    note = "In brackets: the reference. Barrier: before a hole, else at the shortest distance."
    return [*lines, *_flow([(note, "dim")], width, 2)]


def _groups(audit: Audit, width: int) -> list[Line]:
    tally: dict[str, Counter[str]] = {group: Counter() for group in audit.group_scores}
    for finding in audit.findings:
        tally.setdefault(finding.group, Counter())[finding.status] += 1
    if not tally:
        return []
    longest = max(_cells(clean(group)) for group in tally)
    # a narrow terminal loses the bar first, then counts from the right, then the ends of names
    heads = ("fail", "warn", "pass", "other")[: max((width - 9 - min(longest, 14)) // 7, 1)]
    wide = min(longest, width - 9 - 7 * len(heads))
    bar = 16 if width >= wide + 9 + 18 + 28 else 0
    lines: list[Line] = [
        [("  " + _pad("", wide) + "  score" + " " * (bar + 2 if bar else 0), "dim")]
        + [(_pad(head, 7, right=True), "dim") for head in heads]
    ]
    for group, counts in tally.items():
        score = audit.group_scores.get(group)
        line: Line = [("  " + _pad(next(iter(_pieces(clean(group), wide)), ""), wide), "")]
        line.append((_pad(MISSING if score is None else f"{score:.2f}", 7, right=True), "strong"))
        if bar:
            full = 0 if score is None else round(score * bar)
            rest = (" " if score is None else "░") * (bar - full)
            line += [("  ", ""), ("█" * full, "accent"), (rest, "dim")]
        judged = [counts[head] for head in ("fail", "warn", "pass")]
        numbers = [*judged, sum(counts.values()) - sum(judged)]
        for head, n in zip(heads, numbers, strict=False):
            line.append((_pad(str(n) if n else "·", 7, right=True), head if n else "dim"))
        lines.append(line)
    return lines


class _Table:
    """Columns shared by all blocks, so that the eye can run down them."""

    HEADS = ("value", "reference", "pass | fail")

    def __init__(self, rows: Sequence[Finding], width: int) -> None:
        self.width = width
        cells = [self.cells(row) for row in rows]
        self.status = max((len(row.status) for row in rows), default=4)
        self.check = max((_cells(clean(row.check)) for row in rows), default=8)
        self.columns = [
            max([_cells(head), *(_cells(cell[i]) for cell in cells)])
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
        used = _cells(name) + 2 + _cells(counts)
        if not self.wide or used > room:
            lines = _flow([(name, "strong"), ("", ""), (counts, "dim")], self.width, 2, first=[])
            return lines if not self.wide else [*lines, [(" " * room, ""), *self._heads()]]
        return [[*title, (" " * (room - used), ""), *self._heads()]]

    def _heads(self) -> Line:
        value, reference, limit = self.columns
        return [
            ("  " + _pad("value", value, right=True), "dim"),
            ("  " + _pad("reference", reference, right=True), "dim"),
            ("  " + _pad("pass | fail", limit).rstrip(), "dim"),
        ]

    def row(self, row: Finding, *, verbose: bool) -> list[Line]:
        value, reference, limit = self.cells(row)
        status: Line = [("  " + _pad(row.status, self.status) + "  ", row.status)]
        check = clean(row.check)
        if self.wide:
            widths = self.columns
            line = [
                *status,
                (_pad(check, self.check), ""),
                ("  " + _pad(value, widths[0], right=True), "strong"),
                ("  " + _pad(reference, widths[1], right=True), ""),
                ("  " + limit, "dim"),
            ]
            lines = [line]
        else:
            spans: list[Span] = [(check, ""), (value, "strong")]
            if row.reference is not None:
                spans.append((f"reference {reference}", ""))
            if row.threshold is not None:
                spans.append((f"({limit})", "dim"))
            lines = _flow(spans, self.width, self.indent, first=status)
        if row.reason:
            lines += _flow([(clean(row.reason), "")], self.width, self.indent)
        if verbose and row.source:
            lines += _flow([(f"source: {clean(row.source)}", "dim")], self.width, self.indent)
        return lines


def _label(style: str, label: str, width: int) -> Line:
    return [("  " + _pad(label, width) + "  ", style)]


def _plot(audit: Audit, dimer: str, width: int) -> list[Line]:
    curve = audit.curves.get(dimer)
    inside = min(60, width - 12)
    if curve is None or inside < 24:
        return []
    plot = text_plot(curve, audit.references.get(dimer, {}), name=dimer, width=inside)
    lines: list[Line] = [[]]
    for row in plot.splitlines():
        if _cells(row) > width - 2:
            lines += _flow([(row, "dim")], width, 2)
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


def _blocks(audit: Audit, width: int, *, verbose: bool) -> list[Line]:
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
        lines += _flow([(label, "strong"), (tally, "")], width, 2, first=[])
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
            spans = [(_names(names, limit), ""), (note, "dim")]
            lines += _flow(spans, width, min(len(label) + 2, width // 3), first=head)
    return lines


def _unjudged(audit: Audit, width: int) -> list[Line]:
    heaps = digest.unjudged(audit.findings)
    if not heaps:
        return []
    wide = max(len(heap.status) for heap in heaps)
    indent = min(wide + 4, width // 3)
    lines: list[Line] = [[], [("Not judged", "strong")]]
    for heap in heaps[:_MAX_HEAPS]:
        where = f"{_names(heap.checks, 3)} on {_names(heap.dimers, 4)}"
        reason = heap.reason or digest.MEANING[heap.status]
        spans = [(f"{heap.findings}{NBSP}×", "strong"), (reason, ""), (f"[{where}]", "dim")]
        lines += _flow(spans, width, indent, first=_label("dim", heap.status, wide))
    rest = sum(heap.findings for heap in heaps[_MAX_HEAPS:])
    if rest:
        more = f"… and {rest} more, for other reasons; --verbose lists them"
        lines += _flow([(more, "dim")], width, 2)
    return lines


def _means(audit: Audit, width: int) -> list[Line]:
    name, found = means(audit)
    if not found:
        return []
    head = f"{name}'s own metrics, means over {len(audit.metrics)} dimers; shown, never scored"
    lines: list[Line] = [[], *_flow([(head, "strong")], width, 0)]
    column = max(_cells(row.metric) for row in found) + 4
    for row in found:
        few = "" if row.dimers == len(audit.metrics) else f"  ({row.dimers} dimers have it)"
        lines.append([("  ", ""), (_pad(row.metric, column), ""), (row.text, ""), (few, "dim")])
    return lines


def _legend(audit: Audit, width: int) -> list[Line]:
    used = {finding.status for finding in audit.findings} - {"pass", "warn", "fail"}
    if not used:
        return []
    spans: list[Span] = []
    for status in STATUSES:
        if status in used:
            spans += [(f"{status}:", ""), (f"{digest.MEANING[status]}.", "dim")]
    return [[], *_flow(spans, width, 0)]


def report_lines(audit: Audit, *, width: int = WIDTH, verbose: bool = False) -> list[Line]:
    """Return the report as lines of (text, style) spans, none wider than `width` columns."""
    width = max(width, _NARROWEST)
    lines = _verdict(audit, width) + _holes(audit, width)
    lines += _overview(audit, width, verbose=verbose)
    groups = _groups(audit, width)
    lines += [[], *groups] if groups else []
    lines += _means(audit, width)
    lines += _blocks(audit, width, verbose=verbose)
    if not verbose:
        lines += _unjudged(audit, width)
    lines += _legend(audit, width)
    lines += [[], [("Next:", "dim")]]
    command = _flow([(digest.next_command(audit), "strong")], width - 2, 4, first=[("  ", "")])
    for line in command[:-1]:
        line.append((" \\", "dim"))  # so that the command can still be pasted
    return lines + command


def text(audit: Audit, *, width: int = WIDTH, verbose: bool = False) -> str:
    """Return the report as plain text, without colour.

    Parameters
    ----------
    audit
        What to report.
    width
        Columns to fill at most; not less than 30.
    verbose
        Show every finding row by row, with its source.
    """
    lines = report_lines(audit, width=width, verbose=verbose)
    joined = ("".join(part for part, _ in line).rstrip() for line in lines)
    return "\n".join(joined).replace(NBSP, " ")


def print_audit(audit: Audit, console: Console, *, verbose: bool = False) -> None:
    """Print the report to a rich console: the same text, coloured where the console can.

    Characters that the console's encoding lacks are replaced by ASCII ones.
    """
    from rich.text import Text

    width = min(console.width, WIDTH)
    for line in report_lines(audit, width=width, verbose=verbose):
        shown = Text()
        for part, style in line:
            part = part.replace(NBSP, " ")
            if console.options.ascii_only:
                part = "".join("*" if "\u2800" <= c <= "\u28ff" else c for c in part)
                part = part.translate(_ASCII).encode("ascii", "replace").decode()
            shown.append(part, _COLOURS.get(style, "dim" if style in STATUSES else ""))
        shown.rstrip()
        console.print(shown, soft_wrap=True)
