"""Files of a summary: text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ase_probe.scaling.summary import Summary
from ase_probe.scaling.summary.text import lines, markdown
from ase_probe.serialize import write_atomic

__all__ = ["json_text", "page", "write_summary"]


def page(summary: Summary, captions: Mapping[str, str], images: str = "") -> str:
    """Return the summary as Markdown with its figures.

    Parameters
    ----------
    summary
        What to write.
    captions
        Of the figures that were drawn, by name.
    images
        Where they lie, seen from the page, with a slash at the end.
    """
    figures = [
        f"![{name}]({images}{name}.svg)\n\n*{caption}*\n" for name, caption in captions.items()
    ]
    return "\n".join([markdown(summary), *figures])


def write_summary(summary: Summary, folder: str | Path, captions: Mapping[str, str]) -> None:
    """Write ``report.txt``, ``report.md`` and ``summary.json`` into a folder that exists.

    Raises
    ------
    InputError
        It cannot be written to.
    """
    target = Path(folder)
    write_atomic(target / "report.txt", "\n".join(lines(summary)) + "\n")
    write_atomic(target / "report.md", page(summary, captions))
    write_atomic(target / "summary.json", json_text(summary))


def json_text(summary: Summary) -> str:
    """Return the summary as JSON."""
    return json.dumps(summary.json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
