"""Robustness: does the model answer at every distance, with numbers?"""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case
from ase_probe.curve import Finding

__all__ = ["atoms", "exception", "finite", "forces"]

_R_MIN = 0.2  # Å: below it a refusal is shown, not judged


def _count(case: Case, check: str, bad: np.ndarray, what: str, example: str = "") -> Finding:
    """Count bad points from 0.2 Å outward. Scored 0 when there are any; else only with a well."""
    r = case.curve.r
    counted = bad & (r >= _R_MIN)
    inside = int(bad.sum() - counted.sum())
    reason = f"{what} at {int(counted.sum())} of {int((r >= _R_MIN).sum())} distances"
    if counted.any():
        reason += f", {r[counted].min():.2f} to {r[counted].max():.2f} Å"
    if inside:
        reason += f" (and at {inside} below {_R_MIN} Å)"
    if example:
        reason += f": {example}"
    value = float(counted.sum())
    return case.judged(check, value, reason, scored=bool(value) or case.well is not None)


def exception(case: Case) -> Finding:
    """Distances at which the model raised instead of answering."""
    bad = np.zeros(len(case.curve), dtype=bool)
    bad[[i for i in case.curve.failures if np.isnan(case.curve.energy[i])]] = True
    example = next((case.curve.failures[int(i)] for i in np.flatnonzero(bad)), "")
    return _count(case, "robustness.exception", bad, "the model raised an error", example)


def finite(case: Case) -> Finding:
    """Distances at which the model answered with NaN or infinity."""
    bad = ~np.isfinite(case.curve.energy)
    if case.curve.forces is not None:
        bad |= ~np.all(np.isfinite(case.curve.forces), axis=(1, 2))
    bad[list(case.curve.failures)] = False  # these have a finding of their own
    return _count(case, "robustness.finite", bad, "non-finite energy or forces")


def forces(case: Case) -> Finding:
    """Distances at which the energy came but the forces could not be used."""
    bad = np.zeros(len(case.curve), dtype=bool)
    bad[[i for i in case.curve.failures if not np.isnan(case.curve.energy[i])]] = True
    example = next((case.curve.failures[int(i)] for i in np.flatnonzero(bad)), "")
    return _count(case, "robustness.forces", bad, "unusable forces", example)


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
