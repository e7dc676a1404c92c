"""Tables over the whole audit: scores, and every check on every dimer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ase_probe.curve import STATUSES, Audit, Finding
from ase_probe.report import digest
from ase_probe.report.numbers import percent
from ase_probe.report.page.markup import GLYPHS, esc, href, region, score_bar

__all__ = ["legend", "status_map", "summary"]


def summary(audits: Sequence[Audit], labels: Sequence[str]) -> str:
    """Return one row per model: level, score, coverage, counts, score of every group."""
    groups = list(dict.fromkeys(group for audit in audits for group in audit.group_scores))
    heads = ["Model", "Level of theory", "Trained on", "Score", "Coverage", "Fail", "Warn", "Pass"]
    heads += ["Not judged", *groups]
    head = "".join(f'<th scope="col">{esc(name)}</th>' for name in heads)
    rows = []
    for audit, label in zip(audits, labels, strict=True):
        counts = Counter(finding.status for finding in audit.findings)
        other = sum(n for status, n in counts.items() if status not in digest.VERDICTS)
        cells = [
            ("Level of theory", esc(audit.card.level_of_theory or "not stated")),
            ("Trained on", esc(audit.card.training_data or "not stated")),
            ("Score", score_bar(audit.score)),
            ("Coverage", percent(audit.coverage)),
            *(
                (name.capitalize(), f'<span class="n {name}">{counts[name]}</span>')
                for name in ("fail", "warn", "pass")
            ),
            ("Not judged", str(other)),
            *((esc(group), score_bar(audit.group_scores.get(group))) for group in groups),
        ]
        rows.append(
            f'<tr><th scope="row">{esc(label)}</th>'
            + "".join(f'<td data-label="{name}">{cell}</td>' for name, cell in cells)
            + "</tr>"
        )
    table = (
        f'<table class="summary"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table>"
    )
    return region("Summary", table)


def status_map(
    audit: Audit,
    label: str,
    checks: Sequence[str],
    names: Sequence[str],
    anchors: Mapping[str, str],
) -> str:
    """Return checks × dimers, one letter a cell: the whole audit at a glance."""
    shown = set(names)
    worst: dict[tuple[str, str], Finding] = {}
    for finding in audit.findings:
        key = finding.check, finding.dimer
        if finding.dimer in shown and (
            key not in worst or digest.severity(finding) < digest.severity(worst[key])
        ):
            worst[key] = finding
    head = "".join(
        f'<th scope="col"><a href="{href(name, anchors)}" tabindex="-1">'
        f"{esc(name) or 'model'}</a></th>"
        for name in names
    )
    rows = []
    for check in checks:
        cells = []
        for name in names:
            row = worst.get((check, name))
            if row is None:
                cells.append("<td></td>")
                continue
            title = f"{check}, {name}: {row.status}. {row.reason}"
            cells.append(f'<td class="{row.status}" title="{esc(title)}">{GLYPHS[row.status]}</td>')
        rows.append(f'<tr><th scope="row">{esc(check)}</th>{"".join(cells)}</tr>')
    table = (
        f'<table class="map"><caption>{esc(label)}</caption><thead><tr><td></td>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return region(f"Status map of {label}", table)


def legend() -> str:
    """Return what every status means."""
    return "".join(
        f'<div><dt><span class="cell {status}" aria-hidden="true">{GLYPHS[status]}</span> '
        f"{status}</dt><dd>{digest.MEANING[status]}</dd></div>"
        for status in STATUSES
    )
