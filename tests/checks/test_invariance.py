"""What must not matter to any verdict: the zero, the order of points, their number, the units."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ase_probe import Curve, Dimer
from ase_probe.baselines import constants
from ase_probe.check_names import CHECK_NAMES
from ase_probe.checks import Case, run
from ase_probe.checks.shape import find_well
from ase_probe.grids import grid
from ase_probe.model import ModelCard

N2 = Dimer.parse("N2")
MASSES = (14.0, 14.0)
R = grid("standard", N2, cutoff=5.0)
wells = st.tuples(st.floats(9.0, 11.0), st.floats(2.4, 3.0), st.floats(1.05, 1.15))
defects = st.sampled_from([None, (0.5, 0.06, -2000.0), (2.6, 0.2, 0.4), (0.85, 0.05, -60.0)])


def model(well, defect, r):
    """A Morse curve, with a Gaussian hole or hump: energies and forces."""
    depth, a, r_e = well
    x = np.exp(-a * (r - r_e))
    energy, force = depth * (x * x - 2 * x), 2 * a * depth * (x * x - x)
    if defect:
        centre, width, height = defect
        g = height * np.exp(-(((r - centre) / width) ** 2))
        energy, force = energy + g, force + 2 * (r - centre) / width**2 * g
    return energy, force


def curve(well, defect, r, shift=0.0):
    energy, force = model(well, defect, r)
    forces = np.zeros((len(r), 2, 3))
    forces[:, 1, 2], forces[:, 0, 2] = force, -force
    return Curve(
        r=r, energy=energy + shift, forces=forces, atom_energies=[shift / 2, shift / 2],
        provenance={"dtype": "float64", "grid": "standard"},
    )  # fmt: skip


def findings(made):
    card = ModelCard(name="m", family="f", cutoff=5.0)
    case = Case(dimer=N2, card=card, curve=made, constants=constants(N2))
    return {f.check: f for f in run(case, CHECK_NAMES)}


def assert_same(one, two, tolerance=1e-6, without=()):
    assert one.keys() == two.keys()
    for check in one.keys() - set(without):
        assert one[check].status == two[check].status, check
        if one[check].value is not None:
            assert one[check].value == pytest.approx(
                two[check].value, rel=tolerance, abs=tolerance
            ), check


@given(wells, defects, st.floats(-1e4, 1e4))
@settings(max_examples=25)
def test_the_zero_of_energy(well, defect, shift):
    # A large zero costs digits: 1e4 eV leave 1e-12 of them.
    rough = {"smoothness.noise", "consistency.force", "smoothness.kink"}
    assert_same(
        findings(curve(well, defect, R)), findings(curve(well, defect, R, shift)), 1e-5, rough
    )


@given(wells, defects, st.integers(0, 2**31), st.floats(0.1, 0.9))
@settings(max_examples=25)
def test_the_order_in_which_points_came(well, defect, seed, share):
    whole = curve(well, defect, R)
    late = np.random.default_rng(seed).random(len(R)) < share
    late[[0, -1]] = False
    first, second = (
        replace(
            whole, r=whole.r[mask], energy=whole.energy[mask], forces=whole.forces[mask]
        )
        for mask in (~late, late)
    )  # fmt: skip
    joined = first.extended(second)
    assert_same(findings(whole), findings(joined))


@given(wells, st.sampled_from([None, (0.5, 0.06, -2000.0)]), st.integers(0, 2**31))
@settings(max_examples=25)
def test_more_points_change_no_verdict(well, defect, seed):
    rng = np.random.default_rng(seed)
    more = np.setdiff1d(np.round(rng.uniform(0.45, 4.0, 60), 4), np.round(R, 4))
    more = more[np.abs(more[:, None] - R).min(axis=1) > 2e-3]
    once, twice = findings(curve(well, defect, R)), findings(
        curve(well, defect, np.sort(np.concatenate([R, more])))
    )  # fmt: skip
    assert {c: f.status for c, f in once.items()} == {c: f.status for c, f in twice.items()}
    for check in ("dissociation.r_e", "dissociation.D_e", "dissociation.omega_e"):
        assert once[check].value == pytest.approx(twice[check].value, rel=1e-4)
    barrier = "compression.barrier"
    assert once[barrier].value == pytest.approx(twice[barrier].value, rel=0.05)


@given(st.floats(0.3, 8.0), st.integers(0, 200))
@settings(max_examples=25)
def test_the_share_that_is_answered_does_not_depend_on_where_points_are_dense(gap, extra):
    made = curve((10.0, 2.7, 1.1), None, R)
    more = np.setdiff1d(np.linspace(0.6, 1.0, extra + 2)[1:-1], R)
    dense = curve((10.0, 2.7, 1.1), None, np.sort(np.concatenate([R, more])))
    shares = []
    for one in (made, dense):
        holed = replace(
            one, energy=np.where((one.r > gap) & (one.r < 1.2 * gap), np.nan, one.energy)
        )
        shares.append(Case(dimer=N2, card=ModelCard(name="m", family="f"), curve=holed).answered)
    assert shares[0] == pytest.approx(shares[1], abs=0.03)
    assert shares[0] < 1


@given(wells, st.floats(0.25, 4.0), st.floats(0.25, 4.0))
@settings(max_examples=50)
def test_units(well, per_r, per_energy):
    """In other units of length and energy the same well has the same numbers."""
    made = curve(well, None, R)
    here = find_well(made, 0.8, 2.0)
    other = Curve(r=made.r * per_r, energy=made.energy * per_energy, provenance=made.provenance)
    there = find_well(other, 0.8 * per_r, 2.0 * per_r)
    assert there.r_e == pytest.approx(here.r_e * per_r, rel=1e-6)
    assert there.energy == pytest.approx(here.energy * per_energy, rel=1e-6)
    scaled = here.omega_e(MASSES) * np.sqrt(per_energy) / per_r
    assert there.omega_e(MASSES) == pytest.approx(scaled, rel=1e-4)


@given(wells, defects)
@settings(max_examples=25)
def test_which_atom_comes_first(well, defect):
    """Forces of the mirror image: first and second atom exchanged, z turned round."""
    made = curve(well, defect, R)
    mirrored = replace(made, forces=-made.forces[:, ::-1])
    assert_same(findings(made), findings(mirrored))
