"""Matbench Discovery's metrics of a homonuclear curve, alone and against a PBE reference.

Source: https://github.com/janosh/matbench-discovery, ``matbench_discovery/metrics/diatomics``; its
table shows the mean of each over the elements with a finite value.
"""

from __future__ import annotations

import math

import numpy as np

from ase_probe.checks.peers.variation import (
    ENERGY_STEP,
    FORCE_ZERO,
    MISSING,
    flips,
    jump,
    steps,
    tortuosity,
    variation,
)
from ase_probe.checks.shape import Well
from ase_probe.curve import Curve
from ase_probe.dimer import Dimer, mean_radius
from ase_probe.errors import InputError

__all__ = ["matbench"]

_ALONE = (
    *("tortuosity", "energy_diff_flips", "energy_jump"),
    *("force_flips", "force_total_variation", "force_jump"),
)
_AGAINST = (
    *("pbe_wall_dist_mae", "pbe_energy_mae", "pbe_force_mae"),
    *("pbe_bond_length_error", "pbe_well_depth_error", "pbe_vib_freq_error"),
)
_FEWEST = 5  # points in the window
_LEVELS = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # eV above the minimum
_COMMON = 200  # points on which two curves are compared
_BOUND = 0.05  # eV: a shallower reference has no bond to compare
_FIT = 5  # points of the quadratic fit at the minimum
_ROUGH = (1.5, 3)  # eV of jumps, and flips: a reference with both judges nothing


@np.errstate(over="ignore", invalid="ignore")  # what explodes gets inf or NaN
def matbench(curve: Curve, reference: Curve | None = None, *, dimer: Dimer) -> dict[str, float]:
    """Return Matbench Discovery's metrics, from distances in its window only.

    The window is 0.9 r_cov to 3.1 r_vdW (Alvarez), at most the largest distance; for the wall it
    begins at 0.8 r_cov. Radii are those of one atom; for two elements, which the source does not
    have, their mean.

    ===================== ====== ==================================================================
    key                   unit   formula
    ===================== ====== ==================================================================
    tortuosity            1      Σ|ΔE| / (|E_first − E_min| + |E_last − E_min|)
    energy_diff_flips     1      changes of sign of ΔE, of those with |ΔE| ≥ 1 meV
    energy_jump           eV     Σ(|ΔE_i| + |ΔE_i+1|) over these changes of sign
    force_flips           1      changes of sign of F, of those with |F| ≥ 10 meV/Å
    force_total_variation eV/Å   Σ|ΔF|
    force_jump            eV/Å   Σ(|ΔF_i| + |ΔF_i+1|) over the changes of sign of ΔF
    pbe_wall_dist_mae     Å      mean |r − r_ref| where the inward running maximum of E − E_min
                                 crosses 1, 5, 10, 20, 50, 100 eV (linear between points); r_ref for
                                 a height the model never reaches; heights beyond the reference's
                                 wall are left out
    pbe_energy_mae        eV     mean |E − E_ref|, both zero at the end, 200 even points, linear
    pbe_force_mae         eV/Å   mean over both atoms and all three components, likewise
    pbe_bond_length_error Å      |r_e − r_e,ref|, by a parabola through the five points around the
                                 lowest
    pbe_well_depth_error  eV     difference of E(end) − E_min
    pbe_vib_freq_error    cm⁻¹   difference of the harmonic wavenumbers of these parabolas
    ===================== ====== ==================================================================

    The last three need a reference bound by 50 meV. A rough reference (jumps of 1.5 eV in all and
    three flips) judges nothing. That the reference is PBE is the caller's to see to.

    Parameters
    ----------
    curve
        On the grid ``matbench`` for numbers comparable with the published ones.
    reference
        PBE's curve of the same dimer on any grid.
    dimer
        The pair: its radii and masses.

    Returns
    -------
    dict
        The twelve keys above and `MISSING`, the number of points in the window (the wall's
        included) without a finite energy or force. Where there is one, everything is NaN, as is
        what needs a reference, forces or a minimum that is not there, and everything with fewer
        than five points in the window.

    Raises
    ------
    InputError
        `reference` does not overlap with the window.
    """
    low, high = _window(dimer, curve, 0.9)
    wall_low = _window(dimer, curve, 0.8)[0] - 1e-12  # the source: an end that is off by rounding
    scored, wall = _cut(curve, low, high), _cut(curve, wall_low, high)
    metrics = dict.fromkeys((*_ALONE, *_AGAINST), math.nan)
    missing = _missing(wall)
    metrics[MISSING] = float(missing)
    if missing or len(scored) < _FEWEST:
        return metrics
    metrics |= _alone(scored)
    if reference is None:
        return metrics
    own = _cut(reference, low, high)
    if len(own) < 2:
        raise InputError(
            f"The reference of {dimer} has {len(own)} points between {low:.2f} and {high:.2f} Å, "
            "where this curve is judged; two are needed."
        )
    if np.isfinite(own.energy).all() and not _rough(own):
        metrics |= _against(scored, own, dimer)
        metrics["pbe_wall_dist_mae"] = _wall(wall, _cut(reference, wall_low, high))
    return metrics


def _window(dimer: Dimer, curve: Curve, factor: float) -> tuple[float, float]:
    covalent, vdw = mean_radius(dimer.symbols, "covalent"), mean_radius(dimer.symbols, "vdw")
    end = float(curve.r[-1])
    return factor * (covalent or 0.0), min(3.1 * vdw, end) if vdw is not None else end


def _cut(curve: Curve, low: float, high: float) -> Curve:
    """Return the part of a curve between two distances."""
    inside = (curve.r >= low) & (curve.r <= high)
    forces = None if curve.forces is None else curve.forces[inside]
    return Curve(r=curve.r[inside], energy=curve.energy[inside], forces=forces)


def _missing(curve: Curve) -> int:
    known = np.isfinite(curve.energy)
    if curve.forces is not None:
        known = known & np.isfinite(curve.forces).all(axis=(1, 2))
    return len(curve) - int(known.sum())


def _alone(curve: Curve) -> dict[str, float]:
    metrics = {
        "tortuosity": tortuosity(curve.energy),
        "energy_diff_flips": float(flips(steps(curve.energy, ENERGY_STEP))),
        "energy_jump": jump(curve.energy, ENERGY_STEP),
    }
    force = curve.axial_force
    if force is None:
        return metrics
    return metrics | {
        "force_flips": float(flips(force[np.abs(force) >= FORCE_ZERO])),
        "force_total_variation": variation(force),
        "force_jump": jump(force, 0.0),
    }


def _rough(curve: Curve) -> bool:
    largest, most = _ROUGH
    turns = flips(steps(curve.energy, ENERGY_STEP))
    return jump(curve.energy, ENERGY_STEP) >= largest and turns >= most


def _against(curve: Curve, own: Curve, dimer: Dimer) -> dict[str, float]:
    """Compare within the range that both curves cover."""
    start, end = max(curve.r[0], own.r[0]), min(curve.r[-1], own.r[-1])
    metrics = {}
    if start < end:
        common = np.linspace(start, end, _COMMON)
        energies = [np.interp(common, c.r, c.energy) for c in (curve, own)]
        difference = np.subtract(*(energy - energy[-1] for energy in energies))
        metrics["pbe_energy_mae"] = float(np.mean(np.abs(difference)))
        if curve.forces is not None and own.forces is not None:
            forces = [
                np.array([np.interp(common, c.r, part) for part in c.forces.reshape(len(c), 6).T])
                for c in (curve, own)
                if c.forces is not None
            ]
            metrics["pbe_force_mae"] = float(np.mean(np.abs(np.subtract(*forces))))
    if _depth(own) < _BOUND:
        return metrics
    well, well_ref = _well(curve), _well(own)
    return metrics | {
        "pbe_bond_length_error": abs(well.r_e - well_ref.r_e),
        "pbe_well_depth_error": abs(_depth(curve) - _depth(own)),
        "pbe_vib_freq_error": abs(_wavenumber(well, dimer) - _wavenumber(well_ref, dimer)),
    }


def _depth(curve: Curve) -> float:
    return float(curve.energy[-1] - curve.energy.min())


def _well(curve: Curve) -> Well:
    """Return the parabola's minimum, or the lowest point where the parabola has none near by."""
    lowest = int(np.argmin(curve.energy))
    first = min(max(0, lowest - _FIT // 2), max(0, len(curve) - _FIT))
    r, energy = curve.r[first : first + _FIT], curve.energy[first : first + _FIT]
    at, bend = float(curve.r[lowest]), math.nan
    if len(r) >= 3:
        square, slope, _ = np.polyfit(r, energy, 2)
        if square > 0:
            bend = 2.0 * float(square)
            vertex = -float(slope) / bend
            at = vertex if r[0] <= vertex <= r[-1] else at
    return Well(at, float(curve.energy[lowest]), bend, math.nan, math.nan)


def _wavenumber(well: Well, dimer: Dimer) -> float:
    from ase.data import atomic_masses

    first, second = (float(atomic_masses[number]) for number in dimer.numbers)
    return well.omega_e((first, second))


def _wall(curve: Curve, own: Curve) -> float:
    if min(len(curve), len(own)) < 2 or not np.isfinite(own.energy).all():
        return math.nan
    errors = []
    for level in _LEVELS:
        r, r_ref = _crossing(curve, level), _crossing(own, level)
        if not math.isnan(r_ref):
            errors.append(r_ref if math.isnan(r) else abs(r - r_ref))
    return float(np.mean(errors)) if errors else math.nan


def _crossing(curve: Curve, level: float) -> float:
    """Return where the inward running maximum of E − E_min reaches `level` (eV), Å, or NaN."""
    lowest = int(np.argmin(curve.energy))
    r = curve.r[lowest::-1]
    top = np.maximum.accumulate(curve.energy[lowest::-1] - curve.energy[lowest])
    heights, first = np.unique(top, return_index=True)
    if len(heights) < 2 or level > heights[-1]:
        return math.nan
    return float(np.interp(level, heights, r[first]))
