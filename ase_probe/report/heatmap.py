"""What a heat map of an audit shows: quantities, their classes of colour, a shade per dimer.

Seven classes with round limits instead of a smooth scale: a class can be read back from the legend,
and its text can be held to a contrast. Colours stand in the page's style sheet.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ase_probe.curve import Finding
from ase_probe.dimer import Dimer
from ase_probe.report.numbers import MISSING
from ase_probe.report.overview import listed_holes
from ase_probe.report.traces import finite

__all__ = ["NO_SHADE", "QUANTITIES", "Quantity", "Shade", "shades"]


@dataclass(frozen=True)
class Quantity:
    """One number per dimer.

    Attributes
    ----------
    key
        Short name.
    label, unit
        For the reader.
    check
        The check whose finding has the number.
    limits
        Six limits between seven classes, ascending, in `unit`.
    better
        Which end is the good one: ``high``, ``low`` or ``zero``.
    explained
        One sentence for the legend.
    """

    key: str
    label: str
    unit: str
    check: str
    limits: tuple[float, float, float, float, float, float]
    better: str
    explained: str

    def level(self, value: float) -> str:
        """Name of the class of a value: ``s0`` (bad) to ``s6`` (good), or ``d0`` to ``d6``."""
        index = bisect_right(self.limits, value)
        if self.better == "zero":
            return f"d{index}"
        return f"s{6 - index if self.better == 'low' else index}"

    def scale(self) -> list[tuple[str, str]]:
        """(class, range of values in words) from the smallest values to the largest."""
        shown = [brief(limit, signed=self.better == "zero") for limit in self.limits]
        words = [f"< {shown[0]}", *(f"{a} to {b}" for a, b in pairwise(shown)), f"≥ {shown[-1]}"]
        values = [self.limits[0] - 1.0, *self.limits]
        return [(self.level(value), word) for value, word in zip(values, words, strict=True)]


@dataclass(frozen=True)
class Shade:
    """Class of colour of one cell, and the few characters that stand in it."""

    level: str
    text: str


NO_SHADE = Shade("", MISSING)

QUANTITIES = (
    Quantity(
        "barrier", "barrier before a hole", "eV", "compression.barrier",
        (1, 5, 10, 20, 50, 100), "high",
        "Energy it takes to reach a hole; ≥ where none was found up to there.",
    ),
    Quantity(
        "r_trust", "r_trust / Σr_cov", "", "compression.r_trust",
        (0.3, 0.4, 0.5, 0.6, 0.7, 0.8), "low",
        "How far in no defect was found, in units of the sum of the covalent radii.",
    ),
    Quantity(
        "E_trust", "energy at r_trust", "eV", "compression.r_trust",
        (0.5, 1, 2, 5, 10, 20), "high",
        "The hardest collision the pair stands; ≥ where only the end of the test stopped it.",
    ),
    Quantity(
        "D_e", "D_e − reference", "eV", "dissociation.D_e",
        (-1, -0.3, -0.1, 0.1, 0.3, 1), "zero",
        "Bond too weak (−) or too strong (+); the reference is in each dimer's table.",
    ),
    Quantity(
        "r_e", "r_e − reference", "Å", "dissociation.r_e",
        (-0.1, -0.03, -0.01, 0.01, 0.03, 0.1), "zero",
        "Bond too short (−) or too long (+); the reference is in each dimer's table.",
    ),
)  # fmt: skip
"""In the order of the selector, behind the worst status."""


def brief(value: float, *, signed: bool = False) -> str:
    """Return a number in as few characters as fit a cell: two digits, whole numbers from 100.

    >>> [brief(v) for v in (0.4137, 80.33, 2871.3, -1.2e8)]
    ['0.41', '80', '2871', '−1e8']
    """
    sign = "+" if signed else ""
    size = abs(value)
    if size >= 1e4 or 0 < size < 1e-3:
        mantissa, _, exponent = f"{value:{sign}.0e}".partition("e")
        text = f"{mantissa}e{int(exponent)}"
    elif size >= 100:
        text = f"{value:{sign}.0f}"
    else:
        text = f"{value:{sign}.2g}"
    return text.replace("-", "−")


def shades(
    names: Sequence[str], findings: Mapping[str, Sequence[Finding]]
) -> dict[str, list[Shade]]:
    """Return quantity -> one shade per dimer; quantities that no dimer has are left out.

    Parameters
    ----------
    names
        Neutral dimers.
    findings
        Dimer -> findings of one model.
    """
    by_check = [{finding.check: finding for finding in findings.get(name, ())} for name in names]
    found = {
        quantity.key: [
            _shade(quantity, rows.get(quantity.check), name)
            for name, rows in zip(names, by_check, strict=True)
        ]
        for quantity in QUANTITIES
    }
    return {key: row for key, row in found.items() if any(shade != NO_SHADE for shade in row)}


def _shade(quantity: Quantity, finding: Finding | None, name: str) -> Shade:
    if finding is None:
        return NO_SHADE
    value, at_least = finite(finding.value), False
    if value is None:
        bad = finding.status == "fail" and quantity.better != "zero"
        return Shade("s0", "none") if bad else NO_SHADE
    if quantity.better == "zero":
        reference = finite(finding.reference)
        if reference is None:
            return NO_SHADE
        value -= reference
    elif quantity.key == "r_trust":
        value /= Dimer.parse(name).covalent_sum
    elif quantity.key == "E_trust":
        energy = finite(finding.details.get("E_trust"))
        if energy is None:
            return NO_SHADE
        value, at_least = energy, bool(finding.details.get("censored"))
    elif quantity.key == "barrier":
        at_least = finding.status == "pass" and not listed_holes(finding)
    text = brief(value, signed=quantity.better == "zero")
    return Shade(quantity.level(value), f"≥{text}" if at_least else text)
