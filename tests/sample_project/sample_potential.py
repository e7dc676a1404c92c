"""A pair potential of nitrogen, and what became of it in a bad fit."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

DEPTH, WIDTH, R_E = 9.9, 2.7, 1.0977  # eV, 1/Å, Å


class PairPotential(Calculator):
    """E = sum of u(r) over all pairs."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def pair(self, r):
        """Morse potential: u in eV and du/dr in eV/Å."""
        x = np.exp(-WIDTH * (r - R_E))
        return DEPTH * (x * x - 2 * x), 2 * DEPTH * WIDTH * (x - x * x)

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, forces = 0.0, np.zeros((len(atoms), 3))
        for i in range(len(atoms)):
            for j in range(i):
                vector = atoms.positions[i] - atoms.positions[j]
                r = np.linalg.norm(vector)
                u, slope = self.pair(r)
                energy += u
                forces[i] -= slope * vector / r
                forces[j] += slope * vector / r
        self.results = {"energy": energy, "forces": forces}


class WithAHole(PairPotential):
    """The same with a hole at 0.5 Å, where there were no training data."""

    def pair(self, r):
        u, slope = super().pair(r)
        hole = -1000.0 * np.exp(-(((r - 0.5) / 0.15) ** 2))
        return u + hole, slope - 2 * (r - 0.5) / 0.15**2 * hole


def broken():
    return WithAHole()


def repaired():
    return PairPotential()
