"""The verdict in plain words."""

from dataclasses import replace

import pytest

from ase_probe import Finding, audit
from ase_probe.report.verdict import paragraph


@pytest.fixture(scope="module")
def sound():
    return audit("morse", dimers=["H2"])


def with_findings(audit_, *findings):
    return replace(audit_, findings=findings)


def hole(dimer, barrier, status="fail"):
    return Finding(
        check="compression.barrier", dimer=dimer, status=status, value=barrier, unit="eV",
        details={"r_b": 0.62, "depth": -4900.0, "r_depth": 0.4},
    )  # fmt: skip


def test_no_hole(sound):
    assert paragraph(sound).startswith("No hole was found on compression.")


@pytest.mark.parametrize(
    ("barrier", "use"),
    [
        (77.0, "fine for thermal dynamics, not for random structures or cascades"),
        (300.0, "fine for dynamics and for random structures"),
        (20.0, "within reach of hot or dense simulations"),
        (3.0, "within reach of ordinary dynamics"),
        (-2.0, "within reach of ordinary dynamics"),
    ],
)
def test_one_pair_with_a_hole(sound, barrier, use):
    said = paragraph(with_findings(sound, hole("N2", barrier))).replace("\xa0", " ")
    assert said.startswith("No pair defect found above 0.62 Å for N2; inside 0.62 Å")
    assert "−4900 eV" in said
    assert use in said


def test_of_several_the_easiest_to_reach(sound):
    said = paragraph(with_findings(sound, hole("N2", 77.0), hole("Li2", 6.5), hole("F2", 2685.0)))
    assert "3 of 3 pairs have a hole" in said
    assert "that of Li2" in said


def test_a_wall_that_is_none(sound):
    lost = Finding(check="compression.barrier", dimer="Ar2", status="fail", value=None)
    assert "Ar2 has no proper repulsive wall." in paragraph(with_findings(sound, lost))


def test_depths_say_whose_error(sound):
    own = Finding(
        check="dissociation.D_e", dimer="H2", status="warn", value=4.81, reference=4.536,
        unit="eV", details={"own": [4.536, 4.536]},
    )  # fmt: skip
    said = paragraph(with_findings(sound, own))
    assert "H2: D_e +0.27 eV from its own labels." in said
    copied = Finding(check="dissociation.D_e", dimer="N2", status="inherited", value=10.6)
    said = paragraph(with_findings(sound, own, copied))
    assert "For N2 it copies errors that its labels have themselves." in said


def test_what_it_cannot_represent(sound):
    blind = Finding(
        check="coverage.charge", dimer="H2+", status="out-of-domain",
        reason="the model is charge-blind: m takes no charge",
    )  # fmt: skip
    broken = Finding(check="robustness.finite", dimer="CO", status="fail", value=3.0)
    said = paragraph(with_findings(sound, blind, broken))
    assert "It cannot represent charge." in said
    assert "no usable energy at some distances of CO" in said


def test_names_are_clean(sound):
    said = paragraph(with_findings(sound, hole("N2\x1b[31m", 3.0)))
    assert "\x1b" not in said


def test_nothing_looked_at_nothing_said(sound):
    assert paragraph(with_findings(sound)) == ""
