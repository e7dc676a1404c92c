"""Radial grids: at which distances a dimer is evaluated.

``standard`` is ours. The other three are the published grids of other benchmarks, so that numbers
can be put beside theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ase_probe.dimer import Dimer, mean_radius
from ase_probe.errors import InputError

__all__ = ["GRIDS", "R_MIN", "STENCIL", "grid"]

R_MIN = 0.1
"""Shortest distance of the standard grid, Å: the depth at which a 100 eV collision turns round."""

STENCIL = 0.005
"""Spacing of the seven-point stencils that differentiate the energy, as a fraction of r."""

_STENCILS = 12  # per dimer, geometric from 0.2 Å to the cutoff
_STEP = 0.02  # of the covalent sum, around the minimum
_GROWTH = 1.05  # from one distance to the next, on the wall
_OUTER_STEP = 0.1  # Å, on the tail


def _standard(dimer: Dimer, cutoff: float | None) -> np.ndarray:
    """Wall, well and tail, each with the spacing it needs.

    With s the sum of the covalent radii: 5 % steps from 0.1 Å to 0.6 s; 0.02 s steps up to 2.2 s;
    0.05 Å up to 1.3 times the van der Waals contact (the minimum of a van der Waals pair); 0.1 Å up
    to 10 Å or 1 Å beyond the model's cutoff, whichever is farther. Twelve clusters of seven points
    let the energy be differentiated accurately enough to judge the forces.

    On a Morse curve this spacing gives r_e, D_e and ω_e to better than 1e-6, 1e-6 and 1e-5
    (relative); ``tests/checks/test_shape.py`` holds it to that.
    """
    s = dimer.covalent_sum
    contact = mean_radius(dimer.symbols, "vdw")
    r_max = max(10.0, math.ceil(1e6 * ((cutoff or 0.0) + 1.0)) / 1e6)
    dense_end = min(2.2 * s, r_max)
    mid_end = max(dense_end, min(1.3 * 2 * contact, r_max)) if contact else dense_end
    wall = np.geomspace(R_MIN, 0.6 * s, 2 + int(np.log(0.6 * s / R_MIN) / np.log(_GROWTH)))
    dense = np.linspace(0.6 * s, dense_end, 1 + round((dense_end - 0.6 * s) / (_STEP * s)))
    middle = np.linspace(dense_end, mid_end, 2 + int((mid_end - dense_end) / 0.05))
    outer = np.linspace(mid_end, r_max, 2 + int((r_max - mid_end) / _OUTER_STEP))
    r = np.unique(np.round(np.concatenate([wall, dense, middle, outer]), 6))
    centres = np.geomspace(0.2 * 1.02, min(cutoff or 6.0, r_max) * 0.97, _STENCILS)
    alone = np.all(np.abs(r[:, None] / centres - 1) > 3.5 * STENCIL, axis=1)
    clusters = centres[:, None] * (1 + STENCIL * np.arange(-3, 4))
    return np.unique(np.concatenate([r[alone], clusters.ravel()]))


def _matbench(dimer: Dimer, cutoff: float | None) -> np.ndarray:
    """Matbench Discovery: 119 points, geometric, 0.1 to 6 Å."""
    return np.geomspace(0.1, 6.0, 119)


def _arena(dimer: Dimer, cutoff: float | None) -> np.ndarray:
    """MLIP Arena: 0.9 r_cov to 3.1 r_vdW (6 Å where unknown), ends included, every 0.01 Å or so.

    r_cov and r_vdW are radii of one atom; for two elements their mean.
    """
    covalent, vdw = mean_radius(dimer.symbols, "covalent"), mean_radius(dimer.symbols, "vdw")
    start = 0.9 * (covalent if covalent is not None else dimer.covalent_sum / 2)
    end = 3.1 * vdw if vdw is not None else 6.0
    return np.linspace(start, end, int((end - start) / 0.01))


def _ml_peg(dimer: Dimer, cutoff: float | None) -> np.ndarray:
    """ml-peg: 100 points, uniform, 0.18 to 6 Å."""
    return np.linspace(0.18, 6.0, 100)


GRIDS: dict[str, Callable[[Dimer, float | None], np.ndarray]] = {
    "standard": _standard,
    "matbench": _matbench,
    "arena": _arena,
    "ml-peg": _ml_peg,
}
"""Name -> function of (dimer, model cutoff in Å) that returns distances (n,) in Å."""


def grid(
    name: str | Sequence[float] | np.ndarray, dimer: Dimer, cutoff: float | None = None
) -> np.ndarray:
    """Distances for `dimer`, Å, strictly increasing.

    Parameters
    ----------
    name
        One of `GRIDS`, or distances of your own.
    dimer
        The pair; the standard grid is dense where its minimum can be.
    cutoff
        The model's cutoff, Å; the standard grid reaches beyond it.

    Raises
    ------
    InputError
        Unknown name; distances that are not finite, positive and strictly increasing.
    """
    if isinstance(name, str):
        if name not in GRIDS:
            raise InputError(f"Unknown grid {name!r}; allowed: {', '.join(GRIDS)}.")
        return GRIDS[name](dimer, cutoff)
    r = np.asarray(name, dtype=float)
    if (
        r.ndim != 1
        or not r.size
        or not np.all(np.isfinite(r))
        or r[0] <= 0
        or np.any(np.diff(r) <= 0)
    ):
        raise InputError(
            "A grid of your own is a list of finite, positive, strictly increasing distances in Å."
        )
    return r
