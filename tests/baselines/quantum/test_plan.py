import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.baselines.quantum.plan import R_MAX, R_MIN, midpoints, radii, well
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.suites import STANDARD

SYMBOL = st.sampled_from(["H", "He", "Li", "N", "F", "Ne", "Na", "Cl", "Ar", "Fe", "Cs", "Xe", "U"])


@given(SYMBOL, SYMBOL, st.integers(12, 60))
def test_distances_increase_inside_the_bounds(first, second, points):
    r = radii(Dimer((first, second)), points=points)
    assert r.shape == (points,)
    assert np.all(np.diff(r) > 0)
    assert (r[0], r[-1]) == (R_MIN, R_MAX)


@given(SYMBOL, st.integers(12, 60), st.floats(0.01, 0.5), st.floats(5.0, 30.0), st.integers(1, 12))
def test_midpoints_lie_between_neighbours(symbol, points, r_min, r_max, count):
    r = radii(Dimer((symbol, symbol)), points=points, r_min=r_min, r_max=r_max)
    middle = midpoints(r, count)
    assert 1 <= len(middle) <= count
    assert not set(middle.tolist()) & set(r.tolist())
    assert np.all(np.diff(np.searchsorted(r, middle)) > 0)
    assert r[0] < middle[0] <= middle[-1] < r[-1]


@pytest.mark.parametrize("name", [n for n in STANDARD if n != "H2++"])
def test_the_minimum_is_the_densest_part(name):
    dimer = Dimer.parse(name)
    r = radii(dimer)
    r_e = well(dimer)
    spacing = np.diff(np.log(r))
    assert spacing.min() == pytest.approx(spacing[np.searchsorted(r, r_e) - 1], rel=0.01)
    assert np.sum((r > 0.8 * r_e) & (r < 1.6 * r_e)) >= 10
    assert np.all(spacing < 0.3)


def test_the_same_every_time():
    dimer = Dimer.parse("N2")
    assert radii(dimer).tolist() == radii(dimer).tolist()


@pytest.mark.parametrize(
    "options", [{"points": 11}, {"r_min": 0.0}, {"r_min": 2.0, "r_max": 1.0}, {"r_min": -1.0}]
)
def test_impossible_grids_are_refused(options):
    with pytest.raises(InputError, match="at least 12 points"):
        radii(Dimer.parse("N2"), **options)
