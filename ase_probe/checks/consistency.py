"""Consistency: does the model agree with itself?"""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.checks.shape import unevenness
from ase_probe.checks.thresholds import THRESHOLDS
from ase_probe.curve import Finding

__all__ = ["force"]


def force(case: Case) -> Finding:
    """Largest |F + dE/dr| beyond the derivative's own error, eV/Å.

    dE/dr is the seven-point derivative of the energies. Judged are the points below 50 eV and
    outside any hole whose error estimate is below one third of the fail limit: in and near a hole
    real models have features finer than 0.001 Å, which no difference formula resolves. For a model
    that is conservative by construction, uneven forces within a stencil are such features and count
    as error; for any other they may be the defect. Models that do not promise conservative forces
    get `warn` at most. Scored only where the model binds the pair, so that a constant energy with
    zero force earns nothing.
    """
    check = "consistency.force"
    axial = case.curve.axial_force
    if axial is None or not np.any(np.isfinite(axial)):
        return case.judged(
            check, float("nan"), "the model gave no usable forces", variant="float32"
        )
    variant = "float64" if case.curve.provenance.get("dtype") == "float64" else "float32"
    threshold = THRESHOLDS[f"{check}:{variant}"]
    passes = threshold.passes.absolute + threshold.passes.relative * np.abs(axial)
    fails = threshold.fails.absolute + threshold.fails.relative * np.abs(axial)
    error = case.slope.error
    if case.card.conservative:
        error = np.maximum(error, unevenness(case.curve.r, axial))
    innermost = max(0.2, case.walk.r[case.walk.end()] if case.walk else 0.0)
    with np.errstate(invalid="ignore"):
        deviation = np.abs(axial + case.slope.value)
        judged = (error < fails / 3) & np.isfinite(deviation)
    judged &= case.curve.r >= innermost
    if not np.any(judged):
        return case.finding(
            check, "unresolved", "the grid is too coarse to differentiate the energy", unit="eV/Å"
        )
    # The derivative's own error is not the model's fault.
    excess = np.maximum(0.0, deviation - error)[judged]
    worst = int(np.argmax(excess / passes[judged]))
    r = float(case.curve.r[judged][worst])
    finding = case.judged(
        check,
        float(excess[worst]),
        f"worst at {r:.2f} Å, where F = {axial[judged][worst]:.3g} eV/Å; "
        f"{int(judged.sum())} of {len(case.curve)} points judged",
        variant=variant,
        limits=(float(passes[judged][worst]), float(fails[judged][worst])),
        scored=case.well is not None,
        details={"r": r},
    )
    if case.card.conservative is False:
        return at_most_warn(finding, "the model predicts forces directly")
    return finding
