"""Where a first pass leaves a verdict open: extra distances for a second one. Pure functions.

A hole narrower than the grid leaves no trace between its points, so the wall that a simulation can
reach is sampled every 0.012 Å. The top of a barrier, a minimum that the grid draws badly, and the
model's cutoff get points of their own.
"""

from __future__ import annotations

import numpy as np

from ase_probe.curve import Curve
from ase_probe.dimer import Dimer
from ase_probe.grids import STENCIL

__all__ = ["SPACING", "extra"]

SPACING = 0.012
"""Largest distance between neighbours on a dimer's wall after refinement, Å."""

_PARTS = 8  # into which the intervals beside a barrier's top are divided
_FALL = 0.020  # eV; a fall of the energy on the way inward that may be a hole
_CUTOFF = np.array([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05])  # Å, on both sides
_DIGITS = 6


def extra(
    dimer: Dimer,
    curve: Curve,
    *,
    cap: float,
    cutoff: float | None = None,
    spacing: float = SPACING,
) -> np.ndarray:
    """Distances (n,), Å, at which more points would decide something; none of them in the curve.

    Parameters
    ----------
    dimer, curve
        The pair and the model's curve so far.
    cap
        How high the wall matters, eV above the largest distance.
    cutoff
        The model's cutoff, Å, if both its sides are to be sampled.
    spacing
        Largest distance between neighbours on the wall, Å.
    """
    finite = np.isfinite(curve.energy)
    if finite.sum() < 3:
        return np.empty(0)
    r, energy = curve.r[finite], curve.energy[finite] - curve.energy[finite][-1]
    parts = [_wall(dimer, r, energy, cap, spacing), _tops(dimer, r, energy)]
    if cutoff is not None and r[0] < cutoff < r[-1]:
        parts += [cutoff - _CUTOFF, cutoff + _CUTOFF]
    found = np.unique(np.round(np.concatenate(parts), _DIGITS))
    found = found[(found > curve.r[0]) & (found < curve.r[-1])]
    nearest = np.abs(found[:, None] - curve.r[None, :]).min(axis=1, initial=np.inf)
    return np.asarray(found[nearest > 10.0**-_DIGITS])


def _bottom(dimer: Dimer, r: np.ndarray, energy: np.ndarray) -> int:
    """Index of the lowest point where a bond can be."""
    s = dimer.covalent_sum
    near = np.flatnonzero((r >= 0.5 * s) & (r <= 2.5 * s))
    return int(near[np.argmin(energy[near])]) if near.size else len(r) - 1


def _wall(
    dimer: Dimer, r: np.ndarray, energy: np.ndarray, cap: float, spacing: float
) -> np.ndarray:
    """Points that fill the gaps from the bond inward to where the wall reaches the cap."""
    bottom = _bottom(dimer, r, energy)
    high = np.flatnonzero(energy[:bottom] > cap)
    first = int(high[-1]) if high.size else 0
    # The lowest point may be that of a hole: go out to where a bond is at least.
    last = max(bottom, int(np.searchsorted(r, dimer.covalent_sum)))
    right = r[first + 1 : last + 1]
    left = r[first : first + len(right)]
    gaps = right - left
    # The narrow stencils that differentiate the energy are left as they are.
    wide = (gaps > spacing) & (gaps > 1.1 * STENCIL * right)
    return _between(left[wide], right[wide], np.ceil(gaps[wide] / spacing).astype(int))


def _tops(dimer: Dimer, r: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Points around each top from which the energy falls on the way inward."""
    inside = energy[: int(np.searchsorted(r, 2.5 * dimer.covalent_sum)) + 1]
    tops = [
        i
        for i in range(1, len(inside) - 1)
        if inside[i] >= inside[i + 1] and inside[i] - inside[i - 1] > _FALL
    ]
    if not tops:
        return np.empty(0)
    at = np.array(tops)
    parts = np.full(len(at), _PARTS)
    return np.concatenate([_between(r[at - 1], r[at], parts), _between(r[at], r[at + 1], parts)])


def _between(left: np.ndarray, right: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Points that divide each interval into equal parts, ends excluded."""
    made = [np.linspace(a, b, int(n) + 1)[1:-1] for a, b, n in zip(left, right, parts, strict=True)]
    return np.concatenate(made) if made else np.empty(0)
