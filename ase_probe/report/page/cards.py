"""Cards: one per dimer, with its plot and its findings, and the buttons that filter them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from ase_probe.curve import STATUSES, Audit, Finding
from ase_probe.report import digest
from ase_probe.report.numbers import MISSING, clean, limits, quantity
from ase_probe.report.page.markup import badge, esc
from ase_probe.report.traces import finite

__all__ = ["Row", "card", "filters", "zeros"]

Row = tuple[Finding, str | None]
"""A finding, and the model's name where there are several."""


def _detail(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{clean(key)}: {_detail(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_detail, value)) + "]"
    number = finite(value)
    return clean(value) if number is None else f"{number:.4g}".replace("-", "−")


def _row(finding: Finding, model: str | None) -> str:
    who = f'<span class="model">{esc(model)}</span> ' if model is not None else ""
    reason = f'<span class="reason">{esc(finding.reason)}</span>' if finding.reason else ""
    said = []
    if finding.details:
        shown = (
            f"{key} {_detail(value)}" for key, value in finding.details.items() if key != "holes"
        )
        said.append(esc(", ".join(shown)))
    if finding.source:
        said.append(f"source: {esc(finding.source)}")
    source = f'<span class="source">{"; ".join(filter(None, said))}</span>' if said else ""
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
        f"<td>{badge(finding.status)}</td>"
        f'<th scope="row">{who}<code>{esc(finding.check).replace(".", ".<wbr>")}</code></th>'
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


def card(name: str, rows: Sequence[Row], anchor: str, zero: Iterable[str], *, drawn: bool) -> str:
    """Return one dimer: heading, place of the plot, findings.

    Parameters
    ----------
    name
        The dimer; empty for findings about the whole model.
    rows
        Its findings, worst first.
    anchor
        Id of the card.
    zero
        What its energies are relative to.
    drawn
        Is there a curve?
    """
    title = esc(name) or "Whole model"
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
        '<figure class="plot"><div class="canvas" role="img" '
        f'aria-label="Energy and force against distance of {title}"></div>'
        f"<figcaption>Energy relative to {esc('; '.join(zero))}.</figcaption></figure>"
        if drawn
        else '<p class="plot muted">No curve to draw.</p>'
    )
    tally = escape(digest.count(finding.status for finding, _ in rows))
    return (
        f'<article class="dimer" id="{esc(anchor)}" data-name="{esc(name.lower())}">'
        f"<header><h3>{title}</h3><p>{tally}</p></header>{figure}{table}</article>"
    )


def zeros(audits: Sequence[Audit], labels: Sequence[str], name: str) -> list[str]:
    """Return what the energies of a dimer are relative to, by model where they differ."""
    found: dict[str, list[str]] = {}
    for audit, label in zip(audits, labels, strict=True):
        if name in audit.curves:
            found.setdefault(digest.zero(audit.curves[name])[1], []).append(label)
    if not found:
        return ["the separated fragments"]
    if len(found) == 1:
        return list(found)
    return [f"{zero} ({', '.join(who)})" for zero, who in found.items()]


def filters(audits: Sequence[Audit]) -> str:
    """Return a button per status that occurs, with its count."""
    counts = Counter(finding.status for audit in audits for finding in audit.findings)
    return "".join(
        f'<button type="button" class="filter {status}" data-status="{status}" '
        f'aria-pressed="true">{status} <span class="count">{counts[status]}</span></button>'
        for status in (*digest.VERDICTS, *STATUSES[4:])
        if counts[status]
    )
