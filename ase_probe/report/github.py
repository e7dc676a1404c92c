"""What a GitHub workflow understands: annotations on stdout, Markdown in the job's summary.

The workflow commands and their escapes are those of GitHub's documentation, "Workflow commands for
GitHub Actions". GitHub shows the first ten errors and the first ten warnings of a step, so the
worst come first.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ase_probe.compare import Change
from ase_probe.curve import Audit, Finding
from ase_probe.report.digest import severity
from ase_probe.report.numbers import NBSP, clean, limits, quantity

__all__ = ["annotation", "audit_annotations", "change_annotations", "write_summary"]

_LEVELS = {"fail": "error", "warn": "warning"}


def _escaped(text: str) -> str:
    text = text.replace(NBSP, " ")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotation(level: str, title: str, message: str) -> str:
    """Return one workflow command.

    >>> annotation("error", "N2: wall", "100% off")
    '::error title=N2%3A wall::100%25 off'
    """
    title = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={title}::{_escaped(message)}"


def _message(finding: Finding) -> str:
    measured = f"{quantity(finding.value, finding.unit)} (limits {limits(finding)})"
    return f"{clean(finding.reason)}; {measured}" if finding.reason else measured


def audit_annotations(audit: Audit) -> list[str]:
    """Return an error per failure and a warning per warning, worst first."""
    name = clean(audit.card.name)
    return [
        annotation(
            _LEVELS[finding.status],
            f"{name}: {clean(finding.check)} on {clean(finding.dimer) or 'model'}",
            _message(finding),
        )
        for finding in sorted(audit.findings, key=severity)
        if finding.status in _LEVELS
    ]


def change_annotations(regressed: Sequence[Change], label: str) -> list[str]:
    """Return an error per regression."""
    said = []
    for change in regressed:
        where = " on ".join(filter(None, (clean(change.check), clean(change.dimer) or "model")))
        message = clean(change.reason) or "not there any more"
        if change.after is not None:
            before = "none" if change.before is None else change.before.status
            message = f"{before} → {change.after.status}: {_message(change.after)}"
        said.append(annotation("error", f"{clean(label)}: {change.kind}, {where}", message))
    return said


def write_summary(title: str, report: str) -> Path | None:
    """Append a report to the job's summary; nothing where ``GITHUB_STEP_SUMMARY`` is not set."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        return None
    fence = "```"
    while fence in report:
        fence += "`"
    # a fence keeps model names and reasons from being read as Markdown
    with open(target, "a", encoding="utf-8") as stream:
        stream.write(f"### {title}\n\n{fence}text\n{report}\n{fence}\n\n")
    return Path(target)
