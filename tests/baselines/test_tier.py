import numpy as np

from ase_probe.baselines.tier import Level, Unavailable, curve

LEVEL = Level(tier="toy", level="a line", source="nobody", valid_r=(1.0, 2.0))


def line(r):
    return 3.0 * r, np.full_like(r, 3.0)


def test_only_radii_inside_the_range_are_kept():
    made = curve(LEVEL, np.array([0.5, 1.0, 1.5, 2.0, 2.5]), line)
    assert made.r.tolist() == [1.0, 1.5, 2.0]
    assert made.energy.tolist() == [3.0, 4.5, 6.0]


def test_no_radius_inside_is_a_reason_and_nothing_is_evaluated():
    made = curve(LEVEL, np.array([0.5, 2.5]), lambda r: 1 / 0)
    assert isinstance(made, Unavailable)
    assert "from 1 to 2 Å" in made.reason


def test_force_is_minus_the_slope_and_sums_to_zero():
    made = curve(LEVEL, np.array([1.0, 1.5]), line)
    assert made.axial_force.tolist() == [-3.0, -3.0]
    assert np.all(made.forces.sum(axis=1) == 0)
    assert np.all(made.forces[:, :, :2] == 0)
