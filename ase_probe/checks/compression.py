"""Compression: the repulsive wall, the holes in it, and how far down it can be trusted.

What a collision must pay to fall into a hole is the barrier in front of it, so the barrier is the
headline, not the depth.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.checks.thresholds import THRESHOLDS
from ase_probe.checks.walk import CAP, Walk
from ase_probe.curve import Finding

__all__ = ["barrier", "hole", "r_trust", "wall", "zbl"]

_LEVELS = (1.0, 5.0, 10.0, 20.0, 50.0)  # eV above the minimum
_BAND = (0.08, 0.2, 0.15)  # Å; eV and fraction of E: both must be left
_FORCE_TOLERANCE = 0.10  # of |F|


def barrier(case: Case) -> Finding:
    """Height of the wall in front of the outermost hole, eV above E_∞.

    Without a hole it is the height of the wall at the shortest distance of the grid: two atoms that
    can be pushed to 0.1 Å for a few eV are as unphysical as a hole.
    """
    check = "compression.barrier"
    walk = case.walk
    if walk is None:
        reason = (
            "there is no repulsive wall: the energy never rises 50 meV above its limit"
            if np.isfinite(case.curve.energy).any()
            else "the model gave no energies"
        )
        return case.judged(check, float("nan"), reason)
    if walk.holes:
        holes = [
            {
                "E_b": float(walk.energy[top]),
                "r_b": float(walk.r[top]),
                "depth": float(walk.energy[bottom]),
                "r_depth": float(walk.r[bottom]),
            }
            for top, bottom in walk.holes
        ]
        first, deepest = holes[0], min(holes, key=lambda hole: hole["depth"])
        reason = (
            f"inside {first['r_b']:.2f} Å the energy falls to {first['depth']:.4g} eV at "
            f"{first['r_depth']:.2f} Å, behind a barrier of {first['E_b']:.3g} eV"
            f"{'' if first['E_b'] > 0 else ': the way in costs less than breaking the bond'}"
        )
        if deepest is not first:
            reason += (
                f"; farther in, behind {deepest['E_b']:.3g} eV, it falls to "
                f"{deepest['depth']:.4g} eV"
            )
        details = {**first, "holes": holes}
        return case.judged(check, first["E_b"], reason, details=details)
    top = int(np.argmax(walk.energy))
    height, r_min = float(walk.energy[top]), float(walk.r[-1])
    passes = THRESHOLDS[check].at()[0]
    if not walk.complete:
        reason = f"the wall breaks off at {r_min:.2f} Å and {height:.3g} eV: no energies inside"
        return case.judged(check, height if height >= passes else float("nan"), reason)
    if height < passes and r_min > 0.15:
        return case.finding(
            check,
            "unresolved",
            f"the grid ends at {r_min:.2f} Å, {height:.3g} eV up the wall; no hole so far",
            value=height,
            unit="eV",
        )
    return case.judged(check, height, f"no hole down to {r_min:.2f} Å, {height:.3g} eV up the wall")


def hole(case: Case) -> Finding:
    """Position of the outermost hole's edge, in units of the sum of the covalent radii."""
    check = "compression.hole"
    walk = case.walk
    if walk is None or not walk.holes:
        reason = "no hole found" if walk else "there is no repulsive wall"
        return case.finding(check, "not-run", reason)
    r_b = float(walk.r[walk.holes[0][0]])
    return case.judged(
        check,
        r_b / case.dimer.covalent_sum,
        f"the hole begins at {r_b:.2f} Å",
        details={"r_b": r_b},
    )


def wall(case: Case) -> Finding:
    """Largest shift of the wall, Å: |Δr| where E − E_min first reaches 1, 5, 10, 20, 50 eV.

    Measured from the wall of the model's own labels where that is known, else from the true one; a
    model between several branches of its labels has no shift. All crossings are those of the inward
    running maximum, so a hole does not move the wall in front of it. A height the model never
    reaches counts as missing.
    """
    check = "compression.wall"
    true = [] if case.truth is None else [(case.truth.r, case.truth.energy)]
    own = [] if case.own is None else [(c.r, case.own.shifted(c)) for c in case.own.curves]
    walls = [_climbed(*curve) for curve in own or true]
    if not walls:
        why = f". {case.own_missing}" if case.own_missing else ""
        return case.finding(check, "not-run", f"no reference curve for this dimer{why}")
    if any(found is None for found in walls):
        return case.finding(check, "not-run", "the reference has no minimum to climb from")
    if case.well is None:
        return case.judged(check, float("nan"), "the model has no bound minimum to climb from")
    found = _crossings(case.curve.r, case.curve.energy, case.well.energy, case.well.r_e)
    shifts = _shifts(found, [w for w in walls if w is not None])
    missing = [level for level, shift in shifts.items() if np.isnan(shift)]
    name = f"its labels' {case.own.name}" if case.own else "the true one"
    source = (
        case.own.source if case.own else str(case.truth and case.truth.provenance.get("source", ""))
    )
    details = {
        "reference": name,
        "shift_by_level_eV": {
            str(level): None if np.isnan(shift) else shift for level, shift in shifts.items()
        },
    }
    if not shifts:
        return case.finding(check, "not-run", f"the wall of {name} is not known as high as 1 eV")
    if missing:
        reason = f"the model never reaches {missing[0]:g} eV above its minimum"
        return case.judged(check, float("nan"), reason, source=source, details=details)
    level = max(shifts, key=lambda key: shifts[key])
    reason = f"at {level:g} eV the wall stands {shifts[level]:.3f} Å from {name}"
    finding = case.judged(check, shifts[level], reason, source=source, details=details)
    if not (own and true) or finding.status != "pass":
        return finding
    exact = [w for w in (_climbed(*curve) for curve in true) if w is not None]
    from_truth = max(_shifts(found, exact).values(), default=0.0) if exact else 0.0
    if not from_truth > THRESHOLDS[check].at()[0]:
        return finding
    return replace(
        finding,
        status="inherited",
        reason=f"{reason}, and {from_truth:.3f} Å from the true one, as its labels do",
    )


def _climbed(r: np.ndarray, energy: np.ndarray) -> dict[float, float] | None:
    """Crossings of a reference's wall above its own minimum; `None` without a minimum."""
    bottom = int(np.argmin(energy))
    if bottom in (0, len(r) - 1):
        return None
    return _crossings(r, energy, float(energy[bottom]), float(r[bottom]))


def _shifts(found: dict[float, float], walls: list[dict[float, float]]) -> dict[float, float]:
    """Level -> distance of the crossing found from the interval of the reference's, Å."""
    common = set.intersection(*(set(wall) for wall in walls))
    shifts = {}
    for level in sorted(common):
        r = found.get(level, float("nan"))
        low, high = min(w[level] for w in walls), max(w[level] for w in walls)
        shifts[level] = abs(r - min(max(r, low), high)) if np.isfinite(r) else float("nan")
    return shifts


def _crossings(
    distances: np.ndarray, energy: np.ndarray, e_min: float, start: float
) -> dict[float, float]:
    """Level -> r (Å) where the inward running maximum of E − e_min first reaches it."""
    inside = np.flatnonzero(np.isfinite(energy) & (distances <= start))[::-1]
    r, top = distances[inside], np.maximum.accumulate(energy[inside] - e_min)
    found = {}
    for level in _LEVELS:
        above = np.flatnonzero(top >= level)
        if above.size and above[0]:
            i = int(above[0])
            # The wall is close to exponential: interpolate ln E.
            low, high = np.log(max(top[i - 1], 1e-3)), np.log(top[i])
            fraction = (np.log(level) - low) / (high - low)
            found[level] = float(r[i - 1] + fraction * (r[i] - r[i - 1]))
    return found


def zbl(case: Case) -> Finding:
    """Largest factor between the model and the ZBL potential where that exceeds 100 eV.

    An order-of-magnitude check of the wall in front of the first hole; the hole itself is judged by
    its barrier. It warns at most and is not scored: labels made with pseudopotentials are undefined
    there, and nothing thermal climbs so high.
    """
    check = "compression.zbl"
    reference = case.references.get("analytic:zbl")
    if reference is None:
        return case.finding(check, "not-run", "ZBL does not reach 100 eV on this grid")
    walk = case.walk
    edge = walk.r[walk.holes[0][0]] if walk and walk.holes else 0.0
    valid = reference.r >= edge
    if not valid.any():
        return case.finding(check, "not-run", "the hole begins before ZBL reaches 100 eV")
    r, zbl_energy = reference.r[valid], reference.energy[valid]
    model_energy = case.curve.energy[np.searchsorted(case.curve.r, r)] - case.e_inf
    if not np.any(np.isfinite(model_energy)):
        return case.finding(check, "not-run", "the model gave no energies there")
    r, zbl_energy = r[np.isfinite(model_energy)], zbl_energy[np.isfinite(model_energy)]
    model_energy = model_energy[np.isfinite(model_energy)]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = model_energy / zbl_energy
        factor = np.where(ratio > 0, np.maximum(ratio, 1 / ratio), np.inf)
    worst = int(np.argmax(factor))
    finding = case.judged(
        check,
        float(factor[worst]),
        f"at {r[worst]:.2f} Å the model has {model_energy[worst]:.3g} eV, "
        f"ZBL {zbl_energy[worst]:.3g} eV",
        source=str(reference.provenance.get("source", "")),
        details={"r": float(r[worst])},
    )
    return at_most_warn(finding, "above all thermal energies")


def r_trust(case: Case) -> Finding:
    """Distance down to which no pair defect was found, Å, on walls up to 50 eV.

    The walk inward ends at the first of: a hole; 0.08 Å and max(0.2 eV, 15 %) outside the band
    between the true wall and that of the labels' level, where they are known; the last energy, or a
    force that differs from −dE/dr by more than 10 %. Censored: it reached 50 eV or the end of a
    short grid without any of these.
    """
    check = "compression.r_trust"
    walk = case.walk
    if walk is None:
        return case.finding(check, "not-run", "there is no repulsive wall")
    last = walk.end()
    if last + 1 < len(walk.r) and walk.energy[last + 1] > CAP:
        stops = [(last + 1, f"{CAP:g} eV reached", True)]
    elif walk.holes:
        stops = [(last + 1, "a hole", False)]
    elif not walk.complete:
        stops = [(last + 1, "no energies inside", False)]
    elif walk.r[-1] > 0.15:
        stops = [(last + 1, "end of the grid", True)]
    else:
        stops = [(last + 1, f"the wall never reaches {CAP:g} eV", False)]
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
    """First step of the walk outside the band between the true wall and the labels' one."""
    curves = [] if case.truth is None else [(case.truth.r, case.truth.energy)]
    if case.own is not None:
        curves += [(c.r, case.own.shifted(c)) for c in case.own.curves]
    if not curves:
        return None
    horizontal, absolute, relative = _BAND

    def among(r: np.ndarray) -> np.ndarray:
        """Energies of those that hold there (references, points); NaN where one does not."""
        return np.array([np.interp(r, x, e, left=np.nan, right=np.nan) for x, e in curves])

    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN where no reference holds
        here, inside, outside = (among(walk.r + dr) for dr in (0.0, -horizontal, horizontal))
        low, high = np.nanmin(here, axis=0), np.nanmax(here, axis=0)
        tolerance = np.maximum(absolute, relative * np.maximum(np.abs(low), np.abs(high)))
        above = (walk.energy > high + tolerance) & (walk.energy > np.nanmax(inside, axis=0))
        below = (walk.energy < low - tolerance) & (walk.energy < np.nanmin(outside, axis=0))
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
    steps = np.flatnonzero(wrong)
    return int(steps[0]) if steps.size else None
