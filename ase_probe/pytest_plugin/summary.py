"""The end of the test report: each audit's verdict and what to run next."""

from __future__ import annotations

import textwrap

from ase_probe.curve import Audit
from ase_probe.report import digest
from ase_probe.report.numbers import NBSP, clean
from ase_probe.report.verdict import paragraph

__all__ = ["summary"]

_WIDTH = 80


def summary(audit: Audit) -> tuple[str, list[str]]:
    """Return a title and the lines below it; the last is a command where there is one."""
    name = clean(audit.card.name)
    said = [f"{name} {digest.headline(audit)}", paragraph(audit)]
    lines = [line for text in said for line in textwrap.wrap(text, _WIDTH)]
    if digest.command(audit) is not None:
        lines += [f"Next: {digest.next_command(audit)}"]
    else:
        lines += ["Next: probe_audit.to_html(path), in a test, writes a page with every curve."]
    dimers = ", ".join(map(str, audit.environment.get("dimers", ())))
    return f"ase-probe: {name} ({textwrap.shorten(dimers, 40, placeholder=' …')})", [
        line.replace(NBSP, " ") for line in lines
    ]
