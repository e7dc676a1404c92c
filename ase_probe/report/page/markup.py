"""Small pieces of HTML that every room of the page uses; they escape what an audit says."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from urllib.parse import quote

from ase_probe.report.numbers import clean

__all__ = ["GLYPHS", "asset", "badge", "esc", "href", "link", "region"]

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


def region(label: str, table: str) -> str:
    """Return a table that may be wider than the screen and scrolls, with the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(label)}">{table}</div>'
