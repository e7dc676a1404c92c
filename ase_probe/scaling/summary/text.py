"""The summary for people: as lines for a terminal, as Markdown for a page."""

from __future__ import annotations

import textwrap

from ase_probe.scaling.data.level import LEVEL
from ase_probe.scaling.summary import Summary
from ase_probe.scaling.summary.sentences import recipe, statistics
from ase_probe.scaling.summary.tables import (
    LEGEND,
    Table,
    cells_table,
    number,
    plain,
    runs_table,
    shots_table,
)

__all__ = ["NOT_ASKED", "lines", "markdown"]

_WIDTH = 100

NOT_ASKED = (
    "No model here is asked whether two bare protons repel. They take no charge: H2 and two "
    "protons are one and the same input to them, which is a property of the architecture and says "
    "nothing about what was learnt."
)


def lines(summary: Summary) -> list[str]:
    """Return the summary as text; prose is at most 100 columns wide, tables as wide as they are."""
    found = [f"Scaling study: {summary.count}"]
    if summary.others:
        found += _wrapped(_others(summary))
    for statement in summary.statements:
        found += ["", *_wrapped(statement.headline)]
        found += [line for reason in statement.reasons for line in _wrapped(reason, "  ")]
    for name, said in summary.conclusions.items():
        found += ["", *_wrapped(f"{name}, together: {said}")]
    found += ["", *_wrapped(NOT_ASKED), "", *_wrapped(_compared(summary))]
    for family in summary.families:
        found += ["", "", f"{family.name}: {recipe(family)}", f"{family.count}", ""]
        found += plain(runs_table(family)) if family.rows else []
        for heading, sentences in statistics(family):
            found += ["", heading, *(line for text in sentences for line in _wrapped(text, "  "))]
    for table in summary.shots:
        found += ["", "", f"Fine-tuned with shots: {table.name}", f"{table.count}", ""]
        found += plain(shots_table(table))
    return [*found, "", *_wrapped(LEGEND)]


def markdown(summary: Summary) -> str:
    """Return the summary as Markdown without headings, for a page that has its own."""
    parts = [f"**How much ran:** {summary.count}."]
    if summary.others:
        parts.append(_others(summary))
    for statement in summary.statements:
        reasons = "\n".join(f"  - {reason}" for reason in statement.reasons)
        parts.append(f"- **{statement.headline}.**\n{reasons}")
    parts += [f"**{name}, together.** {said}" for name, said in summary.conclusions.items()]
    parts += [NOT_ASKED, _compared(summary)]
    for family in summary.families:
        parts.append(f"**{family.name}** ({recipe(family)}): {family.count}.")
        if family.rows:
            parts.append(_markdown(cells_table(family)))
            said = [
                line
                for heading, sentences in statistics(family)
                for line in ("", heading, *(x for s in sentences for x in _wrapped(s, "  ")))
            ]
            parts.append("\n".join(["```text", *said[1:], "```"]))
    for table in summary.shots:
        parts.append(f"**{table.name}, fine-tuned with shots**: {table.count}.")
        parts.append(_markdown(shots_table(table)))
    return "\n\n".join([*parts, LEGEND]) + "\n"


def _others(summary: Summary) -> str:
    return f"{summary.others} other runs in the folder are not of this study and are left out."


def _compared(summary: Summary) -> str:
    curves = "; ".join(
        f"{name}: lg RMSE {number(found.log10_rmse, 2)}, D_e from the largest distance "
        f"{number(found.D_e_r_max, 2)} eV"
        for name, found in summary.yardsticks.items()
    )
    return (
        f"Outcomes are counted from the labels' own H2 curve, {LEVEL}, {summary.kind}. Other "
        f"curves held against it: {curves}."
    )


def _markdown(table: Table) -> str:
    head, rows = table
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Fold a paragraph; its own indent is kept."""
    start = indent + " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text.strip(),
        _WIDTH,
        initial_indent=start,
        subsequent_indent=start + ("  " if indent else ""),
        break_on_hyphens=False,
    )
