"""Dissociation: the well, the way out of it, and where it ends.

Energies count from E_∞, the energy at the largest distance. The dissociation limit against the
model's isolated atoms is a check of its own, so that the choice of zero never hides in D_e.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.checks.thresholds import LABEL_ALLOWANCE, THRESHOLDS
from ase_probe.curve import Constants, Finding

__all__ = ["D_e", "extra_extremum", "limit", "omega_e", "r_e"]

_VAN_DER_WAALS = 0.050  # eV: below this D_e only D_e is judged
_WEAK = 0.2  # eV: below this D_e it is judged by limits of its own


def _against_truth(
    case: Case,
    check: str,
    value: float,
    reference: float,
    source: str,
    *,
    variant: str = "",
    error: float = 0.0,
) -> Finding:
    """Judge by the model's own tolerance; give DFT labels the benefit of the doubt beyond it.

    `error` is the uncertainty of `value`; above the limit for pass nothing is decided.
    """
    row = f"{check}:{variant}" if variant else check
    deviation = value - reference
    finding = case.judged(
        check,
        value,
        f"{deviation:+.3g} {THRESHOLDS[row].unit} from experiment",
        variant=variant,
        deviation=abs(deviation),
        reference=reference,
        source=source,
    )
    passes, fails = THRESHOLDS[row].at(reference)
    if error > passes and not abs(deviation) - error > fails:
        return _unresolved(
            finding, f"uncertain by {error:.2g} {finding.unit} on this grid, too much to judge"
        )
    if finding.status == "pass" or case.card.level_of_theory == "analytic":
        return finding
    below, above = LABEL_ALLOWANCE[row]
    allowance = above.at(reference) if deviation > 0 else below.at(reference)
    if abs(deviation) > fails + allowance:
        return finding
    return _unresolved(
        finding,
        "off by more than the model's tolerance, but by less than what its labels "
        f"({case.card.level_of_theory or 'level not stated'}) may be; a reference at their level "
        "would decide",
    )


def _unresolved(finding: Finding, reason: str) -> Finding:
    return replace(finding, status="unresolved", score=None, reason=reason)


def _no_well(case: Case, check: str, reference: float, source: str) -> Finding:
    low, high = case.well_window
    there = case.curve.energy[(case.curve.r >= low) & (case.curve.r <= high)]
    if np.all(np.isfinite(there)):
        reason = "the model has no bound minimum here"
    elif np.any(np.isfinite(there)):
        reason = "no bound minimum found among the energies the model gave"
    else:
        reason = "the model gave no energies"
    return case.judged(check, float("nan"), reason, reference=reference, source=source)


def _unjudged(case: Case, check: str) -> Finding:
    """Report the value when nothing can judge it."""
    value, unit = None, THRESHOLDS[check].unit
    if case.well is not None:
        value = {
            "dissociation.r_e": case.well.r_e,
            "dissociation.D_e": case.e_inf - case.well.energy,
            "dissociation.omega_e": case.well.omega_e(_masses(case)),
        }[check]
    why = "its experimental value is uncertain" if case.constants else "no reference for this dimer"
    return case.finding(check, "not-run", why, value=value, unit=unit)


def _usable(case: Case) -> Constants | None:
    return case.constants if case.constants and not case.constants.uncertain else None


def _masses(case: Case) -> tuple[float, float]:
    """Masses of the most common isotopes, u: what the experimental constants belong to."""
    from ase.data import atomic_masses_common

    first, second = case.dimer.numbers
    return float(atomic_masses_common[first]), float(atomic_masses_common[second])


def r_e(case: Case) -> Finding:
    """Equilibrium distance, Å: position of the minimum of the fitted well."""
    known = _usable(case)
    check = "dissociation.r_e"
    if known is None:
        return _unjudged(case, check)
    if known.D_e < _VAN_DER_WAALS:
        return case.finding(check, "not-run", "D_e below 50 meV: only D_e is judged")
    well = case.well
    if well is None:
        return _no_well(case, check, known.r_e, known.source)
    return _against_truth(case, check, well.r_e, known.r_e, known.source, error=well.r_e_error)


def D_e(case: Case) -> Finding:
    """Depth of the well, eV: E(r_max) − E(r_e).

    Experimental values contain spin–orbit coupling of the atoms, which the models' labels do not;
    it is added back where it is known.
    """
    known = _usable(case)
    check = "dissociation.D_e"
    if known is None:
        return _unjudged(case, check)
    reference = known.D_e + (known.spin_orbit_atoms or 0.0)
    variant = "weak" if reference < _WEAK else ""
    limits = THRESHOLDS[f"{check}:weak" if variant else check].at(reference)
    if case.well is None:
        if reference <= limits[0]:
            why = f"no minimum, and the reference has only {1000 * reference:.2g} meV"
            return case.finding(check, "unresolved", why, reference=reference, unit="eV")
        return _no_well(case, check, reference, known.source)
    finding = _against_truth(
        case,
        check,
        case.e_inf - case.well.energy,
        reference,
        known.source,
        variant=variant,
        error=case.tail,
    )
    if finding.status == "pass" and reference <= limits[0]:
        why = f"the reference itself, {1000 * reference:.2g} meV, is within the tolerance"
        return _unresolved(finding, why)
    return finding


def omega_e(case: Case) -> Finding:
    """Harmonic wavenumber, cm⁻¹: sqrt(k/μ)/(2πc) with k = d²E/dr² at r_e."""
    known = _usable(case)
    check = "dissociation.omega_e"
    if known is None or known.omega_e is None:
        return _unjudged(case, check)
    if known.D_e < _VAN_DER_WAALS:
        return case.finding(check, "not-run", "D_e below 50 meV: only D_e is judged")
    if case.well is None:
        return _no_well(case, check, known.omega_e, known.source)
    value = case.well.omega_e(_masses(case))
    error = 0.5 * value * case.well.force_constant_error / case.well.force_constant
    return _against_truth(case, check, value, known.omega_e, known.source, error=error)


def limit(case: Case) -> Finding:
    """Size-consistency gap, eV: E(AB, r_max) − E(A) − E(B).

    The atoms are the model's own, or, where the card says so, energies that the vendor stores
    beside the network; the reason tells which.
    """
    check = "dissociation.limit"
    if case.dimer.charge:
        return case.finding(check, "not-run", "charged fragments are not unique")
    atoms = case.curve.atom_limit
    if atoms is None:
        return case.finding(check, "not-run", "the model gave no energy for the isolated atoms")
    if case.last < 0:
        return case.finding(check, "not-run", "the model gave no energies")
    table = case.card.lone_atoms == "table"
    which = "the vendor's table of isolated atoms" if table else "the isolated atoms"
    gap = case.e_inf - atoms
    finding = case.judged(
        check,
        gap,
        f"E({case.r_inf:.1f} Å) lies {1000 * gap:+.3g} meV from {which}",
        deviation=abs(gap),
        scored=case.well is not None,
    )
    if finding.status == "pass" and case.strictly_local and not table:
        return replace(
            finding,
            status="trivial",
            score=None,
            reason="nothing is left beyond the model's cutoff, so the gap is zero by construction",
        )
    return finding


def extra_extremum(case: Case) -> Finding:
    """Largest fall of the energy on the way out, eV: max over r > r_e of (running max − E).

    A bound pair rises to its limit without a hump. With no reference to show that a hump is real
    (an avoided crossing, a metastable ion), the verdict is `warn` at most.
    """
    check = "dissociation.extra_extremum"
    if case.well is None:
        return case.finding(check, "not-run", "the model has no bound minimum to leave")
    outside = (case.curve.r >= case.well.r_e) & np.isfinite(case.curve.energy)
    energy, r = case.curve.energy[outside], case.curve.r[outside]
    fall = np.maximum.accumulate(energy) - energy
    worst = int(np.argmax(fall))
    top = int(np.argmax(energy[: worst + 1]))
    value = max(0.0, float(fall[worst]) - 5 * case.noise)
    details = {"r_top": float(r[top]), "r_bottom": float(r[worst])}
    limits = THRESHOLDS[check].at()
    if value <= limits[0]:
        reason = f"the energy rises steadily from r_e to {r[-1]:.1f} Å"
    else:
        reason = f"the energy falls by {1000 * value:.3g} meV from {r[top]:.2f} to {r[worst]:.2f} Å"
    finding = case.judged(check, value, reason, details=details)
    if case.truth is None:
        return at_most_warn(finding, "no reference shows whether that is real")
    return finding
