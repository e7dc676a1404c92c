"""`summary_html`: an audit in a notebook, as one short table; what comes from it is escaped."""

from __future__ import annotations

from collections import Counter
from html import escape

from ase_probe.curve import Audit
from ase_probe.report import digest
from ase_probe.report.numbers import MISSING, clean, percent

__all__ = ["summary_html"]

_HEADS = ("group", "score", "fail", "warn", "inherited", "pass", "not judged")


def summary_html(audit: Audit) -> str:
    """Return the verdict and one row per group of checks as HTML."""
    tally: dict[str, Counter[str]] = {}
    for finding in audit.findings:
        tally.setdefault(finding.group, Counter())[finding.status] += 1
    rows = ""
    for group, counts in tally.items():
        mean = audit.group_scores.get(group)
        known = [counts[status] for status in _HEADS[2:-1]]
        cells = [
            MISSING if mean is None else f"{mean:.2f}",
            *(str(n) if n else "·" for n in (*known, sum(counts.values()) - sum(known))),
        ]
        body = "".join(f"<td>{cell}</td>" for cell in cells)
        rows += f'<tr><th style="text-align:left">{escape(clean(group))}</th>{body}</tr>'
    head = "".join(f"<th>{name}</th>" for name in _HEADS)
    judged = any(finding.status in ("pass", "warn", "fail") for finding in audit.findings)
    score = f"score {audit.score:.2f}, " if judged else "no score, "
    return (
        f"<p><strong>{escape(clean(audit.card.name))}</strong> "
        f"({escape(clean(digest.who(audit)))}): {score}coverage {percent(audit.coverage)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
