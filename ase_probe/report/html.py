"""`write_html`: audits as one self-contained page that works offline and reads without scripts.

The verdicts, tables and hashes are plain HTML, escaped here. Only the plots need JavaScript: their
arrays travel as base64 float32 (little-endian, NaN allowed), distances stored once per grid, and
are drawn when they come into view. A content security policy keeps the page from loading anything.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from ase_probe.curve import STATUSES, Audit, Finding
from ase_probe.errors import InputError
from ase_probe.report import digest
from ase_probe.report.means import means
from ase_probe.report.numbers import MISSING, NBSP, clean, limits, percent, quantity
from ase_probe.report.overview import COLUMNS, holes, overview
from ase_probe.report.traces import finite, plots, to_json
from ase_probe.report.verdict import paragraph
from ase_probe.serialize import write_atomic

__all__ = ["write_html"]

_GLYPHS = {
    "fail": "×", "warn": "!", "inherited": "i", "pass": "·", "out-of-domain": "o", "trivial": "t",
    "unresolved": "?", "not-run": "–",
}  # fmt: skip
_MAX_HOLES = 12  # in the list; the overview has them all
_SPELLED = re.compile(r"[A-Za-z0-9+@-]+")


def _esc(value: object) -> str:
    return escape(clean(value), quote=True)


def _read(name: str) -> str:
    return files("ase_probe.report").joinpath(name).read_text(encoding="utf-8")


def _labels(audits: Sequence[Audit]) -> list[str]:
    """Names of the models, numbered where several audits share one."""
    seen: Counter[str] = Counter()
    labels = []
    for audit in audits:
        name = clean(audit.card.name)
        seen[name] += 1
        labels.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return labels


def _anchors(names: Iterable[str]) -> dict[str, str]:
    """Dimer -> id; the name itself where it can stand in one, so that links can be typed."""
    return {
        name: f"dimer-{name}" if _SPELLED.fullmatch(name) else f"dimer-number-{index}"
        for index, name in enumerate(names)
    }


# --- what the plots need ------------------------------------------------------------------------


# --- what reads without scripts -----------------------------------------------------------------


def _badge(status: str) -> str:
    return f'<span class="badge {status}">{status}</span>'


def _bar(score: float | None) -> str:
    if score is None or not math.isfinite(score):
        return MISSING
    width = round(100 * min(max(score, 0.0), 1.0))
    bar = f'<span class="bar" aria-hidden="true"><i style="width:{width}%"></i></span>'
    return f'<span class="score">{score:.2f}</span>{bar}'


def _verdict(audit: Audit, label: str, anchors: Mapping[str, str], *, alone: bool) -> str:
    judged = any(finding.status in ("pass", "warn", "fail") for finding in audit.findings)
    status = audit.worst if judged else "not-run"
    word = status if judged else "no verdict"
    stories = "".join(
        f'<li><a class="where" href="#{quote(anchors[finding.dimer], safe="+@")}">'
        f"{_esc(finding.dimer) or 'model'}</a> <span>{_esc(finding.reason or 'fails')} "
        f"<code>{_esc(finding.check)}</code>"
        + (
            f' <span class="muted">{_esc(finding.group)} fails on {others} other '
            f"dimer{'s' * (others != 1)}.</span>"
            if others
            else ""
        )
        + "</span></li>"
        for finding, others in digest.telling(audit)
    )
    heading = "" if alone else f"<h2>{_esc(label)}</h2>"
    return (
        f'<section class="verdict">{heading}<p class="lead"><span class="badge {status}">{word}'
        f"</span> <strong>{_esc(label)}</strong> "
        f'<span class="muted">({_esc(digest.who(audit))})</span> '
        f"{escape(digest.headline(audit))}</p>"
        + (f"<p>{escape(plain)}</p>" if (plain := paragraph(audit)) else "")
        + (f'<ul class="stories">{stories}</ul>' if stories else "")
        + _holes(audit, anchors)
        + _overview(audit, label, anchors)
        + _means(audit)
        + "</section>"
    )


def _link(dimer: str, anchors: Mapping[str, str]) -> str:
    return f'<a class="where" href="#{quote(anchors[dimer], safe="+@")}">{_esc(dimer)}</a>'


def _holes(audit: Audit, anchors: Mapping[str, str]) -> str:
    found = holes(audit)
    if not found:
        return ""
    items = []
    for finding, telling in found[:_MAX_HOLES]:
        said = "; farther in, ".join(hole.sentence() for hole in telling)
        items.append(f"<li>{_link(finding.dimer, anchors)} <span>{escape(said)}</span></li>")
    if len(found) > _MAX_HOLES:
        more = f"and {len(found) - _MAX_HOLES} more, behind higher barriers"
        items.append(f'<li><span></span><span class="muted">{more}</span></li>')
    return f'<h2>Holes on compression</h2><ul class="stories holes">{"".join(items)}</ul>'


def _overview(audit: Audit, label: str, anchors: Mapping[str, str]) -> str:
    rows = overview(audit)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{_esc(name)}</th>' for name, _ in COLUMNS)
    body = "".join(
        f'<tr><th scope="row">{_link(dimer, anchors)}</th>'
        + "".join(
            f'<td class="num {cell.status}">{_esc(cell.text) or MISSING}</td>' for cell in cells
        )
        + "</tr>"
        for dimer, cells in rows
    )
    return (
        "<h2>At a glance</h2>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Overview of {_esc(label)}">'
        f'<table class="overview"><caption>In brackets: the reference. Barrier: before a hole, '
        "else at the shortest distance.</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _means(audit: Audit) -> str:
    name, found = means(audit)
    if not found:
        return ""
    body = "".join(
        f'<tr><th scope="row">{_esc(row.metric)}</th><td class="num">{_esc(row.text)}</td>'
        f'<td class="num">{row.dimers}</td></tr>'
        for row in found
    )
    return (
        f"<h2>{_esc(name)}</h2><p>Its own metrics on its own grid, means over the dimers that have "
        "them; shown, never scored.</p><table><thead><tr><th></th><th>Mean</th><th>Dimers</th></tr>"
        f"</thead><tbody>{body}</tbody></table>"
    )


def _summary(audits: Sequence[Audit], labels: Sequence[str]) -> str:
    groups = list(dict.fromkeys(group for audit in audits for group in audit.group_scores))
    heads = ["Model", "Level of theory", "Trained on", "Score", "Coverage", "Fail", "Warn", "Pass"]
    heads += ["Not judged", *groups]
    head = "".join(f'<th scope="col">{_esc(name)}</th>' for name in heads)
    rows = []
    for audit, label in zip(audits, labels, strict=True):
        counts = Counter(finding.status for finding in audit.findings)
        other = sum(n for status, n in counts.items() if status not in digest.VERDICTS)
        cells = [
            ("Level of theory", _esc(audit.card.level_of_theory or "not stated")),
            ("Trained on", _esc(audit.card.training_data or "not stated")),
            ("Score", _bar(audit.score)),
            ("Coverage", percent(audit.coverage)),
            *(
                (name.capitalize(), f'<span class="n {name}">{counts[name]}</span>')
                for name in ("fail", "warn", "pass")
            ),
            ("Not judged", str(other)),
            *((_esc(group), _bar(audit.group_scores.get(group))) for group in groups),
        ]
        rows.append(
            f'<tr><th scope="row">{_esc(label)}</th>'
            + "".join(f'<td data-label="{name}">{cell}</td>' for name, cell in cells)
            + "</tr>"
        )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="summary">'
        f'<table class="summary"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )


def _map(
    audit: Audit,
    label: str,
    checks: Sequence[str],
    names: Sequence[str],
    anchors: Mapping[str, str],
) -> str:
    """Checks × dimers, one letter a cell: the whole audit at a glance."""
    worst: dict[tuple[str, str], Finding] = {}
    for finding in sorted(audit.findings, key=digest.severity, reverse=True):
        worst[finding.check, finding.dimer] = finding
    head = "".join(
        f'<th scope="col"><a href="#{quote(anchors[name], safe="+@")}">'
        f"{_esc(name) or 'model'}</a></th>"
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
            cells.append(
                f'<td class="{row.status}" title="{_esc(title)}">{_GLYPHS[row.status]}</td>'
            )
        rows.append(f'<tr><th scope="row">{_esc(check)}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Status map of {_esc(label)}">'
        f'<table class="map"><caption>{_esc(label)}</caption><thead><tr><td></td>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(finding: Finding, model: str | None) -> str:
    who = f'<span class="model">{_esc(model)}</span> ' if model is not None else ""
    reason = f'<span class="reason">{_esc(finding.reason)}</span>' if finding.reason else ""
    source = _esc(finding.source)
    if finding.details:
        shown = (
            f"{key} {_detail(value)}" for key, value in finding.details.items() if key != "holes"
        )
        source = "; ".join(filter(None, [_esc(", ".join(shown)), source and f"source: {source}"]))
    elif source:
        source = f"source: {source}"
    source = f'<span class="source">{source}</span>' if source else ""
    search = " ".join(
        clean(part)
        for part in (finding.check, finding.dimer, finding.status, finding.reason, model or "")
    ).lower()
    cells = (
        ("value", quantity(finding.value, finding.unit)),
        ("reference", quantity(finding.reference, finding.unit)),
        ("limits", limits(finding)),
    )
    return (
        f'<tbody data-status="{finding.status}" data-search="{escape(search, quote=True)}"><tr>'
        f"<td>{_badge(finding.status)}</td>"
        f'<th scope="row">{who}<code>{_esc(finding.check).replace(".", ".<wbr>")}</code></th>'
        + "".join(
            f'<td class="num{" none" * (shown == MISSING)}" data-label="{name}">'
            f"{escape(shown)}</td>"
            for name, shown in cells
        )
        + "</tr>"
        + (f'<tr class="why"><td></td><td colspan="4">{reason}{source}</td></tr>')
        * bool(reason or source)
        + "</tbody>"
    )


def _detail(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{clean(key)}: {_detail(item)}" for key, item in value.items())
    number = finite(value)
    return clean(value) if number is None else f"{number:.4g}".replace("-", "−")


def _card(
    number: int,
    name: str,
    rows: Sequence[tuple[Finding, str | None]],
    anchor: str,
    drawn: bool,
    zeros: Sequence[str],
) -> str:
    title = _esc(name) or "Whole model"
    body = "".join(_row(finding, model) for finding, model in rows)
    table = (
        f'<div class="findings"><table><caption class="out">Findings for {title}</caption><thead>'
        '<tr><th scope="col">Status</th><th scope="col">Check</th><th scope="col">Value</th>'
        '<th scope="col">Reference</th><th scope="col">Pass | fail</th></tr></thead>'
        f"{body}</table></div>"
        if rows
        else '<p class="findings muted">No findings.</p>'
    )
    figure = (
        f'<figure class="plot"><div class="canvas" id="plot-{number}" role="img" '
        f'aria-label="Energy against distance of {title}"></div>'
        f"<figcaption>Energy relative to {_esc('; '.join(zeros))}.</figcaption></figure>"
        if drawn
        else '<p class="plot muted">No curve to draw.</p>'
    )
    tally = escape(digest.count(finding.status for finding, _ in rows))
    return (
        f'<article class="dimer" id="{_esc(anchor)}" data-plot="{number}" '
        f'data-name="{_esc(name.lower())}"><header><h3>{title}</h3><p>{tally}</p></header>'
        f"{figure}{table}</article>"
    )


def _zeros(audits: Sequence[Audit], labels: Sequence[str], name: str) -> list[str]:
    found: dict[str, list[str]] = {}
    for audit, label in zip(audits, labels, strict=True):
        if name in audit.curves:
            found.setdefault(digest.zero(audit.curves[name])[1], []).append(label)
    if not found:
        return ["the separated fragments"]
    if len(found) == 1:
        return list(found)
    return [f"{zero} ({', '.join(who)})" for zero, who in found.items()]


def _flat(data: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(data, (list, tuple)) and not any(isinstance(d, (Mapping, list)) for d in data):
        yield prefix, ", ".join(map(str, data)) if data else MISSING
    else:
        yield prefix, str(data)


def _environment(audit: Audit, label: str) -> str:
    card = {
        name: getattr(audit.card, name)
        for name in audit.card.__dataclass_fields__
        if getattr(audit.card, name) not in (None, "", ())
    }
    command = digest.command(audit)
    reproduce = (
        f'<div class="command"><pre tabindex="0"><code>{escape(command)}</code></pre>'
        '<button type="button" class="copy">Copy</button></div>'
        if command
        else '<p class="muted">This audit does not say which command made it.</p>'
    )

    def table(pairs: Iterable[tuple[str, str]]) -> str:
        return "".join(f"<div><dt>{_esc(k)}</dt><dd>{_esc(v)}</dd></div>" for k, v in pairs)

    skipped = {key: value for key, value in audit.environment.items() if key != "command"}
    return (
        f"<h3>{_esc(label)}</h3>{reproduce}"
        f"<details open><summary>Environment and hashes</summary><dl>{table(_flat(skipped))}"
        f"</dl></details><details><summary>Model card</summary><dl>{table(_flat(card))}</dl>"
        "</details>"
    )


def _filters(audits: Sequence[Audit]) -> str:
    counts = Counter(finding.status for audit in audits for finding in audit.findings)
    return "".join(
        f'<button type="button" class="filter {status}" data-status="{status}" '
        f'aria-pressed="true">'
        f'{status} <span class="count">{counts[status]}</span></button>'
        for status in (*digest.VERDICTS, *STATUSES[4:])
        if counts[status]
    )


def write_html(audits: Sequence[Audit], path: str | Path) -> Path:
    """Write the audits to `path` as one page, atomically.

    Parameters
    ----------
    audits
        One or more; dimers they share are drawn into one plot.
    path
        The file to write.

    Raises
    ------
    InputError
        There is no audit, or the folder does not exist or cannot be written to.
    """
    from plotly.offline import get_plotlyjs

    audits = list(audits)
    if not audits:
        raise InputError("There is nothing to write: no audit was given. Give at least one.")
    labels = _labels(audits)
    rows: dict[str, list[tuple[Finding, str | None]]] = {}
    for audit, label in zip(audits, labels, strict=True):
        for name, findings in digest.dimers(audit).items():
            model = None if len(audits) == 1 else label
            rows.setdefault(name, []).extend((finding, model) for finding in findings)
    names = list(rows)
    anchors = _anchors(names)
    for pairs in rows.values():
        pairs.sort(key=lambda pair: digest.severity(pair[0]))
    order = sorted(names, key=lambda n: digest.severity(rows[n][0][0]) if rows[n] else (99.0,))
    found = [finding for audit in audits for finding in audit.findings]
    groups = list(dict.fromkeys(finding.group for finding in found))
    checks = list(dict.fromkeys(finding.check for finding in found))
    checks.sort(key=lambda check: groups.index(check.partition(".")[0]))
    judged = [name for name in names if rows[name]]
    data, drawn = plots(audits, labels, order)

    alone = len(audits) == 1
    who = labels[0] if alone else f"{len(audits)} models"
    breaks = any(audit.worst != "pass" for audit in audits)
    title = f"Where {who} break{'s' * alone}" if breaks else f"{who}: nothing found wrong"
    page = Template(_read("page.html")).substitute(
        title=_esc(title),
        css=_read("page.css"),
        verdicts="".join(
            _verdict(audit, label, anchors, alone=alone)
            for audit, label in zip(audits, labels, strict=True)
        ),
        summary=_summary(audits, labels),
        maps="".join(
            _map(audit, label, checks, judged, anchors)
            for audit, label in zip(audits, labels, strict=True)
        ),
        filters=_filters(audits),
        dimers="".join(
            _card(
                number, name, rows[name], anchors[name], name in drawn, _zeros(audits, labels, name)
            )
            for number, name in enumerate(order)
        ),
        environment="".join(map(_environment, audits, labels)),
        legend="".join(
            f'<div><dt><span class="cell {status}" aria-hidden="true">{_GLYPHS[status]}</span> '
            f"{status}</dt><dd>{digest.MEANING[status]}</dd></div>"
            for status in STATUSES
        ),
        data=to_json(data),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        js=_read("page.js"),
    )
    return write_atomic(path, page.replace(NBSP, "&nbsp;"))
