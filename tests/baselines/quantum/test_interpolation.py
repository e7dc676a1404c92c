import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.baselines import constants
from ase_probe.baselines.exact import exact
from ase_probe.baselines.quantum.interpolation import Interpolant, bends
from ase_probe.baselines.quantum.plan import radii, well
from ase_probe.baselines.zbl import universal
from ase_probe.dimer import Dimer

H2 = Dimer.parse("H2")


def wall_and_well(dimer, r):
    """A screened repulsion that goes over into a Morse well as wide as the dimer's."""
    known = constants(dimer)
    share = 1 / (1 + np.exp((r - 0.5 * known.r_e) / (0.09 * known.r_e)))
    depth = known.D_e + (known.spin_orbit_atoms or 0.0)
    morse = depth * ((1 - np.exp(-2.4 * (r / known.r_e - 1))) ** 2 - 1)
    return share * universal(*dimer.numbers, r)[0] + (1 - share) * morse


def between(r, count=2000):
    return np.geomspace(r[0], r[-1], count)[1:-1]


@pytest.mark.parametrize(("points", "limit_meV"), [(30, 2.0), (36, 0.8), (40, 0.4), (45, 0.2)])
def test_error_on_exact_h2(points, limit_meV):
    r = radii(H2, points=points)
    made = Interpolant(r, exact(H2, r).energy)
    at = between(r)
    truth = exact(H2, at)
    energy, slope = made(at)
    off = np.abs(energy - truth.energy)
    outside = at > 0.55
    assert 1e3 * off[outside].max() < limit_meV
    assert (off[~outside] / np.maximum(truth.energy[~outside], 5.0)).max() < 2e-5
    well_side = (at > 0.6) & (at < 1.0)
    assert np.abs(slope + truth.axial_force)[well_side].max() < 0.01


@pytest.mark.parametrize("name", ["HF", "N2", "Na2", "Cl2", "NaCl"])
def test_error_on_a_wall_and_a_morse_well(name):
    dimer = Dimer.parse(name)
    r = radii(dimer)
    at = between(r)
    truth = wall_and_well(dimer, at)
    off = np.abs(Interpolant(r, wall_and_well(dimer, r))(at)[0] - truth)
    near = at > 0.75 * well(dimer)
    assert off[near].max() < 2e-3
    assert (off[~near] / np.maximum(np.abs(truth[~near]), 5.0)).max() < 1e-3


def test_the_noise_of_a_tail_is_not_amplified():
    r = np.geomspace(2.0, 10.0, 24)
    noise = 2e-4 * np.random.default_rng(5).standard_normal(len(r))
    energy = 0.05 * ((3.8 / r) ** 12 - 2 * (3.8 / r) ** 6)
    far = np.linspace(9.0, 10.0, 400)
    found, slope = Interpolant(r, energy + noise * (r > 6))(far)
    assert np.abs(found).max() < 1e-3
    assert np.abs(slope).max() < 1e-3


def test_points_are_met_exactly_and_nothing_lies_beyond():
    r = radii(H2)
    energy = exact(H2, r).energy
    made = Interpolant(r, energy)
    np.testing.assert_allclose(made(r)[0], energy, rtol=1e-10, atol=1e-10)
    assert np.all(np.isinf(made(np.array([r[0] * 0.99, r[-1] * 1.01]))[0]))


@given(st.floats(1.3, 3.0), st.floats(-3.0, -0.2))
def test_two_crossing_states_keep_their_kink(where, level):
    r = radii(H2)
    first = exact(H2, r).energy
    second = level - 0.3 / r + 0.3 / where  # another state that falls more slowly outward
    cross = np.flatnonzero(np.diff(np.sign(first - second)))
    outer = [i for i in cross if r[i] > 0.75]
    if len(outer) != 1:
        return
    cut = int(outer[0])
    use = np.arange(len(r)) > int(np.argmin(first))
    both = np.where(use, np.minimum(first, second), first)
    made = Interpolant(r, both, [cut])
    at = np.linspace(r[cut], r[cut + 1], 50)
    truth = np.minimum(exact(H2, at).energy, level - 0.3 / at + 0.3 / where)
    assert np.abs(made(at)[0] - truth).max() < 0.05


@given(st.floats(0.05, 3.0))
def test_slope_is_the_numerical_derivative(x):
    r = radii(H2)
    made = Interpolant(r, exact(H2, r).energy)
    at = 0.1 * np.exp(x)
    h = 1e-5 * at
    low, high = made(np.array([at - h, at + h]))[0]
    assert made(np.array([at]))[1][0] == pytest.approx((high - low) / (2 * h), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("points", [30, 36, 40, 45])
@pytest.mark.parametrize("name", ["HF", "N2", "Na2", "Cl2", "NaCl", "Ar2"])
def test_a_smooth_curve_has_no_bends(name, points):
    dimer = Dimer.parse(name)
    r = radii(dimer, points=points)
    assert bends(r, wall_and_well(dimer, r)) == []


def test_exact_h2_has_no_bends():
    r = radii(H2)
    assert bends(r, exact(H2, r).energy) == []


@pytest.mark.parametrize("jump", [0.5, -0.5])
def test_a_jump_is_found(jump):
    r = radii(H2)
    energy = exact(H2, r).energy + jump * (r > 1.2)
    (found,) = bends(r, energy)
    assert abs(found - np.searchsorted(r, 1.2) + 1) <= 2


def test_a_kink_is_found():
    r = radii(H2)
    energy = exact(H2, r).energy
    (found,) = bends(r, np.where(r > 1.2, energy[r > 1.2][0] + 0.1 * (r - 1.2), energy))
    assert abs(r[found] - 1.2) < 0.2
