import numpy as np
import pytest
from ase.data import atomic_masses_common
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants as si

from ase_probe import Curve, Dimer
from ase_probe.baselines import constants
from ase_probe.checks.shape import find_well, noise, slope, unevenness
from ase_probe.grids import grid
from ase_probe.suites import suite

BOUND = [dimer for dimer in suite("standard") if constants(dimer) and constants(dimer).omega_e]


def masses(dimer):
    return tuple(float(atomic_masses_common[number]) for number in dimer.numbers)


def morse(dimer, r, shift=0.0):
    """Morse curve with the dimer's experimental constants: E, F and the constants."""
    known = constants(dimer)
    m = masses(dimer)
    reduced = m[0] * m[1] / sum(m) * si.atomic_mass
    k = (2 * np.pi * si.c * 100 * known.omega_e) ** 2 * reduced / si.e * 1e-20
    a = np.sqrt(k / (2 * known.D_e))
    x = np.exp(-a * (r - known.r_e))
    return known.D_e * (x * x - 2 * x) + shift, 2 * a * known.D_e * (x * x - x), known


@pytest.mark.parametrize("dimer", BOUND, ids=str)
def test_standard_grid_is_converged(dimer):
    # The figures that the documentation of the grid promises.
    r = grid("standard", dimer, cutoff=5.0)
    energy, _, known = morse(dimer, r, shift=-13.0)
    curve = Curve(r=r, energy=energy, provenance={"dtype": "float64"})
    well = find_well(curve, 0.6 * dimer.covalent_sum, 6.0)
    assert well.r_e == pytest.approx(known.r_e, rel=1e-6)
    assert -13.0 - well.energy == pytest.approx(known.D_e, rel=1e-6)
    assert well.omega_e(masses(dimer)) == pytest.approx(known.omega_e, rel=1e-5)


@pytest.mark.parametrize("name", ["matbench", "ml-peg"])
def test_other_grids_reach_one_in_ten_thousand(name):
    dimer = Dimer.parse("N2")
    r = grid(name, dimer)
    energy, _, known = morse(dimer, r)
    well = find_well(Curve(r=r, energy=energy), 0.6 * dimer.covalent_sum, 6.0)
    assert well.r_e == pytest.approx(known.r_e, rel=1e-4)
    assert well.omega_e(masses(dimer)) == pytest.approx(known.omega_e, rel=1e-4)
    assert well.r_e_error < 1e-4


@given(st.floats(-1000, 1000))
def test_a_shift_of_the_energy_moves_nothing(shift):
    dimer = Dimer.parse("CO")
    r = grid("standard", dimer)
    energy, _, _ = morse(dimer, r)
    here = find_well(Curve(r=r, energy=energy, provenance={"dtype": "float64"}), 0.8, 2.5)
    there = find_well(Curve(r=r, energy=energy + shift, provenance={"dtype": "float64"}), 0.8, 2.5)
    assert there.r_e == pytest.approx(here.r_e, abs=1e-6)
    assert there.force_constant == pytest.approx(here.force_constant, rel=1e-5)


def test_single_precision_costs_little():
    dimer = Dimer.parse("N2")
    r = grid("standard", dimer)
    energy, _, known = morse(dimer, r, shift=-16.0)
    curve = Curve(r=r, energy=energy.astype(np.float32), provenance={"dtype": "float32"})
    well = find_well(curve, 0.8, 2.5)
    assert well.r_e == pytest.approx(known.r_e, abs=1e-4)
    assert well.omega_e(masses(dimer)) == pytest.approx(known.omega_e, rel=1e-3)


@pytest.mark.parametrize(
    "energy",
    [
        lambda r: 1.0 / r,
        lambda r: 0 * r,
        lambda r: np.nan * r,
        lambda r: -r,
    ],
)
def test_no_well_where_there_is_none(energy):
    r = grid("standard", Dimer.parse("N2"))
    assert find_well(Curve(r=r, energy=energy(r)), 0.8, 2.5) is None


def test_missing_points_are_stepped_over():
    r = grid("standard", Dimer.parse("N2"))
    energy = np.where(np.abs(r - 1.1) < 0.05, np.nan, (r - 1.1) ** 2)
    assert find_well(Curve(r=r, energy=energy), 0.8, 2.5).r_e == pytest.approx(1.1, abs=1e-6)


def test_a_well_below_the_floor_is_none():
    r = grid("standard", Dimer.parse("N2"))
    energy = -20 * np.exp(-(((r - 1.1) / 0.2) ** 2))
    assert find_well(Curve(r=r, energy=energy), 0.8, 2.5, floor=-15.0) is None
    assert find_well(Curve(r=r, energy=energy), 0.8, 2.5) is not None


def test_noise_is_not_a_well():
    r = grid("standard", Dimer.parse("N2"))
    energy = -100.0 + 1e-6 * np.random.default_rng(1).standard_normal(len(r))
    curve = Curve(r=r, energy=energy, provenance={"dtype": "float32"})
    assert noise(curve) > 1e-6
    assert find_well(curve, 0.8, 2.5) is None


def test_of_two_wells_the_lower_one_counts():
    r = np.linspace(0.5, 6.0, 1101)
    energy = -np.exp(-(((r - 1.2) / 0.2) ** 2)) - 2 * np.exp(-(((r - 2.2) / 0.2) ** 2))
    assert find_well(Curve(r=r, energy=energy), 0.8, 3.0).r_e == pytest.approx(2.2, abs=1e-4)
    assert find_well(Curve(r=r, energy=energy), 0.8, 2.0).r_e == pytest.approx(1.2, abs=1e-4)


@pytest.mark.parametrize("dimer", BOUND[:12], ids=str)
def test_slope_is_right_within_its_error(dimer):
    r = grid("standard", dimer, cutoff=5.0)
    energy, force, _ = morse(dimer, r)
    result = slope(Curve(r=r, energy=energy, provenance={"dtype": "float64"}))
    judged = np.isfinite(result.value)
    assert 12 <= judged.sum() < len(r)  # the stencils, not the coarse parts
    assert np.all(np.abs(result.value + force)[judged] <= result.error[judged] + 1e-9)
    assert np.median(result.error[judged] / (1 + np.abs(force[judged]))) < 1e-6


def test_slope_of_a_short_or_coarse_curve_is_unknown():
    assert np.isnan(slope(Curve(r=[1.0, 2.0], energy=[0.0, 1.0])).value).all()
    r = np.linspace(1.0, 2.0, 11)
    assert np.isnan(slope(Curve(r=r, energy=r)).value).all()


def test_unevenness_sees_a_kink_and_no_cubic():
    r = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.02, 40))
    inner = np.arange(3, 37)
    assert np.nanmax(unevenness(r, 3 * r**3 - r, inner)) < 1e-12
    kinked = unevenness(r, np.abs(r - r[20]), inner)
    assert abs(int(np.nanargmax(kinked)) - 20) <= 1
    assert np.isnan(unevenness(r, r, np.array([5]))[6:]).all()
