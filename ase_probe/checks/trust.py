"""How far down a wall can be trusted."""

from __future__ import annotations

import warnings

import numpy as np

from ase_probe.checks.case import Case
from ase_probe.checks.walk import Walk
from ase_probe.curve import Finding

__all__ = ["r_trust"]

_BAND = (0.08, 0.2, 0.15)  # Å; eV and fraction of E: both must be left
_RIM = 4  # points
_FORCE_TOLERANCE = 0.10  # of |F|


def r_trust(case: Case) -> Finding:
    """Distance down to which no pair defect was found, Å, on walls up to the profile's cap.

    The walk inward ends at the first of: a hole; 0.08 Å and max(0.2 eV, 15 %) outside the band
    between the true wall and that of the labels' level, where they are known; the last energy, or a
    force that differs from −dE/dr by more than 10 %. Censored: it reached the cap or the end of a
    short grid without any of these.
    """
    check = "compression.r_trust"
    walk = case.walk
    if walk is None:
        return case.finding(check, "not-run", "there is no repulsive wall")
    cap = case.profile.cap
    last = walk.end(cap)
    if last + 1 < len(walk.r) and walk.energy[last + 1] > cap:
        stops = [(last + 1, f"{cap:g} eV reached", True)]
    elif walk.holes:
        stops = [(last + 1, "a hole", False)]
    elif not walk.complete:
        stops = [(last + 1, "no energies inside", False)]
    elif walk.r[-1] > 0.15:
        stops = [(last + 1, "end of the grid", True)]
    else:
        stops = [(last + 1, f"the wall never reaches {cap:g} eV", False)]
    for bad, cause in (
        (_off_band(case, walk), "off the reference wall"),
        (_off_force(case, walk), "the force is not −dE/dr"),
    ):
        if bad is not None:
            stops.append((bad, cause, False))
    index, why, censored = min(stops, key=lambda stop: stop[0])
    if index == 0:
        return case.finding(check, "fail", f"not even the start of the wall is right: {why}")
    r, energy = float(walk.r[index - 1]), float(walk.energy[index - 1])
    return case.finding(
        check,
        "pass" if censored else "warn",
        f"no pair defect found down to {r:.2f} Å ({energy:.3g} eV); stopped by: {why}",
        value=r,
        unit="Å",
        source="how far a thermal collision can climb; a result, without limits of its own",
        details={
            "E_trust": energy,
            "reason": why,
            "censored": censored,
            "reference": _reference(case),
        },
    )


def _reference(case: Case) -> str | None:
    """What the wall was compared with."""
    names = [] if case.truth is None else [str(case.truth.provenance["tier"])]
    if case.own is not None:
        names += [str(c.provenance["tier"]) for c in case.own.curves]
    return " and ".join(dict.fromkeys(names)) or None


def _off_band(case: Case, walk: Walk) -> int | None:
    """First step of the walk outside the band between the true wall and the labels' one.

    Heights count from the minimum, for a bond of the wrong depth may have the right wall.
    """
    curves = [] if case.truth is None else [(case.truth.r, case.truth.energy)]
    if case.own is not None:
        curves += [(c.r, case.own.shifted(c)) for c in case.own.curves]
    if not curves:
        return None
    energy = walk.energy
    if case.well is not None:  # from minimum to minimum: the depth is judged by itself
        energy = energy - (case.well.energy - case.e_inf)
        curves = [(r, e - e.min()) for r, e in curves]
    horizontal, absolute, relative = _BAND

    def among(r: np.ndarray) -> np.ndarray:
        """Energies of those that hold there (references, points); NaN where one does not."""
        return np.array([np.interp(r, x, e, left=np.nan, right=np.nan) for x, e in curves])

    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN where no reference holds
        here, inside, outside = (among(walk.r + dr) for dr in (0.0, -horizontal, horizontal))
        low, high = np.nanmin(here, axis=0), np.nanmax(here, axis=0)
        tolerance = np.maximum(absolute, relative * np.maximum(np.abs(low), np.abs(high)))
        above = (energy > high + tolerance) & (energy > np.nanmax(inside, axis=0))
        below = (energy < low - tolerance) & (energy < np.nanmin(outside, axis=0))
    steps = np.flatnonzero(above | below)
    return int(steps[0]) if steps.size else None


def _off_force(case: Case, walk: Walk) -> int | None:
    """First step of the walk whose force is certainly not −dE/dr."""
    force = case.curve.axial_force
    if force is None:
        return None
    at = np.searchsorted(case.curve.r, walk.r)
    force, gradient, error = force[at], case.slope.value[at], case.slope.error[at]
    with np.errstate(invalid="ignore"):
        wrong = np.abs(force + gradient) > _FORCE_TOLERANCE * np.abs(force) + 3 * error + 0.05
    wrong |= ~np.isfinite(force)
    if walk.holes:
        wrong[max(0, walk.holes[0][0] - _RIM) :] = False  # the rim of a hole belongs to the hole
    steps = np.flatnonzero(wrong)
    return int(steps[0]) if steps.size else None
