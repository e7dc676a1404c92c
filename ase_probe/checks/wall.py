"""Where the repulsive wall stands, beside that of the labels or the true one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ase_probe.checks.case import Case
from ase_probe.curve import Finding

__all__ = ["wall"]

_LEVELS = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # eV above the minimum; the last where the cap is


def wall(case: Case) -> Finding:
    """Largest shift of the wall, Å: |Δr| where E − E_min first reaches 1, 5, 10, 20, 50 eV.

    Profiles that climb so high add 100 eV, with a tolerance of its own. Measured from the wall of
    the model's own labels where that is known, else from the true one; a model between several
    branches of its labels has no shift. All crossings are those of the inward running maximum, so a
    hole does not move the wall in front of it. A height the model never reaches counts as missing.
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
    levels = tuple(x for x in _LEVELS if x <= max(case.profile.cap, _LEVELS[-2]))
    shifts = _shifts(found, [w for w in walls if w is not None], levels)
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
    variants = {level: _variant(level, own=bool(own)) for level in shifts}
    if missing:
        reason = f"the model never reaches {missing[0]:g} eV above its minimum"
        return case.judged(
            check,
            float("nan"),
            reason,
            variant=variants[missing[0]],
            source=source,
            details=details,
        )
    level = max(
        shifts, key=lambda key: shifts[key] / case.profile.row(check, variants[key]).at()[0]
    )
    reason = f"at {level:g} eV the wall stands {shifts[level]:.3f} Å from {name}"
    finding = case.judged(
        check, shifts[level], reason, variant=variants[level], source=source, details=details
    )
    if not (own and true) or finding.status != "pass":
        return finding
    exact = [w for w in (_climbed(*curve) for curve in true) if w is not None]
    from_truth = max(_shifts(found, exact, levels).values(), default=0.0) if exact else 0.0
    if not from_truth > case.profile.row(check, "truth").at()[0]:
        return finding
    return replace(
        finding,
        status="inherited",
        reason=f"{reason}, and {from_truth:.3f} Å from the true one, as its labels do",
    )


def _variant(level: float, *, own: bool) -> str:
    """Row of the threshold table for a height on the wall."""
    return "high" if level > _LEVELS[-2] else "" if own else "truth"


def _climbed(r: np.ndarray, energy: np.ndarray) -> dict[float, float] | None:
    """Crossings of a reference's wall above its own minimum; `None` without a minimum."""
    bottom = int(np.argmin(energy))
    if bottom in (0, len(r) - 1):
        return None
    return _crossings(r, energy, float(energy[bottom]), float(r[bottom]))


def _shifts(
    found: dict[float, float], walls: list[dict[float, float]], levels: tuple[float, ...]
) -> dict[float, float]:
    """Level -> distance of the crossing found from the interval of the reference's, Å."""
    common = set(levels).intersection(*(set(wall) for wall in walls))
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
