"""The overview: one row per dimer with the numbers a reader looks for first."""

from __future__ import annotations

from dataclasses import dataclass

from ase_probe.curve import Audit, Finding
from ase_probe.report.numbers import MISSING, number

__all__ = ["COLUMNS", "Cell", "first_hole", "holes", "overview"]

COLUMNS = (
    ("r_e / Å", "dissociation.r_e"),
    ("D_e / eV", "dissociation.D_e"),
    ("ω_e / cm⁻¹", "dissociation.omega_e"),
    ("barrier / eV", "compression.barrier"),
    ("r_trust / Å", "compression.r_trust"),
)
"""Head -> check id."""


@dataclass(frozen=True)
class Cell:
    """Text of a cell and the status that colours it."""

    text: str
    status: str


def _cell(finding: Finding | None) -> Cell:
    if finding is None:
        return Cell("", "not-run")
    if finding.value is None:
        return Cell("none" if finding.status == "fail" else MISSING, finding.status)
    text = number(finding.value, "Å" if finding.unit == "Å" else "")
    if finding.reference is not None:
        text += f" ({number(finding.reference, '')})"
    hole = first_hole(finding)
    if hole is not None:
        text += f" at {number(hole['r_b'], '')} Å"
    elif finding.check == "compression.barrier" and finding.status == "pass":
        text = f"≥ {text}"
    return Cell(text, finding.status)


def overview(audit: Audit) -> list[tuple[str, list[Cell]]]:
    """Return (dimer, one cell per column) for every dimer with a number to show."""
    found = {(finding.dimer, finding.check): finding for finding in audit.findings}
    rows = []
    for dimer in audit.curves:
        findings = [found.get((dimer, check)) for _, check in COLUMNS]
        if any(finding is not None for finding in findings):
            rows.append((dimer, [_cell(finding) for finding in findings]))
    return rows


def first_hole(finding: Finding) -> dict[str, float] | None:
    """Return the outermost hole of a finding: E_b and depth (eV), r_b and r_depth (Å)."""
    listed = finding.details.get("holes")
    first = listed[0] if isinstance(listed, list) and listed else None
    keys = ("E_b", "r_b", "depth", "r_depth")
    if isinstance(first, dict) and all(isinstance(first.get(key), float) for key in keys):
        return {key: first[key] for key in keys}
    return None


def holes(audit: Audit) -> list[tuple[Finding, dict[str, float]]]:
    """Return the findings that describe a hole and the hole, the lowest barrier first."""
    found = [(finding, first_hole(finding)) for finding in audit.findings]
    real = [(finding, hole) for finding, hole in found if hole is not None]
    return sorted(real, key=lambda pair: pair[1]["E_b"])
