import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.baselines import Unavailable
from ase_probe.baselines.exact import exact
from ase_probe.baselines.nlh import FLOOR, nlh, parse, table
from ase_probe.baselines.tables import bundled
from ase_probe.baselines.zbl import universal
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import COULOMB

PAIRS = st.sampled_from(sorted(table()))
DISTANCE = st.floats(1e-3, 5.0)


def energy(pair, r):
    return table()[pair](*pair, np.array([r]))[0][0]


@given(PAIRS, DISTANCE)
def test_screening_lies_between_zero_and_one(pair, r):
    assert 0 <= energy(pair, r) <= 1.0001 * COULOMB * pair[0] * pair[1] / r


@given(PAIRS, st.floats(1e-3, 3.0), st.floats(1.001, 3.0))
def test_it_falls_monotonically(pair, r, factor):
    assert energy(pair, r) >= energy(pair, factor * r)


@given(PAIRS)
def test_bare_coulomb_at_the_nucleus(pair):
    assert energy(pair, 1e-7) == pytest.approx(COULOMB * pair[0] * pair[1] / 1e-7, rel=2e-4)


@given(PAIRS, st.floats(0.01, 2.0))
def test_slope_is_the_numerical_derivative(pair, r):
    h = 1e-5 * r
    slope = table()[pair](*pair, np.array([r]))[1][0]
    numeric = (energy(pair, r + h) - energy(pair, r - h)) / (2 * h)
    assert slope == pytest.approx(numeric, rel=1e-5, abs=1e-9)


@given(PAIRS)
def test_it_is_of_the_order_of_zbl_where_that_exceeds_100_eV(pair):
    r = np.geomspace(0.02, 0.5, 30)
    screened, _ = universal(*pair, r)
    ours, _ = table()[pair](*pair, r)
    high = screened > 100
    assert np.all(np.abs(np.log(ours[high] / screened[high])) < np.log(1.7))


@pytest.mark.parametrize("name", ["H2", "N2", "NaCl", "KCl", "OH", "Au2"])
def test_it_ends_where_it_falls_to_the_floor(name):
    dimer = Dimer.parse(name)
    curve = nlh(dimer, np.geomspace(0.01, 5.0, 200))
    high = curve.provenance["valid_r"][1]
    assert energy(tuple(sorted(dimer.numbers)), high) == pytest.approx(FLOOR, rel=1e-9)
    assert curve.energy.min() >= FLOOR
    assert curve.provenance["truth"] is False


def test_three_times_the_stated_error():
    stated = nlh(Dimer.parse("N2"), np.array([0.3])).provenance["relative_uncertainty"]
    assert stated == pytest.approx(3 * 0.1101)


def test_written_out_by_hand_for_nitrogen():
    expected = COULOMB * 49 / 0.5 * (0.02813 * np.exp(-55.349135) + 0.97187 * np.exp(-2.563495))
    assert nlh(Dimer.parse("N2"), np.array([0.5])).energy[0] == pytest.approx(expected, rel=1e-9)


def test_against_exact_hydrogen():
    """Good to 1 % above 160 eV; 5.5 % near its end, where its stated error is 1.3 %."""
    h2 = Dimer.parse("H2")
    curve = nlh(h2, np.linspace(0.02, 0.1869, 40))
    error = np.abs(curve.energy / exact(h2, curve.r).energy - 1)
    assert error[curve.r < 0.065].max() < 0.011
    assert 0.05 < error.max() < 0.056
    assert error.argmax() == len(error) - 1


@pytest.mark.parametrize(
    ("name", "why"),
    [("H2+", "neutral"), ("H2++", "neutral"), ("H2@3", "neutral"), ("XeAu", "No NLH")],
)
def test_unavailable_with_a_reason(name, why):
    answer = nlh(Dimer.parse(name), np.array([0.01]))
    assert isinstance(answer, Unavailable)
    assert why in answer.reason


def test_far_out_there_is_nothing():
    assert isinstance(nlh(Dimer.parse("HeH"), np.array([1.0, 10.0])), Unavailable)


def test_the_bundled_table():
    assert len(table()) == 91
    assert "Phys. Rev. A 111, 032818 (2025)" in bundled("nlh_coefficients.csv")
    assert all(0.005 < s.error < 0.12 for s in table().values())


HEADER = bundled("nlh_coefficients.csv").splitlines()[2] + "\n"
GOOD = "1,1,0.4,2,0.6,3,0,0,1%,2%"


def test_a_good_row():
    made = parse(HEADER + GOOD)[1, 1]
    assert (made.weights, made.rates, made.error) == ((0.4, 0.6, 0.0), (2.0, 3.0, 0.0), 0.01)


@pytest.mark.parametrize(
    "row",
    [
        GOOD.replace("0.6", "0.7"),
        GOOD.replace("0.6", "inf"),
        GOOD.replace(",3,", ",-3,"),
        GOOD.replace("1%", "1"),
        GOOD.replace("2%", "two%"),
        GOOD.replace("1,1,0.4", "2,1,0.4"),
        GOOD.replace("1,1,0.4", "0,1,0.4"),
        GOOD.replace("1,1,0.4", "H,1,0.4"),
        GOOD + ",5",
        GOOD + "\n" + GOOD,
    ],
)
def test_a_bad_row_is_named(row):
    with pytest.raises(InputError, match="Bad row '"):
        parse(HEADER + row)


def test_a_wrong_header_is_refused():
    with pytest.raises(InputError, match="NLH coefficients must have rows"):
        parse(HEADER.replace("a1", "c1") + GOOD)
