"""What every batched family leaves to its base."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, PropertyNotImplementedError

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator, is_crystal


class Counting(BatchCalculator):
    """E = number of atoms + charge; remembers what it was asked."""

    watched = ("charge",)

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, structures, *, stress=False):
        self.asked.append((len(structures), stress))
        if any(atoms.info.get("charge") == 9 for atoms in structures):
            raise ZeroDivisionError
        sizes = [len(atoms) for atoms in structures]
        return Batch(
            np.array([len(a) + a.info.get("charge", 0) for a in structures], dtype=float),
            np.arange(3.0 * sum(sizes)).reshape(-1, 3),
            np.ones((len(structures), 6)) if stress else None,
        )


def test_a_batch_is_split_where_structures_end():
    energies, forces = BatchAdapter().evaluate(Counting(), [molecule("H2O"), Atoms("H")])
    assert energies.tolist() == [3.0, 1.0]
    assert [f.tolist() for f in forces][1] == [[9.0, 10.0, 11.0]]
    assert forces[0].shape == (3, 3)


def test_nothing_asked_nothing_computed():
    calculator = Counting()
    energies, forces = BatchAdapter().evaluate(calculator, [])
    assert energies.shape == (0,)
    assert forces == []
    assert calculator.asked == []


def test_stress_only_of_crystals():
    calculator = Counting()
    crystal, water = bulk("Cu"), molecule("H2O")
    crystal.calc = water.calc = calculator
    assert crystal.get_stress().tolist() == [1.0] * 6
    with pytest.raises(PropertyNotImplementedError):
        water.get_stress()
    assert calculator.asked == [(1, True), (1, False)]


@pytest.mark.parametrize(
    ("atoms", "crystal"),
    [
        (bulk("Cu"), True),
        (molecule("H2O"), False),
        (Atoms("H", cell=[3, 3, 3]), False),
        (Atoms("H", cell=[3, 3, 0], pbc=(True, True, False)), False),
        (Atoms("H", cell=[3, 3, 9], pbc=(True, True, False)), True),
    ],
)
def test_what_a_crystal_is(atoms, crystal):
    assert is_crystal(atoms) is crystal


def test_a_watched_key_is_never_stale():
    atoms = molecule("H2O")
    atoms.calc = Counting()
    assert atoms.get_potential_energy() == 3.0
    assert atoms.get_potential_energy(force_consistent=True) == 3.0
    assert len(atoms.calc.asked) == 1
    atoms.info["charge"] = 1
    assert atoms.get_potential_energy() == 4.0
    atoms.info["note"] = "not watched"
    atoms.get_potential_energy()
    assert len(atoms.calc.asked) == 2


def test_a_failed_calculation_leaves_no_answer():
    atoms = molecule("H2O")
    atoms.calc = Counting()
    atoms.get_potential_energy()
    atoms.info["charge"] = 9
    with pytest.raises(ZeroDivisionError):
        atoms.get_potential_energy()
    assert atoms.calc.results == {}


def test_nobody_shares_a_list_of_properties():
    one, other = Counting(), Counting()
    one.implemented_properties.remove("stress")
    assert "stress" in other.implemented_properties
    assert Calculator.implemented_properties == []
    crystal = bulk("Cu")
    crystal.calc = one
    crystal.get_potential_energy()
    assert one.asked == [(1, False)]
