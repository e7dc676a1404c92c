"""Spin: do the other multiplicities lie above the ground state's?"""

from __future__ import annotations

import math

from ase_probe.checks.case import Case
from ase_probe.curve import Finding

__all__ = ["ladder"]


def ladder(case: Case) -> Finding:
    """Smallest vertical gap to another multiplicity at the model's minimum, eV; never scored.

    min over M' of E(M') − E(M), M' = M ± 2. At the bond length of a ground state no other spin
    state lies lower, so a negative gap is a `warn` where the ground state is known for certain. No
    gap at all is a `warn` where the card says that the model takes a multiplicity; else nothing
    was claimed.
    """
    check = "spin.ladder"
    if case.card.uses_spin is False:
        return case.finding(check, "not-run", "the model takes no spin multiplicity")
    if case.repeats is None or not case.repeats.spin_change:
        return case.finding(check, "not-run", "the pair was asked for with one multiplicity only")
    gaps = {int(m): gap for m, gap in case.repeats.spin_change.items() if math.isfinite(gap)}
    if not gaps:
        return case.finding(check, "not-run", "the model gave no energies of other multiplicities")
    lowest = min(gaps, key=gaps.__getitem__)
    ours = case.dimer.multiplicity
    at = f"at {case.repeats.r[1]:.2f} Å"
    told = ", ".join(f"{m} by {gap:+.3g} eV" for m, gap in sorted(gaps.items()))
    status, reason = "pass", f"{at} other multiplicities differ from {ours}: {told}"
    noise = 5 * case.noise
    if all(abs(gap) <= noise for gap in gaps.values()):
        status = "warn" if case.card.uses_spin else "not-run"
        reason = f"{at} no multiplicity changes the energy"
    elif gaps[lowest] < -noise and case.constants is not None and not case.constants.uncertain:
        status = "warn"
        reason = f"{at} multiplicity {lowest} lies {-gaps[lowest]:.3g} eV below {ours}, the ground "
        reason += "state's"
    return case.finding(
        check, status, reason, value=gaps[lowest], unit="eV",
        source="a result, without limits of its own", details={"gaps_eV": gaps},
    )  # fmt: skip
