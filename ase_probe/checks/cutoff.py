"""The model's cutoff: nothing may happen there that the pair itself does not do."""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case, incomplete
from ase_probe.curve import Finding
from ase_probe.units import COULOMB

__all__ = ["cliff", "jump"]

_NEAR = 0.0006  # Å: the innermost pair of points around the cutoff
_WINDOW = 1.0  # Å before the cutoff
_BEYOND_BOND = 1.4  # of r_e: the well itself is no cliff


def _cutoff(case: Case) -> float | str:
    """The cutoff, Å, or why nothing can be said about it."""
    cutoff = case.card.cutoff
    if cutoff is None:
        return "the model's cutoff is not known, or it has none"
    if not case.curve.r[0] < cutoff < case.curve.r[-1]:
        return f"the grid does not reach across the cutoff, {cutoff:g} Å"
    return cutoff


def jump(case: Case) -> Finding:
    """Discontinuity of the energy and of the force at the cutoff.

    ΔE = |E(r_c+) − E(r_c−) + F Δr| in eV and ΔF = |F(r_c+) − F(r_c−)| in eV/Å, 0.0005 Å on either
    side, less what the slope just inside accounts for and five times the noise. A jump heats a
    simulation each time a pair crosses the cutoff.
    """
    check = "cutoff.jump"
    cutoff = _cutoff(case)
    if isinstance(cutoff, str):
        return case.finding(check, "not-run", cutoff)
    r, energy, force = case.curve.r, case.curve.energy, case.curve.axial_force
    right = int(np.searchsorted(r, cutoff))
    left = right - 1
    if r[right] - cutoff > _NEAR or cutoff - r[left] > _NEAR:
        return case.finding(check, "not-run", "this grid has no points close to the cutoff")
    step = float(r[right] - r[left])
    if force is not None and not np.all(np.isfinite(force[[left - 2, left, right]])):
        return case.judged(check, float("nan"), f"the model gave no forces at {cutoff:g} Å")
    work = 0.0 if force is None else 0.5 * float(force[left] + force[right]) * step
    if not np.all(np.isfinite(energy[[left, right]])):
        return case.judged(check, float("nan"), f"the model gave no energies at {cutoff:g} Å")
    off = max(0.0, abs(float(energy[right] - energy[left]) + work) - 5 * case.noise)
    finding = case.judged(check, off, f"the energy jumps by {1000 * off:.2g} meV at {cutoff:g} Å")
    if force is None or left < 2:
        return finding
    inside = abs(float(force[left] - force[left - 2])) / float(r[left] - r[left - 2]) * step
    off = max(0.0, abs(float(force[right] - force[left])) - 2 * inside)
    other = case.judged(
        check,
        off,
        f"the force jumps by {1000 * off:.2g} meV/Å at {cutoff:g} Å",
        variant="force",
    )
    order = ("pass", "warn", "fail")
    return other if order.index(other.status) > order.index(finding.status) else finding


def cliff(case: Case) -> Finding:
    """Excess of |dE/dr| over what is real in the last ångström before the cutoff, eV/Å.

    What is real is the slope of the labels' own curve, or of the true one, where they hold; else no
    more than that of two opposite charges, k/r². A model that has to reach zero at its cutoff can
    be smooth and still lose an eV on the way.
    """
    check = "cutoff.cliff"
    cutoff = _cutoff(case)
    if isinstance(cutoff, str):
        return case.finding(check, "not-run", cutoff)
    force = case.curve.axial_force
    if force is None:
        return case.finding(check, "not-run", "the model offers no forces")
    start = max(cutoff - _WINDOW, _BEYOND_BOND * case.well.r_e if case.well else 0.0)
    r = case.curve.r
    here = (r >= start) & (r <= cutoff)
    if not np.isfinite(force[here]).any():
        why = (
            "the bond itself reaches to the cutoff"
            if start >= cutoff
            else "no forces before the cutoff"
        )
        return case.finding(check, "not-run", why)
    expected, source = _real_slope(case, r[here])
    excess = np.abs(force[here]) - expected
    worst = int(np.nanargmax(excess))
    value = max(0.0, float(excess[worst]))
    at = float(r[here][worst])
    lost = float(case.e_inf - case.curve.energy[here][0])
    reason = (
        f"at {at:.2f} Å the slope is {abs(force[here][worst]):.2g} eV/Å, {source} "
        f"{expected[worst]:.2g}; {lost:+.2g} eV from {r[here][0]:.2f} Å to the limit"
    )
    finding = case.judged(
        check, value, reason, scored=case.well is not None, details={"r": at, "lost": lost}
    )
    return incomplete(finding, int(np.sum(~np.isfinite(force[here]))))


def _real_slope(case: Case, r: np.ndarray) -> tuple[np.ndarray, str]:
    """Largest slope that is no artefact (n,), eV/Å, and where that is from."""
    known = [] if case.truth is None else [case.truth]
    known += [] if case.own is None else list(case.own.curves)
    slopes = []
    for curve in known:
        if curve.axial_force is not None and curve.r[0] <= r[0] and curve.r[-1] >= r[-1]:
            slopes.append(np.abs(np.interp(r, curve.r, curve.axial_force)))
    if slopes:
        return np.max(slopes, axis=0), "in the reference at most"
    return COULOMB / r**2, "between two charges"
