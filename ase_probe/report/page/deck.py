"""The deck: every dimer's card, the worst in the page and the others packed.

A page of some thousand pairs stays usable, and nothing is left out: a packed card is gzip of JSON
with its HTML and its curves, and travels with what the filters need to know.
"""

from __future__ import annotations

import base64
import gzip
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ase_probe.curve import STATUSES, Audit
from ase_probe.report import digest
from ase_probe.report.page.cards import Row, card, zeros
from ase_probe.report.traces import plots, to_json

__all__ = ["FIRST", "Deck"]

FIRST = 150
"""Dimers that stand in the page and in its tables from the start, the worst ones."""

_SPELLED = re.compile(r"[A-Za-z0-9+@-]+")


def _anchors(names: Iterable[str]) -> dict[str, str]:
    """Dimer -> id; the name itself where it can stand in one, so that links can be typed."""
    return {
        name: f"dimer-{name}" if _SPELLED.fullmatch(name) else f"dimer-number-{index}"
        for index, name in enumerate(names)
    }


class Deck:
    """The cards of all dimers, the worst first.

    Attributes
    ----------
    findings
        Per audit: dimer -> its findings, worst first.
    rows
        Dimer -> findings of all models, worst first.
    anchors
        Dimer -> id of its card.
    first, more
        Dimers whose cards stand in the page, and those that are unfolded on demand.
    """

    def __init__(self, audits: Sequence[Audit], labels: Sequence[str]) -> None:
        self.audits, self.labels = audits, labels
        self.findings = [digest.dimers(audit) for audit in audits]
        self.rows: dict[str, list[Row]] = {}
        for label, found in zip(labels, self.findings, strict=True):
            model = None if len(audits) == 1 else label
            for name, findings in found.items():
                self.rows.setdefault(name, []).extend((finding, model) for finding in findings)
        for rows in self.rows.values():
            rows.sort(key=lambda row: digest.severity(row[0]))
        self.anchors = _anchors(self.rows)
        worst = {name: digest.severity(rows[0][0]) for name, rows in self.rows.items() if rows}
        order = sorted(self.rows, key=lambda name: worst.get(name, (math.inf,)))
        self.first, self.more = order[:FIRST], order[FIRST:]

    def plots(self, names: Sequence[str]) -> dict[str, Any]:
        """Return what the script draws for some dimers."""
        return plots(self.audits, self.labels, names, self.findings, self.anchors)

    def html(self, names: Sequence[str], data: dict[str, Any]) -> str:
        """Return the cards of some dimers; `data` are their plots."""
        return "".join(
            card(
                name,
                self.rows[name],
                self.anchors[name],
                zeros(self.audits, self.labels, name),
                drawn=self.anchors[name] in data["plots"],
            )
            for name in names
        )

    def packed(self) -> dict[str, Any]:
        """Return what is unfolded later: per dimer what filters need to know, and a packed card."""
        checks = list(dict.fromkeys(row.check for name in self.more for row, _ in self.rows[name]))
        number = {check: i for i, check in enumerate(checks)}
        cards = []
        for name in self.more:
            data = self.plots([name])
            inside = to_json({"html": self.html([name], data), **data})
            packed = gzip.compress(inside.encode("ascii"), compresslevel=6, mtime=0)
            cards.append(
                {
                    "id": self.anchors[name],
                    "name": name.lower(),
                    "checks": [number[row.check] for row, _ in self.rows[name]],
                    "statuses": [STATUSES.index(row.status) for row, _ in self.rows[name]],
                    "packed": base64.b64encode(packed).decode("ascii"),
                }
            )
        return {"checks": checks, "cards": cards}
