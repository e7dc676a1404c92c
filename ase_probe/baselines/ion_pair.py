"""Tier ``analytic:ion-pair``: two closed-shell ions, between their overlap and the neutral atoms.

    E(r) = IP − EA − k/r − k(α₊ + α₋)/(2r⁴)

relative to the neutral atoms. IP and EA are measured; the spin–orbit coupling of the neutral
nonmetal is taken out, as in all computed curves. The alkali halides are offered, from 1.4 times
the sum of the ionic radii, where repulsion no longer counts, to 0.8 of the distance k/(IP − EA) at
which the ions and the neutral atoms would have the same energy: beyond, the curve turns over into
the neutral one and no formula holds. It is a model and no truth: the ions' mixing with the neutral
atoms and their dispersion are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.baselines.tables import bundled, number, rows
from ase_probe.baselines.tier import Level, Unavailable, curve
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import BOHR, COULOMB

if TYPE_CHECKING:
    from ase_probe.curve import Curve

__all__ = ["UNCERTAINTY", "Ion", "crossing", "ion_pair", "parse", "table"]

UNCERTAINTY = 0.10
"""Stated error, eV. CCSD(T) lies up to 0.06 eV lower for LiF and NaCl, see the documentation."""

_OVERLAP = 1.4  # of the sum of the ionic radii: LiF and NaCl deviate by +0.2 eV at 1.2
_MIXING = 0.8  # of the crossing distance: the neutral atoms lie (IP − EA)/4 higher there

_SOURCE = (
    "ionization energies: NIST ASD, https://doi.org/10.18434/T4W30F; electron affinities: "
    "T. Andersen, H. K. Haugen and H. Hotop, J. Phys. Chem. Ref. Data 28, 1511 (1999); "
    "polarizabilities: data/ions.csv"
)
_COLUMNS = ("symbol", "charge", "energy_eV", "so_eV", "polarizability_bohr3", "radius_A")


@dataclass(frozen=True)
class Ion:
    """One ion.

    Attributes
    ----------
    energy
        Ionization energy of the metal or electron affinity of the nonmetal, eV.
    spin_orbit
        How far the neutral atom's lowest level lies below the mean of its term, eV.
    polarizability
        Å³; `None` for an ion that forms no pair here.
    radius
        Å; `None` likewise.
    """

    energy: float
    spin_orbit: float
    polarizability: float | None
    radius: float | None


def parse(text: str) -> dict[tuple[str, int], Ion]:
    """Read and check the table: (symbol, charge) -> ion.

    Raises
    ------
    InputError
        Wrong columns, an unknown element, a bad number, an ion that appears twice; the message
        names the row.
    """
    from ase.data import atomic_numbers

    found: dict[tuple[str, int], Ion] = {}
    for row in rows(text, _COLUMNS, "ions"):
        try:
            key = row["symbol"], int(row["charge"])
            if key[0] not in atomic_numbers or key[1] not in (1, -1) or key in found:
                raise ValueError("unknown element, charge not ±1, or there twice")
            if not row["polarizability_bohr3"] and not row["radius_A"]:
                alpha = radius = None
            else:
                alpha = number(row, "polarizability_bohr3", low=0.0) * BOHR**3
                radius = number(row, "radius_A", low=0.1)
            energy, so = number(row, "energy_eV", low=0.0), number(row, "so_eV", low=0.0)
        except ValueError as error:
            raise InputError(f"Bad row {','.join(row.values())!r} of the ions: {error}.") from error
        found[key] = Ion(energy, so, alpha, radius)
    return found


@cache
def table() -> Mapping[tuple[str, int], Ion]:
    """Return the bundled ions, read once."""
    return MappingProxyType(parse(bundled("ions.csv")))


def _ions(dimer: Dimer) -> tuple[Ion, Ion] | None:
    """Cation and anion; `None` where the pair is not a metal and a nonmetal of the table."""
    first, second = dimer.symbols
    for plus, minus in ((first, second), (second, first)):
        if (plus, 1) in table() and (minus, -1) in table():
            return table()[plus, 1], table()[minus, -1]
    return None


def crossing(dimer: Dimer) -> float | None:
    """Distance k/(IP − EA) at which ions and neutral atoms have the same energy, Å.

    Parameters
    ----------
    dimer
        Any dimer; `None` where it is not a metal and a nonmetal of the table. The atoms are in
        their lowest fine-structure levels.
    """
    pair = _ions(dimer)
    return None if pair is None else COULOMB / (pair[0].energy - pair[1].energy)


def ion_pair(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """Electrostatic and induction energy of an alkali halide.

    Parameters
    ----------
    dimer
        A neutral singlet of one alkali and one halogen atom.
    r
        Distances (n,), Å.
    """
    pair, cross = _ions(dimer), crossing(dimer)
    if pair is None or cross is None:
        return Unavailable(f"{dimer} is no pair of an s metal and H, O, S or a halogen.")
    plus, minus = pair
    at = f"would have the energy of the neutral atoms at {cross:.2f} Å"
    if (
        plus.polarizability is None
        or minus.polarizability is None
        or plus.radius is None
        or minus.radius is None
    ):
        return Unavailable(
            f"The ions of {dimer.formula} {at}, inside their overlap or with an open shell; only "
            "alkali halides leave a range."
        )
    if dimer.charge or dimer.multiplicity != 1:
        return Unavailable(f"{dimer} is not the neutral singlet of two closed-shell ions.")
    start, end = _OVERLAP * (plus.radius + minus.radius), _MIXING * cross
    if start >= end:
        return Unavailable(
            f"The ions of {dimer} {at}, too close to where they overlap: {start:.2f} Å."
        )
    limit = plus.energy - minus.energy - minus.spin_orbit
    alpha = plus.polarizability + minus.polarizability

    def potential(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bare, induced = COULOMB / r, COULOMB * alpha / (2.0 * r**4)
        return limit - bare - induced, bare / r + 4.0 * induced / r

    level = Level(
        tier="analytic:ion-pair",
        level="two polarizable ions, no spin–orbit coupling",
        source=_SOURCE,
        valid_r=(start, end),
        uncertainty_eV=UNCERTAINTY,
        truth=False,
    )
    return curve(level, r, potential)
