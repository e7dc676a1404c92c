"""A second pass where the first leaves a verdict open."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from hypothesis import given
from hypothesis import strategies as st

from ase_probe import Curve, Dimer, audit
from ase_probe.grids import STENCIL, grid
from ase_probe.refine import SPACING, extra

N2 = Dimer.parse("N2")
R = grid("standard", N2, cutoff=5.0)


def morse(r, depth=9.9, a=2.7, r_e=1.1):
    x = np.exp(-a * (r - r_e))
    return depth * (x * x - 2 * x)


class Pair(Calculator):
    """Morse N2 with a Gaussian `hole`: (depth in eV, centre and width in Å)."""

    implemented_properties = ("energy", "forces")

    def __init__(self, hole=None):
        super().__init__()
        self.hole = hole

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        forces = np.zeros((len(atoms), 3))
        energy = 0.0
        if len(atoms) == 2:
            vector = atoms.positions[1] - atoms.positions[0]
            r, h = np.linalg.norm(vector), 1e-6
            energy = self.energy_at(r)
            slope = (self.energy_at(r + h) - self.energy_at(r - h)) / (2 * h)
            forces[1] = -slope * vector / r
            forces[0] = -forces[1]
        self.results = {"energy": energy, "forces": forces}

    def energy_at(self, r):
        energy = morse(r)
        if self.hole is not None:
            depth, centre, width = self.hole
            energy -= depth * np.exp(-(((r - centre) / width) ** 2))
        return energy


@pytest.mark.parametrize("centre", [0.80, 0.807, 0.813, 0.82, 0.91])
def test_a_hole_between_two_points_of_the_grid_is_found(centre):
    """0.02 Å wide (full width at half maximum), where the grid has steps of 0.028 Å."""
    width = 0.02 / (2 * np.sqrt(np.log(2)))
    found = audit(Pair((60.0, centre, width)), dimers=["N2"], checks=["compression.barrier"])
    (barrier,) = found.findings
    assert barrier.status == "fail"
    assert barrier.details["r_b"] == pytest.approx(centre + 0.025, abs=0.02)
    assert found.environment["refined"] > 20
    assert audit(Pair(), dimers=["N2"], checks=["compression.barrier"]).findings[0].status != "fail"


def test_a_barrier_is_refined_until_its_top_is_known():
    calculator = Pair((900.0, 0.45, 0.08))
    found = audit(calculator, dimers=["N2"], checks=["compression.barrier"])
    barrier = found.findings[0]
    fine = np.linspace(0.45, 1.1, 200_001)
    energy = calculator.energy_at(fine)
    falls = np.flatnonzero(np.diff(energy) > 0)
    top = int(falls[-1]) + 1 if falls.size else 0
    assert barrier.value == pytest.approx(float(energy[top]), rel=5e-3, abs=0.05)
    assert barrier.details["r_b"] == pytest.approx(float(fine[top]), abs=0.01)


def test_the_peers_grids_are_left_as_they_are():
    found = audit(Pair(), dimers=["N2"], grid="matbench", checks=["compression"])
    assert len(found.curves["N2"]) == 119
    assert found.environment["refined"] == 0


def test_points_are_counted():
    found = audit(Pair(), dimers=["N2"], checks=["compression"])
    curve = found.curves["N2"]
    assert curve.provenance["refined"] == found.environment["refined"]
    assert len(curve) == len(grid("standard", N2)) + curve.provenance["refined"]


def test_failures_move_with_their_points():
    class Breaks(Pair):
        def energy_at(self, r):
            if 0.85 < r < 0.9:
                raise RuntimeError("no")
            return morse(r)

    curve = audit(Breaks(), dimers=["N2"], checks=["compression"]).curves["N2"]
    bad = np.isnan(curve.energy)
    assert set(np.flatnonzero(bad)) == set(curve.failures)
    assert np.all((curve.r[bad] > 0.84) & (curve.r[bad] < 0.91))


curves = st.builds(
    lambda depth, a, r_e, noise: Curve(
        r=R, energy=morse(R, depth, a, r_e) + noise * np.cos(37.0 * R)
    ),
    st.floats(0.1, 12),
    st.floats(1, 4),
    st.floats(0.8, 1.8),
    st.floats(0, 0.5),
)


@given(curves, st.floats(20, 500), st.sampled_from([None, 3.0, 5.0, 20.0]))
def test_extra_points_are_new_inside_and_sorted(curve, cap, cutoff):
    found = extra(N2, curve, cutoff=cutoff, cap=cap)
    assert np.all(np.diff(found) > 0)
    assert np.all((found > curve.r[0]) & (found < curve.r[-1]))
    assert not set(found.tolist()) & set(curve.r.tolist())
    joined = np.sort(np.concatenate([curve.r, found]))
    assert np.all(np.diff(joined) > 1e-7)


@given(curves)
def test_the_wall_has_no_gap_left(curve):
    found = extra(N2, curve, cap=50.0)
    r = np.sort(np.concatenate([curve.r, found]))
    s = N2.covalent_sum
    near = (curve.r >= 0.5 * s) & (curve.r <= 2.5 * s)
    bottom = curve.r[near][np.argmin(curve.energy[near])]
    high = curve.r[(curve.energy - curve.energy[-1] > 50.0) & (curve.r < bottom)]
    start = high.max() if high.size else r[0]
    wall = r[(r >= start) & (r <= bottom)]
    gaps = np.diff(wall)
    stencil = gaps <= 1.1 * STENCIL * wall[1:]
    assert np.all((gaps <= SPACING + 1e-6) | stencil)


def test_nothing_to_refine_without_energies():
    nothing = Curve(r=R, energy=np.full(len(R), np.nan))
    assert not len(extra(N2, nothing, cutoff=5.0, cap=50.0))


def test_both_sides_of_the_cutoff():
    found = extra(N2, Curve(r=R, energy=morse(R)), cutoff=5.0, cap=50.0)
    assert {4.9995, 5.0005, 4.95, 5.05} <= set(found.tolist())
