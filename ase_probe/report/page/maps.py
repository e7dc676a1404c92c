"""Heat maps: a periodic table for homonuclear dimers, a matrix for pairs of elements.

HTML tables whose cells link to the dimers. The status stands in the page; the script swaps in the
other quantities, whose shades travel as data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ase.data import chemical_symbols

from ase_probe.curve import STATUSES, Finding
from ase_probe.report.elements import DENSE, LAST, Layout, layout, position
from ase_probe.report.heatmap import QUANTITIES, Quantity, shades
from ase_probe.report.page.markup import GLYPHS, esc, href, region

__all__ = ["heat_maps"]


def heat_maps(
    labels: Sequence[str],
    findings: Sequence[Mapping[str, Sequence[Finding]]],
    anchors: Mapping[str, str],
) -> tuple[str, list[dict[str, Any]]]:
    """Return the heat maps of every model, and the data their script needs.

    Both are empty where no picture suits the dimers.

    Parameters
    ----------
    labels
        Names of the models.
    findings
        Per model: dimer -> its findings, worst first.
    anchors
        Dimer -> id of its card.
    """
    pictures: list[str] = []
    data: list[dict[str, Any]] = []
    for label, rows in zip(labels, findings, strict=True):
        places = layout(rows)
        names = list(dict.fromkeys([*places.periodic.values(), *places.pairs.values()]))
        if not names:
            continue
        worst = [rows[name][0].status if rows[name] else "not-run" for name in names]
        heading = f"<h3>{esc(label)}</h3>" if len(labels) > 1 else ""
        pictures.append(
            f'<div class="heat" data-picture="{len(data)}">{heading}'
            f"{_tables(label, places, _Cells(names, worst, anchors))}</div>"
        )
        data.append(_data(names, worst, rows))
    if not data:
        return "", []
    found = [q for q in QUANTITIES if any(q.key in each["shades"] for each in data)]
    checks = list(dict.fromkeys(check for each in data for check in each["checks"]))
    return _chooser(found, checks) + "".join(pictures), data


def _data(
    names: Sequence[str], worst: Sequence[str], rows: Mapping[str, Sequence[Finding]]
) -> dict[str, Any]:
    """Per quantity the classes and texts, per check the statuses, in the order of `names`."""
    checks: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        for finding in reversed(rows[name]):  # the worst comes last and stays
            row = checks.setdefault(finding.check, [-1] * len(names))
            row[i] = STATUSES.index(finding.status)
    return {
        "names": list(names),
        "worst": [STATUSES.index(status) for status in worst],
        "shades": {
            key: [[shade.level for shade in row], [shade.text for shade in row]]
            for key, row in shades(names, rows).items()
        },
        "checks": checks,
    }


@dataclass(frozen=True)
class _Cells:
    """One cell per dimer, coloured by its worst status."""

    names: Sequence[str]
    worst: Sequence[str]
    anchors: Mapping[str, str]

    def all(self, symbols: Mapping[str, str]) -> dict[str, str]:
        """Return dimer -> cell; `symbols` stand above what is shown."""
        heads = {name: f"<b>{symbol}</b>" for name, symbol in symbols.items()}
        return {
            name: f'<td><a class="{status}" data-i="{i}" href="{href(name, self.anchors)}" '
            f'aria-label="{name} {status}">{heads.get(name, "")}<span>{GLYPHS[status]}</span>'
            "</a></td>"
            for i, (name, status) in enumerate(zip(self.names, self.worst, strict=True))
        }


def _tables(label: str, places: Layout, cells: _Cells) -> str:
    tables = ""
    if places.periodic:
        tables += region(f"Periodic table of {label}", _periodic(places.periodic, cells))
    if places.elements:
        tables += region(f"Pairs of elements of {label}", _matrix(places, cells))
    rest = len(places.elsewhere)
    if rest:
        tables += (
            f'<p class="muted">{rest} dimer{"s have" if rest > 1 else " has"} no place here (other '
            "pairs, ions, excited states); the tables and cards below have them.</p>"
        )
    return tables


def _periodic(found: Mapping[int, str], cells: _Cells) -> str:
    made = cells.all({name: chemical_symbols[number] for number, name in found.items()})
    numbers = {position(number): number for number in range(1, max(LAST, *found) + 1)}
    rows = []
    for row in range(1, 10):
        line = []
        for column in range(1, 19):
            number = numbers.get((row, column), 0)
            absent = f'<td class="absent">{chemical_symbols[number] if number else ""}</td>'
            line.append(made[found[number]] if number in found else absent)
        below = ' class="below"' if row == 8 else ""
        rows.append(f"<tr{below}>{''.join(line)}</tr>")
    return (
        '<table class="periodic"><caption>Two atoms of each element; faint: not audited'
        f"</caption><tbody>{''.join(rows)}</tbody></table>"
    )


def _matrix(places: Layout, cells: _Cells) -> str:
    made, numbers = cells.all({}), places.elements
    heads = "".join(f'<th scope="col">{chemical_symbols[number]}</th>' for number in numbers)
    rows = []
    for first in numbers:
        names = (places.pairs.get((min(first, n), max(first, n))) for n in numbers)
        line = "".join('<td class="absent"></td>' if n is None else made[n] for n in names)
        rows.append(f'<tr><th scope="row">{chemical_symbols[first]}</th>{line}</tr>')
    return (
        f'<table class="pairs{" dense" * (len(numbers) > DENSE)}"><caption>Every pair of elements, '
        f"each shown twice</caption><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _chooser(found: Sequence[Quantity], checks: Sequence[str]) -> str:
    options = '<option value="worst" selected>worst status</option>' + "".join(
        f'<option value="{q.key}">{escape(q.label)}{f" ({q.unit})" if q.unit else ""}</option>'
        for q in found
    )
    statuses = "".join(f'<option value="{esc(check)}">{esc(check)}</option>' for check in checks)
    present = "".join(
        f'<li><span class="swatch {status}">{GLYPHS[status]}</span> {status}</li>'
        for status in STATUSES
    )
    scales = f'<ul class="scale" data-scale="status">{present}</ul>'
    for quantity in found:
        steps = "".join(
            f'<li><span class="swatch {level}"></span> {word}</li>'
            for level, word in quantity.scale()
        )
        scales += (
            f'<ul class="scale" data-scale="{quantity.key}" hidden>{steps}'
            f'<li class="muted">{escape(quantity.explained)}</li></ul>'
        )
    return (
        '<div class="choose"><label for="quantity">Colour by</label> <select id="quantity">'
        f'{options}<optgroup label="Status of one check">{statuses}</optgroup></select>'
        f'<p id="readout" role="status"></p></div>{scales}'
    )
