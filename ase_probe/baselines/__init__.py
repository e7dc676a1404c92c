"""Reference curves: what a dimer's potential energy really is, as far as that is known.

Every tier is one function in `TIERS` with the same signature, and every curve it makes states its
level, source, range and uncertainty in its provenance. `constants` adds what experiment knows about
the minimum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ase_probe.baselines.coulomb import coulomb
from ase_probe.baselines.exact import exact
from ase_probe.baselines.experiment import Constants, constants
from ase_probe.baselines.ion_pair import ion_pair
from ase_probe.baselines.labels import Labels, labels, own_level
from ase_probe.baselines.nlh import nlh
from ase_probe.baselines.tabulated import TABULATED
from ase_probe.baselines.tier import Unavailable
from ase_probe.baselines.united_atom import united_atom
from ase_probe.baselines.zbl import zbl
from ase_probe.curve import Curve
from ase_probe.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from ase_probe.dimer import Dimer

__all__ = [
    "TIERS",
    "Constants",
    "Labels",
    "Unavailable",
    "constants",
    "labels",
    "own_level",
    "reference",
    "references",
]

TIERS: dict[str, Callable[[Dimer, np.ndarray], Curve | Unavailable]] = {
    "exact": exact,
    "wavefunction": TABULATED["wavefunction"],
    "analytic:coulomb": coulomb,
    "analytic:united-atom": united_atom,
    "analytic:nlh": nlh,
    "analytic:zbl": zbl,
    "analytic:ion-pair": ion_pair,
    **{tier: made for tier, made in TABULATED.items() if tier.startswith("dft:")},
}
"""Tier id -> (dimer, distances (n,), Å) -> its curve, or why there is none."""


def reference(dimer: Dimer, tier: str, r: ArrayLike) -> Curve | Unavailable:
    """Return the reference curve of one tier.

    Parameters
    ----------
    dimer
        The dimer.
    tier
        One of `TIERS`.
    r
        Distances (n,), Å, strictly increasing. Those outside the tier's range are left out.

    Returns
    -------
    Curve or Unavailable
        Energies relative to infinitely separated fragments, eV, and forces, eV/Å; or the reason
        why the tier has nothing to say about this dimer at these distances.

    Raises
    ------
    InputError
        Unknown tier, or distances that are not finite, positive and strictly increasing.
    """
    if tier not in TIERS:
        raise InputError(f"Unknown reference tier {tier!r}; allowed: {', '.join(TIERS)}.")
    radii = np.atleast_1d(np.asarray(r, dtype=float))
    good = radii.ndim == 1 and np.all(np.isfinite(radii) & (radii > 0))
    if not good or np.any(np.diff(radii) <= 0):
        raise InputError(
            "Reference distances must be one list of finite, positive, strictly increasing Å."
        )
    return TIERS[tier](dimer, radii)


def references(dimer: Dimer, r: ArrayLike, tiers: str | Sequence[str] = "auto") -> dict[str, Curve]:
    """Return every available reference curve of a dimer.

    Parameters
    ----------
    dimer
        The dimer.
    r
        Distances (n,), Å, strictly increasing.
    tiers
        ``auto`` for all of `TIERS` but the density functionals, one id, or several. Those
        unavailable for this dimer are left out; ask `reference` for the reason.

    Returns
    -------
    dict
        Tier id -> curve, in the order asked for.

    Raises
    ------
    InputError
        As `reference`.
    """
    auto = tuple(tier for tier in TIERS if not tier.startswith("dft:"))
    wanted = auto if tiers == "auto" else (tiers,) if isinstance(tiers, str) else tiers
    found = {tier: reference(dimer, tier, r) for tier in wanted}
    return {tier: curve for tier, curve in found.items() if isinstance(curve, Curve)}
