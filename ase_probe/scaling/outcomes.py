"""The outcomes of the study, fixed before any model was trained: what a curve says about a bond.

Pure functions of a model's curve and of the curve of the level of theory that labelled its
training data. Two rules hold everywhere: a number that is missing or not finite never scores as
good, and a quantity that does not exist (the bond length of a curve without a well) is `None` with
a reason, not a number.

(a) a well is there; (b) |Δr_e|; (c) D_e, from both zeros; (d) how much of the wall repels; (e) the
error over the whole curve. `CRITERIA` holds every number they rest on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy.integrate import trapezoid
from scipy.interpolate import CubicSpline

from ase_probe.checks.shape import Well, find_well
from ase_probe.curve import Curve
from ase_probe.errors import InputError

__all__ = ["CRITERIA", "MEASURES", "Criteria", "Measure", "Outcomes", "outcomes"]


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """The numbers behind the outcomes.

    Attributes
    ----------
    window
        Where the minimum must lie, Å.
    depth
        How far it must lie below the energy at the largest distance, eV.
    wall_from
        Where the wall that ought to repel begins, Å; it ends at the labels' r_e.
    span
        Range of the error over the curve, Å.
    cap
        Largest deviation counted there, eV; a missing energy counts as this much.
    decay
        Weight exp(−E/decay), eV, with E the labels' energy.
    """

    window: tuple[float, float]
    depth: float
    wall_from: float
    span: tuple[float, float]
    cap: float
    decay: float


CRITERIA = Criteria(
    window=(0.5, 1.2), depth=0.5, wall_from=0.2, span=(0.4, 3.0), cap=10.0, decay=5.0
)
"""For H2, and for the C–H control. The C–C control needs another window and span."""


@dataclass(frozen=True)
class Measure:
    """One column of the table of outcomes.

    Attributes
    ----------
    unit
        Its unit.
    larger_is_better
        Which way improvement goes.
    margin
        Smallest change that would matter: the margin of the equivalence test.
    why
        Where the margin comes from.
    """

    unit: str
    larger_is_better: bool
    margin: float
    why: str


MEASURES: dict[str, Measure] = {
    "well": Measure("share of runs", True, 0.25, "one model in four"),
    "r_e_error": Measure("Å", False, 0.03, "limit of fail of dissociation.r_e"),
    "D_e_error_r_max": Measure("eV", False, 0.30, "limit of fail of dissociation.D_e"),
    "D_e_error_atoms": Measure("eV", False, 0.30, "limit of fail of dissociation.D_e"),
    "repulsive": Measure("fraction", True, 0.10, "a tenth of the wall"),
    "log10_rmse": Measure("log10 eV", False, 0.10, "a quarter of the error, 10^0.1 = 1.26"),
}
"""Column of `Outcomes.row` -> what it is. Fixed in advance, like the criteria."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What one curve says.

    Attributes
    ----------
    well
        (a) Is there a minimum in the window, deep enough below the energy at the largest distance?
    r_e, r_e_error
        Its position and (b) the distance to the labels' r_e, Å; `None` without a well.
    D_e_r_max, D_e_atoms
        (c) Depth below the energy at the largest distance and below the model's own lone atoms,
        eV; `None` without a well, the second also without energies of both atoms.
    D_e_error_r_max, D_e_error_atoms
        Distance of each to the labels' own D_e from the same zero, eV.
    inner_wall
        Height of the energy above the minimum on its inner side, eV: a dent in a falling curve is
        a well by (a), and is seen here.
    repulsive
        (d) Fraction, by length, of the wall where dE/dr < 0; the wall ends at the labels' r_e, so
        it is defined for every model.
    own_wall
        The same for the wall that ends at the model's own minimum; `None` without a well.
    slope_from
        What (d) was read from: ``forces`` or ``energies``.
    log10_rmse
        (e) log10 of the weighted root mean square deviation from the labels' curve, both aligned
        at the labels' r_e, eV.
    reasons
        Name -> why it is `None`, `False` or worse than the numbers at hand.
    """

    well: bool
    r_e: float | None
    r_e_error: float | None
    D_e_r_max: float | None
    D_e_atoms: float | None
    D_e_error_r_max: float | None
    D_e_error_atoms: float | None
    inner_wall: float | None
    repulsive: float
    own_wall: float | None
    slope_from: str
    log10_rmse: float
    reasons: Mapping[str, str]

    def row(self) -> dict[str, float]:
        """Return the columns of `MEASURES`; NaN stands for "none"."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: math.nan if values[name] is None else float(values[name]) for name in MEASURES
        }


def outcomes(curve: Curve, labels: Curve, criteria: Criteria = CRITERIA) -> Outcomes:
    """Return what a curve says, against its labels' own level.

    Parameters
    ----------
    curve
        The model's curve: r (n,) Å, energy (n,) eV on any zero, forces if it has any, energies of
        the two lone atoms if there are any.
    labels
        The curve of the level of theory of the training labels, dense and complete.
    criteria
        What to measure by.

    Raises
    ------
    InputError
        A curve that does not reach as far as the criteria ask, or labels with gaps or no well.
    """
    if not np.all(np.isfinite(labels.energy)):
        raise InputError("The labels' own curve has gaps; give one with an energy at every point.")
    target = find_well(labels, *criteria.window)
    if target is None:
        low, high = criteria.window
        raise InputError(
            f"The labels' own curve has no minimum between {low:g} and {high:g} Å; give criteria "
            "with the window of this bond."
        )
    low, high = min(criteria.wall_from, criteria.span[0]), criteria.span[1]
    for what, given in (("The model's curve", curve), ("The labels' own curve", labels)):
        start = low if given is curve else criteria.span[0]
        if len(given) < 3 or given.r[0] > start or given.r[-1] < high:
            reach = f"{given.r[0]:g} to {given.r[-1]:g} Å" if len(given) else "nowhere"
            raise InputError(f"{what} reaches from {reach}; {start:g} to {high:g} Å are needed.")
    reasons: dict[str, str] = {}
    well = _bond(curve, criteria, reasons)
    deep, labels_deep = _depths(curve, well, reasons), _depths(labels, target, {})
    rmse = _rmse(curve, labels, target.r_e, criteria, reasons)
    repulsive, slope_from = _repulsive(curve, criteria.wall_from, target.r_e, reasons)
    own_wall = None
    if well is None:
        reasons["r_e_error"] = "there is no well"
    else:
        own_wall = _repulsive(curve, criteria.wall_from, well.r_e, {})[0]
    return Outcomes(
        well=well is not None,
        r_e=None if well is None else well.r_e,
        r_e_error=None if well is None else abs(well.r_e - target.r_e),
        D_e_r_max=deep[0],
        D_e_atoms=deep[1],
        D_e_error_r_max=_distance(deep[0], labels_deep[0]),
        D_e_error_atoms=_distance(deep[1], labels_deep[1]),
        inner_wall=None if well is None else _inner_wall(curve, well),
        repulsive=repulsive,
        own_wall=own_wall,
        slope_from=slope_from,
        log10_rmse=math.log10(rmse) if rmse > 0 else -math.inf,
        reasons=reasons,
    )


def _bond(curve: Curve, criteria: Criteria, reasons: dict[str, str]) -> Well | None:
    """Return the well of outcome (a), or say why there is none."""
    low, high = criteria.window
    well = find_well(curve, low, high)
    if not math.isfinite(curve.energy[-1]):
        reasons["well"] = f"no energy at the largest distance, {curve.r[-1]:g} Å, to count from"
    elif well is None:
        inside = (curve.r >= low) & (curve.r <= high)
        gaps = int(np.sum(~np.isfinite(curve.energy[inside])))
        reasons["well"] = f"no minimum between {low:g} and {high:g} Å" + (
            f", and no energy at {gaps} of {inside.sum()} distances" if gaps else ""
        )
    elif not low <= well.r_e <= high:
        reasons["well"] = f"the minimum lies at {well.r_e:.3f} Å, outside {low:g}–{high:g} Å"
    elif not curve.energy[-1] - well.energy > criteria.depth:
        deep = curve.energy[-1] - well.energy
        reasons["well"] = f"the minimum is {deep:.3g} eV deep, not more than {criteria.depth:g} eV"
    else:
        return well
    return None


def _depths(
    curve: Curve, well: Well | None, reasons: dict[str, str]
) -> tuple[float | None, float | None]:
    """D_e from the energy at the largest distance and from the lone atoms, eV."""
    if well is None:
        reasons["D_e_r_max"] = reasons["D_e_atoms"] = "there is no well"
        return None, None
    from_r_max = float(curve.energy[-1]) - well.energy
    if curve.atom_limit is None:
        reasons["D_e_atoms"] = "no energies of both lone atoms"
        return from_r_max, None
    return from_r_max, curve.atom_limit - well.energy


def _distance(value: float | None, reference: float | None) -> float | None:
    return None if value is None or reference is None else abs(value - reference)


def _inner_wall(curve: Curve, well: Well) -> float | None:
    inside = curve.energy[(curve.r < well.r_e) & np.isfinite(curve.energy)]
    return float(inside.max() - well.energy) if inside.size else None


def _repulsive(
    curve: Curve, start: float, end: float, reasons: dict[str, str]
) -> tuple[float, str]:
    """Fraction of start…end (Å) with dE/dr < 0, and what it was read from.

    Forces change linearly between neighbours. Without them the slope between two neighbours has
    the sign of their difference, as the monotone cubic spline through the energies has it (Fritsch
    and Carlson, SIAM J. Numer. Anal. 17, 238 (1980)). Where one of two neighbours is missing,
    nothing repels.
    """
    left, right = curve.r[:-1], curve.r[1:]
    force = curve.axial_force
    if force is not None:
        force = np.where(np.isfinite(force), force, np.nan)
    source = "energies" if force is None else "forces"
    if force is None:
        known = np.isfinite(curve.energy[:-1]) & np.isfinite(curve.energy[1:])
        begins, ends = left, np.where(curve.energy[1:] < curve.energy[:-1], right, left)
    else:
        first, second = force[:-1], force[1:]
        known = np.isfinite(first) & np.isfinite(second)
        turns = known & (first * second < 0)
        zero = left.copy()
        zero[turns] += ((right - left) * first)[turns] / (first - second)[turns]
        begins = np.where(turns & (first < 0), zero, left)
        both = (first >= 0) & (second >= 0) & (first + second > 0)
        ends = np.where(turns & (first > 0), zero, np.where(both | turns, right, left))
    pushed = np.clip(ends, start, end) - np.clip(begins, start, end)
    inside = (right > start) & (left < end)
    if np.any(inside & ~known):
        missing = int(np.sum(inside & ~known))
        reasons["repulsive"] = f"{missing} of {inside.sum()} steps lack {source}: counted as bad"
    return float(pushed[known].sum() / (end - start)), source


def _rmse(
    curve: Curve, labels: Curve, r_e: float, criteria: Criteria, reasons: dict[str, str]
) -> float:
    """Root mean square deviation, eV: √(∫ w min(|ΔE|, cap)² dr / ∫ w dr), w = exp(−E/decay).

    ΔE = [E(r) − E(r_e)] − [E_labels(r) − E_labels(r_e)]. The integrals are trapezoids over the
    model's own distances; only the smooth curve of the labels is interpolated, and the model's at
    r_e.
    """
    own = CubicSpline(labels.r, labels.energy)
    low, high = criteria.span
    zero = _energy_at(curve, r_e)
    inside = (curve.r > low) & (curve.r < high)
    r = np.concatenate([[low], curve.r[inside], [high]])
    ends = _energy_at(curve, low), _energy_at(curve, high)
    energy = np.concatenate([[ends[0]], curve.energy[inside], [ends[1]]])
    expected = own(r) - own(r_e)
    with np.errstate(invalid="ignore"):  # inf − inf is as missing as NaN
        deviation = np.abs(energy - zero - expected)
    missing = ~np.isfinite(deviation)
    if not math.isfinite(zero):
        reasons["log10_rmse"] = f"no energy around the labels' r_e, {r_e:.3f} Å, to align at"
    elif missing.any():
        reasons["log10_rmse"] = f"no energy at {missing.sum()} of {len(r)} distances: capped there"
    deviation[missing | (deviation > criteria.cap)] = criteria.cap
    weight = np.exp(-expected / criteria.decay)
    squared = trapezoid(weight * deviation**2, r) / trapezoid(weight, r)
    return math.sqrt(float(squared))


def _energy_at(curve: Curve, r: float) -> float:
    """Energy at a distance, eV, from a cubic through the four nearest points; NaN in a gap."""
    after = int(np.clip(np.searchsorted(curve.r, r), 1, len(curve) - 1))
    exact = np.flatnonzero(curve.r == r)
    if exact.size:
        return float(curve.energy[exact[0]])
    near = slice(max(0, after - 2), after + 2)
    if not np.all(np.isfinite(curve.energy[near])):
        return math.nan
    return float(CubicSpline(curve.r[near], curve.energy[near])(r))
