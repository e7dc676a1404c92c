"""Cutoff, tail and smoothness: each planted defect is caught by its own check."""

from dataclasses import replace

import numpy as np
import pytest

from ase_probe import Curve, Dimer
from ase_probe.checks import CHECKS, Case, run, select
from ase_probe.grids import grid
from ase_probe.model import ModelCard
from ase_probe.refine import extra

N2 = Dimer.parse("N2")
CUTOFF = 5.0
DENSE = np.geomspace(0.1, 10.0, 600)
GROUPS = ("cutoff", "long_range", "smoothness")


def morse(r, depth=9.9, a=2.7, r_e=1.1):
    x = np.exp(-a * (r - r_e))
    return depth * (x * x - 2 * x), 2 * a * depth * (x * x - x)


def case(change=None, own=True, cutoff=CUTOFF, noise=0.0):
    base = grid("standard", N2, cutoff=CUTOFF)
    r = np.sort(
        np.concatenate(
            [base, extra(N2, Curve(r=base, energy=morse(base)[0]), cutoff=CUTOFF, cap=50.0)]
        )
    )
    energy, force = morse(r)
    if change is not None:
        de, df = change(r)
        energy, force = energy + de, force + df
    energy = energy + noise * np.random.default_rng(1).standard_normal(len(r))
    forces = np.zeros((len(r), 2, 3))
    forces[:, 1, 2], forces[:, 0, 2] = force, -force
    labels = Curve(
        r=DENSE,
        energy=morse(DENSE)[0],
        forces=np.stack([np.array([[0, 0, -f], [0, 0, f]]) for f in morse(DENSE)[1]]),
        provenance={"level": "PBE/def2-TZVPD", "tier": "dft:pbe"},
    )
    return Case(
        dimer=N2,
        card=ModelCard(name="m", family="f", cutoff=cutoff),
        curve=Curve(
            r=r, energy=energy, forces=forces, atom_energies=[0.0, 0.0],
            provenance={"dtype": "float64", "grid": "standard"},
        ),
        own_curves=(labels,) if own else (),
    )  # fmt: skip


def outcome(some_case, groups=None):
    return {
        f.check: f.status
        for f in run(some_case, select(groups))
        if f.status in ("warn", "fail") and not f.check.startswith("consistency.")
    }


def step(height):
    return lambda r: (height * (r < CUTOFF), 0.0 * r)


def force_step(height):
    """A kink at the cutoff: E = −height·(r_c − r) inside."""
    return lambda r: (
        np.where(r < CUTOFF, -height * (CUTOFF - r), 0.0), np.where(r < CUTOFF, -height, 0.0)
    )  # fmt: skip


def cliff(height, width=0.25):
    """A smooth loss of `height` eV just before the cutoff."""
    middle = CUTOFF - 0.5

    def change(r):
        t = np.tanh((r - middle) / width)
        return -0.5 * height * (1 - t), -0.5 * height * (1 - t * t) / width

    return change


def test_a_sound_tail_passes():
    found = {f.check: f.status for f in run(case(), select(GROUPS))}
    assert set(found.values()) == {"pass"}, found


@pytest.mark.parametrize(("height", "status"), [(5e-5, "pass"), (5e-4, "warn"), (5e-3, "fail")])
def test_a_step_at_the_cutoff(height, status):
    found = CHECKS["cutoff.jump"](case(step(height)))
    assert found.status == status
    assert found.unit == "eV"
    if status != "pass":
        assert found.value == pytest.approx(height, rel=0.05)


@pytest.mark.parametrize(("height", "status"), [(0.002, "pass"), (0.02, "warn"), (0.2, "fail")])
def test_a_kink_at_the_cutoff(height, status):
    found = CHECKS["cutoff.jump"](case(force_step(height)))
    assert found.status == status
    if status != "pass":
        assert found.unit == "eV/Å"
        assert found.value == pytest.approx(height, rel=0.05)


@pytest.mark.parametrize(("height", "status"), [(0.01, "pass"), (0.1, "warn"), (0.5, "fail")])
def test_a_cliff_before_the_cutoff(height, status):
    found = CHECKS["cutoff.cliff"](case(cliff(height)))
    assert found.status == status
    assert found.value == pytest.approx(0.5 * height / 0.25, rel=0.1)
    assert CHECKS["cutoff.jump"](case(cliff(height))).status == "pass"


def test_two_charges_may_do_what_charges_do():
    """Without a reference the slope of an ion pair is no artefact, and a steeper one is."""
    coulomb = lambda r: (-14.4 / r * 0.9 + 14.4 * 0.9 / 10, -14.4 * 0.9 / r**2)  # noqa: E731
    assert CHECKS["cutoff.cliff"](case(coulomb, own=False)).status == "pass"
    assert CHECKS["cutoff.cliff"](case(cliff(0.9), own=False)).status == "fail"


@pytest.mark.parametrize(("height", "status"), [(0.004, "pass"), (0.015, "warn"), (0.1, "fail")])
def test_a_tail_that_leaves_the_labels(height, status):
    def change(r):
        g = -height * np.exp(-(((r - 3.8) / 0.4) ** 2))
        return g, 2 * (r - 3.8) / 0.16 * g

    found = CHECKS["long_range.tail"](case(change))
    assert found.status == status
    assert found.details["r"] == pytest.approx(3.8, abs=0.3)


@pytest.mark.parametrize(("size", "status"), [(1e-5, "pass"), (2e-3, "warn"), (2e-2, "fail")])
def test_noise(size, status):
    found = CHECKS["smoothness.noise"](case(noise=size))
    assert found.status == status
    assert found.value == pytest.approx(size, rel=0.7)


@pytest.mark.parametrize(("height", "status"), [(0.02, "pass"), (9.0, "warn"), (60.0, "fail")])
@pytest.mark.parametrize("at", [0.85, 0.95])
def test_a_kink_on_the_wall(height, status, at):
    def change(r):
        return np.where(r < at, height * (at - r), 0.0), np.where(r < at, height, 0.0)

    found = CHECKS["smoothness.kink"](case(change))
    assert found.status == status
    if status != "pass":
        assert found.details["r"] == pytest.approx(at, abs=0.02)


def test_a_hole_above_the_cap_hides_no_kink_below_it():
    def change(r):
        hole, kink = 30_000 * (r - 0.4) * (r < 0.4), 60 * (0.7 - r) * (r < 0.7)
        return hole + kink, 30_000.0 * (r < 0.4) + 60.0 * (r < 0.7)

    found = CHECKS["smoothness.kink"](case(change))
    assert found.status == "warn"
    assert found.details["r"] == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize(
    ("change", "caught"),
    [
        (step(0.004), {"cutoff.jump"}),
        (force_step(0.06), {"cutoff.jump", "long_range.tail"}),
        (cliff(0.2), {"cutoff.cliff", "long_range.tail"}),
    ],
)
def test_caught_by_no_unrelated_check(change, caught):
    found = outcome(case(change))
    assert set(found) - {"compression.zbl", "dissociation.limit"} == caught


def test_what_cannot_be_asked_is_not_run():
    for check in ("cutoff.jump", "cutoff.cliff"):
        assert CHECKS[check](case(cutoff=None)).status == "not-run"
        assert "across" in CHECKS[check](case(cutoff=50.0)).reason
    assert CHECKS["long_range.tail"](case(own=False)).status == "not-run"
    whole = case()
    coarse = Curve(r=whole.curve.r[::9], energy=whole.curve.energy[::9])
    bare = replace(whole, curve=coarse)
    for check in ("cutoff.cliff", "smoothness.kink", "smoothness.noise"):
        assert CHECKS[check](bare).status == "not-run"


@pytest.mark.parametrize(
    ("check", "where", "change"),
    [
        ("cutoff.cliff", 4.5, cliff(1.0)),
        ("smoothness.kink", 1.5, lambda r: (0.0 * r, 40.0 * (r < 2.0))),
    ],
)
def test_missing_forces_are_no_pass(check, where, change):
    def without_forces(found):
        forces = found.curve.forces.copy()
        gap = np.abs(found.curve.r - where) < 0.1
        assert gap.any()
        forces[gap] = np.nan
        return CHECKS[check](replace(found, curve=replace(found.curve, forces=forces)))

    assert CHECKS[check](case()).status == "pass"
    finding = without_forces(case())
    assert (finding.status, finding.score) == ("unresolved", None)
    assert "no" in finding.reason
    assert without_forces(case(change)).status == "fail"  # what is there is judged


def test_no_numbers_earn_nothing():
    whole = case()
    nothing = Curve(
        r=whole.curve.r, energy=np.full(len(whole.curve), np.nan),
        forces=np.full((len(whole.curve), 2, 3), np.nan), provenance=dict(whole.curve.provenance),
    )  # fmt: skip
    for finding in run(replace(whole, curve=nothing), select(GROUPS)):
        assert finding.score in (None, 0.0), finding
        assert finding.status != "pass", finding
