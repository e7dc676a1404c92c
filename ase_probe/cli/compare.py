"""``ase-probe compare AUDIT…``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ase_probe.cli.shared import guarded, output_options, show, stop, terminal_width

if TYPE_CHECKING:
    from ase_probe.curve import Audit

__all__ = ["compare"]


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="AUDIT.json...")
@click.option("--leaderboard", is_flag=True, help="Rank the models; default for several models.")
@click.option(
    "--changes",
    is_flag=True,
    help="What changed from the first audit to the second; default for two of one model.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn", "never"]),
    default="fail",
    show_default=True,
    help="A status that became worse is a regression from here on.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    help="How far a value may move unmentioned, as a fraction of its limit for pass.",
)
@click.option("--html", "html_file", type=click.Path(), help="Write one self-contained page.")
@output_options
def compare(
    files: tuple[str, ...],
    leaderboard: bool,
    changes: bool,
    fail_on: str,
    tolerance: float,
    html_file: str | None,
    style: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> NoReturn:
    """Compare audits: rank several models, or find what changed between two audits of one.

    Models are ranked by their scores on the dimers that all of them answer; how many each of them
    answers stands beside.

    \b
    ase-probe compare mace.json 7net.json chgnet.json --html models.html
    ase-probe compare before.json after.json

    Exit code: 0 no regression, 1 regressions, 2 could not compare.
    """  # noqa: D301  click wants the backspace
    from ase_probe import compare as comparing
    from ase_probe.curve import Audit
    from ase_probe.report import comparison as report
    from ase_probe.report.comparison_page import (
        change_section,
        leaderboard_section,
        write_comparison,
    )
    from ase_probe.report.github import change_annotations

    if changes and len(files) != 2:
        stop(f"--changes compares two audits, the earlier one first; got {len(files)}.")
    audits = [guarded(lambda file=file: Audit.load(file), debug) for file in files]  # type: ignore[misc]
    if None in audits:
        sys.exit(2)
    changes = changes or (not leaderboard and len(files) == 2 and _one_model(audits))
    leaderboard = leaderboard or not changes
    labels = _labels(files, audits)
    compared = guarded(lambda: comparing.compare(audits, labels), debug)
    if compared is None:
        sys.exit(2)
    regressed: tuple[comparing.Change, ...] = ()
    sections, blocks, lines = [], [], []
    width = terminal_width()
    if changes:
        found = comparing.changes(*audits, tolerance=tolerance)
        if fail_on != "never":
            groups = audits[1].environment.get("groups")
            regressed = comparing.regressions(found, fail_on=fail_on, groups=groups)
        names = (labels[0], labels[1])
        sections.append(change_section(found, regressed, names))
        lines.append(report.change_verdict(found, regressed, names, compared))
        blocks += report.change_lines(
            found, regressed, names, comparison=compared, width=width, verbose=verbose
        )
    if leaderboard:
        sections.insert(0, leaderboard_section(compared))
        lines.append(report.ranking_line(compared))
        blocks += [[], *report.leaderboard_lines(compared, width=width)][not changes :]
    show(
        lines,
        blocks,
        annotations=change_annotations(regressed, labels[-1]),
        style=style,
        quiet=quiet,
    )
    broken = leaderboard and not compared.common
    if html_file:
        page = guarded(lambda: write_comparison(compared, sections, html_file), debug)
        broken |= page is None
    sys.exit(2 if broken else 1 if regressed else 0)


def _one_model(audits: Sequence[Audit]) -> bool:
    return len({(audit.card.family, audit.card.name) for audit in audits}) == 1


def _labels(files: Sequence[str], audits: Sequence[Audit]) -> list[str]:
    """Names of the models; with the file's where several audits share one."""
    names = [audit.card.name for audit in audits]
    labels = [
        name if names.count(name) == 1 else f"{name} ({Path(file).stem})"
        for file, name in zip(files, names, strict=True)
    ]
    if len(set(labels)) == len(labels):
        return labels
    return [f"{name} ({number})" for number, name in enumerate(names, 1)]
