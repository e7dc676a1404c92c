"""Robustness: does the model answer at every distance, with numbers?"""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import R_JUDGED, Case
from ase_probe.curve import Finding

__all__ = ["atoms", "exception", "finite", "forces"]


def _count(case: Case, check: str, bad: np.ndarray, what: str) -> Finding:
    """Count bad points from 0.2 Å outward. Scored 0 when there are any; else only with a well."""
    r = case.curve.r
    counted = bad & (r >= R_JUDGED)
    inside = int(bad.sum() - counted.sum())
    reason = f"{what} at {int(counted.sum())} of {int((r >= R_JUDGED).sum())} distances"
    if counted.any():
        reason += f" between {r[counted].min():.2f} and {r[counted].max():.2f} Å"
    if inside:
        reason += f" (and at {inside} below {R_JUDGED} Å)"
    example = next((i for i in np.flatnonzero(counted) if i in case.curve.failures), None)
    if example is not None:
        reason += f": {case.curve.failures[int(example)]}"
    value = float(counted.sum())
    return case.judged(check, value, reason, scored=bool(value) or case.well is not None)


def _failed(case: Case, *, energy: bool) -> np.ndarray:
    """Points that failed, with or without an energy."""
    bad = np.zeros(len(case.curve), dtype=bool)
    bad[[i for i in case.curve.failures if np.isnan(case.curve.energy[i]) != energy]] = True
    return bad


def exception(case: Case) -> Finding:
    """Distances at which the model gave no usable answer: it raised, or its energy had no shape."""
    return _count(case, "robustness.exception", _failed(case, energy=False), "no answer")


def finite(case: Case) -> Finding:
    """Distances at which the model answered with NaN or infinity."""
    if len(case.curve.failures) == len(case.curve):
        return case.finding("robustness.finite", "not-run", "the model gave no answer at all")
    bad = ~np.isfinite(case.curve.energy)
    if case.curve.forces is not None:
        bad |= ~np.all(np.isfinite(case.curve.forces), axis=(1, 2))
    bad[list(case.curve.failures)] = False  # these have a finding of their own
    return _count(case, "robustness.finite", bad, "non-finite energy or forces")


def forces(case: Case) -> Finding:
    """Distances at which the energy came but the forces could not be used, or there are none."""
    if not np.isfinite(case.curve.energy).any():
        return case.finding("robustness.forces", "not-run", "there are no energies either")
    if case.curve.forces is None:
        every = np.ones(len(case.curve), dtype=bool)
        return _count(case, "robustness.forces", every, "the model offers no forces")
    return _count(case, "robustness.forces", _failed(case, energy=True), "unusable forces")


def atoms(case: Case) -> Finding:
    """Isolated atoms (of the two) for which the model gave no finite energy."""
    check = "robustness.atoms"
    if case.curve.atom_energies is None:
        return case.finding(check, "not-run", "charged fragments are not unique")
    missing = ~np.isfinite(case.curve.atom_energies)
    messages = dict(case.curve.provenance.get("atom_failures", {}))
    why = next(iter(messages.values()), "non-finite energy")
    reason = f"no energy for an isolated atom: {why}" if missing.any() else "both atoms answered"
    value = float(missing.sum())
    return case.judged(check, value, reason, scored=bool(value) or case.well is not None)
