"""Tier ``analytic:united-atom``: the exact expansion of the energy where two nuclei nearly merge.

With Z = Z₁ + Z₂ and ρ the electron density at the nucleus of the united atom (atomic units):

    E(R) = Z₁Z₂/R + E_united − E_A − E_B + c₂R² (1 − ZR) + O(R⁴),    c₂ = (2π/3)(Z₁Z₂/Z) ρ

The R² term is first-order perturbation theory about the centre of charge; Kato's cusp fixes the R³
term. W. A. Bingel, J. Chem. Phys. 30, 1250 (1959). It is a check of short distances only: the next
term is measured to lie between +0.31 and +0.50 times c₂R²(ZR)² up to ZR = 1 (H2, and pairs of
nuclei with one electron; Hartree–Fock LiH and HF: 0.43 to 0.52), so 0.5 c₂R²(ZR)² is the stated
error, and the tier ends where that and the smaller errors below reach 1 % of the energy.

The curve is the lowest state of the dimer's multiplicity. Only where that is the multiplicity of
the united atom's ground state is its energy the tabulated one: N2, CO and NO lead to excited Si
and P.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from ase_probe.baselines.tables import bundled, number, rows
from ase_probe.baselines.tier import Level, Unavailable, curve
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import BOHR, HARTREE

if TYPE_CHECKING:
    from ase_probe.curve import Curve

__all__ = ["TOLERANCE", "Atom", "Expansion", "atom", "expansion", "parse", "united_atom"]

TOLERANCE = 0.01
"""The tier ends where its error bound reaches this fraction of the energy."""

_SOURCE = (
    "W. A. Bingel, J. Chem. Phys. 30, 1250 (1959); atoms: S. J. Chakravorty, S. R. Gwaltney, "
    "E. R. Davidson, F. A. Parpia and C. Froese Fischer, Phys. Rev. A 47, 3649 (1993)"
)
_NEXT = 0.5  # bound of the R⁴ term in c₂Z²R⁴; tests/baselines/test_united_atom.py
# Of the R² term: Hartree–Fock densities err by 0.7 % (He) and less beyond; the quadrupole of an
# open p shell, (2/5)(Z₁Z₂/Z)⟨r⁻³⟩R², adds at most 0.3 % from B to Cl.
_QUADRATIC = 0.01
# Relativity lowers the united atom by up to α²Z⁴/3 (Ar: 1.87 of 527 hartree, Dirac–Fock).
_RELATIVITY = 0.4 / 137.036**2

_COLUMNS = ("symbol", "charge", "multiplicity", "energy_hartree", "density_bohr3", "source")


@dataclass(frozen=True)
class Atom:
    """Ground state of an atom or ion.

    Attributes
    ----------
    multiplicity
        2S + 1.
    energy
        Total energy, Eh.
    density
        Electron density at the nucleus, a₀⁻³.
    """

    multiplicity: int
    energy: float
    density: float


@dataclass(frozen=True)
class Expansion:
    """Coefficients of one dimer, atomic units.

    Attributes
    ----------
    numbers
        Z₁, Z₂.
    shift
        E_united − E_A − E_B, Eh.
    quadratic
        c₂, Eh/a₀².
    """

    numbers: tuple[int, int]
    shift: float
    quadratic: float

    def __call__(self, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy (n,), Eh, and slope (n,), Eh/a₀, at distances (n,), a₀."""
        bare, Z = math.prod(self.numbers) / R, sum(self.numbers)
        energy = bare + self.shift + self.quadratic * R**2 * (1.0 - Z * R)
        slope = -bare / R + self.quadratic * R * (2.0 - 3.0 * Z * R)
        return energy, slope

    def error(self, R: np.ndarray) -> np.ndarray:
        """Bound of the error (n,), Eh."""
        Z = sum(self.numbers)
        series = self.quadratic * R**2 * (_NEXT * (Z * R) ** 2 + _QUADRATIC)
        return np.asarray(series + _RELATIVITY * Z**4)

    @property
    def end(self) -> float:
        """Distance at which the bound reaches `TOLERANCE`, a₀; always below 1/Z."""

        def excess(R: float) -> float:
            at = np.array([R])
            return float((self.error(at) - TOLERANCE * self(at)[0])[0])

        # Near R = 0 the energy is Z₁Z₂/R and the bound finite; at ZR = 1 the bound is too large.
        Z = sum(self.numbers)
        return float(brentq(excess, 1e-6 / Z, 1.0 / Z, xtol=1e-12 / Z))


def parse(text: str) -> dict[tuple[int, int], Atom]:
    """Read and check the table: (atomic number, charge) -> atom.

    Raises
    ------
    InputError
        Wrong columns, a bad number, an atom that appears twice; the message names the row.
    """
    from ase.data import atomic_numbers

    found: dict[tuple[int, int], Atom] = {}
    for row in rows(text, _COLUMNS, "atoms"):
        try:
            key = (int(atomic_numbers[row["symbol"]]), int(row["charge"]))
            made = Atom(
                int(row["multiplicity"]),
                number(row, "energy_hartree"),
                number(row, "density_bohr3"),
            )
            if made.energy >= 0 or made.density <= 0 or not row["source"]:
                raise ValueError("the energy must be negative, the density positive, both sourced")
            if key in found or (key[0] - key[1] + made.multiplicity) % 2 == 0:
                raise ValueError("it appears twice, or its multiplicity has the wrong parity")
        except (KeyError, ValueError) as error:
            raise InputError(
                f"Bad row {','.join(row.values())!r} of the atoms: {error}."
            ) from error
        found[key] = made
    return found


@cache
def _table() -> Mapping[tuple[int, int], Atom]:
    return MappingProxyType(parse(bundled("atoms.csv")))


def atom(number: int, charge: int) -> Atom | None:
    """Non-relativistic ground state of an atom or ion; `None` where it is not tabulated.

    Parameters
    ----------
    number, charge
        Atomic number and charge. Bare nuclei and one-electron ions need no table.
    """
    if number == charge:
        return Atom(1, 0.0, 0.0)
    if number - charge == 1:
        return Atom(2, -(number**2) / 2.0, number**3 / math.pi)
    return _table().get((number, charge))


def _separated(dimer: Dimer) -> float | None:
    """Lowest energy of two fragments that share the dimer's charge, Eh."""
    first, second = dimer.numbers
    sums = []
    for charge in range(max(0, dimer.charge - second), min(first, dimer.charge) + 1):
        pair = atom(first, charge), atom(second, dimer.charge - charge)
        if pair[0] is not None and pair[1] is not None:
            sums.append(pair[0].energy + pair[1].energy)
    return min(sums, default=None)


def expansion(dimer: Dimer) -> Expansion | Unavailable:
    """Coefficients of a dimer, or the reason why there are none."""
    first, second = dimer.numbers
    if not dimer.electrons:
        return Unavailable(f"{dimer} has no electrons to unite; analytic:coulomb is its curve.")
    united, separated = atom(first + second, dimer.charge), _separated(dimer)
    if united is None or separated is None:
        return Unavailable(
            f"The united atom of {dimer} (Z = {first + second}, charge {dimer.charge}) or a "
            "fragment is not in the table: neutral atoms up to Ar and ions of one electron."
        )
    if united.multiplicity != dimer.multiplicity:
        return Unavailable(
            f"{dimer} leads to an excited united atom: its multiplicity is {dimer.multiplicity}, "
            f"that of the ground state of Z = {first + second} is {united.multiplicity}."
        )
    quadratic = 2.0 * math.pi / 3.0 * first * second / (first + second) * united.density
    return Expansion((first, second), united.energy - separated, quadratic)


def united_atom(dimer: Dimer, r: np.ndarray) -> Curve | Unavailable:
    """United-atom expansion, where its error is below 1 % of the energy.

    Parameters
    ----------
    dimer
        A dimer whose united atom is tabulated and has its multiplicity.
    r
        Distances (n,), Å.
    """
    terms = expansion(dimer)
    if isinstance(terms, Unavailable):
        return terms
    end = terms.end

    def potential(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        energy, slope = terms(r / BOHR)
        return HARTREE * energy, HARTREE / BOHR * slope

    inside = r[r <= end * BOHR] / BOHR
    share = terms.error(inside) / terms(inside)[0]
    level = Level(
        tier="analytic:united-atom",
        level="united-atom expansion to R³, non-relativistic",
        source=_SOURCE,
        valid_r=(0.0, end * BOHR),
        relative_uncertainty=float(share.max(initial=0.0)) if share.size else TOLERANCE,
    )
    return curve(level, r, potential)
