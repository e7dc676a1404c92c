"""tblite keeps the adapter contract and agrees with the vendor's own calculator."""

from functools import partial
from importlib import import_module

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculationFailed

from ase_probe import Probe
from ase_probe.engine import open_model
from ase_probe.errors import EvaluationError, UnsupportedElementError, UnsupportedOptionError
from ase_probe.testing import Subject, contract

pytest.importorskip("tblite")

tblite = import_module("ase_probe.adapters.tblite")
adapter = tblite.adapter
CARDS = {card.name: card for card in adapter.cards}


def load(name="gfn2-xtb", **options):
    return adapter.load(
        CARDS[name],
        **{"device": "cpu", "dtype": None, "task": None, "checkpoint": None, **options},
    )


def make_vendor(name, **options):
    from tblite.ase import TBLite

    return TBLite(method=CARDS[name].checkpoint, verbosity=0, **options)


test_contract = contract(
    *(
        Subject(
            name,
            structures=[molecule(symbol) for symbol in ("H2O", "N2", "CH4", "CO2", "HCl", "NO")],
            vendor=partial(make_vendor, name),
            energy_tolerance=1e-6,
            force_tolerance=1e-5,
            expected_failures={
                "boxed_equals_free": "electrostatics: periodic images are felt at any box size"
            },
        )
        for name in CARDS
    )
)


@pytest.fixture
def gfn2():
    return load()


def dimer(pair, r, **info):
    atoms = Atoms(pair, [[0, 0, 0], [0, 0, r]])
    atoms.info.update(info)
    return atoms


def energy(calculator, atoms):
    return adapter.evaluate(calculator, [atoms])[0][0]


# Cards


@pytest.mark.parametrize("name", CARDS)
def test_card_states_what_there_is(name):
    card = CARDS[name]
    assert (len(card.elements), card.elements[-1]) == (86, "Rn")
    assert (card.uses_charge, card.uses_spin, card.conservative) == (True, True, True)
    assert (card.training_data, card.cutoff, card.sha256, card.parameters) == (None,) * 4
    assert card.dtypes == ("float64",)
    assert adapter.describe(card, load(name)) == card


@pytest.mark.parametrize("name", CARDS)
def test_every_element_of_the_card_has_an_energy(name):
    batch = [Atoms(symbol) for symbol in CARDS[name].elements]
    energies, _ = adapter.evaluate(load(name), batch)
    assert np.isfinite(energies).all()


def test_a_checkpoint_is_refused():
    with pytest.raises(UnsupportedOptionError, match="compiled in"):
        load(checkpoint="mine.toml")


def test_nothing_is_printed(gfn2, capfd):
    energy(gfn2, molecule("H2O"))
    energy(gfn2, dimer("O2", 1.2, spin=3))
    with pytest.raises(CalculationFailed):
        energy(gfn2, dimer("NaCl", 8))
    assert capfd.readouterr() == ("", "")


# Answers


@pytest.mark.parametrize("name", CARDS)
def test_charge_and_spin_agree_with_the_vendor(name):
    vendor = make_vendor(name, charge=1, multiplicity=4)
    expected = vendor.get_property("energy", dimer("O2", 1.2))
    assert energy(load(name), dimer("O2", 1.2, charge=1, spin=4)) == pytest.approx(expected)


@pytest.mark.parametrize("name", CARDS)
def test_crystals_agree_with_the_vendor(name):
    boxed = Atoms("LiF", [[3, 3, 3], [3, 3, 4.6]], cell=[7, 7, 7], pbc=True)
    for atoms in (bulk("Si"), boxed):
        calculator, vendor = load(name), make_vendor(name)
        for key in ("energy", "forces", "stress"):
            expected = vendor.get_property(key, atoms)
            assert calculator.get_property(key, atoms) == pytest.approx(expected, abs=1e-8)


def test_a_cell_that_is_not_periodic_changes_nothing(gfn2):
    free, held = molecule("H2O"), molecule("H2O")
    held.set_cell([20, 20, 20])
    assert energy(gfn2, free) == energy(gfn2, held)


def test_distant_molecules_add_up(gfn2):
    water = molecule("H2O")
    far = water.copy()
    far.translate([60, 0, 0])
    assert energy(gfn2, water + far) == pytest.approx(2 * energy(gfn2, water), abs=1e-4)


# Order


def test_order_of_the_questions_does_not_matter(gfn2):
    """To the last bit: the vendor's own calculator restarts from the last wavefunction."""
    batch = [dimer("N2", r) for r in np.linspace(0.6, 4, 20)]
    forwards, backwards = adapter.evaluate(gfn2, batch), adapter.evaluate(gfn2, batch[::-1])
    assert np.array_equal(forwards[0], backwards[0][::-1])
    for one, other in zip(forwards[1], backwards[1][::-1], strict=True):
        assert np.array_equal(one, other)


def test_no_convergence_raises_and_leaves_no_trace(gfn2):
    near = dimer("NaCl", 2.4)
    before = energy(gfn2, near)
    for _ in range(2):
        with pytest.raises(CalculationFailed, match="not converged"):
            energy(gfn2, dimer("NaCl", 8))
    assert energy(gfn2, near) == before


def test_no_convergence_is_the_failure_of_one_point():
    evaluator = open_model(adapter, CARDS["gfn2-xtb"], device="cpu")
    answer = evaluator.evaluate([dimer("NaCl", 2.4), dimer("NaCl", 8), dimer("NaCl", 2.4)])
    assert list(answer.failures) == [1]
    assert "not converged" in answer.failures[1]
    assert np.isnan(answer.energy[1])
    assert answer.energy[0] == answer.energy[2]


# Charge and spin


@pytest.mark.parametrize("make", [load, lambda: Probe("gfn2-xtb")])
def test_charge_and_spin_are_never_stale(make):
    atoms = dimer("O2", 1.21, spin=1)
    atoms.calc = make()
    singlet = atoms.get_potential_energy()
    atoms.info["spin"] = 3
    triplet = atoms.get_potential_energy()
    atoms.info["spin"] = 1
    assert atoms.get_potential_energy() == singlet
    assert atoms.get_potential_energy(force_consistent=True) == singlet
    # no exchange: the method has them the wrong way round, which is why spin must reach it
    assert triplet - singlet == pytest.approx(0.0717, abs=1e-3)
    atoms.info = {"charge": 1, "spin": 4}
    assert atoms.get_potential_energy() - triplet > 5.0


def test_initial_charges_and_moments_are_not_the_state(gfn2):
    """One meaning of charge and spin: `molecule("O2")` carries moments, the vendor reads them."""
    atoms = molecule("O2")
    assert atoms.get_initial_magnetic_moments().sum() == 2
    plain = Atoms(atoms.symbols, atoms.positions)
    marked = plain.copy()
    marked.set_initial_charges([1, 0])
    assert energy(gfn2, atoms) == energy(gfn2, plain) == energy(gfn2, marked)


@pytest.mark.parametrize("pair", ["NO", "OH", "CN"])
def test_odd_electrons_have_lowest_spin_by_default(pair, gfn2):
    assert energy(gfn2, dimer(pair, 1.2)) == energy(gfn2, dimer(pair, 1.2, spin=2))


def test_bare_protons_and_one_electron(gfn2):
    assert energy(gfn2, dimer("H2", 0.74, charge=2)) > 0
    assert energy(gfn2, dimer("H2", 1.0, charge=1)) == energy(
        gfn2, dimer("H2", 1.0, charge=1, spin=2)
    )


@pytest.mark.parametrize(
    ("pair", "info"),
    [
        ("H2", {"charge": 3}),  # -1 electrons: the vendor corrupts its heap
        ("H2", {"charge": -3}),  # 5 electrons in 2 orbitals: the vendor answers as for charge -1
        ("H2", {"spin": 2}),
        ("H2", {"spin": 5}),  # the vendor answers as for the triplet
        ("NO", {"spin": 1}),  # the vendor answers as for the doublet
        ("NO", {"spin": 3}),
        ("O2", {"spin": 7}),  # 9 electrons of one spin in 8 orbitals
        ("O2", {"spin": 0}),
        ("O2", {"charge": 1, "spin": 1}),
    ],
)
def test_impossible_states_are_refused(pair, info, gfn2):
    with pytest.raises(UnsupportedOptionError, match="Choose another"):
        energy(gfn2, dimer(pair, 1.0, **info))


def test_core_electrons_cannot_be_unpaired(gfn2):
    """4f electrons are in the core; the vendor would answer for 3 unpaired electrons, not 7."""
    atoms = Atoms("Eu")
    atoms.info["spin"] = 8
    with pytest.raises(UnsupportedOptionError, match="3 valence electrons"):
        energy(gfn2, atoms)


@pytest.mark.parametrize("kind", [np.int64, np.float64, float])
def test_numbers_of_any_kind(kind, gfn2):
    expected = energy(gfn2, dimer("O2", 1.2, charge=1, spin=4))
    assert energy(gfn2, dimer("O2", 1.2, charge=kind(1), spin=kind(4))) == expected


# What it cannot answer


@pytest.mark.parametrize("symbol", ["Fr", "Og", "X"])
def test_unknown_element_raises(symbol, gfn2):
    with pytest.raises(UnsupportedElementError, match=symbol):
        energy(gfn2, Atoms(symbol))


@pytest.mark.parametrize("pbc", [(True, True, False), (True, False, False), (False, False, True)])
def test_slabs_and_wires_are_refused(pbc, gfn2):
    """The vendor takes them as periodic in all three directions without a word."""
    atoms = Atoms("N2", [[0, 0, 0], [0, 0, 1.2]], cell=[4, 4, 6], pbc=pbc)
    with pytest.raises(EvaluationError, match="three directions"):
        energy(gfn2, atoms)


def test_periodic_without_a_cell_is_refused(gfn2):
    with pytest.raises(EvaluationError, match="no cell vector"):
        energy(gfn2, Atoms("N2", [[0, 0, 0], [0, 0, 1.2]], pbc=True))


def test_position_that_is_no_number_raises(gfn2):
    with pytest.raises(EvaluationError, match="not a finite number"):
        energy(gfn2, dimer("N2", np.nan))


def test_coincident_atoms_raise(gfn2):
    with pytest.raises(Exception, match="Too close"):
        energy(gfn2, dimer("N2", 0.0))
