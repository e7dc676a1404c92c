"""A model family in one file: the exp-6 pair potential of argon.

V(r) = ε/(1 − 6/α) [(6/α) exp(α (1 − r/r_m)) − (r_m/r)⁶]. Its r⁻⁶ term wins at short
range, so it has a hole: something for an audit to find.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from ase_probe.errors import UnsupportedOptionError
from ase_probe.model import AdapterBase, Environment, ModelCard

DEPTH, DISTANCE = 0.01234, 3.761  # eV, Å: D_e and r_e of Ar2
STEEPNESS = 12.0  # α, our choice


class Exp6(Calculator):
    """ASE calculator; sums over all pairs, no cell."""

    implemented_properties: ClassVar = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill `results`."""
        super().calculate(atoms, properties, system_changes)
        r = self.atoms.get_all_distances()  # (n, n) Å
        vectors = self.atoms.get_all_distances(vector=True)  # (n, n, 3) Å, r_j − r_i
        np.fill_diagonal(r, np.inf)
        wall = 6 / STEEPNESS * np.exp(STEEPNESS * (1 - r / DISTANCE))
        tail = (DISTANCE / r) ** 6
        scale = DEPTH / (1 - 6 / STEEPNESS)
        slope = scale * (6 * tail / r - STEEPNESS / DISTANCE * wall)  # dV/dr, (n, n) eV/Å
        energy = 0.5 * scale * float((wall - tail).sum())
        # F_i = Σ_j V'(r_ij) (r_j − r_i)/r_ij
        forces = np.einsum("ij,ijk->ik", slope / r, vectors)
        self.results = {"energy": energy, "forces": forces}


class Exp6Family(AdapterBase):
    """Data and a loader; every default of `AdapterBase` is kept."""

    family = "exp6"
    environment = Environment(distributions=("ase-probe-exp6",))
    cards = (
        ModelCard(
            name="exp6-argon",
            family="exp6",
            level_of_theory="analytic",
            training_data="none",
            elements=("Ar",),
            uses_charge=False,
            uses_spin=False,
            conservative=True,
            dtypes=("float64",),
            licence="MIT",
        ),
    )

    def load(self, card, *, device, dtype, task, checkpoint):
        """Return the calculator; refuse what it would ignore."""
        if checkpoint is not None:
            raise UnsupportedOptionError(f"{card.name} is a formula without weights.")
        return Exp6()


adapter = Exp6Family()
