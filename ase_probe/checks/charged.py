"""Charged pairs: does the charge matter, and does it end up where it is cheapest?"""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.curve import Finding
from ase_probe.units import COULOMB

__all__ = ["limit", "response"]


def response(case: Case) -> Finding:
    """How much leaving out the charge changes the energy, eV; shown, never judged.

    Next to nothing would be a charge-blind model, which is out of domain for a charged pair.
    """
    check = "charged.response"
    if not case.dimer.charge:
        return case.finding(check, "not-run", "the pair is neutral")
    value = case.curve.provenance.get("charge_response_eV")
    if value is None:
        return case.finding(check, "not-run", "the model gave no answer without the charge")
    return case.finding(
        check,
        "pass",
        f"without its charge of {case.dimer.charge:+d} the energy changes by {value:.3g} eV",
        value=float(value),
        unit="eV",
        source="a result, without limits of its own",
    )


def limit(case: Case) -> Finding:
    """Gap between E(r_max) and the cheapest pair of ions that share the charge, eV.

    E(AB, r_max) − k q₁q₂/r_max − min [E(A, q₁) + E(B, q₂)] over the ways to divide the charge. A
    model that spreads it over both atoms ends too low, as semilocal functionals do; the labels may
    be wrong in the same way, so the verdict is `warn` at most and is not scored.
    """
    check = "charged.limit"
    if not case.dimer.charge:
        return case.finding(check, "not-run", "the pair is neutral")
    ways = [
        (float(way["energy"]), way["charges"])
        for way in case.curve.provenance.get("partitions", ())
        if np.isfinite(way["energy"])
    ]
    if not ways:
        return case.finding(check, "not-run", "the model gave no energies for the ions")
    if case.last < 0:
        return case.finding(check, "not-run", "the model gave no energies")
    lowest, (q1, q2) = min(ways)
    gap = case.e_inf - COULOMB * q1 * q2 / case.r_inf - lowest
    first, second = case.dimer.symbols
    finding = case.judged(
        check,
        gap,
        f"E({case.r_inf:.1f} Å) lies {gap:+.3g} eV from {first} with {q1:+d} and {second} with "
        f"{q2:+d}",
        deviation=abs(gap),
        details={"charges": [q1, q2]},
    )
    return at_most_warn(finding, "labels delocalise charge as well")
