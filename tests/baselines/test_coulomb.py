import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.baselines import Unavailable
from ase_probe.baselines.coulomb import coulomb
from ase_probe.dimer import Dimer

K = 14.399645478456184  # e²/(4πε0), eV Å, CODATA 2018
SYMBOLS = ["H", "He", "C", "Ne", "Fe", "Au"]


def bare(first, second):
    neutral = Dimer((first, second))
    return Dimer((first, second), charge=sum(neutral.numbers))


@given(
    st.sampled_from(SYMBOLS),
    st.sampled_from(SYMBOLS),
    st.floats(1e-3, 1e3),
)
def test_energy_and_force_are_exact(first, second, r):
    dimer = bare(first, second)
    z1, z2 = dimer.numbers
    curve = coulomb(dimer, np.array([r]))
    assert curve.energy[0] == pytest.approx(K * z1 * z2 / r, rel=1e-12)
    assert curve.axial_force[0] == pytest.approx(K * z1 * z2 / r**2, rel=1e-12)


@given(st.floats(1e-3, 10.0), st.floats(1.001, 100.0))
def test_scaling_of_distance(r, factor):
    curve = coulomb(bare("H", "H"), np.array([r, factor * r]))
    assert curve.energy[0] == pytest.approx(factor * curve.energy[1], rel=1e-12)


def test_force_is_the_numerical_derivative():
    r, h = np.geomspace(0.05, 20.0, 50), 1e-5
    dimer = bare("He", "H")
    numeric = (coulomb(dimer, r - h).energy - coulomb(dimer, r + h).energy) / (2 * h)
    np.testing.assert_allclose(coulomb(dimer, r).axial_force, numeric, rtol=1e-6)


@pytest.mark.parametrize("name", ["H2", "H2+", "NaCl"])
def test_electrons_make_it_unavailable(name):
    answer = coulomb(Dimer.parse(name), np.array([1.0]))
    assert isinstance(answer, Unavailable)
    assert name in answer.reason


def test_it_is_the_truth_everywhere():
    provenance = coulomb(Dimer.parse("H2++"), np.array([1.0])).provenance
    assert provenance["truth"] is True
    assert provenance["uncertainty_eV"] == 0.0
    assert provenance["valid_r"] == [0.0, np.inf]
