"""One finding for somebody who did not ask for an audit: in a failing test, say everything.

What was measured, what would have been allowed and why, and the curve with the place of the defect.
"""

from __future__ import annotations

import textwrap

from ase_probe.checks import CHECKS
from ase_probe.curve import Audit, Finding
from ase_probe.report.numbers import NBSP, clean, quantity
from ase_probe.report.plot import text_plot

__all__ = ["explain", "headline", "limits_in_words", "place"]

_WIDTH = 84
_LABEL = 10
_PLACED = ("dissociation.r_e", "compression.r_trust")  # their value is a distance


def explain(audit: Audit, finding: Finding, *, plot: bool = True) -> str:
    """Return the finding as a paragraph, its numbers and a plot of the curve.

    Parameters
    ----------
    audit
        Holds the curve and its references.
    finding
        One of its findings.
    plot
        Draw the curve, where there is one?
    """
    function = CHECKS.get(finding.check)
    measured = ((function and function.__doc__) or "").strip().splitlines()
    rows = {
        "model": clean(audit.card.name),
        "measured": measured[0] if measured else "",
        "value": quantity(finding.value, finding.unit) if finding.value is not None else "none",
        "reference": quantity(finding.reference, finding.unit) if finding.reference else "",
        "limits": limits_in_words(finding),
        "source": clean(finding.source),
    }
    lines = [headline(finding), "", *_filled(clean(finding.reason), "  "), ""]
    for label, text in rows.items():
        lines += _filled(text, f"  {label:<{_LABEL}}") if text else []
    curve = audit.curves.get(finding.dimer)
    if plot and curve is not None:
        where = place(finding)
        drawn = text_plot(
            curve,
            audit.references.get(finding.dimer, {}),
            name=finding.dimer,
            mark=None if where is None else (where, f"{finding.check} at {where:.3g} Å"),
        )
        lines += ["", *(f"  {line}" for line in drawn.splitlines())]
    return "\n".join(lines).replace(NBSP, " ")


def headline(finding: Finding) -> str:
    """Return ``N2: compression.barrier fails``."""
    verb = {"fail": "fails", "warn": "warns"}.get(finding.status, f"is {finding.status}")
    return f"{clean(finding.dimer) or 'model'}: {clean(finding.check)} {verb}"


def _filled(text: str, head: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    )


def limits_in_words(finding: Finding) -> str:
    """Return what passes and what fails: ``passes from 50 eV up, fails below 10 eV``."""
    if finding.threshold is None:
        return ""
    good, bad = (quantity(limit, finding.unit, brief=True) for limit in finding.threshold)
    passes, fails = finding.threshold
    if fails < passes:
        return f"passes from {good} up, fails below {bad}"
    if finding.reference is not None:
        return f"passes within {good} of the reference, fails more than {bad} away from it"
    return f"passes up to {good}, fails above {bad}"


def place(finding: Finding) -> float | None:
    """Return the distance (Å) at which it was found; `None` where it has no single place."""
    for key in ("r_b", "r"):
        where = finding.details.get(key)
        if isinstance(where, float):
            return where
    return finding.value if finding.check in _PLACED else None
