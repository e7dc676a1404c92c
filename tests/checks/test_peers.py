"""Other benchmarks' metrics on curves where they are known in closed form."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ase_probe import Curve, Dimer
from ase_probe.checks import CHECKS
from ase_probe.checks.peers import MISSING, PEERS, arena, matbench, mlpeg
from ase_probe.errors import InputError
from ase_probe.grids import GRIDS, grid

N2, AR2 = Dimer.parse("N2"), Dimer.parse("Ar2")
ALL = sorted(PEERS)


def curve(r, energy, force=None):
    """Curve with an axial force (n,), or without any."""
    forces = None
    if force is not None:
        forces = np.zeros((len(r), 2, 3))
        forces[:, 1, 2], forces[:, 0, 2] = force, -np.asarray(force)
    return Curve(r=r, energy=energy, forces=forces)


def morse(r, depth=9.9, a=2.7, r_e=1.1):
    x = np.exp(-a * (r - r_e))
    return depth * (x * x - 2 * x), 2 * depth * a * (x * x - x)


def morse_curve(name, dimer=N2, **parameters):
    r = grid(name, dimer)
    return curve(r, *morse(r, **parameters))


def metrics(name, some, dimer=N2, reference=None):
    return PEERS[name](some, reference, dimer=dimer)


def without_count(values):
    return {key: value for key, value in values.items() if key != MISSING}


# Closed forms ------------------------------------------------------------------------------------


def test_arena_of_a_morse_curve():
    found = arena(morse_curve("arena"))
    energy, force = morse(grid("arena", N2))
    well, end = energy.min(), energy[-1]
    assert found["tortuosity"] == pytest.approx(1.0)
    assert found["energy-total-variation"] == pytest.approx(energy[0] - well + end - well)
    # Steps below 1 meV have no direction, so only the turn at the minimum is left.
    steps = np.diff(energy)
    bottom = int(np.argmin(energy))
    left, right = steps[bottom - 1], next(s for s in steps[bottom:] if abs(s) >= 1e-3)
    assert found["energy-diff-flip-times"] == 1
    assert found["energy-jump"] == pytest.approx(abs(left) + abs(right))
    assert found["force-flip-times"] == 1
    lowest = force.min()
    assert found["force-total-variation"] == pytest.approx(force[0] - lowest + force[-1] - lowest)
    turn = int(np.argmin(force))
    assert found["force-jump"] == pytest.approx(np.abs(np.diff(force)[turn - 1 : turn + 1]).sum())
    assert found["spearman-repulsion-energy"] == pytest.approx(-1.0)
    assert found["spearman-attraction-energy"] == pytest.approx(1.0)
    assert found["spearman-descending-force"] == pytest.approx(-1.0)
    assert found["spearman-ascending-force"] == pytest.approx(1.0)
    assert found[MISSING] == 0


def test_arena_counts_the_error_of_its_own_derivative_on_the_wall():
    r = grid("arena", N2)
    energy, force = morse(r)
    expected = np.mean(np.abs(force + np.gradient(energy, r)))
    assert arena(curve(r, energy, force))["conservation-deviation"] == pytest.approx(expected)
    assert expected < 0.1
    assert arena(curve(r, energy, force + 3.0))["conservation-deviation"] == pytest.approx(3, 0.05)


def test_a_lennard_jones_curve_is_not_tortuous():
    r = grid("matbench", AR2)
    x = (3.4 / r) ** 6
    lennard_jones = curve(r, 0.4 * (x * x - x), 2.4 / r * (2 * x * x - x))
    found = matbench(lennard_jones, dimer=AR2)
    assert found["tortuosity"] == pytest.approx(1.0)
    assert found["energy_diff_flips"] == 1
    assert found["force_flips"] == 1


def test_a_step_and_a_zigzag():
    r = np.arange(1.0, 1.55, 0.1)
    step = arena(curve(r, np.array([5.0, 5.0, 5.0, 0.0, 0.0, 0.0])))
    assert step["tortuosity"] == 1.0
    assert step["energy-jump"] == 0.0  # one direction: what is called a jump is a turn
    zigzag = arena(curve(r, np.array([0.0, 2.0, 0.0, 2.0, 0.0, 2.0])))
    assert zigzag["energy-diff-flip-times"] == 4
    assert zigzag["energy-jump"] == pytest.approx(4 * (2 + 2))
    assert zigzag["tortuosity"] == pytest.approx(10 / 2)


def test_thresholds_are_those_of_the_sources():
    r = np.arange(1.0, 1.55, 0.1)
    signs = np.array([1, -1, 1, -1, 1, -1])
    at, below = 1e-2 * signs, 0.99e-2 * signs
    flat = np.zeros(6)
    assert arena(curve(r, flat, at))["force-flip-times"] == 5
    assert arena(curve(r, flat, below))["force-flip-times"] == 0
    assert mlpeg(curve(r, flat, at))["Force flips"] == 0  # above 10 meV/Å, not at it
    assert mlpeg(curve(r, flat, 1.01 * at))["Force flips"] == 5
    ripple = 0.99e-3 * (signs > 0)
    assert arena(curve(r, ripple))["energy-diff-flip-times"] == 0
    assert arena(curve(r, 1.02 * ripple))["energy-diff-flip-times"] == 4


def test_the_minimum_belongs_to_the_repulsive_branch():
    r = np.array([1.0, 1.1, 1.2, 1.3])
    found = arena(curve(r, np.array([-1.0, 5.0, 4.0, 3.0])))
    assert math.isnan(found["spearman-repulsion-energy"])  # one point, the minimum itself
    assert found["spearman-attraction-energy"] == pytest.approx(-1.0)


def test_mlpeg_of_a_morse_curve_and_a_second_minimum():
    found = mlpeg(morse_curve("ml-peg"))
    assert without_count(found) == pytest.approx(
        {
            "Force flips": 1,
            "Energy minima": 1,
            "Energy inflections": 1,
            "ρ(E, repulsion)": -1.0,
            "ρ(E, attraction)": 1.0,
        }
    )
    r = grid("ml-peg", N2)
    energy, force = morse(r)

    def dip(depth):
        return mlpeg(curve(r, energy - depth * np.exp(-(((r - 4) / 0.2) ** 2)), force))

    assert dip(0.15)["Energy minima"] == 2
    assert dip(0.05)["Energy minima"] == 1  # less prominent than 0.1 eV


def test_matbench_against_itself_and_against_a_shifted_reference():
    model = morse_curve("matbench")
    assert matbench(model, dimer=N2)["tortuosity"] == pytest.approx(1.0)
    assert math.isnan(matbench(model, dimer=N2)["pbe_energy_mae"])
    same = matbench(model, model, dimer=N2)
    assert [value for key, value in same.items() if key.startswith("pbe_")] == [0.0] * 6
    r = np.linspace(0.4, 6.0, 2000)
    shifted = curve(r, *morse(r + 0.05))  # its wall ends lower than the model's
    found = matbench(model, shifted, dimer=N2)
    assert found["pbe_wall_dist_mae"] == pytest.approx(0.05, abs=0.005)
    assert found["pbe_bond_length_error"] == pytest.approx(0.05, abs=0.02)  # its coarse parabola
    assert found["pbe_well_depth_error"] < 0.1
    assert found["pbe_force_mae"] > 0


def test_matbench_scores_its_window_only():
    r = grid("matbench", N2)
    energy, force = morse(r)
    inside = r < 0.8 * 0.71
    wild = curve(r, np.where(inside, np.nan, energy), np.where(inside, np.inf, force))
    assert matbench(wild, dimer=N2) == pytest.approx(
        matbench(curve(r, energy, force), dimer=N2), nan_ok=True
    )


def test_a_wall_that_is_never_reached_costs_the_whole_radius():
    r = np.geomspace(0.1, 6.0, 1190)
    energy, force = morse(r)
    capped = curve(r, np.minimum(energy, energy.min() + 7.0), force)
    found = matbench(capped, curve(r, energy, force), dimer=N2)
    reached = [level for level in (1, 5, 10, 20, 50, 100) if level < np.ptp(energy[r > 0.8 * 0.71])]
    radii = [r[np.flatnonzero(energy - energy.min() > level)] for level in reached]
    walls = [radius[radius < 1.1].max() for radius in radii]
    expected = sum(w for level, w in zip(reached, walls, strict=True) if level > 7) / len(reached)
    assert found["pbe_wall_dist_mae"] == pytest.approx(expected, abs=0.005)


def test_a_reference_that_is_rough_or_unbound_judges_nothing():
    model = morse_curve("matbench")
    zigzag = np.where(np.arange(len(model)) % 2, 1.0, -1.0)
    rough = matbench(model, curve(model.r, model.energy + zigzag, model.axial_force), dimer=N2)
    assert all(math.isnan(v) for key, v in rough.items() if key.startswith("pbe_"))
    unbound = matbench(model, curve(model.r, 3.0 / model.r, 3.0 / model.r**2), dimer=N2)
    assert math.isnan(unbound["pbe_vib_freq_error"])
    assert math.isfinite(unbound["pbe_energy_mae"])


def test_a_reference_elsewhere_is_refused():
    r = np.linspace(20.0, 30.0, 10)
    with pytest.raises(InputError, match="0 points between"):
        matbench(morse_curve("matbench"), curve(r, r), dimer=N2)


# Never rewarded ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_missing_points_are_counted_and_never_rewarded(name, bad):
    whole = morse_curve(name)
    energy = whole.energy.copy()
    at = int(np.searchsorted(whole.r, 1.5))
    energy[[at, at + 3]] = bad
    found = metrics(name, curve(whole.r, energy, whole.axial_force))
    assert found[MISSING] == 2
    of_energy = [key for key in found if "force" not in key.lower() and key != MISSING]
    assert all(math.isnan(found[key]) for key in of_energy)


@pytest.mark.parametrize("name", ALL)
def test_all_nan_gets_nothing(name):
    r = grid(name, N2)
    nothing = np.full(len(r), np.nan)
    found = metrics(name, curve(r, nothing, nothing))
    assert all(math.isnan(value) for value in without_count(found).values())
    # Matbench looks at its window only.
    assert found[MISSING] == (len(r) if name != "matbench" else np.sum((r >= 0.568) & (r <= 5.146)))


@pytest.mark.parametrize("name", ALL)
def test_a_model_without_forces_has_no_force_metrics(name):
    whole = morse_curve(name)
    found, full = metrics(name, curve(whole.r, whole.energy)), metrics(name, whole)
    assert found.keys() == full.keys()
    assert found[MISSING] == 0
    for key, value in found.items():
        if "force" in key.lower() or key == "conservation-deviation":
            assert math.isnan(value)
        else:
            assert value == pytest.approx(full[key], nan_ok=True)


@pytest.mark.parametrize("name", ALL)
def test_a_missing_force_spoils_the_force_metrics(name):
    whole = morse_curve(name)
    force = whole.axial_force.copy()
    force[int(np.searchsorted(whole.r, 1.5))] = np.nan
    found = metrics(name, curve(whole.r, whole.energy, force))
    assert found[MISSING] == 1
    assert all(math.isnan(value) for key, value in found.items() if "force" in key.lower())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("points", [1, 2])
def test_curves_too_short_to_say_anything(name, points):
    r = np.linspace(1.0, 1.1, points)
    found = metrics(name, curve(r, r, r))
    assert all(isinstance(value, float) for value in found.values())


@pytest.mark.parametrize("name", ALL)
def test_a_flat_curve_is_neither_tortuous_nor_monotonic(name):
    r = grid(name, N2)
    found = metrics(name, curve(r, np.full(len(r), -3.0), np.zeros(len(r))))
    ranks = [key for key in found if key.startswith(("spearman", "ρ", "tortuosity"))]
    assert ranks
    assert all(math.isnan(found[key]) for key in ranks)


@pytest.mark.parametrize("name", ALL)
def test_what_explodes_raises_nothing(name):
    r = grid(name, N2)
    huge = np.where(np.arange(len(r)) % 2, 1e308, -1e308)
    found = metrics(name, curve(r, huge, huge))
    assert found[MISSING] == 0
    assert found.get("tortuosity", math.nan) != 1.0


def test_peers_are_shown_and_never_scored():
    assert PEERS.keys() == GRIDS.keys() - {"standard"}
    assert not any("peer" in check or check in PEERS for check in CHECKS)


# Invariances -------------------------------------------------------------------------------------

# Multiples of 2^-10 eV: sums and differences are exact, so no step crosses a limit by rounding.
energies = arrays(float, 40, elements=st.integers(-(2**15), 2**15).map(lambda k: k / 1024))


@given(energies, energies, st.integers(-10_000, 10_000), st.sampled_from(ALL))
def test_the_zero_of_energy_does_not_matter(energy, force, shift, name):
    r = np.linspace(0.6, 5.0, 40)
    before = metrics(name, curve(r, energy, force))
    after = metrics(name, curve(r, energy + shift, force))
    assert after == pytest.approx(before, rel=1e-12, nan_ok=True)


@given(energies, energies, st.integers(1, 12))
def test_what_has_no_threshold_scales_with_the_unit(energy, force, power):
    """A power of two is exact, so that ranks and ratios stay and sums scale to the last bit."""
    r, factor = np.linspace(0.6, 5.0, 40), 2.0**power
    one, other = arena(curve(r, energy, force)), arena(curve(r, factor * energy, factor * force))
    for key in one:
        if key == "tortuosity" or key.startswith("spearman"):
            assert other[key] == pytest.approx(one[key], nan_ok=True)
        elif key in ("energy-total-variation", "force-total-variation", "force-jump"):
            assert other[key] == pytest.approx(factor * one[key])


@given(energies, energies)
def test_bounds_that_hold_for_every_curve(energy, force):
    found = arena(curve(np.linspace(0.6, 5.0, 40), energy, force))
    assert math.isnan(found["tortuosity"]) or found["tortuosity"] >= 1 - 1e-9
    assert found["energy-jump"] <= 2 * found["energy-total-variation"] + 1e-9
    assert found["force-jump"] <= 2 * found["force-total-variation"] + 1e-9
    assert all(
        math.isnan(value) or abs(value) <= 1 + 1e-9
        for key, value in found.items()
        if key.startswith("spearman")
    )


def test_no_curve_runs_backwards():
    with pytest.raises(InputError, match="increasing"):
        curve(np.array([2.0, 1.0]), np.zeros(2))
