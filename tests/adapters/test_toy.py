"""The toys keep the adapter contract and the physics their cards state."""

import math
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from ase import Atoms, units

from ase_probe.errors import UnsupportedOptionError
from ase_probe.model import Adapter

toy = import_module("ase_probe.adapters.toy")
adapter = toy.adapter
CARDS = {card.name: card for card in adapter.cards}

ENERGY = 1e-12  # eV, closed formulas in float64
FORCE = 1e-6  # eV/Å, against finite differences
STEP = 1e-4  # Å


def load(name, **options):
    return adapter.load(
        CARDS[name],
        **{"device": "cpu", "dtype": None, "task": None, "checkpoint": None, **options},
    )


def dimer(symbol, distance):
    return Atoms(2 * symbol, [[0, 0, 0], [0, 0, distance]])


def energies(name, distances):
    structures = [dimer(CARDS[name].elements[0], r) for r in distances]
    return adapter.evaluate(load(name), structures)[0]


def test_it_is_an_adapter():
    assert isinstance(adapter, Adapter)


def test_import_needs_no_torch():
    code = (
        "import sys; from ase_probe.adapters.toy import adapter; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", CARDS)
def test_card_is_complete(name):
    card = CARDS[name]
    assert card.family == adapter.family
    assert card.level_of_theory == "analytic"
    assert card.elements
    assert card.cutoff >= 12
    assert card.conservative is True
    assert (card.uses_charge, card.uses_spin) == (False, False)
    assert card.dtypes == ("float64",)
    assert card.licence
    assert card.source


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize(
    "option",
    [
        {"dtype": "float32"},
        {"task": "any"},
        {"checkpoint": "weights.pt"},
        {"device": "cuda"},
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_it_cannot_honour_raise(name, option):
    with pytest.raises(UnsupportedOptionError, match=next(iter(option.values()))):
        load(name, **option)


@pytest.mark.parametrize("name", CARDS)
def test_float64_may_be_asked_for(name):
    assert load(name, dtype="float64") is not None


@pytest.mark.parametrize("name", CARDS)
def test_lone_atom_is_zero(name):
    energy, forces = adapter.evaluate(load(name), [Atoms(CARDS[name].elements[0])])
    assert energy.tolist() == [0.0]
    assert np.array_equal(forces[0], np.zeros((1, 3)))


def test_lennard_jones_minimum():
    well = 2 ** (1 / 6) * toy.ARGON_SIGMA
    assert energies("lj", [well])[0] == pytest.approx(-120 * units.kB, abs=ENERGY)


def test_lennard_jones_follows_its_formula_to_ten_angstrom():
    distances = np.linspace(2.5, 10.0, 40)
    ratio = (toy.ARGON_SIGMA / distances) ** 6
    formula = 4 * toy.ARGON_EPSILON * (ratio**2 - ratio)
    assert energies("lj", distances) == pytest.approx(formula, abs=ENERGY)


def test_morse_minimum():
    assert energies("morse", [toy.H2_DISTANCE])[0] == pytest.approx(-toy.H2_DEPTH, abs=ENERGY)


def test_morse_follows_its_formula_to_ten_angstrom():
    distances = np.linspace(0.3, 10.0, 40)
    decay = np.exp(-toy.morse_stiffness() * (distances / toy.H2_DISTANCE - 1))
    formula = toy.H2_DEPTH * (decay**2 - 2 * decay)
    assert energies("morse", distances) == pytest.approx(formula, abs=1e-9)


def test_morse_frequency_from_its_curvature():
    """ω_e in cm⁻¹ from V'' by central differences: an independent route back to the input."""
    below, middle, above = energies("morse", toy.H2_DISTANCE + STEP * np.array([-1, 0, 1]))
    curvature = (below - 2 * middle + above) / STEP**2  # eV/Å²
    mass = 1.00782503 / 2 * units._amu  # kg, of the isotope whose ω_e it is
    omega = math.sqrt(curvature * units._e * 1e20 / mass)  # 1/s
    assert omega / (2 * math.pi * units._c * 100) == pytest.approx(4401.213, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "distances"), [("lj", [3.0, 3.8, 6.0, 21.0]), ("morse", [0.4, 0.9, 3.0])]
)
def test_forces_are_the_gradient(name, distances):
    calculator, symbol = load(name), CARDS[name].elements[0]
    for distance in distances:
        _, forces = adapter.evaluate(calculator, [dimer(symbol, distance)])
        below, above = energies(name, [distance - STEP, distance + STEP])
        assert forces[0][1, 2] == pytest.approx(-(above - below) / (2 * STEP), rel=1e-5, abs=FORCE)


def test_structures_are_left_alone():
    atoms = dimer("H", 0.8)
    atoms.info["note"] = "mine"
    before = atoms.copy()
    adapter.evaluate(load("morse"), [atoms])
    assert atoms == before
    assert atoms.info == {"note": "mine"}
    assert atoms.calc is None
