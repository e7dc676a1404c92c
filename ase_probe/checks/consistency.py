"""Consistency: does the model agree with itself?"""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.checks.shape import unevenness
from ase_probe.curve import Finding

__all__ = ["force"]


def force(case: Case) -> Finding:
    """Largest disagreement of the forces with the energy and with each other, eV/Å.

    Judged are the points below 50 eV and outside any hole: in and near a hole real models have
    features finer than 0.001 Å, which no difference formula resolves. Three things must hold:

    - F = −dE/dr, by the seven-point derivative of the energies, where its error estimate is below
      one third of the fail limit. For a model that is conservative by construction, uneven forces
      within a stencil are such features and count as error; for any other they may be the defect.
    - E(i) − E(i+1) is the work of F between neighbours, within the range of F over the interval
      and two points around it: a jump of the energy shows here, wherever it is.
    - F₁ = −F₂, and nothing perpendicular to the bond.

    Models that do not promise conservative forces get `warn` at most. Scored only where the model
    binds the pair, so that a constant energy with zero force earns nothing.
    """
    check = "consistency.force"
    curve, axial = case.curve, case.curve.axial_force
    if axial is None or curve.forces is None:
        return case.finding(check, "not-run", "the model offers no forces")
    if not np.any(np.isfinite(axial)):
        return case.judged(
            check, float("nan"), "the model gave no usable forces", variant="float32"
        )
    variant = "float64" if curve.provenance.get("dtype") == "float64" else "float32"
    threshold = case.profile.row(check, variant)
    passes = threshold.passes.absolute + threshold.passes.relative * np.abs(axial)
    fails = threshold.fails.absolute + threshold.fails.relative * np.abs(axial)
    innermost = max(0.2, case.walk.r[case.walk.end()] if case.walk else 0.0)
    excess = {
        "F = −dE/dr": _gradient_excess(case, axial, fails),
        "E(i) − E(i+1) = ∫F dr": _work_excess(case, axial, fails, innermost),
        "F₁ = −F₂ along the bond": _asymmetry(curve.forces),
    }
    judged = int(np.sum(np.isfinite(excess["F = −dE/dr"]) & (curve.r >= innermost)))
    law, i = "", -1
    for name, values in excess.items():
        with np.errstate(invalid="ignore"):
            ratio = np.where((curve.r >= innermost) & np.isfinite(values), values / passes, -1.0)
        ratio[np.isnan(ratio)] = -1.0
        top = int(np.argmax(ratio))
        if ratio[top] >= 0 and (i < 0 or ratio[top] > excess[law][i] / passes[i]):
            law, i = name, top
    if i < 0 or (not judged and excess[law][i] <= passes[i]):
        return case.finding(
            check,
            "unresolved",
            "nowhere could the energy be differentiated well enough: the grid is too "
            "coarse or the curve too rough",
            unit="eV/Å",
        )
    finding = case.judged(
        check,
        float(excess[law][i]),
        f"{law}: worst at {curve.r[i]:.2f} Å, where F = {axial[i]:.3g} eV/Å; {judged} stencils "
        "judged",
        variant=variant,
        limits=(float(passes[i]), float(fails[i])),
        scored=case.well is not None,
        details={"r": float(curve.r[i])},
    )
    if case.card.conservative is False:
        return at_most_warn(finding, "the model predicts forces directly")
    return finding


def _gradient_excess(case: Case, axial: np.ndarray, fails: np.ndarray) -> np.ndarray:
    """|F + dE/dr| beyond the derivative's own error (n,); NaN where that error is too large."""
    error = case.slope.error
    if case.card.conservative:
        stencils = np.flatnonzero(np.isfinite(error))
        error = np.maximum(error, unevenness(case.curve.r, axial, stencils))
    with np.errstate(invalid="ignore"):
        deviation = np.abs(axial + case.slope.value)
        return np.where(error < fails / 3, np.maximum(0.0, deviation - error), np.nan)


def _work_excess(case: Case, axial: np.ndarray, fails: np.ndarray, innermost: float) -> np.ndarray:
    """How far −ΔE/Δr lies outside the range of F around the interval (n,); 0 below `fails`.

    The mean of F over an interval lies between its extremes there; two points beyond each end, and
    once more the whole range, stand for what F does between the points. Intervals whose
    neighbourhood reaches inside `innermost` (Å) are left out.
    """
    r, energy = case.curve.r, case.curve.energy
    excess = np.zeros(len(r))
    if len(r) < 6:
        return excess
    with np.errstate(invalid="ignore"):
        mean = (-np.diff(energy) / np.diff(r))[2:-2]
        near = np.lib.stride_tricks.sliding_window_view(axial, 6)
        low, high = near.min(axis=1), near.max(axis=1)
        slack = high - low + 10 * case.noise / np.diff(r)[2:-2]
        outside = np.maximum(low - mean, mean - high) - slack
        inside = r[:-5] >= innermost
        excess[2:-3] = np.where(inside & (outside > fails[2:-3]), outside, 0.0)
    return excess


def _asymmetry(forces: np.ndarray) -> np.ndarray:
    """Largest component of F₁ + F₂ and of the forces across the bond (n,)."""
    net = np.abs(forces.sum(axis=1)).max(axis=1)
    across = np.abs(forces[:, :, :2]).max(axis=(1, 2))
    return np.asarray(np.maximum(net, across))
