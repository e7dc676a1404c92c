"""Calculators that misbehave on purpose, and one that does not; each class is a factory."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes


class Pair(Calculator):
    """E = u(r) summed over all pairs; subclasses override `answer` to misbehave."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def potential(self, r):
        """Morse curve of N2: energy (eV) and dE/dr (eV/Å)."""
        depth, a, r_e = 9.9, 2.7, 1.0977
        x = np.exp(-a * (r - r_e))
        return depth * (x * x - 2 * x), 2 * depth * a * (x - x * x)

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, forces = 0.0, np.zeros((len(atoms), 3))
        for i in range(len(atoms)):
            for j in range(i):
                vector = atoms.positions[i] - atoms.positions[j]
                r = np.linalg.norm(vector)
                u, du = self.potential(r)
                energy += u
                forces[i] -= du * vector / r
                forces[j] += du * vector / r
        self.results = self.answer(atoms, energy, forces)

    def answer(self, atoms, energy, forces):
        return {"energy": energy, "forces": forces}


class AllNaN(Pair):
    def answer(self, atoms, energy, forces):
        return {"energy": np.nan, "forces": np.full_like(forces, np.nan)}


class HalfNaN(Pair):
    """NaN inside 1 Å, or wherever the fourth digit of the distance is odd beyond it."""

    def answer(self, atoms, energy, forces):
        r = atoms.get_distance(0, 1) if len(atoms) == 2 else 0.0
        if 1e4 * r % 2 < 1 and len(atoms) == 2:
            return {"energy": np.nan, "forces": np.full_like(forces, np.nan)}
        return {"energy": energy, "forces": forces}


class Noisy(Pair):
    """Half an eV of noise that the forces know nothing of."""

    def answer(self, atoms, energy, forces):
        seed = int(1e6 * np.abs(atoms.positions).sum()) % 2**32
        return {
            "energy": energy + 0.5 * np.random.default_rng(seed).standard_normal(),
            "forces": forces,
        }


class Exploding(Pair):
    """Overflows inside 1.5 Å."""

    def answer(self, atoms, energy, forces):
        if len(atoms) == 2 and atoms.get_distance(0, 1) < 1.5:
            return {"energy": -np.inf, "forces": np.full_like(forces, np.inf)}
        return {"energy": energy, "forces": forces}


class Refusing(Pair):
    def answer(self, atoms, energy, forces):
        raise ValueError("not today")


class Constant(Pair):
    def answer(self, atoms, energy, forces):
        return {"energy": -13.0, "forces": np.zeros_like(forces)}


class WrongShape(Pair):
    def answer(self, atoms, energy, forces):
        return {"energy": energy, "forces": forces[:, :2]}


class RaisesNear(Pair):
    """Raises at distances between 2.0 and 2.05 Å only."""

    def answer(self, atoms, energy, forces):
        if len(atoms) == 2 and 2.0 <= atoms.get_distance(0, 1) <= 2.05:
            raise RuntimeError("the model broke\nsecond line")
        return super().answer(atoms, energy, forces)


class RefusesAtoms(Pair):
    def answer(self, atoms, energy, forces):
        if len(atoms) == 1:
            raise ValueError("no edges")
        return super().answer(atoms, energy, forces)


class WrongForces(Pair):
    def answer(self, atoms, energy, forces):
        return {"energy": energy, "forces": 1.5 * forces}


class Hole(Pair):
    """A smooth hole at 0.7 Å, 390 eV deep, behind next to no barrier."""

    def potential(self, r):
        u, du = super().potential(r)
        bump = -400.0 * np.exp(-(((r - 0.7) / 0.08) ** 2))
        return u + bump, du - 2 * (r - 0.7) / 0.08**2 * bump


class Coulomb(Pair):
    """Reads the charge: two bare nuclei repel as k/r, anything else is the Morse curve."""

    def answer(self, atoms, energy, forces):
        if atoms.info.get("charge") == 2 and len(atoms) == 2:
            r = atoms.get_distance(0, 1)
            from ase_probe.units import COULOMB

            forces = np.array([[0, 0, -1.0], [0, 0, 1.0]]) * COULOMB / r**2
            return {"energy": COULOMB / r - 3.0, "forces": forces}
        return super().answer(atoms, energy, forces)


def not_a_calculator():
    return 42


def raising_factory():
    raise OSError("weights not found")


def remembered_morse(_):
    """An audit in a process of its own: energies, and how many answers were not computed."""
    from ase_probe import audit

    found = audit("morse", dimers=["H2"])
    return found.curves["H2"].energy.tolist(), found.environment["remembered"]
