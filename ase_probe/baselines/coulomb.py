"""Tier ``analytic:coulomb``: two bare nuclei, E(r) = k Z₁Z₂/r. Exact, and the whole answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ase_probe.baselines.tier import Level, Unavailable, curve
from ase_probe.units import COULOMB

if TYPE_CHECKING:
    import numpy as np

    from ase_probe.curve import Curve
    from ase_probe.dimer import Dimer

__all__ = ["coulomb"]

_LEVEL = Level(
    tier="analytic:coulomb",
    level="Coulomb's law between two bare point nuclei",
    source="CODATA 2018, https://doi.org/10.1103/RevModPhys.93.025010",
    uncertainty_eV=0.0,
    relative_uncertainty=0.0,
)


def coulomb(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """Coulomb repulsion of a dimer that has no electrons, such as ``H2++``.

    Parameters
    ----------
    dimer
        Any dimer; with electrons the tier is unavailable.
    r
        Distances (n,), Å.
    """
    if dimer.electrons:
        return Unavailable(
            f"{dimer} has electrons; bare Coulomb repulsion is exact for bare nuclei only."
        )
    first, second = dimer.numbers

    def potential(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        energy = COULOMB * first * second / r
        return energy, -energy / r

    return curve(_LEVEL, r, potential)
