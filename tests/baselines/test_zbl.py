import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.baselines import Unavailable
from ase_probe.baselines.exact import exact
from ase_probe.baselines.zbl import FLOOR, universal, zbl
from ase_probe.dimer import Dimer
from ase_probe.units import COULOMB

ATOMIC_NUMBER = st.integers(1, 92)
DISTANCE = st.floats(1e-4, 5.0)


def energy(z1, z2, r):
    return universal(z1, z2, np.array([r]))[0][0]


@given(ATOMIC_NUMBER, ATOMIC_NUMBER, DISTANCE)
def test_screening_lies_between_zero_and_one(z1, z2, r):
    assert 0 < energy(z1, z2, r) < COULOMB * z1 * z2 / r


@given(ATOMIC_NUMBER, ATOMIC_NUMBER)
def test_bare_coulomb_at_the_nucleus(z1, z2):
    assert energy(z1, z2, 1e-9) == pytest.approx(COULOMB * z1 * z2 / 1e-9, rel=1e-6)


@given(ATOMIC_NUMBER, ATOMIC_NUMBER, DISTANCE)
def test_atoms_may_be_swapped(z1, z2, r):
    assert energy(z1, z2, r) == pytest.approx(energy(z2, z1, r), rel=1e-12)


@given(ATOMIC_NUMBER, ATOMIC_NUMBER, st.floats(0.01, 3.0))
def test_slope_is_the_numerical_derivative(z1, z2, r):
    h = 1e-5 * r
    slope = universal(z1, z2, np.array([r]))[1][0]
    numeric = (energy(z1, z2, r + h) - energy(z1, z2, r - h)) / (2 * h)
    assert slope < 0
    assert slope == pytest.approx(numeric, rel=1e-6)


def test_written_out_by_hand_for_silicon():
    # a = 0.8854 * 0.529177210903 / (2 * 14**0.23) Å
    a = 0.12767363
    x = 0.5 / a
    phi = (
        0.18175 * np.exp(-3.1998 * x)
        + 0.50986 * np.exp(-0.94229 * x)
        + 0.28022 * np.exp(-0.4029 * x)
        + 0.02817 * np.exp(-0.20162 * x)
    )
    assert energy(14, 14, 0.5) == pytest.approx(14.39964547 * 196 / 0.5 * phi, rel=2e-6)


@pytest.mark.parametrize("name", ["H2", "N2", "HF", "Ar2", "Au2"])
def test_it_ends_where_it_falls_to_the_floor(name):
    dimer = Dimer.parse(name)
    curve = zbl(dimer, np.geomspace(0.01, 5.0, 200))
    low, high = curve.provenance["valid_r"]
    assert low == 0.0
    assert energy(*dimer.numbers, high) == pytest.approx(FLOOR, rel=1e-9)
    assert curve.r[-1] <= high
    assert curve.energy.min() >= FLOOR
    assert curve.provenance["truth"] is False
    assert curve.provenance["relative_uncertainty"] == 0.2


def test_beyond_its_range_it_is_unavailable():
    answer = zbl(Dimer.parse("N2"), np.array([1.0, 2.0]))
    assert isinstance(answer, Unavailable)


@pytest.mark.parametrize("name", ["H2+", "H2++", "HeH+"])
def test_ions_are_unavailable(name):
    answer = zbl(Dimer.parse(name), np.array([0.01]))
    assert isinstance(answer, Unavailable)
    assert "charged" in answer.reason


def test_agrees_with_exact_h2_within_its_uncertainty():
    r = np.geomspace(0.01, 0.095, 20)
    dimer = Dimer.parse("H2")
    model = zbl(dimer, r)
    truth = exact(dimer, model.r)
    np.testing.assert_allclose(model.energy, truth.energy, rtol=0.2)
