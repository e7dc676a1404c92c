"""Bare nuclei: a pair without electrons has exactly the energy k Z1 Z2/r."""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.curve import Finding

__all__ = ["coulomb"]


def coulomb(case: Case) -> Finding:
    """Largest relative deviation from k Z1 Z2/r, from 0.1 Å to the model's cutoff.

    Both curves count from r_max, because a model's energy of two protons has an arbitrary zero:
    |ΔE_model − ΔE|/ΔE with ΔE(r) = k Z1 Z2 (1/r − 1/r_max). Reported, never scored.
    """
    check = "bare_nuclei.coulomb"
    if case.dimer.electrons:
        return case.finding(check, "not-run", "this dimer has electrons")
    reference = case.references.get("analytic:coulomb")
    if reference is None:
        return case.finding(check, "not-run", "the analytic baseline was not asked for")
    r = case.curve.r
    if len(r) < 3 or r[-1] < 1.0:
        return case.finding(check, "not-run", "the grid is too short: it has to reach 1 Å")
    inside = (r >= 0.1) & (r <= min(case.card.cutoff or np.inf, r[-2]))
    expected = reference.energy - reference.energy[-1]
    with np.errstate(invalid="ignore"):
        deviation = np.abs(case.curve.energy - case.e_inf - expected)[inside] / expected[inside]
    if not np.all(np.isfinite(deviation)):
        return case.judged(check, float("nan"), "the model has no finite energy for two nuclei")
    worst = int(np.argmax(deviation))
    where = float(r[inside][worst])
    model = float((case.curve.energy - case.e_inf)[inside][worst])
    finding = case.judged(
        check,
        float(deviation[worst]),
        f"at {where:.2f} Å the model has {model:.3g} eV where k Z1 Z2/r demands "
        f"{float(expected[inside][worst]):.3g} eV",
        details={"r": where},
        source=str(reference.provenance.get("source", "")),
    )
    return at_most_warn(finding, "reported, not scored")
