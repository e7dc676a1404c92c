"""The way inward: from the minimum up the repulsive wall, and the holes met on it.

The walk starts at the model's minimum, or, for a pair without one, at the farthest distance where
one could be. A fall of the energy on the way in is a hole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ase_probe.curve import Curve

__all__ = ["CAP", "Walk", "walk_inward"]

CAP = 50.0
"""eV: no thermal collision climbs higher (profile md)."""

_NO_WALL = 0.050  # eV above E_∞: less is no wall


@dataclass(frozen=True)
class Walk:
    """The way from the well (or the foot of the wall) inward.

    Attributes
    ----------
    r, energy
        (m,), Å and eV above E_∞, from outside to inside; finite points only.
    complete
        Does it reach the shortest distance of the grid?
    holes
        One (index of the top, index of the bottom) per fall, outermost first.
    """

    r: np.ndarray
    energy: np.ndarray
    complete: bool
    holes: tuple[tuple[int, int], ...]

    def end(self, cap: float = CAP) -> int:
        """Index of the last step that is below `cap` (eV) and not in a hole."""
        high = np.flatnonzero(self.energy > cap)
        ends = [len(self.r) - 1, *(int(i) - 1 for i in high[:1]), *(top for top, _ in self.holes)]
        return max(0, min(ends))


def walk_inward(curve: Curve, e_inf: float, start: float, noise: float) -> Walk | None:
    """Walk inward along a curve; `None` when there is nothing to walk on.

    A hole begins where the energy lies below its running maximum by more than 20 meV, 1 % of the
    climb so far, and five times the noise. Missing points are stepped over.

    Parameters
    ----------
    curve
        The curve.
    e_inf
        Its zero, eV.
    start
        Where to begin, Å: its minimum, or the farthest place where one could be.
    noise
        Noise of its energies, eV.
    """
    inside = np.flatnonzero(np.isfinite(curve.energy) & (curve.r <= start))[::-1]
    if not inside.size:
        return None
    # The grid point nearest to the minimum may lie just outside it.
    r, energy = curve.r[inside], curve.energy[inside] - e_inf
    if np.all(energy < _NO_WALL):
        return None
    complete = bool(inside[-1] == 0)
    return Walk(r, energy, complete, tuple(_holes(energy, 5 * noise)))


def _holes(energy: np.ndarray, noise: float) -> list[tuple[int, int]]:
    """Falls on the way inward: (top, bottom) indices, outermost first."""
    holes: list[tuple[int, int]] = []
    foot, top, i = float(energy[0]), 0, 0
    while i < len(energy):
        if energy[i] >= energy[top]:
            top = i
        if not holes:
            foot = min(foot, float(energy[i]))
        if energy[top] - energy[i] > max(0.020, 0.01 * (energy[top] - foot), noise):
            out = np.flatnonzero(energy[i:] > energy[top])
            end = i + int(out[0]) if out.size else len(energy)
            holes.append((top, i + int(np.argmin(energy[i:end]))))
            if end == len(energy):
                break
            top = i = end
        i += 1
    return holes
