"""`OwnLevel`: the curve a model was trained to reproduce, as its labels have it.

Labels may lie on one of several branches (restricted or unrestricted), so every quantity of the
own level is an interval, and a model inside it is within its labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ase_probe.checks.shape import Well, find_well
from ase_probe.curve import Curve

__all__ = ["OwnLevel"]


@dataclass(frozen=True)
class OwnLevel:
    """The branches of one level of theory.

    Attributes
    ----------
    curves
        One per branch the labels may lie on, on a dense grid, relative to separated atoms.
    window
        Where a bond is looked for, Å.
    r_inf
        The model's largest distance, Å: where its zero of energy is.
    """

    curves: tuple[Curve, ...]
    window: tuple[float, float]
    r_inf: float

    @property
    def name(self) -> str:
        """Level of theory, for the reader: ``PBE``."""
        return str(self.curves[0].provenance["level"]).partition("/")[0]

    @property
    def source(self) -> str:
        """Level, basis and branches."""
        return "; ".join(str(curve.provenance["level"]) for curve in self.curves)

    def zero(self, curve: Curve) -> float:
        """Energy at `r_inf`, eV; the atom sum, 0, where the curve does not reach so far.

        A curve that is masked at long range (spurious charge transfer) has no limit of its own.
        """
        if not curve.r[0] <= self.r_inf <= curve.r[-1]:
            return 0.0
        return float(np.interp(self.r_inf, curve.r, curve.energy))

    def shifted(self, curve: Curve) -> np.ndarray:
        """Energies (n,), eV, on the model's zero: 0 at `r_inf`."""
        return np.asarray(curve.energy - self.zero(curve))

    @property
    def wells(self) -> tuple[Well | None, ...]:
        """Minimum of each branch."""
        return tuple(find_well(curve, *self.window) for curve in self.curves)

    def interval(self, quantity: str, masses: tuple[float, float]) -> tuple[float, float] | None:
        """Smallest and largest value among the branches; `None` where one has no well.

        Parameters
        ----------
        quantity
            ``D_e`` (eV), ``r_e`` (Å) or ``omega_e`` (cm⁻¹).
        masses
            Of the two atoms, u.
        """
        values = []
        for curve, well in zip(self.curves, self.wells, strict=True):
            if well is None:
                if quantity != "D_e":
                    return None
                values.append(0.0)  # this level does not bind the pair
            elif quantity == "D_e":
                values.append(max(0.0, self.zero(curve) - well.energy))
            else:
                values.append(well.r_e if quantity == "r_e" else well.omega_e(masses))
        return min(values), max(values)

    def band(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest energy among the branches at distances (n,), eV; NaN outside."""
        values = [
            np.interp(r, curve.r, self.shifted(curve), left=np.nan, right=np.nan)
            for curve in self.curves
        ]
        return np.min(values, axis=0), np.max(values, axis=0)
