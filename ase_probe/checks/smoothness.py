"""Smoothness: an integrator needs an energy without noise and a force without jumps."""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case, at_most_warn, incomplete
from ase_probe.curve import Finding

__all__ = ["kink", "noise"]

_R_MIN = 0.2  # Å
_CUTOFF = 0.06  # Å
_RIM = 1.15  # of the distance where a hole begins
_MARGIN = 2.0  # times what the force does on either side


def noise(case: Case) -> Finding:
    """Noise of the energy, eV: from the sixth differences of the grid's even stencils.

    A smooth curve leaves next to nothing in them. What is left is rounding (single precision on a
    large total energy) or sampling; it limits what a geometry optimisation can converge to.
    """
    check = "smoothness.noise"
    if case.last < 0:
        return case.finding(check, "not-run", "the model gave no energies")
    if case.curve.provenance.get("grid") != "standard":
        return case.finding(check, "not-run", "this grid has no stencils to measure noise with")
    value = case.noise
    return case.judged(
        check,
        value,
        f"energies scatter by {1000 * value:.2g} meV",
        scored=case.well is not None,
    )


def kink(case: Case) -> Finding:
    """Largest jump of the force between neighbours, eV/Å, beyond what it does around them.

    |ΔF| less twice the largest slope of F in the three intervals on either side, from 0.2 Å
    outward, below the profile's cap, outside any hole and not at the cutoff. Where the labels' own
    curve has a kink (a crossing of spin states) the verdict is `warn` at most.
    """
    check = "smoothness.kink"
    force = case.curve.axial_force
    if force is None:
        return case.finding(check, "not-run", "the model offers no forces")
    r = case.curve.r
    innermost = _R_MIN
    if case.walk is not None:
        innermost = max(innermost, float(case.walk.r[case.walk.end(case.profile.cap)]))
        for top, _ in case.walk.holes[:1]:  # the rim of a hole belongs to the hole
            innermost = max(innermost, _RIM * float(case.walk.r[top]))
    asked = r >= innermost
    use = np.flatnonzero(asked & np.isfinite(force))
    if len(use) < 8:
        return case.finding(check, "not-run", "too few forces")
    missing = int(asked.sum()) - len(use)
    r, force = r[use], force[use]
    step, change = np.diff(r), np.diff(force)
    slope = np.abs(change / step)
    around = np.full(len(slope), -np.inf)
    for shift in (-3, -2, -1, 1, 2, 3):
        moved = np.roll(slope, shift)
        if shift > 0:
            moved[:shift] = -np.inf
        else:
            moved[shift:] = -np.inf
        around = np.maximum(around, moved)
    excess = np.abs(change) - _MARGIN * around * step
    cutoff = case.card.cutoff or np.inf
    excess[(r[1:] > cutoff - _CUTOFF) & (r[:-1] < cutoff + _CUTOFF)] = 0.0  # `cutoff.jump`'s
    row = case.profile.row(check)
    size = np.maximum(np.abs(force[1:]), np.abs(force[:-1]))
    passes = row.passes.absolute + row.passes.relative * size
    fails = row.fails.absolute + row.fails.relative * size
    worst = int(np.argmax(excess / passes))
    value = max(0.0, float(excess[worst]))
    at = 0.5 * float(r[worst] + r[worst + 1])
    reason = (
        "the force has no jump"
        if value <= passes[worst]
        else f"the force jumps from {force[worst]:.3g} to {force[worst + 1]:.3g} eV/Å at {at:.3f} Å"
    )
    finding = case.judged(
        check,
        value,
        reason,
        limits=(float(passes[worst]), float(fails[worst])),
        scored=case.well is not None,
        details={"r": at},
    )
    if case.own is not None and any(c.provenance.get("bends") for c in case.own.curves):
        finding = at_most_warn(finding, "the labels' own curve has kinks as well")
    return incomplete(finding, missing)
