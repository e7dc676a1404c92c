"""Several audits in the terminal: the leaderboard, and what changed between two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ase_probe.compare import KINDS, Change, Comparison, Entry
from ase_probe.report.numbers import MISSING, NBSP, clean, percent, quantity
from ase_probe.report.text_layout import (
    NARROWEST,
    WIDTH,
    Line,
    Span,
    flow,
    joined,
    listed,
    pad,
    width_of,
)

__all__ = [
    "MEANING",
    "change_lines",
    "change_text",
    "change_verdict",
    "leaderboard_lines",
    "leaderboard_text",
    "ranking_line",
]

MEANING = {
    "refused": "answered before, not any more",
    "vanished": "was there before, is not any more",
    "worse": "a worse status than before, below --fail-on",
    "unjudged": "had a verdict before, has none now",
    "appeared": "was not there before",
    "moved": "the same status, another value",
    "changed": "another status of the same weight",
    "better": "a better status than before",
    "answered": "not answered before",
}
"""Kind of change -> what it means."""

_MAX_CHANGES = 12  # of each kind that is no regression, unless verbose
_STYLES = {"refused": "fail", "vanished": "fail", "worse": "fail", "unjudged": "warn"}
_COUNTS = ("fail", "warn", "inherited", "pass", "unresolved", "other")


def _number(score: float | None) -> str:
    return MISSING if score is None else f"{score:.2f}"


def _counts(entry: Entry) -> list[int]:
    known = [entry.counts.get(status, 0) for status in _COUNTS[:-1]]
    return [*known, sum(entry.counts.values()) - sum(known)]


def _table(rows: Sequence[Sequence[Span]], left: Sequence[int], width: int) -> list[Line]:
    """Align cells in columns; the columns of `left` to the left. Drops columns that do not fit."""
    widest = [max(width_of(row[i][0]) for row in rows) for i in range(len(rows[0]))]
    while sum(wide + 2 for wide in widest) > width and len(widest) > 2:
        widest.pop()
    return [
        [
            ("  " + pad(text, wide, right=i not in left), style)
            for i, (wide, (text, style)) in enumerate(zip(widest, row, strict=False))
        ]
        for row in rows
    ]


def leaderboard_lines(comparison: Comparison, *, width: int = WIDTH) -> list[Line]:
    """Return the leaderboard as lines of (text, style) spans, none wider than `width` columns."""
    width = max(width, NARROWEST)
    entries, common, asked = comparison.entries, comparison.common, comparison.asked
    said = f"compared on the {len(common)} of {len(asked)} dimers that all of them answer."
    if not common:
        said = f"cannot be compared: no dimer of {len(asked)} is answered by all of them."
    lines = flow([(f"{len(entries)} models", "strong"), (said, "")], width)
    name = max(width_of(clean(entry.label)) for entry in entries)
    bar = 12 if width >= 87 + name else 0
    heads = ["rank", "model", "score", *([""] if bar else []), "coverage", *_COUNTS]
    rows: list[list[Span]] = [[(head, "dim") for head in heads]]
    for entry in entries:
        full = round((entry.score or 0.0) * bar)
        drawn = [("█" * full + "░" * (bar - full), "accent")] if bar else []
        cells: list[Span] = [
            (str(entry.rank or MISSING), "strong"),
            (clean(entry.label), "strong"),
            (_number(entry.score), "strong"),
            *drawn,
            (percent(entry.coverage), ""),
        ]
        numbers = zip(_COUNTS, _counts(entry), strict=True)
        rows.append(
            [*cells, *((str(n) if n else "·", name if n else "dim") for name, n in numbers)]
        )
    lines += [[], *_table(rows, (1, 3) if bar else (1,), width)]
    lines += _groups(comparison, width)
    notes = [*comparison.notes]
    if common:
        notes.insert(0, f"Compared on {', '.join(map(clean, common))}.")
    lines.append([])
    for note in notes:
        lines += flow([(clean(note), "dim")], width, 2)
    said = (
        "Score: mean over the groups on the common dimers, so it differs from that of one audit "
        "alone. Coverage: answered, of all dimers asked for."
    )
    return [*lines, *flow([(said, "dim")], width, 2)]


def _groups(comparison: Comparison, width: int) -> list[Line]:
    """Groups × models, in as many tables as the models need."""
    groups = list(dict.fromkeys(g for entry in comparison.entries for g in entry.group_scores))
    if not groups:
        return []
    name = max(map(width_of, (*groups, "group")))
    lines: list[Line] = []
    waiting = list(comparison.entries)
    while waiting:
        shown: list[Entry] = []
        used = 2 + name
        while waiting and (not shown or used + _room(waiting[0]) <= width):
            used += _room(waiting[0])
            shown.append(waiting.pop(0))
        rows: list[list[Span]] = [
            [("group", "dim"), *((clean(entry.label), "dim") for entry in shown)]
        ]
        for group in groups:
            scores = [entry.group_scores.get(group) for entry in shown]
            best = max((e.group_scores.get(group, -1.0) for e in comparison.entries), default=0.0)
            style = "" if group in comparison.groups else "dim"
            cells = [(_number(s), "strong" if s == best else style) for s in scores]
            rows.append([(group, style), *cells])
        lines += [[], *_table(rows, (0,), max(width, used))]
    return lines


def _room(entry: Entry) -> int:
    return 2 + max(width_of(clean(entry.label)), 4)


def leaderboard_text(comparison: Comparison, *, width: int = WIDTH) -> str:
    """Return the leaderboard as plain text, without colour."""
    return joined(leaderboard_lines(comparison, width=width))


def ranking_line(comparison: Comparison) -> Line:
    """Return the leaderboard in one line."""
    places = ", ".join(
        f"{entry.rank or MISSING} {clean(entry.label)} {_number(entry.score)} "
        f"(coverage {percent(entry.coverage)})"
        for entry in comparison.entries
    )
    said = f"{places}; on {len(comparison.common)} of {len(comparison.asked)} dimers"
    return [(said, "")]


def change_verdict(
    found: Sequence[Change],
    regressed: Sequence[Change],
    labels: tuple[str, str],
    comparison: Comparison | None = None,
) -> Line:
    """Return how many regressions there are, between what, and how many changes of which kind."""
    bad = len(regressed)
    plural = "" if bad == 1 else "S"
    word, style = (f"{bad} REGRESSION{plural}", "fail") if bad else ("NO REGRESSION", "pass")
    before, after = map(clean, labels)
    said = f"from {before} to {after}"
    if comparison is not None and comparison.common:
        scores = {entry.label: _number(entry.score) for entry in comparison.entries}
        said += (
            f"; score {scores[labels[0]]} → {scores[labels[1]]} on "
            f"{len(comparison.common)}{NBSP}common dimers"
        )
    counts = Counter(change.kind for change in found)
    tally = ", ".join(f"{counts[kind]}{NBSP}{kind}" for kind in KINDS if counts[kind])
    return [(word + "  ", style), (f"{said}. {tally or 'Nothing changed'}.", "")]


def change_lines(
    found: Sequence[Change],
    regressed: Sequence[Change],
    labels: tuple[str, str],
    *,
    comparison: Comparison | None = None,
    width: int = WIDTH,
    verbose: bool = False,
) -> list[Line]:
    """Return what changed as lines of (text, style) spans.

    Parameters
    ----------
    found, regressed
        What `changes` and `regressions` of `ase_probe.compare` returned.
    labels
        What the audits are called, the earlier one first.
    comparison
        Of the same two audits, for their scores on the common dimers.
    width
        Columns to fill at most.
    verbose
        Show every change; else at most a dozen of each kind that is no regression.
    """
    width = max(width, NARROWEST)
    (word, style), (said, _) = change_verdict(found, regressed, labels, comparison)
    lines = flow([(said, "")], width, 0, [(word, style)])
    if regressed:
        lines += [[], [("Regressions", "strong")], *_rows(regressed, width, kinds=True)]
    rest = [change for change in found if change not in regressed]
    for kind in KINDS:
        those = [change for change in rest if change.kind == kind]
        if those:
            shown = those if verbose else those[:_MAX_CHANGES]
            title: list[Span] = [(kind.capitalize(), "strong"), (f"({MEANING[kind]})", "dim")]
            lines += [[], *flow(title, width), *_rows(shown, width, reasons=verbose)]
            if len(those) > len(shown):
                more = listed([f"{c.dimer} {c.check}".strip() for c in those[len(shown) :]], 4)
                lines += flow([(f"{more}; --verbose shows them", "dim")], width, 2)
    return lines


def _rows(
    found: Sequence[Change], width: int, *, kinds: bool = False, reasons: bool = True
) -> list[Line]:
    rows = [
        [
            (clean(change.dimer) or "model", "strong"),
            *([(change.kind, _STYLES.get(change.kind, "dim"))] if kinds else []),
            (clean(change.check) or "whole dimer", ""),
            (_status(change), ""),
            (_value(change), "strong"),
        ]
        for change in found
    ]
    dimer = max(width_of(row[0][0]) for row in rows) + 4
    every = range(len(rows[0]))
    if sum(max(width_of(row[i][0]) for row in rows) + 2 for i in every) <= width:
        table = [[line] for line in _table(rows, every, width)]
    else:
        table = [
            flow([span for span in row[1:] if span[0]], width, dimer,
                 [("  " + pad(row[0][0], dimer - 2), "strong")])
            for row in rows
        ]  # fmt: skip
    lines: list[Line] = []
    for change, row in zip(found, table, strict=True):
        lines += row
        said = change.reason or ("" if change.after is None else change.after.reason)
        if said and (reasons or change.reason):
            lines += flow([(clean(said), "dim")], width, dimer)
    return lines


def _status(change: Change) -> str:
    before = None if change.before is None else change.before.status
    after = None if change.after is None else change.after.status
    if before == after:
        return before or ""
    return f"{before or 'none'} → {after or 'none'}"


def _value(change: Change) -> str:
    shown = [
        MISSING if finding is None else quantity(finding.value, finding.unit)
        for finding in (change.before, change.after)
    ]
    return "" if set(shown) == {MISSING} else " → ".join(shown)


def change_text(
    found: Sequence[Change],
    regressed: Sequence[Change],
    labels: tuple[str, str],
    *,
    comparison: Comparison | None = None,
    width: int = WIDTH,
    verbose: bool = False,
) -> str:
    """Return what changed as plain text; the parameters are those of `change_lines`."""
    lines = change_lines(
        found, regressed, labels, comparison=comparison, width=width, verbose=verbose
    )
    return joined(lines)
