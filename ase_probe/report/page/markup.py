"""Small pieces of HTML that every room of the page uses; they escape what an audit says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from urllib.parse import quote

from ase_probe.report.numbers import MISSING, clean

__all__ = ["GLYPHS", "asset", "badge", "esc", "href", "link", "region", "score_bar"]

GLYPHS = {
    "fail": "×", "warn": "!", "inherited": "i", "pass": "·", "out-of-domain": "o", "trivial": "t",
    "unresolved": "?", "not-run": "–",
}  # fmt: skip
"""Status -> the character that stands for it in a map, so that no colour is needed to read it."""


def esc(value: object) -> str:
    """Return a value as text of one line that is safe inside elements and attributes."""
    return escape(clean(value), quote=True)


def asset(name: str) -> str:
    """Return one of the files that the page is made of."""
    return files("ase_probe.report").joinpath(name).read_text(encoding="utf-8")


def badge(status: str, word: str | None = None) -> str:
    """Return a status as a coloured word."""
    return f'<span class="badge {status}">{word or status}</span>'


def href(dimer: str, anchors: Mapping[str, str]) -> str:
    """Return the address of a dimer's card on this page."""
    return f"#{quote(anchors[dimer], safe='+@')}"


def link(dimer: str, anchors: Mapping[str, str]) -> str:
    """Return a dimer's name, linked to its card."""
    return f'<a class="where" href="{href(dimer, anchors)}">{esc(dimer) or "model"}</a>'


def score_bar(score: float | None) -> str:
    """Return a score as a number and a bar; a dash where there is none."""
    if score is None or not math.isfinite(score):
        return MISSING
    width = round(100 * min(max(score, 0.0), 1.0))
    bar = f'<span class="bar" aria-hidden="true"><i style="width:{width}%"></i></span>'
    return f'<span class="score">{score:.2f}</span>{bar}'


def region(label: str, table: str) -> str:
    """Return a table that may be wider than the screen and scrolls, with the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(label)}">{table}</div>'
