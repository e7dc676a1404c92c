"""What a project writes itself: one line, or its own questions to the curve."""

import pytest
from sample_potential import broken, repaired

from ase_probe.testing import assert_physical


def test_the_repaired_potential_is_physical():
    assert_physical(repaired(), dimers=["N2"])


def test_the_broken_one_is_not():
    with pytest.raises(AssertionError, match="the energy falls to"):
        assert_physical(broken(), dimers=["N2"], checks=["compression"])


@pytest.mark.probe(model="sample_potential:repaired", dimers=["N2"])
def test_the_wall_only_rises(probe_curve):
    curve = probe_curve("N2")
    wall = curve.energy[curve.r < 1.0]
    assert all(wall[:-1] > wall[1:])
