import re

import pytest
from ase.data import chemical_symbols
from hypothesis import given
from hypothesis import strategies as st

from ase_probe import Dimer
from ase_probe.dimer import _NUMBERS, _SEQUENCE, atom_multiplicity, mean_radius
from ase_probe.errors import DimerError

symbols = st.sampled_from(_SEQUENCE)


@pytest.mark.parametrize(
    ("name", "electrons", "multiplicity"),
    [
        ("H2", 2, 1),
        ("H2+", 1, 2),
        ("H2++", 0, 1),
        ("HeH+", 2, 1),
        ("N2", 14, 1),
        ("O2", 16, 3),
        ("O2@1", 16, 1),
        ("NaCl", 28, 1),
        ("NO", 15, 2),
        ("OH", 9, 2),
        ("NH", 8, 3),
        ("Co2", 54, 5),
    ],
)
def test_ground_states(name, electrons, multiplicity):
    dimer = Dimer.parse(name)
    assert (dimer.name, dimer.electrons, dimer.multiplicity) == (name, electrons, multiplicity)


@pytest.mark.parametrize(
    ("written", "name"),
    [("ClNa", "NaCl"), ("HO", "OH"), ("HH", "H2"), ("O2@3", "O2"), ("FCl", "ClF")],
)
def test_canonical_names(written, name):
    assert Dimer.parse(written).name == name
    assert Dimer.parse(written) == Dimer.parse(name)


@given(symbols, symbols, st.integers(-2, 2), st.integers(0, 2))
def test_name_round_trips(first, second, charge, excitation):
    ground = Dimer((first, second), charge) if charge < 2 or "H" not in (first, second) else None
    if ground is None:
        return
    try:
        dimer = Dimer((first, second), charge, ground.multiplicity + 2 * excitation)
    except DimerError:
        assert ground.multiplicity + 2 * excitation - 1 > ground.electrons
        return
    assert Dimer.parse(dimer.name) == dimer
    assert (dimer.electrons - dimer.multiplicity + 1) % 2 == 0


@given(symbols, symbols, st.integers(1, 12))
def test_wrong_parity_is_refused(first, second, multiplicity):
    electrons = Dimer((first, second)).electrons
    if (electrons - multiplicity + 1) % 2 or multiplicity - 1 > electrons:
        with pytest.raises(DimerError, match="impossible"):
            Dimer((first, second), 0, multiplicity)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nacl", "Did you mean 'NaCl'"),
        ("CO2", "Did you mean 'Co2'"),
        ("", "not a dimer"),
        ("H", "not a dimer"),
        ("H3", "not a dimer"),
        ("N20", "not a dimer"),
        ("Xx2", "Unknown element 'Xx'"),
        ("H2+++", "impossible"),
        ("O2@2", "Multiplicity 2 is impossible"),
        ("H2++@3", "Allowed: 1."),
    ],
)
def test_bad_names_are_explained(text, message):
    with pytest.raises(DimerError, match=re.escape(message)):
        Dimer.parse(text)


@given(st.text(max_size=8))
def test_parse_gives_a_dimer_or_a_dimer_error(text):
    try:
        dimer = Dimer.parse(text)
    except DimerError:
        return
    assert Dimer.parse(dimer.name) == dimer


def test_atoms_geometry_and_info():
    atoms = Dimer.parse("HeH+").atoms(0.77)
    assert list(atoms.symbols) == ["He", "H"]
    assert atoms.positions.tolist() == [[0, 0, 0], [0, 0, 0.77]]
    assert atoms.info == {"charge": 1, "spin": 1}
    assert Dimer.parse("O2").atoms(1.2, charge=False, spin=False).info == {}


def test_atoms_have_their_own_ground_states():
    assert {s: atom_multiplicity(s) for s in ("H", "He", "N", "O", "Cr")} == {
        "H": 2, "He": 1, "N": 4, "O": 3, "Cr": 7,
    }  # fmt: skip


def test_unknown_radii_are_none():
    assert mean_radius(("Og", "Og"), "covalent") is None
    assert mean_radius(("Pm", "Pm"), "vdw") is None
    assert mean_radius(("Og", "H"), "vdw") is None
    assert mean_radius(("N", "N"), "covalent") == pytest.approx(0.71)


def test_symbols_are_those_of_ase():
    assert list(_NUMBERS.items()) == list(zip(chemical_symbols[1:], range(1, 119), strict=True))
