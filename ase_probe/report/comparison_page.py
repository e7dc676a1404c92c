"""A comparison as HTML: the page of all its audits, led by the leaderboard and the changes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ase_probe.compare import Change, Comparison, Entry
from ase_probe.report.comparison import MEANING
from ase_probe.report.html import write_html
from ase_probe.report.numbers import MISSING, percent, quantity
from ase_probe.report.page.markup import esc, region, score_bar

__all__ = ["change_section", "leaderboard_section", "write_comparison"]

_COUNTS = ("fail", "warn", "inherited", "pass", "unresolved")


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Heads and cells are HTML already; the second cell names the row."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{cell}</th>' if i == 1 else f'<td data-label="{name}">{cell}</td>'
            for i, (name, cell) in enumerate(zip(heads, row, strict=True))
        )
        + "</tr>"
        for row in rows
    )
    return region(
        caption,
        f'<table class="summary"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>',
    )


def leaderboard_section(comparison: Comparison) -> str:
    """Return ranks, scores on the common dimers, coverage, counts and notes as one section."""
    groups = list(dict.fromkeys(g for entry in comparison.entries for g in entry.group_scores))
    heads = ["Rank", "Model", "Score", "Coverage", *map(str.capitalize, _COUNTS)]
    heads += map(esc, groups)

    def cells(entry: Entry) -> list[str]:
        return [
            str(entry.rank or MISSING),
            esc(entry.label),
            score_bar(entry.score),
            percent(entry.coverage),
            *(f'<span class="n {name}">{entry.counts.get(name, 0)}</span>' for name in _COUNTS),
            *(score_bar(entry.group_scores.get(group)) for group in groups),
        ]

    table = _table("Leaderboard", heads, [cells(entry) for entry in comparison.entries])
    common = ", ".join(comparison.common) or "no dimer: none is answered by all of them"
    notes = "".join(f"<li>{esc(note)}</li>" for note in comparison.notes)
    return (
        f'<section><h2 id="leaderboard">Leaderboard</h2>{table}'
        f"<p>Scored on the {len(comparison.common)} of {len(comparison.asked)} dimers that every "
        f"model answers ({esc(common)}), so these scores differ from those of the audits below. "
        "Coverage counts every dimer that was asked for.</p>"
        + (f"<ul>{notes}</ul>" if notes else "")
        + "</section>"
    )


def change_section(
    found: Sequence[Change], regressed: Sequence[Change], labels: tuple[str, str]
) -> str:
    """Return what changed from the first audit to the second as one section, regressions first."""
    before, after = map(esc, labels)
    known = set(map(id, regressed))
    rest = [change for change in found if id(change) not in known]
    count = {0: "No regression", 1: "1 regression"}.get(len(known), f"{len(known)} regressions")
    kinds = dict.fromkeys(change.kind for change in found)
    legend = "; ".join(f"{kind}: {MEANING[kind]}" for kind in kinds) or "Nothing changed"
    heads = ["Change", "Dimer", "Check", before, after, "Now"]
    worse = _table("Regressions", heads, [_cells(change, "fail") for change in regressed])
    others = _table("Other changes", heads, [_cells(change, "trivial") for change in rest])
    return (
        f'<section><h2 id="changes">{count} from {before} to {after}</h2>'
        + (worse if regressed else "")
        + (f"<details><summary>{len(rest)} other changes</summary>{others}</details>" * bool(rest))
        + f'<p class="muted">{escape(legend)}.</p></section>'
    )


def _cells(change: Change, style: str) -> list[str]:
    reason = change.reason or ("" if change.after is None else change.after.reason)
    check = esc(change.check).replace(".", ".<wbr>")
    return [
        f'<span class="badge {style}">{change.kind}</span>',
        esc(change.dimer) or "model",
        f'<code style="white-space:nowrap">{check}</code>' if check else "whole dimer",
        *(
            MISSING if side is None else f"{side.status}, {escape(quantity(side.value, side.unit))}"
            for side in (change.before, change.after)
        ),
        f'<span style="display:block;min-width:18rem;white-space:normal">{esc(reason)}</span>',
    ]


def write_comparison(comparison: Comparison, sections: Sequence[str], path: str | Path) -> Path:
    """Write the page of all audits, with `sections` of HTML in front, atomically.

    Raises
    ------
    InputError
        The folder does not exist or cannot be written to.
    """
    return write_html(
        [entry.audit for entry in comparison.entries],
        path,
        labels=[entry.label for entry in comparison.entries],
        lead="\n".join(sections),
    )
