"""Two analytic pair potentials from ASE, for trying things out without any vendor package.

Every property is known in closed form, so a check that complains about them is wrong. Both are
smooth to 10 Å and beyond: they are switched off between 20 and 25 Å.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ase import units
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential
from ase.data import atomic_masses_common, atomic_numbers

from ase_probe.errors import UnsupportedOptionError
from ase_probe.model import AdapterBase, ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Toy", "adapter"]

SWITCH_ON, CUTOFF = 20.0, 25.0  # Å

# Argon: A. Rahman, Phys. Rev. 136, A405 (1964): ε/k_B = 120 K, σ = 3.4 Å.
ARGON_EPSILON = 120 * units.kB  # eV
ARGON_SIGMA = 3.4  # Å

# H2: Huber and Herzberg (1979); D_e = D_0 + zero-point energy.
H2_DEPTH = 4.74773  # D_e, eV
H2_DISTANCE = 0.74144  # r_e, Å
H2_FREQUENCY = 4401.213 * units.invcm  # ħω_e, eV


def morse_stiffness() -> float:
    """Return ρ0 = a r_e of H2 in V = D_e (e^(-2 ρ0 (r/r_e - 1)) - 2 e^(-ρ0 (r/r_e - 1))).

    V''(r_e) = 2 D_e a² = μ ω_e², hence a = ω_e √(μ / 2 D_e), with μ = m_H / 2.
    """
    hbar = units._hbar * units.J * units.s
    reduced_mass = atomic_masses_common[atomic_numbers["H"]] / 2
    steepness = H2_FREQUENCY / hbar * math.sqrt(reduced_mass / (2 * H2_DEPTH))  # a, 1/Å
    return steepness * H2_DISTANCE


POTENTIALS: dict[str, tuple[Any, dict[str, float]]] = {
    "lj": (
        LennardJones,
        {
            "epsilon": ARGON_EPSILON,
            "sigma": ARGON_SIGMA,
            "ro": SWITCH_ON,
            "rc": CUTOFF,
            "smooth": True,
        },
    ),
    "morse": (
        MorsePotential,
        {
            "epsilon": H2_DEPTH,
            "r0": H2_DISTANCE,
            "rho0": morse_stiffness(),
            "rcut1": SWITCH_ON / H2_DISTANCE,  # in units of r0
            "rcut2": CUTOFF / H2_DISTANCE,
        },
    ),
}


def _card(name: str, *, elements: tuple[str, ...], doi: str | None, source: str) -> ModelCard:
    return ModelCard(
        name=name,
        family="toy",
        level_of_theory="analytic",
        elements=elements,
        uses_charge=False,
        uses_spin=False,
        cutoff=CUTOFF,
        conservative=True,
        energy_reference="atomization",
        parameters=0,
        licence="MIT",
        source=source,
        doi=doi,
        dtypes=("float64",),
    )


class Toy(AdapterBase):
    """`lj`: Lennard-Jones argon. `morse`: a Morse H2 with the measured D_e, r_e and ω_e."""

    family = "toy"
    weightless = True
    cards = (
        _card(
            "lj",
            elements=("Ar",),
            doi="10.1103/PhysRev.136.A405",
            source="ase.calculators.lj, ε/k_B = 120 K, σ = 3.4 Å",
        ),
        _card(
            "morse",
            elements=("H",),
            doi=None,
            source="ase.calculators.morse, D_e = 4.74773 eV, r_e = 0.74144 Å, ω_e = 4401.213 cm⁻¹",
        ),
    )

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> BaseCalculator:
        """Return ASE's calculator; these potentials have no options."""
        if device not in self.devices:
            raise UnsupportedOptionError(f"{card.name} runs on cpu only, not on {device!r}.")
        if dtype not in (None, *card.dtypes):
            raise UnsupportedOptionError(f"{card.name} is float64 only, not {dtype!r}.")
        if task is not None:
            raise UnsupportedOptionError(f"{card.name} has no tasks; task {task!r} was given.")
        if checkpoint is not None:
            raise UnsupportedOptionError(
                f"{card.name} is a formula and reads no checkpoint; {checkpoint!r} was given."
            )
        potential, parameters = POTENTIALS[card.name]
        calculator: BaseCalculator = potential(**parameters)
        return calculator


adapter = Toy()
