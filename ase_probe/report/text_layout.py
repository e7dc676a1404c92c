"""Lines of styled text that never leave the terminal's width: pad, flow, print.

A line is a list of (text, style) spans. `joined` gives their text, `print_lines` colours them; both
show the same characters. Styles are the statuses plus ``strong``, ``dim`` and ``accent``. Whether
there is colour is rich's decision: on a terminal, unless ``NO_COLOR`` is set, and with
``FORCE_COLOR``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ase_probe.curve import STATUSES
from ase_probe.report.numbers import NBSP, clean

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "NARROWEST",
    "WIDTH",
    "Line",
    "Span",
    "width_of",
    "flow",
    "joined",
    "label",
    "listed",
    "pad",
    "pieces",
    "print_lines",
]

Span = tuple[str, str]
Line = list[Span]

WIDTH = 100
NARROWEST = 30
_COLOURS = {
    "fail": "bold red",
    "warn": "yellow",
    "inherited": "cyan",
    "pass": "green",
    "strong": "bold",
    "dim": "dim",
    "accent": "cyan",
}
_ASCII = str.maketrans(
    {"–": "-", "−": "-", "·": "-", "…": "...", "≤": "<=", "≥": ">=", "±": "+/-", "Å": "A",
     "⁻": "^-", "¹": "1", "ω": "omega", "∞": "inf", "█": "#", "░": ".", "─": "-", "│": "|",
     "┤": "+", "└": "+", "▲": "^", "▼": "v", "×": "x"}
)  # fmt: skip


def width_of(text: str) -> int:
    """Return how many columns a terminal needs for `text`."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill `text` up to `width` columns."""
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def pieces(word: str, room: int) -> Iterable[str]:
    """Cut a word that fits no line."""
    piece = ""
    for char in word:
        if piece and width_of(piece + char) > room:
            yield piece
            piece = ""
        piece += char
    yield piece


def flow(
    spans: Sequence[Span], width: int, indent: int = 0, first: Line | None = None
) -> list[Line]:
    """Set spans as a paragraph; `first` replaces the indent of the first line."""
    line: Line = list(first) if first is not None else [(" " * indent, "")]
    used = sum(width_of(part) for part, _ in line)
    start, lines = used, []
    room = max(width - indent, 1)
    for part, style in spans:
        for word in part.split(" "):
            if not word:
                continue
            for piece in pieces(word, room):
                need = width_of(piece)
                if used + (used > start) + need > width and (used > start or used > indent):
                    lines.append(line)
                    line, used, start = [(" " * indent, "")], indent, indent
                if used > start:
                    line.append((" ", ""))
                    used += 1
                line.append((piece, style))
                used += need
    lines.append(line)
    return lines


def listed(found: Sequence[str], limit: int | None) -> str:
    """Return names as a list; those beyond `limit` as a number."""
    shown = [clean(name) or "whole model" for name in found]
    if limit is None or len(shown) <= limit + 1:
        return ", ".join(shown)
    return ", ".join(shown[:limit]) + f" and {len(shown) - limit} more"


def label(style: str, text: str, width: int) -> Line:
    """Return the coloured first cell of a row."""
    return [("  " + pad(text, width) + "  ", style)]


def joined(lines: Iterable[Line]) -> str:
    """Return lines as plain text, without colour."""
    shown = ("".join(part for part, _ in line).rstrip() for line in lines)
    return "\n".join(shown).replace(NBSP, " ")


def print_lines(lines: Iterable[Line], console: Console) -> None:
    """Print lines to a rich console, coloured where the console can.

    Characters that the console's encoding lacks are replaced by ASCII ones.
    """
    from rich.text import Text

    for line in lines:
        shown = Text()
        for part, style in line:
            part = part.replace(NBSP, " ")
            if console.options.ascii_only:
                part = "".join("*" if "\u2800" <= c <= "\u28ff" else c for c in part)
                part = part.translate(_ASCII).encode("ascii", "replace").decode()
            shown.append(part, _COLOURS.get(style, "dim" if style in STATUSES else ""))
        shown.rstrip()
        console.print(shown, soft_wrap=True)
