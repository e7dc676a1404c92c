"""Whose error is it: truth, the labels' own level and the model stand side by side."""

from dataclasses import replace

import numpy as np
import pytest

from ase_probe import Curve, Dimer
from ase_probe.baselines import constants
from ase_probe.checks import CHECKS, Case
from ase_probe.grids import grid
from ase_probe.model import ModelCard

N2 = Dimer.parse("N2")
R = grid("standard", N2, cutoff=5.0)
DENSE = np.geomspace(0.1, 10.0, 600)
TRUTH = constants(N2)
CARD = ModelCard(name="m", family="f", cutoff=5.0, level_of_theory="PBE(+U)")


def morse(r, depth, r_e=TRUTH.r_e, a=2.6886):
    x = np.exp(-a * (r - r_e))
    return depth * (x * x - 2 * x)


def curve(r, energy, **provenance):
    return Curve(r=r, energy=energy, provenance={"dtype": "float64", **provenance})


def own(depth, r=DENSE, tail=0.0, **shape):
    """A branch of the labels' level; `tail` lifts its limit above the atoms, softly."""
    lifted = tail / (1 + np.exp(-(r - 3.0) / 0.2))
    return curve(
        r, morse(r, depth, **shape) + lifted, level="PBE/def2-TZVPD, unrestricted",
        tier="dft:pbe", branch="unrestricted",
    )  # fmt: skip


def case(depth, *labels, **shape):
    return Case(
        dimer=N2,
        card=CARD,
        curve=curve(R, morse(R, depth, **shape)),
        constants=TRUTH,
        own_curves=labels,
    )


def test_a_faithful_copy_of_wrong_labels_is_inherited():
    found = CHECKS["dissociation.D_e"](case(10.61, own(10.56)))
    assert found.status == "inherited"
    assert found.score == 1.0
    assert found.reference == pytest.approx(10.56, abs=1e-3)
    assert found.details["added"] == pytest.approx(0.05, abs=1e-3)
    assert found.details["truth"] == pytest.approx(9.9023)
    assert "PBE itself +0.66, the model adds +0.05 eV" in found.reason


def test_what_the_model_adds_is_its_own():
    found = CHECKS["dissociation.D_e"](case(11.2, own(10.56)))
    assert found.status == "warn"
    assert "the model adds +0.64 eV" in found.reason
    assert CHECKS["dissociation.D_e"](case(12.5, own(10.56))).status == "fail"


def test_being_right_by_missing_the_labels_is_reported():
    found = CHECKS["dissociation.D_e"](case(9.9023, own(10.56)))
    assert found.status == "warn"
    assert found.reason.startswith("+0 eV from experiment: PBE itself +0.66, the model adds −0.66")


def test_a_copy_of_good_labels_passes():
    assert CHECKS["dissociation.D_e"](case(9.95, own(9.93))).status == "pass"


def test_between_two_branches_is_within_the_labels():
    labels = own(9.95), own(9.95, tail=4.0)
    for depth in (9.95, 11.5, 13.9):
        found = CHECKS["dissociation.D_e"](case(depth, *labels))
        assert found.score == 1.0, depth
        assert found.details["added"] == pytest.approx(0.0, abs=2e-3)
    assert CHECKS["dissociation.D_e"](case(9.0, *labels)).status in ("warn", "fail")


def test_a_masked_tail_counts_from_the_atoms():
    short = own(10.56, r=DENSE[DENSE < 3.5])
    assert CHECKS["dissociation.D_e"](case(10.56, short)).details["added"] == pytest.approx(
        0.0, abs=1e-3
    )


def test_without_constants_the_labels_alone_judge():
    known = case(10.56, own(10.56))
    bare = Case(dimer=N2, card=CARD, curve=known.curve, own_curves=known.own_curves)
    found = CHECKS["dissociation.D_e"](bare)
    assert found.status == "pass"
    assert "from its labels' PBE" in found.reason


def test_labels_that_do_not_bind_leave_nothing_to_judge():
    flat = curve(DENSE, 30.0 * np.exp(-3 * DENSE), level="PBE/def2-TZVPD", tier="dft:pbe")
    bare = Case(
        dimer=Dimer.parse("He2"),
        card=CARD,
        curve=curve(R, 30.0 * np.exp(-3 * R)),
        own_curves=(flat,),
    )
    assert CHECKS["dissociation.D_e"](bare).status == "unresolved"
    assert CHECKS["dissociation.r_e"](bare).status == "not-run"


def test_position_and_curvature_too():
    found = case(10.56, own(10.56, r_e=1.11), r_e=1.112)
    assert CHECKS["dissociation.r_e"](found).status == "inherited"
    assert CHECKS["dissociation.omega_e"](found).details["added"] == pytest.approx(0.0, abs=1.0)
    assert CHECKS["dissociation.r_e"](case(10.56, own(10.56, r_e=1.06))).status == "fail"


def test_the_wall_is_measured_from_the_labels():
    same = case(10.56, own(10.56))
    assert CHECKS["compression.wall"](same).status == "pass"
    moved = case(10.56, own(10.56), r_e=TRUTH.r_e + 0.06)
    found = CHECKS["compression.wall"](moved)
    assert found.status == "warn"
    assert found.value == pytest.approx(0.06, abs=2e-3)
    assert "PBE" in found.reason


def test_a_wall_between_two_branches_has_no_shift():
    labels = own(10.56), own(10.56, r_e=TRUTH.r_e + 0.08)
    assert CHECKS["compression.wall"](case(10.56, *labels, r_e=TRUTH.r_e + 0.04)).value < 2e-3


def test_a_bond_of_the_wrong_depth_may_have_the_right_wall():
    shallow = CHECKS["compression.r_trust"](case(8.0, own(10.56)))
    assert "off the reference wall" not in shallow.reason or shallow.value < 0.9


def test_trust_ends_outside_the_band():
    found = CHECKS["compression.r_trust"](case(10.56, own(10.56), r_e=TRUTH.r_e - 0.1))
    assert found.status == "fail"
    assert "off the reference wall" in found.reason
    steep = CHECKS["compression.r_trust"](case(10.56, own(10.56), a=3.4))
    assert steep.details["reason"] == "off the reference wall"
    assert steep.details["reference"] == "dft:pbe"
    assert CHECKS["compression.r_trust"](case(10.56, own(10.56))).details["censored"]


def hump(r, height):
    return height * np.exp(-(((r - 2.6) / 0.15) ** 2))


def test_a_hump_of_the_labels_is_none_of_the_models():
    energy = morse(R, 10.56) + hump(R, 0.5)
    made = curve(
        DENSE, morse(DENSE, 10.56) + hump(DENSE, 0.5), level="PBE/def2-TZVPD", tier="dft:pbe"
    )
    with_label = Case(dimer=N2, card=CARD, curve=curve(R, energy), own_curves=(made,))
    found = CHECKS["dissociation.extra_extremum"](with_label)
    assert found.status == "pass"
    assert "is in the reference" in found.reason
    without = Case(dimer=N2, card=CARD, curve=curve(R, energy), own_curves=(own(10.56),))
    assert CHECKS["dissociation.extra_extremum"](without).status == "fail"
    unknown = Case(dimer=N2, card=CARD, curve=curve(R, energy))
    assert CHECKS["dissociation.extra_extremum"](unknown).status == "warn"


@pytest.mark.parametrize(("off", "status"), [(0.01, "pass"), (0.2, "warn"), (3.0, "warn")])
def test_the_labels_atoms_are_a_third_zero(off, status):
    label = own(10.56)
    label = replace(label, provenance={**label.provenance, "label_atoms_eV": [-1000.0, -1000.0]})
    found = case(10.6, label)
    energy = found.curve.energy - 2000.0 + 2 * off
    found = replace(found, curve=replace(found.curve, energy=energy))
    card = replace(CARD, energy_reference="total")
    finding = CHECKS["dissociation.label_atoms"](replace(found, card=card))
    assert (finding.status, finding.score) == (status, None)
    assert finding.value == pytest.approx(off, abs=1e-3)
    assert finding.reference is None  # the value is a difference already
    cohesive = replace(CARD, energy_reference="cohesive")
    assert CHECKS["dissociation.label_atoms"](replace(found, card=cohesive)).status == "not-run"
    without = replace(found, card=card, own_curves=(own(10.56),))
    assert "pseudopotential" in CHECKS["dissociation.label_atoms"](without).reason
