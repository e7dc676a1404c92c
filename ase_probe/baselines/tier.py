"""What every tier has in common: a stated level, a range it holds in, and the curve it makes.

A tier never extrapolates. Radii outside its range are left out, and `Unavailable` says so when none
is left. Energies are relative to infinitely separated fragments, eV; forces are derivatives of the
same formula, so energy and force agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ase_probe.curve import Curve

__all__ = ["Level", "Potential", "Unavailable", "curve"]

Potential = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Distances (n,), Å -> energies (n,), eV, and their derivatives dE/dr (n,), eV/Å."""


@dataclass(frozen=True)
class Unavailable:
    """A tier has no curve for this dimer at these radii.

    Attributes
    ----------
    reason
        One sentence for the reader.
    """

    reason: str


@dataclass(frozen=True, kw_only=True)
class Level:
    """What a reference curve is worth.

    Attributes
    ----------
    tier
        Id of the tier.
    level
        The level of theory, for the reader.
    source
        Citation.
    valid_r
        Range of distances the tier holds in, Å, ends included; (0, inf) is everywhere.
    uncertainty_eV, relative_uncertainty
        Largest error inside the range, absolute (eV) and relative; `None` where not stated.
    truth
        Is the curve the truth within its uncertainty, or an order-of-magnitude model?
    """

    tier: str
    level: str
    source: str
    valid_r: tuple[float, float] = (0.0, np.inf)
    uncertainty_eV: float | None = None
    relative_uncertainty: float | None = None
    truth: bool = True


def curve(level: Level, r: np.ndarray, potential: Potential) -> Curve | Unavailable:
    """Evaluate a potential where its level holds.

    Parameters
    ----------
    level
        What the curve is worth; becomes its provenance.
    r
        Distances asked for (n,), Å, strictly increasing and positive.
    potential
        Energies and slopes; called only with radii inside ``level.valid_r``.

    Returns
    -------
    Curve or Unavailable
        The second atom sits at +r along z, so F₂z = −dE/dr and F₁z = +dE/dr.
    """
    low, high = level.valid_r
    inside = r[(r >= low) & (r <= high)]
    if not inside.size:
        return Unavailable(
            f"{level.tier} holds from {low:.4g} to {high:.4g} Å, and none of the radii lies there."
        )
    energy, slope = potential(inside)
    forces = np.zeros((inside.size, 2, 3))
    forces[:, 0, 2] = slope
    forces[:, 1, 2] = -slope
    provenance = {
        "tier": level.tier,
        "level": level.level,
        "zero": "separated fragments",
        "source": level.source,
        "uncertainty_eV": level.uncertainty_eV,
        "relative_uncertainty": level.relative_uncertainty,
        "valid_r": [float(low), float(high)],
        "truth": level.truth,
    }
    return Curve(r=inside, energy=energy, forces=forces, provenance=provenance)
