"""The tail: between the bond and the cutoff the model should follow its own labels."""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case
from ase_probe.curve import Finding

__all__ = ["tail"]

_START = 2.0  # of r_e
_FEWEST = 3


def tail(case: Case) -> Finding:
    """Largest distance from the labels' own curve beyond 2 r_e, eV, up to the cutoff.

    Only the labels' level counts, for functionals without dispersion have no true tail. Beyond the
    cutoff the model is constant by construction, which is `cutoff.cliff`'s business. Labels on two
    branches give a band, and inside it nothing is wrong.
    """
    check = "long_range.tail"
    if case.own is None:
        return case.finding(check, "not-run", case.own_missing or "no curve at the labels' level")
    if case.well is None:
        return case.finding(check, "not-run", "the model has no bound minimum to leave")
    r = case.curve.r
    last = min(case.card.cutoff or np.inf, case.r_inf)
    low, high = case.own.band(r)
    here = (r > _START * case.well.r_e) & (r < last) & np.isfinite(low)
    if here.sum() < _FEWEST:
        return case.finding(
            check, "not-run", f"the labels' curve or the cutoff ends before {_START:g} r_e"
        )
    energy = case.curve.energy[here] - case.e_inf
    low, high = low[here], high[here]
    off = np.maximum(np.maximum(low - energy, energy - high), 0.0)
    off[~np.isfinite(energy)] = np.nan
    if np.isnan(off).all():
        return case.judged(check, float("nan"), "the model gave no energies there")
    nearest = np.clip(energy, low, high)
    row = case.profile.row(check)
    allowed = np.array([row.at(float(x))[0] for x in nearest])
    worst = int(np.nanargmax(off / allowed))
    return case.judged(
        check,
        float(off[worst]),
        f"at {r[here][worst]:.2f} Å the energy is {energy[worst]:+.3g} eV, "
        f"{case.own.name} has {nearest[worst]:+.3g}",
        limits=row.at(float(nearest[worst])),
        source=case.own.source,
        details={"r": float(r[here][worst]), "own": float(nearest[worst])},
    )
