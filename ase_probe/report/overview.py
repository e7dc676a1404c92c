"""The overview: one row per dimer with the numbers a reader looks for first."""

from __future__ import annotations

from dataclasses import dataclass

from ase_probe.curve import Audit, Finding
from ase_probe.report.numbers import MISSING, number, quantity

__all__ = ["COLUMNS", "Cell", "Hole", "holes", "listed_holes", "overview"]

COLUMNS = (
    ("r_e / Å", "dissociation.r_e"),
    ("D_e / eV", "dissociation.D_e"),
    ("ω_e / cm⁻¹", "dissociation.omega_e"),
    ("barrier / eV", "compression.barrier"),
    ("r_trust / Å", "compression.r_trust"),
)
"""Head -> check id."""


@dataclass(frozen=True)
class Hole:
    """Barrier (eV) and its place (Å), lowest energy inside (eV) and its place (Å)."""

    barrier: float
    edge: float
    depth: float
    bottom: float

    def sentence(self) -> str:
        """Say what happens."""
        barrier, depth = quantity(self.barrier, "eV"), quantity(self.depth, "eV")
        edge, bottom = quantity(self.edge, "Å"), quantity(self.bottom, "Å")
        if self.barrier <= 0:
            return (
                f"inside {edge}, without leaving the well, the energy falls to {depth} at {bottom}"
            )
        return f"behind {barrier} at {edge} the energy falls to {depth} at {bottom}"


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
    found = listed_holes(finding)
    if found:
        text += f" at {number(found[0].edge, '')} Å"
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


def listed_holes(finding: Finding) -> list[Hole]:
    """Return the holes a finding describes, outermost first."""
    listed = finding.details.get("holes")
    keys = ("E_b", "r_b", "depth", "r_depth")
    return [
        Hole(*(hole[key] for key in keys))
        for hole in (listed if isinstance(listed, list) else [])
        if isinstance(hole, dict) and all(isinstance(hole.get(key), float) for key in keys)
    ]


def holes(audit: Audit) -> list[tuple[Finding, list[Hole]]]:
    """Return per dimer the outermost hole and the deepest one, the lowest barrier first."""
    found = [(finding, listed_holes(finding)) for finding in audit.findings]
    telling = [
        (finding, list(dict.fromkeys([listed[0], min(listed, key=lambda hole: hole.depth)])))
        for finding, listed in found
        if listed
    ]
    return sorted(telling, key=lambda pair: pair[1][0].barrier)
