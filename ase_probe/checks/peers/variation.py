"""What the peers' metrics have in common: how often, and how much, a sequence changes direction.

All functions take values in the order of the distances and give the same for the reversed order.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = [
    "ENERGY_STEP",
    "FORCE_ZERO",
    "MISSING",
    "flips",
    "jump",
    "spearman",
    "steps",
    "tortuosity",
    "variation",
]

MISSING = "missing-points"
"""Key of the number of distances at which the energy, or a force that is offered, is not finite."""

ENERGY_STEP = 1e-3
"""eV: a smaller change of the energy from one distance to the next has no direction."""

FORCE_ZERO = 1e-2
"""eV/Å: a smaller force has no direction."""


def variation(values: np.ndarray) -> float:
    """Total variation: Σ |v(i+1) − v(i)|, unit of `values` (n,)."""
    return float(np.sum(np.abs(np.diff(values))))


def steps(values: np.ndarray, smallest: float) -> np.ndarray:
    """Differences of neighbours that are not zero and not below `smallest` in size."""
    differences = np.diff(values)
    return np.asarray(differences[(np.abs(differences) >= smallest) & (differences != 0.0)])


def flips(values: np.ndarray) -> int:
    """Changes of sign from one value to the next; there are no zeros among them."""
    return int(np.sum(np.diff(np.sign(values)) != 0))


def jump(values: np.ndarray, smallest: float) -> float:
    """Σ (|d(i)| + |d(i+1)|) over the changes of direction, d being the `steps`."""
    d = steps(values, smallest)
    turns = np.diff(np.sign(d)) != 0
    return float(np.abs(d[:-1][turns]).sum() + np.abs(d[1:][turns]).sum())


def tortuosity(energy: np.ndarray) -> float:
    """Σ |ΔE| / (|E_first − E_min| + |E_last − E_min|); 1 for one well, NaN for a flat curve."""
    low = energy.min()
    direct = abs(energy[0] - low) + abs(energy[-1] - low)
    return variation(energy) / float(direct) if direct else math.nan


def spearman(r: np.ndarray, values: np.ndarray) -> float:
    """Spearman's rank correlation; NaN for fewer than two points and for constant values."""
    if len(r) < 2 or np.all(values == values[0]):
        return math.nan
    from scipy import stats  # takes as long to import as all of ase-probe

    return float(stats.spearmanr(r, values).statistic)
