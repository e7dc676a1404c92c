import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.baselines import Unavailable
from ase_probe.baselines.exact import exact
from ase_probe.baselines.one_electron import electronic_energy
from ase_probe.baselines.united_atom import (
    TOLERANCE,
    Atom,
    atom,
    expansion,
    parse,
    united_atom,
)
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import BOHR, HARTREE

R = np.geomspace(1e-3, 0.5, 200)
H2 = Dimer.parse("H2")
ONE_ELECTRON = st.tuples(st.integers(1, 10), st.integers(1, 10))


def pair_of_one_electron(numbers):
    from ase.data import chemical_symbols

    return Dimer(tuple(chemical_symbols[z] for z in numbers), charge=sum(numbers) - 1)


@pytest.mark.parametrize("name", ["H2", "H2+", "HeH++", "LiH+++"])
def test_the_truth_lies_within_the_stated_uncertainty(name):
    dimer = Dimer.parse(name)
    curve = united_atom(dimer, R)
    assert curve.provenance["truth"] is True
    truth = exact(dimer, curve.r).energy
    for r, energy, true in zip(curve.r, curve.energy, truth, strict=True):
        stated = united_atom(dimer, np.array([r])).provenance["relative_uncertainty"]
        assert abs(energy - true) <= stated * energy
    # and not by a wide margin: a bound ten times too large would say nothing
    assert np.max(np.abs(curve.energy / truth - 1)) > TOLERANCE / 2


@given(ONE_ELECTRON, st.floats(0.01, 0.3))
def test_every_pair_with_one_electron_lies_within_it(numbers, r):
    dimer = pair_of_one_electron(numbers)
    curve = united_atom(dimer, np.array([r]))
    if not isinstance(curve, Unavailable):
        stated = curve.provenance["relative_uncertainty"]
        assert abs(curve.energy[0] - exact(dimer, curve.r).energy[0]) <= stated * curve.energy[0]


@given(ONE_ELECTRON, st.floats(0.05, 1.0))
def test_the_next_term_is_what_the_bound_assumes(numbers, x):
    """(E − series)/(c₂R²) lies between 0.3 and 0.5 (ZR)², whatever the two charges are.

    (0.501 for 1 and 10 at ZR = 1/8.)
    """
    first, second = numbers
    Z = first + second
    distance = np.array([x / Z])
    energy, _ = electronic_energy(numbers, distance)
    quadratic = 2 / 3 * first * second * Z**2
    rest = (energy + Z**2 / 2) / (quadratic * distance**2) - (1 - x)
    assert 0.3 < rest[0] / x**2 < 0.505


def test_errors_of_the_terms_for_hydrogen():
    terms, at = expansion(H2), np.array([0.1, 0.2])
    error = HARTREE * terms(at / BOHR)[0] - exact(H2, at).energy
    assert error == pytest.approx([-0.229, -3.55], abs=0.005)


@pytest.mark.parametrize(
    ("name", "end"), [("H2", 0.124), ("H2+", 0.135), ("HeH++", 0.102), ("F2", 0.021)]
)
def test_where_it_ends(name, end):
    made = united_atom(Dimer.parse(name), R)
    low, high = made.provenance["valid_r"]
    assert (low, high) == (0.0, pytest.approx(end, abs=6e-4))
    at_end = united_atom(Dimer.parse(name), np.array([high]))
    assert at_end.provenance["relative_uncertainty"] == pytest.approx(TOLERANCE, rel=1e-6)


@pytest.mark.parametrize("name", ["H2", "HeH+", "LiH", "HF", "O2", "F2", "CH@4"])
def test_uncertainty_grows_and_slope_is_the_derivative(name):
    dimer = Dimer.parse(name)
    terms = expansion(dimer)
    distance = np.geomspace(1e-3, 1.0, 40) * terms.end
    share = terms.error(distance) / terms(distance)[0]
    assert np.all(np.diff(share) > 0)
    h = 1e-4 * distance
    numeric = (terms(distance + h)[0] - terms(distance - h)[0]) / (2 * h)
    np.testing.assert_allclose(terms(distance)[1], numeric, rtol=1e-6)
    assert np.all(terms(distance)[1] < 0)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("H2++", "no electrons"),
        ("N2", "excited united atom"),
        ("H2@3", "excited united atom"),
        ("CH", "excited united atom"),
        ("Ar2", "not in the table"),
        ("N2+", "not in the table"),
        ("H2-", "not in the table"),
    ],
)
def test_unavailable_with_a_reason(name, why):
    answer = united_atom(Dimer.parse(name), R)
    assert isinstance(answer, Unavailable)
    assert why in answer.reason
    assert answer.reason.endswith(".")


def test_beyond_its_end():
    assert isinstance(united_atom(H2, np.array([0.2, 1.0])), Unavailable)


def test_atoms():
    assert atom(1, 1) == Atom(1, 0.0, 0.0)
    assert atom(2, 1).energy == -2.0
    assert atom(2, 0).density == 3.620858637
    assert atom(19, 0) is None
    assert [atom(z, 0).multiplicity for z in (3, 7, 8, 18)] == [2, 4, 3, 1]


def test_energies_and_densities_rise_smoothly_with_the_charge():
    energies = np.array([atom(z, 0).energy for z in range(1, 19)])
    densities = np.array([atom(z, 0).density for z in range(1, 19)])
    z = np.arange(1, 19)
    # E ≈ −0.77 Z^(7/3) (Thomas–Fermi); ρ(0) between one and all hydrogenic s shells.
    assert np.all(np.abs(energies / (0.77 * z ** (7 / 3)) + 1) < 0.4)
    assert np.all(np.diff(densities[1:] * np.pi / (2 * z[1:] ** 3)) > 0)
    assert np.all(densities[1:] * np.pi / (2 * z[1:] ** 3) < 1.2021)
    for column in (np.log(-energies), np.log(densities)):
        # A digit that is wrong shows here: third differences fall from 0.05 to 0.001.
        assert np.all(np.abs(np.diff(column[3:], 3)) < 0.08 / np.arange(1, 13))


HEADER = "symbol,charge,multiplicity,energy_hartree,density_bohr3,source\n"


def test_a_good_table():
    assert parse("# note\n" + HEADER + "He,0,1,-2.9,3.6,x\n") == {(2, 0): Atom(1, -2.9, 3.6)}


@pytest.mark.parametrize(
    "row",
    [
        "Xx,0,1,-2.9,3.6,x",
        "He,0,2,-2.9,3.6,x",
        "He,0,1,2.9,3.6,x",
        "He,0,1,nan,3.6,x",
        "He,0,1,-2.9,0,x",
        "He,0,1,-2.9,3.6,",
        "He,0,1,-2.9,3.6",
        "Li,0,2,-7.4,13.8,x\nLi,0,2,-7.4,13.8,x",
    ],
)
def test_a_bad_row_is_named(row):
    with pytest.raises(InputError, match="Bad row '"):
        parse(HEADER + row)


def test_a_wrong_header_or_nothing_is_refused():
    for text in ("", HEADER, "a,b\n1,2\n"):
        with pytest.raises(InputError, match="table of atoms must have rows"):
            parse(text)
