"""The terminal report, built as lines by pure functions: verdict, groups, dimers, what next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ase_probe.curve import STATUSES, Audit, Finding
from ase_probe.report import digest
from ase_probe.report.means import means
from ase_probe.report.numbers import MISSING, NBSP, clean, limits, percent, quantity
from ase_probe.report.overview import COLUMNS, holes, overview
from ase_probe.report.text_layout import (
    NARROWEST,
    WIDTH,
    Line,
    Span,
    flow,
    joined,
    label,
    listed,
    pad,
    pieces,
    print_lines,
    width_of,
)
from ase_probe.report.text_rows import blocks
from ase_probe.report.verdict import paragraph

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_audit", "report_lines", "text", "verdict_line"]

_MAX_ROWS = 50  # dimers in the overview unless verbose
_MAX_HOLES = 12
_MAX_HEAPS = 8  # reasons for "not judged" unless verbose


def _sentence(finding: Finding) -> str:
    reason = clean(finding.reason)
    if reason:
        return reason
    return f"{quantity(finding.value, finding.unit)}, limits {limits(finding)}"


def _word(audit: Audit) -> Span:
    """Return the verdict in one word, and its style."""
    judged = any(finding.status in ("pass", "warn", "fail") for finding in audit.findings)
    return (audit.worst.upper(), audit.worst) if judged else ("NO VERDICT", "dim")


def _verdict(audit: Audit, width: int) -> list[Line]:
    word, style = _word(audit)
    lines = flow(
        [
            (clean(audit.card.name), "strong"),
            (f"({digest.who(audit)})", "dim"),
            (digest.headline(audit), ""),
        ],
        width,
        0,
        first=[(f"{word}  ", style)],
    )
    plain = paragraph(audit)
    if plain:
        lines += [[], *flow([(plain, "")], width, 0)]
    stories = digest.telling(audit)
    if stories:
        lines.append([])
        column = min(max(width_of(clean(finding.dimer)) for finding, _ in stories) + 4, width // 3)
    for finding, others in stories:
        dimer = clean(finding.dimer) or "model"
        tail = f"[{clean(finding.check)}]"
        if others:
            tail += f" {clean(finding.group)} fails on {others} other dimer{'s' * (others != 1)}."
        spans: list[Span] = [(_sentence(finding), ""), (tail, "dim")]
        head: Line = [("  ", ""), (pad(dimer, column - 2), "fail")]
        if width_of(dimer) > column - 4:
            head, spans = [("  ", "")], [(dimer, "fail"), *spans]
        lines += flow(spans, width, column, first=head)
    return lines


def _holes(audit: Audit, width: int) -> list[Line]:
    found = holes(audit)
    if not found:
        return []
    lines: list[Line] = [[], [("Holes on compression", "strong")]]
    column = min(max(width_of(clean(finding.dimer)) for finding, _ in found) + 4, width // 3)
    for finding, telling in found[:_MAX_HOLES]:
        said = "; farther in, ".join(hole.sentence() for hole in telling)
        head: Line = [("  ", ""), (pad(clean(finding.dimer), column - 2), "strong")]
        spans: list[Span] = [(said, "")]
        if width_of(clean(finding.dimer)) > column - 4:
            head, spans = [("  ", "")], [(clean(finding.dimer), "strong"), *spans]
        lines += flow(spans, width, column, first=head)
    if len(found) > _MAX_HOLES:
        more = f"and {len(found) - _MAX_HOLES} more, behind higher barriers"
        lines += flow([(more, "dim")], width, 2)
    return lines


def _overview(audit: Audit, width: int, *, verbose: bool) -> list[Line]:
    rows = [(clean(dimer), cells) for dimer, cells in overview(audit)]
    if not rows:
        return []
    shown = rows if verbose else rows[:_MAX_ROWS]
    name = max(width_of(dimer) for dimer, _ in shown)
    columns: list[tuple[int, str, int]] = []
    used = 2 + name
    for i, (head, _) in enumerate(COLUMNS):
        wide = max(width_of(head), *(width_of(cells[i].text) for _, cells in shown))
        if used + 3 + wide <= width and any(cells[i].text.strip(MISSING) for _, cells in shown):
            columns.append((i, head, wide))
            used += 3 + wide
    if not columns:
        return []
    title = [("   " + pad(head, wide, right=True), "dim") for _, head, wide in columns]
    lines: list[Line] = [[], [("  " + pad("", name), ""), *title]]
    for dimer, cells in shown:
        line: Line = [("  " + pad(dimer, name), "strong")]
        for i, _, wide in columns:
            line.append(("   " + pad(cells[i].text, wide, right=True), cells[i].status))
        lines.append(line)
    if len(rows) > len(shown):
        more = f"… and {len(rows) - len(shown)} more dimers; --verbose lists them"
        lines += flow([(more, "dim")], width, 2)
    note = "In brackets: the reference. Barrier: before a hole, else at the shortest distance."
    return [*lines, *flow([(note, "dim")], width, 2)]


def _groups(audit: Audit, width: int) -> list[Line]:
    tally: dict[str, Counter[str]] = {group: Counter() for group in audit.group_scores}
    for finding in audit.findings:
        tally.setdefault(finding.group, Counter())[finding.status] += 1
    if not tally:
        return []
    longest = max(width_of(clean(group)) for group in tally)
    # a narrow terminal loses the bar first, then counts from the right, then the ends of names
    heads = ("fail", "warn", "pass", "other")[: max((width - 9 - min(longest, 14)) // 7, 1)]
    wide = min(longest, width - 9 - 7 * len(heads))
    bar = 16 if width >= wide + 9 + 18 + 28 else 0
    lines: list[Line] = [
        [("  " + pad("", wide) + "  score" + " " * (bar + 2 if bar else 0), "dim")]
        + [(pad(head, 7, right=True), "dim") for head in heads]
    ]
    for group, counts in tally.items():
        score = audit.group_scores.get(group)
        line: Line = [("  " + pad(next(iter(pieces(clean(group), wide)), ""), wide), "")]
        line.append((pad(MISSING if score is None else f"{score:.2f}", 7, right=True), "strong"))
        if bar:
            full = 0 if score is None else round(score * bar)
            rest = (" " if score is None else "░") * (bar - full)
            line += [("  ", ""), ("█" * full, "accent"), (rest, "dim")]
        judged = [counts[head] for head in ("fail", "warn", "pass")]
        numbers = [*judged, sum(counts.values()) - sum(judged)]
        for head, n in zip(heads, numbers, strict=False):
            line.append((pad(str(n) if n else "·", 7, right=True), head if n else "dim"))
        lines.append(line)
    return lines


def _unjudged(audit: Audit, width: int) -> list[Line]:
    heaps = digest.unjudged(audit.findings)
    if not heaps:
        return []
    wide = max(len(heap.status) for heap in heaps)
    indent = min(wide + 4, width // 3)
    lines: list[Line] = [[], [("Not judged", "strong")]]
    for heap in heaps[:_MAX_HEAPS]:
        where = f"{listed(heap.checks, 3)} on {listed(heap.dimers, 4)}"
        reason = heap.reason or digest.MEANING[heap.status]
        spans = [(f"{heap.findings}{NBSP}×", "strong"), (reason, ""), (f"[{where}]", "dim")]
        lines += flow(spans, width, indent, first=label("dim", heap.status, wide))
    rest = sum(heap.findings for heap in heaps[_MAX_HEAPS:])
    if rest:
        more = f"… and {rest} more, for other reasons; --verbose lists them"
        lines += flow([(more, "dim")], width, 2)
    return lines


def _means(audit: Audit, width: int) -> list[Line]:
    name, found = means(audit)
    if not found:
        return []
    head = f"{name}'s own metrics, means over {len(audit.metrics)} dimers; shown, never scored"
    lines: list[Line] = [[], *flow([(head, "strong")], width, 0)]
    column = max(width_of(row.metric) for row in found) + 4
    for row in found:
        few = "" if row.dimers == len(audit.metrics) else f"  ({row.dimers} dimers have it)"
        lines.append([("  ", ""), (pad(row.metric, column), ""), (row.text, ""), (few, "dim")])
    return lines


def _legend(audit: Audit, width: int) -> list[Line]:
    used = {finding.status for finding in audit.findings} - {"pass", "warn", "fail"}
    if not used:
        return []
    spans: list[Span] = []
    for status in STATUSES:
        if status in used:
            spans += [(f"{status}:", ""), (f"{digest.MEANING[status]}.", "dim")]
    return [[], *flow(spans, width, 0)]


def verdict_line(audit: Audit) -> Line:
    """Return the verdict on one line: name, score, coverage, how many findings of which status."""
    word, style = _word(audit)
    counts = digest.count(f.status for f in audit.findings)
    score = "" if style == "dim" else f"score {audit.score:.2f}, "
    return [
        (f"{word}  ", style),
        (clean(audit.card.name), "strong"),
        (f"  {score}coverage {percent(audit.coverage)}: {counts}", ""),
    ]


def report_lines(audit: Audit, *, width: int = WIDTH, verbose: bool = False) -> list[Line]:
    """Return the report as lines of (text, style) spans, none wider than `width` columns."""
    width = max(width, NARROWEST)
    lines = _verdict(audit, width) + _holes(audit, width)
    lines += _overview(audit, width, verbose=verbose)
    groups = _groups(audit, width)
    lines += [[], *groups] if groups else []
    lines += _means(audit, width)
    lines += blocks(audit, width, verbose=verbose)
    if not verbose:
        lines += _unjudged(audit, width)
    lines += _legend(audit, width)
    lines += [[], [("Next:", "dim")]]
    command = flow([(digest.next_command(audit), "strong")], width - 2, 4, first=[("  ", "")])
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
    return joined(report_lines(audit, width=width, verbose=verbose))


def print_audit(audit: Audit, console: Console, *, verbose: bool = False) -> None:
    """Print the report to a rich console: the same text, coloured where the console can."""
    width = min(console.width, WIDTH)
    print_lines(report_lines(audit, width=width, verbose=verbose), console)
