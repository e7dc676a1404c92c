"""MLIP Arena's metrics of a homonuclear curve (Y. Chiang et al., doi:10.48550/arXiv.2509.20630).

Source: https://github.com/atomind-ai/mlip-arena, ``mlip_arena/tasks/diatomics``; its table shows
the mean of each over the elements.
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
    spearman,
    steps,
    tortuosity,
    variation,
)
from ase_probe.curve import Curve

__all__ = ["arena"]

_ENERGY = (
    "tortuosity",
    "energy-jump",
    "energy-diff-flip-times",
    "energy-total-variation",
    "spearman-repulsion-energy",
    "spearman-attraction-energy",
)
_FORCE = (
    "force-flip-times",
    "force-total-variation",
    "force-jump",
    "spearman-descending-force",
    "spearman-ascending-force",
)


@np.errstate(over="ignore", invalid="ignore")  # what explodes gets inf or NaN
def arena(curve: Curve) -> dict[str, float]:
    """Return MLIP Arena's metrics, all distances from the largest (first) to the smallest (last).

    ======================== ======= ==============================================================
    key                      unit    formula
    ======================== ======= ==============================================================
    tortuosity               1       Σ|ΔE| / (|E_first − E_min| + |E_last − E_min|)
    energy-total-variation   eV      Σ|ΔE|
    energy-diff-flip-times   1       changes of sign of ΔE, of those with |ΔE| ≥ 1 meV
    energy-jump              eV      Σ(|ΔE_i| + |ΔE_i+1|) over these changes of sign
    force-total-variation    eV/Å    Σ|ΔF|
    force-flip-times         1       changes of sign of F, of those with |F| ≥ 10 meV/Å
    force-jump               eV/Å    Σ(|ΔF_i| + |ΔF_i+1|) over the changes of sign of ΔF, no limit
    conservation-deviation   eV/Å    mean |F + dE/dr|, the derivative by `numpy.gradient`
    spearman-repulsion-      1       rank correlation of r and E from the energy minimum inward
    energy
    spearman-attraction-     1       … of r and E outside of it, the minimum left out
    energy
    spearman-descending-     1       … of r and F from the strongest attraction inward
    force
    spearman-ascending-force 1       … of r and F outside of it, that point left out
    ======================== ======= ==============================================================

    F is the axial force, positive when repulsive. The wall enters as any other point, so a
    conservative model gets a conservation deviation from the error of the difference formula on it.

    Parameters
    ----------
    curve
        On the grid ``arena`` for numbers comparable with the published ones.

    Returns
    -------
    dict
        The twelve keys above and `MISSING`, the number of points without a finite energy or
        force. All energy metrics are NaN where an energy is missing, all force metrics where a
        force is, or where the model has none; the conservation deviation where either is.
    """
    r, energy = curve.r[::-1], curve.energy[::-1]
    force = None if curve.axial_force is None else curve.axial_force[::-1]
    known = np.isfinite(energy)
    forced = np.zeros(len(r), dtype=bool) if force is None else np.isfinite(force)
    missing = len(r) - int(known.sum() if force is None else (known & forced).sum())

    metrics = dict.fromkeys((*_ENERGY, *_FORCE, "conservation-deviation"), math.nan)
    metrics[MISSING] = float(missing)
    if len(r) < 2:
        return metrics
    if known.all():
        metrics |= _energy(r, energy)
    if force is not None and forced.all():
        metrics |= _force(r, force)
        if known.all():
            deviation = np.abs(force + np.gradient(energy, r))
            metrics["conservation-deviation"] = float(np.mean(deviation))
    return metrics


def _energy(r: np.ndarray, energy: np.ndarray) -> dict[str, float]:
    bottom = int(np.argmin(energy))
    return {
        "tortuosity": tortuosity(energy),
        "energy-jump": jump(energy, ENERGY_STEP),
        "energy-diff-flip-times": float(flips(steps(energy, ENERGY_STEP))),
        "energy-total-variation": variation(energy),
        "spearman-repulsion-energy": spearman(r[bottom:], energy[bottom:]),
        "spearman-attraction-energy": spearman(r[:bottom], energy[:bottom]),
    }


def _force(r: np.ndarray, force: np.ndarray) -> dict[str, float]:
    strongest = int(np.argmin(force))
    return {
        "force-flip-times": float(flips(force[np.abs(force) >= FORCE_ZERO])),
        "force-total-variation": variation(force),
        "force-jump": jump(force, 0.0),
        "spearman-descending-force": spearman(r[strongest:], force[strongest:]),
        "spearman-ascending-force": spearman(r[:strongest], force[:strongest]),
    }
