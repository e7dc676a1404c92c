"""The verdict in words, the list of holes, the overview in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from ase_probe.curve import Audit
from ase_probe.report import digest
from ase_probe.report.means import means
from ase_probe.report.numbers import MISSING
from ase_probe.report.overview import COLUMNS, holes, overview
from ase_probe.report.page.markup import badge, esc, link, region
from ase_probe.report.verdict import paragraph

__all__ = ["hole_list", "numbers", "verdict"]

_MAX_HOLES = 12  # in the list; the overview has them all
_FOLDED = 30  # rows from which the overview starts closed


def verdict(audit: Audit, label: str, anchors: Mapping[str, str], *, alone: bool) -> str:
    """Return what is found out about one model, the worst first, as sentences."""
    judged = any(finding.status in ("pass", "warn", "fail") for finding in audit.findings)
    status = audit.worst if judged else "not-run"
    heading = "" if alone else f"<h2>{esc(label)}</h2>"
    plain = paragraph(audit)
    return (
        f'<section class="verdict">{heading}<p class="lead">'
        f"{badge(status, status if judged else 'no verdict')} <strong>{esc(label)}</strong> "
        f'<span class="muted">({esc(digest.who(audit))})</span> '
        f"{escape(digest.headline(audit))}</p>"
        + (f"<p>{escape(plain)}</p>" if plain else "")
        + _stories(audit, anchors)
        + "</section>"
    )


def _stories(audit: Audit, anchors: Mapping[str, str]) -> str:
    items = []
    for finding, others in digest.telling(audit):
        more = f"{esc(finding.group)} fails on {others} other dimer{'s' * (others != 1)}."
        items.append(
            f"<li>{link(finding.dimer, anchors)} <span>{esc(finding.reason or 'fails')} "
            f"<code>{esc(finding.check)}</code>"
            + (f' <span class="muted">{more}</span>' if others else "")
            + "</span></li>"
        )
    return f'<ul class="stories">{"".join(items)}</ul>' if items else ""


def hole_list(audit: Audit, label: str, anchors: Mapping[str, str], *, alone: bool) -> str:
    """Return the easiest holes to reach, one sentence each; empty where there is none."""
    found = holes(audit)
    if not found:
        return ""
    items = []
    for finding, telling in found[:_MAX_HOLES]:
        said = "; farther in, ".join(hole.sentence() for hole in telling)
        items.append(f"<li>{link(finding.dimer, anchors)} <span>{escape(said)}</span></li>")
    if len(found) > _MAX_HOLES:
        more = f"and {len(found) - _MAX_HOLES} more, behind higher barriers"
        items.append(f'<li><span></span><span class="muted">{more}</span></li>')
    heading = "" if alone else f"<h3>{esc(label)}</h3>"
    return f'{heading}<ul class="stories">{"".join(items)}</ul>'


def numbers(audit: Audit, label: str, anchors: Mapping[str, str], first: Sequence[str]) -> str:
    """Return the overview of the `first` dimers, and another benchmark's means where there are any.

    Parameters
    ----------
    audit, label, anchors
        The audit, the name it goes by, dimer -> id of its card.
    first
        The dimers that get a row.
    """
    return _overview(audit, label, anchors, set(first)) + _means(audit)


def _overview(audit: Audit, label: str, anchors: Mapping[str, str], first: set[str]) -> str:
    rows = overview(audit)
    shown = [(dimer, cells) for dimer, cells in rows if dimer in first]
    if not shown:
        return ""
    head = "".join(f'<th scope="col">{esc(name)}</th>' for name, _ in COLUMNS)
    body = "".join(
        f'<tr><th scope="row">{link(dimer, anchors)}</th>'
        + "".join(
            f'<td class="num {cell.status}">{esc(cell.text) or MISSING}</td>' for cell in cells
        )
        + "</tr>"
        for dimer, cells in shown
    )
    which = (
        f"{len(shown)} dimers" if len(shown) == len(rows) else f"{len(shown)} of {len(rows)} dimers"
    )
    table = (
        '<table class="overview"><caption>In brackets: the reference. Barrier: before a hole, '
        f"else at the shortest distance.</caption><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
    return (
        f"<details{' open' * (len(shown) <= _FOLDED)}><summary>The numbers of {esc(label)}: "
        f"{which}</summary>{region(f'Overview of {label}', table)}</details>"
    )


def _means(audit: Audit) -> str:
    name, found = means(audit)
    if not found:
        return ""
    body = "".join(
        f'<tr><th scope="row">{esc(row.metric)}</th><td class="num">{esc(row.text)}</td>'
        f'<td class="num">{row.dimers}</td></tr>'
        for row in found
    )
    return (
        f"<h3>{esc(name)}</h3><p>Its own metrics on its own grid, means over the dimers that have "
        "them; shown, never scored.</p><table><thead><tr><th></th><th>Mean</th><th>Dimers</th></tr>"
        f"</thead><tbody>{body}</tbody></table>"
    )
