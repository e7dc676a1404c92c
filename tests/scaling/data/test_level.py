import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.data.bonds import CONTROLS
from ase_probe.scaling.data.level import own_curve, own_curves

NAMES = ("H2", *(bond.name for bond in CONTROLS))


def test_h2_is_bound_and_only_the_unrestricted_curve_comes_apart_into_atoms():
    curves = own_curves([0.7428, 10.0])
    restricted, unrestricted = curves["restricted"].energy, curves["unrestricted"].energy
    assert restricted[0] == pytest.approx(-4.8434, abs=1e-3)  # D_e = 4.75 eV measured
    assert unrestricted[0] == pytest.approx(restricted[0], abs=1e-6)
    assert unrestricted[1] == pytest.approx(0.0, abs=1e-3)
    assert restricted[1] > 2.5


def test_the_minimum_of_h2_is_where_its_force_vanishes():
    force = own_curves(np.array([0.742, 0.7428, 0.7436]))["restricted"].force
    assert force[0] > 0 > force[2]
    assert force[1] == pytest.approx(0.0, abs=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_no_restricted_solution_lies_below_the_unrestricted(name):
    curves = own_curve(name)
    assert np.all(curves["unrestricted"].energy <= curves["restricted"].energy + 1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["restricted", "unrestricted"])
def test_forces_are_the_slope_of_the_energies(name, kind):
    curve = own_curve(name)[kind]
    r, energy, force = curve.r, curve.energy, curve.force
    without = np.delete(np.arange(len(r)), np.arange(1, len(r) - 1, 2))  # every other point
    from scipy.interpolate import CubicHermiteSpline

    spline = CubicHermiteSpline(np.log(r[without]), energy[without], (-r * force)[without])
    inner = r > 0.5
    assert np.abs(spline(np.log(r)) - energy)[inner].max() < 0.02


def test_between_its_points_the_curve_is_what_the_level_gives():
    pytest.importorskip("pyscf")
    from ase_probe.scaling.data.bonds import H2
    from ase_probe.scaling.data.scf import solve

    for r in (0.33, 1.02, 1.47):
        exact = solve(H2.at(r), guesses=[None])
        curve = own_curves([r])["unrestricted"]
        assert curve.energy[0] == pytest.approx(exact.energy, abs=2e-4)
        assert curve.force[0] == pytest.approx(exact.forces[1, 2], abs=1e-2)


@pytest.mark.parametrize("radii", [[0.05], [1.0, 11.0], [float("nan")]])
def test_a_distance_that_was_not_computed_is_refused(radii):
    with pytest.raises(InputError, match=r"0\.1 to 10 Å"):
        own_curves(radii)


def test_an_unknown_curve_is_refused():
    with pytest.raises(InputError, match="CH4 C-H"):
        own_curve("N2")
