"""`write_html`: audits as one self-contained page that works offline and reads without scripts.

The verdicts, tables and hashes are plain HTML, escaped where they are made (`page`). Only plots,
filters and heat maps need JavaScript. A content security policy keeps the page from loading
anything.

The worst dimers stand in the page as they are read; the others' cards travel packed (`page.deck`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from ase_probe.curve import STATUSES, Audit, labels_of
from ase_probe.errors import InputError
from ase_probe.report.numbers import NBSP, clean
from ase_probe.report.page.cards import filters
from ase_probe.report.page.deck import FIRST, Deck
from ase_probe.report.page.environment import environment
from ase_probe.report.page.maps import heat_maps
from ase_probe.report.page.markup import asset, esc
from ase_probe.report.page.tables import legend, status_map, summary
from ase_probe.report.page.verdict import hole_list, numbers, verdict
from ase_probe.report.traces import to_json
from ase_probe.serialize import write_atomic

__all__ = ["write_html"]

_SCRIPTS = ("plots.js", "cards.js", "heatmaps.js", "page.js")


def write_html(
    audits: Sequence[Audit],
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    lead: str = "",
) -> Path:
    """Write the audits to `path` as one page, atomically.

    Parameters
    ----------
    audits
        One or more; dimers they share are drawn into one plot.
    path
        The file to write.
    labels
        What to call the audits; the models' names when `None`.
    lead
        Sections of HTML that come before everything else, escaped already.

    Raises
    ------
    InputError
        There is no audit, or the folder does not exist or cannot be written to.
    """
    from plotly.offline import get_plotlyjs

    audits = list(audits)
    if not audits:
        raise InputError("There is nothing to write: no audit was given. Give at least one.")
    labels = [clean(label) for label in labels or labels_of(audits)]
    deck = Deck(audits, labels)
    anchors, first = deck.anchors, deck.first
    pairs = list(zip(audits, labels, strict=True))
    alone = len(audits) == 1
    data = deck.plots(first)
    heat, heat_data = heat_maps(labels, deck.findings, anchors)
    found = [finding for audit in audits for finding in audit.findings]
    groups = list(dict.fromkeys(finding.group for finding in found))
    checks = list(dict.fromkeys(finding.check for finding in found))
    checks.sort(key=lambda check: groups.index(check.partition(".")[0]))
    shown = set(first)
    judged = [name for name, rows in deck.rows.items() if rows and name in shown]

    who = labels[0] if alone else f"{len(audits)} models"
    breaks = any(audit.worst != "pass" for audit in audits)
    title = f"Where {who} break{'s' * alone}" if breaks else f"{who}: nothing found wrong"
    page = Template(asset("page.html")).substitute(
        title=esc(title),
        lead=lead,
        css=asset("page.css"),
        verdicts="".join(verdict(a, label, anchors, alone=alone) for a, label in pairs),
        heat=_section("Elements at a glance", "elements", heat),
        holes=_section(
            "Holes on compression",
            "holes",
            "".join(hole_list(a, label, anchors, alone=alone) for a, label in pairs),
        ),
        numbers="".join(numbers(a, label, anchors, first) for a, label in pairs),
        summary=summary(audits, labels),
        maps="".join(status_map(a, label, checks, judged, anchors) for a, label in pairs),
        legend=legend(),
        partial=_partial(len(deck.rows)) if deck.more else "",
        filters=filters(audits),
        dimers=deck.html(first, data),
        environment="".join(environment(a, label) for a, label in pairs),
        data=to_json({**data, "statuses": STATUSES, "maps": heat_data}),
        more=to_json(deck.packed()),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        js="\n".join(map(asset, _SCRIPTS)),
    )
    return write_atomic(path, page.replace(NBSP, "&nbsp;"))


def _section(title: str, anchor: str, body: str) -> str:
    return f'<section><h2 id="{anchor}">{title}</h2>{body}</section>' if body else ""


def _partial(total: int) -> str:
    """Say that the tables hold the worst dimers only."""
    return (
        f'<p class="partial">Tables show the {FIRST} worst of {total} dimers. The heat map and the '
        "cards below have all of them: choose a cell, search for a dimer, or ask for more cards at "
        "the end of the page. In cards that are not unfolded yet the search looks at dimer, check "
        "and status, not at reasons.</p>"
    )
