"""What a model is wanted for decides how it is judged."""

from dataclasses import replace

import numpy as np
import pytest

from ase_probe import Curve, Dimer, audit
from ase_probe.checks import CHECKS, PROFILES, Case, Profile, read_thresholds
from ase_probe.checks.thresholds import THRESHOLDS, Limit
from ase_probe.errors import InputError
from ase_probe.grids import grid
from ase_probe.model import ModelCard

N2 = Dimer.parse("N2")
R = grid("standard", N2, cutoff=5.0)


def with_hole(barrier, profile):
    """A wall that falls behind a barrier of the given height."""
    energy = 300.0 * np.exp(-2.0 * (R - 0.1)) - 0.01 / R
    top = int(np.argmin(np.abs(energy - barrier)))
    energy[:top] = energy[top] - 5.0 * np.arange(top, 0, -1)
    curve = Curve(r=R, energy=energy, provenance={"dtype": "float64"})
    return Case(dimer=N2, card=ModelCard(name="m", family="f"), curve=curve, profile=profile)


@pytest.mark.parametrize(
    ("barrier", "verdicts"),
    [
        (5, ("fail", "fail", "fail")),
        (30, ("warn", "fail", "fail")),
        (80, ("pass", "warn", "fail")),
        (250, ("pass", "pass", "pass")),
    ],
)
def test_the_same_hole_for_three_uses(barrier, verdicts):
    uses = PROFILES["md"], PROFILES["search"], Profile.named("radiation", t_max=200.0)
    check = CHECKS["compression.barrier"]
    assert tuple(check(with_hole(barrier, use)).status for use in uses) == verdicts


def test_trust_is_walked_up_to_the_cap():
    near = CHECKS["compression.r_trust"](with_hole(250, PROFILES["md"]))
    far = CHECKS["compression.r_trust"](with_hole(250, PROFILES["search"]))
    assert near.details["censored"]
    assert far.details["censored"]
    assert far.value < near.value
    assert "200 eV reached" in far.reason


def test_radiation_needs_its_energy_and_the_others_none():
    with pytest.raises(InputError, match=r"--t-max 500"):
        Profile.named("radiation")
    with pytest.raises(InputError, match="belongs to the profile radiation"):
        Profile.named("md", t_max=5.0)
    with pytest.raises(InputError, match=r"'mc'; allowed: md, search, radiation, molecules"):
        Profile.named("mc")


def test_groups_decide_the_score():
    pair = audit("morse", dimers=["H2"], profile="radiation", t_max=100)
    assert pair.environment["profile"] == "radiation"
    assert "dissociation" not in pair.environment["groups"]
    counted = [s for g, s in pair.group_scores.items() if g in pair.environment["groups"]]
    assert pair.score == pytest.approx(sum(counted) / len(counted))


def test_a_finding_outside_the_profile_is_shown_and_does_not_count():
    pair = audit("morse", dimers=["H2"])
    bad = replace(pair.findings[0], check="dissociation.D_e", status="fail")
    judged = replace(
        pair, findings=(bad,), environment={**pair.environment, "groups": ["compression"]}
    )
    assert judged.worst == "pass"
    assert replace(judged, environment={}).worst == "fail"


def test_limits_of_ones_own(tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text(
        '["dissociation.D_e"]\npass = { absolute = 1e-9, relative = 1e-9 }\nfail = 2e-9\n'
        'source = "ours"\n'
    )
    rows = read_thresholds(file)
    assert rows["dissociation.D_e"].passes == Limit(1e-9, 1e-9)
    assert rows["dissociation.D_e"].fails == Limit(2e-9)
    strict = audit("morse", dimers=["H2"], checks=["dissociation.D_e"], thresholds=file)
    assert strict.findings[0].status != "pass"
    assert strict.findings[0].source.endswith("ours")
    assert strict.environment["thresholds"]["path"] == str(file)
    assert len(strict.environment["thresholds"]["sha256"]) == 64
    lax = audit("morse", dimers=["H2"], checks=["dissociation.D_e"])
    assert lax.findings[0].status == "pass"
    assert THRESHOLDS["dissociation.D_e"].passes != Limit(1e-9, 1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x =", "Cannot read thresholds"),
        ('["dissociation.depth"]\npass = 1', r"Unknown row 'dissociation.depth'.*allowed"),
        ("[dissociation.D_e]\npass = 1", "in quotes"),
        ('["dissociation.D_e"]\npas = 1', "Unknown key 'pas'"),
        ('["dissociation.D_e"]\npass = "1"', "is a number"),
        ('["dissociation.D_e"]\npass = -1', "is a number"),
        ('["dissociation.D_e"]\npass = { absolut = 1 }', "is a number"),
        ('["dissociation.D_e"]\npass = inf', "is a number"),
    ],
)
def test_a_bad_file_is_explained(tmp_path, text, message):
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_thresholds(file)


def test_no_file():
    with pytest.raises(InputError, match="Cannot read thresholds"):
        read_thresholds("nowhere.toml")
