"""At which distances a reference curve is computed: few points, where the energy bends.

Geometric on the wall (an SCF wall is near exponential in r), denser around the minimum, geometric
on the tail. Between neighbours of a few intervals lies a midpoint that is computed as well and left
out of the interpolation: what it finds there is the stated interpolation error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.baselines.experiment import constants
from ase_probe.errors import InputError

if TYPE_CHECKING:
    from ase_probe.dimer import Dimer

__all__ = ["R_MAX", "R_MIN", "midpoints", "radii", "well"]

R_MIN = 0.1
R_MAX = 10.0
"""Ends of the grid, Å."""

_WELL = (0.8, 2.2)  # of r_e; unrestricted curves bend most where the spins separate, at 1.4 to 2
_DENSITY = (1.0, 2.5, 0.7)  # points per unit of ln r on wall, well and tail, relative
_DIGITS = 4


def well(dimer: Dimer) -> float:
    """Where the minimum is expected, Å: experiment, else the sum of the covalent radii.

    Rare-gas pairs and the like, far beyond their covalent radii, all have experimental constants.
    """
    known = constants(dimer)
    return known.r_e if known is not None else dimer.covalent_sum


def radii(
    dimer: Dimer, *, points: int = 40, r_min: float = R_MIN, r_max: float = R_MAX
) -> np.ndarray:
    """Return the distances of a reference curve (points,), Å, strictly increasing.

    Parameters
    ----------
    dimer
        The dimer.
    points
        How many; 12 at least, 30 to 45 are sensible.
    r_min, r_max
        Ends, Å.

    Raises
    ------
    InputError
        Fewer than 12 points or ends the wrong way round.
    """
    if points < 12 or not 0 < r_min < r_max:
        raise InputError(
            f"A reference curve needs at least 12 points and 0 < r_min < r_max, got {points}, "
            f"{r_min:g} and {r_max:g} Å."
        )
    r_e = min(max(well(dimer), 1.3 * r_min), 0.7 * r_max)
    start, end = max(_WELL[0] * r_e, r_min), min(_WELL[1] * r_e, r_max)
    lengths = [math.log(start / r_min), math.log(end / start), math.log(r_max / end)]
    knots = np.cumsum([0.0, *(x * d for x, d in zip(lengths, _DENSITY, strict=True))])
    at = np.cumsum([math.log(r_min), *lengths])
    u = np.linspace(0.0, knots[-1], points)
    return np.asarray(np.round(np.exp(np.interp(u, knots, at)), _DIGITS))


def midpoints(r: np.ndarray, count: int = 6) -> np.ndarray:
    """Distances between neighbours (count,), Å, spread over the grid from its first interval on.

    Parameters
    ----------
    r
        The grid (n,), Å.
    count
        How many; at most n − 1.
    """
    first = np.unique(np.round(np.linspace(0, len(r) - 2, min(count, len(r) - 1))).astype(int))
    return np.asarray(np.round(np.sqrt(r[first] * r[first + 1]), _DIGITS))
