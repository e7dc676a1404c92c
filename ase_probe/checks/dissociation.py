"""Dissociation: the well, the way out of it, and where it ends.

Energies count from E_∞, the energy at the largest distance. The dissociation limit against the
model's isolated atoms is a check of its own, so that the choice of zero never hides in D_e.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.checks.target import Target, judge, unresolved
from ase_probe.curve import Finding

__all__ = ["D_e", "extra_extremum", "label_atoms", "limit", "omega_e", "r_e"]

_VAN_DER_WAALS = 0.050  # eV: below this D_e only D_e is judged
_WEAK = 0.2  # eV: below this D_e it is judged by limits of its own


def _masses(case: Case) -> tuple[float, float]:
    """Masses of the most common isotopes, u: what the experimental constants belong to."""
    from ase.data import atomic_masses_common

    first, second = case.dimer.numbers
    return float(atomic_masses_common[first]), float(atomic_masses_common[second])


def _target(case: Case, quantity: str) -> Target | None:
    """What a quantity of the bond is judged by; `None` when nothing can judge it.

    Experimental values of D_e contain spin–orbit coupling, which the models' labels do not; it is
    taken out where it is known.
    """
    known = case.constants if case.constants and not case.constants.uncertain else None
    truth = None
    if known is not None:
        truth = {
            "D_e": known.D_e_without_spin_orbit,
            "r_e": known.r_e,
            "omega_e": known.omega_e,
        }[quantity]
    own = None if case.own is None else case.own.interval(quantity, _masses(case))
    if truth is None and own is None:
        return None
    sources = [] if truth is None or known is None else [known.source]
    if case.own is not None and own is not None:
        sources.append(case.own.source)
    return Target(
        truth=truth,
        own=own,
        own_name="" if case.own is None else case.own.name,
        source="; ".join(sources),
    )


def _no_well(case: Case, check: str, target: Target, variant: str = "") -> Finding:
    low, high = case.well_window
    there = case.curve.energy[(case.curve.r >= low) & (case.curve.r <= high)]
    if np.all(np.isfinite(there)):
        reason = "the model has no bound minimum here"
    elif np.any(np.isfinite(there)):
        reason = "no bound minimum found among the energies the model gave"
    else:
        reason = "the model gave no energies"
    return case.judged(
        check,
        float("nan"),
        reason,
        variant=variant,
        reference=target.reference,
        source=target.source,
    )


def _unjudged(case: Case, check: str, value: float | None) -> Finding:
    """Report the value when nothing can judge it."""
    why = "its experimental value is uncertain" if case.constants else "no reference for this dimer"
    if case.own_missing:
        why += f". {case.own_missing}"
    return case.finding(check, "not-run", why, value=value, unit=case.profile.row(check).unit)


def _of_the_well(case: Case, quantity: str, value: float | None, error: float) -> Finding:
    """Judge position or curvature of the minimum."""
    check = f"dissociation.{quantity}"
    target, depth = _target(case, quantity), _target(case, "D_e")
    if target is None:
        return _unjudged(case, check, value)
    if depth is not None and depth.reference < _VAN_DER_WAALS:
        return case.finding(check, "not-run", "D_e below 50 meV: only D_e is judged")
    if value is None:
        return _no_well(case, check, target)
    return judge(case, check, value, target, error=error)


def r_e(case: Case) -> Finding:
    """Equilibrium distance, Å: position of the minimum of the fitted well."""
    well = case.well
    if well is None:
        return _of_the_well(case, "r_e", None, 0.0)
    return _of_the_well(case, "r_e", well.r_e, well.r_e_error)


def omega_e(case: Case) -> Finding:
    """Harmonic wavenumber, cm⁻¹: sqrt(k/μ)/(2πc) with k = d²E/dr² at r_e."""
    well = case.well
    if well is None:
        return _of_the_well(case, "omega_e", None, 0.0)
    value = well.omega_e(_masses(case))
    error = 0.5 * value * well.force_constant_error / well.force_constant
    return _of_the_well(case, "omega_e", value, error)


def D_e(case: Case) -> Finding:
    """Depth of the well, eV: E(r_max) − E(r_e)."""
    check = "dissociation.D_e"
    target = _target(case, "D_e")
    value = None if case.well is None else case.e_inf - case.well.energy
    if target is None:
        return _unjudged(case, check, value)
    variant = "weak" if target.reference < _WEAK else ""
    limits = case.profile.row(check, variant).at(target.reference)
    small = target.reference <= limits[0]
    depth = f"{1000 * target.reference:.2g} meV"
    if value is None:
        if small:
            why = f"no minimum, and the reference has only {depth}"
            return case.finding(check, "unresolved", why, reference=target.reference, unit="eV")
        return _no_well(case, check, target, variant)
    finding = judge(case, check, value, target, variant=variant, error=case.tail)
    if finding.status == "pass" and small:
        return unresolved(finding, f"the reference itself, {depth}, is within the tolerance")
    return finding


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
    if finding.status != "pass" and case.strictly_local and not table:
        return replace(
            finding,
            reason=f"{finding.reason}; nothing is left beyond the model's cutoff, so these atoms "
            "are not the network's own: a table of stored energies, or another way of asking",
        )
    if finding.status == "pass" and case.strictly_local and not table:
        return replace(
            finding,
            status="trivial",
            score=None,
            reason="nothing is left beyond the model's cutoff, so the gap is zero by construction",
        )
    return finding


def label_atoms(case: Case) -> Finding:
    """How far E(AB, r_max) lies from the atoms of the labels' own level, eV per atom.

    (E(AB, r_max) − E(A) − E(B))/2 with atoms computed at the level of the training labels. A
    strictly local model agrees with its own atoms by construction, and a table of stored ones may
    hide the network; these it cannot know but from training. Few training sets hold lone atoms, so
    the verdict is `warn` at most and is not scored.
    """
    check = "dissociation.label_atoms"
    if case.dimer.charge:
        return case.finding(check, "not-run", "charged fragments are not unique")
    if case.card.energy_reference != "total":
        return case.finding(check, "not-run", "the model's energies are not total energies")
    if case.last < 0:
        return case.finding(check, "not-run", "the model gave no energies")
    provenance = next((c.provenance for c in case.own.curves), {}) if case.own else {}
    atoms = provenance.get("label_atoms_eV")
    if atoms is None:
        why = case.own_missing or "the labels' atoms are pseudopotential ones, or not shipped"
        return case.finding(check, "not-run", why)
    gap = 0.5 * (case.e_inf - sum(atoms))
    finding = case.judged(
        check,
        gap,
        f"E({case.r_inf:.1f} Å) lies {gap:+.3g} eV per atom from two atoms at the labels' level",
        deviation=abs(gap),
        source=str(provenance["level"]),
        details={"label_atoms_eV": list(atoms)},
    )
    return at_most_warn(finding, "lone atoms are rarely in a training set")


def extra_extremum(case: Case) -> Finding:
    """Largest fall of the energy on the way out, eV: max over r > r_e of (running max − E).

    A bound pair rises to its limit without a hump. A hump that the labels' own level or the true
    curve has as well (an avoided crossing, a metastable ion) is none of the model's; with no
    reference to show which it is, the verdict is `warn` at most.
    """
    check = "dissociation.extra_extremum"
    if case.well is None:
        return case.finding(check, "not-run", "the model has no bound minimum to leave")
    value, r_top, r_bottom = _fall(case.curve.r, case.curve.energy, case.well.r_e)
    value = max(0.0, value - 5 * case.noise)
    details = {"r_top": r_top, "r_bottom": r_bottom}
    limits = case.profile.row(check).at()
    if value <= limits[0]:
        reason = f"the energy rises steadily from r_e to {case.r_inf:.1f} Å"
    else:
        reason = f"the energy falls by {1000 * value:.3g} meV from {r_top:.2f} to {r_bottom:.2f} Å"
    known = [] if case.truth is None else [case.truth]
    known += [] if case.own is None else list(case.own.curves)
    real = max(
        (_fall(c.r, c.energy, float(c.r[np.argmin(c.energy)]))[0] for c in known), default=0.0
    )
    if value > limits[0] and real > limits[0]:
        reason += f"; up to {1000 * real:.3g} meV of that is in the reference"
    finding = case.judged(check, value, reason, deviation=max(0.0, value - real), details=details)
    if not known:
        return at_most_warn(finding, "no reference shows whether that is real")
    return finding


def _fall(r: np.ndarray, energy: np.ndarray, start: float) -> tuple[float, float, float]:
    """Largest fall on the way out from `start`, eV, and where it begins and ends, Å."""
    outside = (r >= start) & np.isfinite(energy)
    energy, r = energy[outside], r[outside]
    fall = np.maximum.accumulate(energy) - energy
    worst = int(np.argmax(fall))
    return float(fall[worst]), float(r[int(np.argmax(energy[: worst + 1]))]), float(r[worst])
