"""Symmetry and repeatability: the same pair, asked for in another way, has the same energy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.curve import Finding

__all__ = ["CHANGES"]

_CAP = 50.0  # eV above the limit: farther up the wall nothing is judged
_ROUNDINGS = 16  # of the total energy: what summing it in another order may cost
_WAYS = {
    "rotation": "turned in space",
    "translation": "moved by 43 Å",
    "permutation": "with its atoms swapped",
    "box": "in a large periodic box",
    "repeat": "asked for again",
    "batch": "alone instead of in a batch",
    "precision": "in the other floating-point type, relative to its limit",
}


def _changed(case: Case, kind: str) -> Finding:
    check = f"consistency.{kind}"
    repeats = case.repeats
    if repeats is None:
        return case.finding(check, "not-run", "the pair was asked for in one way only")
    if kind not in repeats.energy_change:
        return case.finding(check, "not-run", "the model was run in one floating-point type only")
    energy = np.asarray(repeats.energy, dtype=float)
    here = ~(energy > case.e_inf + _CAP)
    if not here.any():
        return case.finding(check, "not-run", f"the wall is above {_CAP:g} eV at every distance")
    r = np.asarray(repeats.r)[here]
    change = np.asarray(repeats.energy_change[kind], dtype=float)[here]
    if not np.isfinite(change).any():
        return case.judged(check, float("nan"), "the model gave no energies to compare")
    # Rounding excuses a change of order; of precision it is what is asked for.
    rounding = (kind != "precision") * _ROUNDINGS * _eps(case) * np.abs(energy[here])
    worst = int(np.nanargmax(change))
    way = _WAYS[kind]
    lost = int(np.isnan(change).sum())
    finding = case.judged(
        check,
        float("nan") if lost else float(change[worst]),
        f"{way}, the pair at {r[worst]:.2f} Å changes by {1000 * change[worst]:.2g} meV"
        + (f"; at {lost} of {len(r)} distances there is no answer" if lost else ""),
        limits=_limits(case, check, float(rounding.max(initial=0.0))),
        scored=case.well is not None,
        details={"r": r.tolist(), "energy_change": change.tolist()},
    )
    forces = _forces(case, kind, here)
    if forces is not None and forces.status != "pass" and _worse(forces, finding):
        finding = forces
    if kind == "box" and case.card.cutoff is None:
        felt = at_most_warn(finding, "a model without a cutoff may feel the images")
        return replace(felt, score=None)
    return finding


def _eps(case: Case) -> float:
    return float(np.finfo(case.curve.provenance.get("dtype") or np.float32).eps)


def _limits(case: Case, check: str, rounding: float) -> tuple[float, float]:
    passes, fails = case.profile.row(check).at()
    return passes + rounding, fails + rounding


def _forces(case: Case, kind: str, here: np.ndarray) -> Finding | None:
    """Judge the forces; `None` where the model has none."""
    repeats = case.repeats
    if repeats is None or not repeats.has_forces or kind not in repeats.force_change:
        return None
    change = np.asarray(repeats.force_change[kind], dtype=float)[here]
    size = np.asarray(repeats.force, dtype=float)[here]
    r = np.asarray(repeats.r)[here]
    lost = np.flatnonzero(np.isnan(change))
    if lost.size:
        return case.judged(
            f"consistency.{kind}",
            float("nan"),
            f"{_WAYS[kind]}, the pair at {r[lost[0]]:.2f} Å has no usable force to compare",
            scored=case.well is not None,
        )
    row = case.profile.row("consistency.rotation", "force")
    passes = row.passes.absolute + row.passes.relative * size
    fails = row.fails.absolute + row.fails.relative * size
    worst = int(np.argmax(change / passes))
    return case.judged(
        f"consistency.{kind}",
        float(change[worst]),
        f"{_WAYS[kind]}, the force at {r[worst]:.2f} Å changes by {1000 * change[worst]:.2g} meV/Å",
        limits=(float(passes[worst]), float(fails[worst])),
        unit="eV/Å",
        scored=case.well is not None,
        details={"r": r.tolist(), "force_change": change.tolist()},
    )


def _worse(one: Finding, other: Finding) -> bool:
    order = ("pass", "warn", "fail")
    return order.index(one.status) > order.index(other.status)


def _check(kind: str) -> Callable[[Case], Finding]:
    def check(case: Case) -> Finding:
        return _changed(case, kind)

    check.__doc__ = f"""Largest change of energy or force when the pair is {_WAYS[kind]}, eV.

    At 0.6, 1 and 2 times the model's minimum, below 50 eV. The limits grow by sixteen roundings of
    the total energy in the model's precision. Scored only where the model binds the pair.
    """
    check.__name__ = kind
    return check


CHANGES: dict[str, Callable[[Case], Finding]] = {
    f"consistency.{kind}": _check(kind) for kind in _WAYS
}
"""Id -> check, one per way of asking again."""
