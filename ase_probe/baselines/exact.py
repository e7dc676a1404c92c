"""Tier ``exact``: non-relativistic Born–Oppenheimer curves known to the last digit that matters.

Each solver knows its own dimers and is asked in turn; a new one is one more entry in `SOLVERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ase_probe.baselines import exact_h2, one_electron
from ase_probe.baselines.tabulated import tabulated
from ase_probe.baselines.tier import Unavailable
from ase_probe.curve import Curve
from ase_probe.dimer import Dimer

__all__ = ["SOLVERS", "exact"]

Solver = Callable[[Dimer, np.ndarray], Curve | Unavailable]


def _two_electrons(dimer: Dimer) -> bool:
    return dimer.electrons == 2 and dimer.multiplicity == 1


SOLVERS: tuple[tuple[Callable[[Dimer], bool], Solver], ...] = (
    (exact_h2.covers, exact_h2.hydrogen),
    (one_electron.covers, one_electron.one_electron),
    (_two_electrons, partial(tabulated, tier="exact")),
)
"""(does it know the dimer, its curve), asked from first to last."""


def exact(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """Exact ground-state curve of H2 or of a pair of nuclei with one electron or two.

    Parameters
    ----------
    dimer
        Any dimer; most have no exact curve.
    r
        Distances (n,), Å.
    """
    for covers, solver in SOLVERS:
        if covers(dimer):
            return solver(dimer, r)
    return Unavailable(
        f"No exact curve is known for {dimer}, only for the ground state of H2, for two nuclei up "
        f"to Z = {one_electron.MAX_Z} with one electron, such as H2+, and with two, such as HeH+."
    )
