"""One finding for a failing test: words for limits, the place of the defect, the whole block."""

import pytest
from report.synthetic import HOSTILE, hostile_audit, quick_audit

from ase_probe.checks import CHECKS
from ase_probe.curve import Finding
from ase_probe.report.failure import explain, limits_in_words, place


def finding(**more):
    return Finding(check="compression.barrier", dimer="N2", status="fail", **more)


def spoken(audit, check, dimer, **options):
    row = next(f for f in audit.findings if (f.check, f.dimer) == (check, dimer))
    return explain(audit, row, **options)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"threshold": (50.0, 10.0)}, "passes from 50 eV up, fails below 10 eV"),
        ({"threshold": (0.005, 0.025)}, "passes up to 5 meV, fails above 0.025 eV"),
        (
            {"threshold": (0.1, 0.3), "reference": 9.9},
            "passes within 0.1 eV of the reference, fails more than 0.3 eV away from it",
        ),
        ({}, ""),
    ],
)
def test_limits_are_said_in_words(more, words):
    assert limits_in_words(finding(unit="eV", **more)).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("made", "where"),
    [
        (finding(value=5.0, details={"r_b": 0.6, "r": 0.5}), 0.6),
        (finding(value=5.0, details={"r": 0.5}), 0.5),
        (finding(value=5.0, details={"r": [0.5, 0.6]}), None),
        (finding(value=5.0), None),
        (Finding(check="dissociation.r_e", dimer="N2", status="fail", value=1.2), 1.2),
    ],
)
def test_the_place_is_where_the_finding_says(made, where):
    assert place(made) == where


def test_a_block_says_what_was_measured_and_marks_the_place():
    said = spoken(quick_audit(), "compression.barrier", "N2")
    assert said.splitlines()[0] == "N2: compression.barrier fails"
    assert CHECKS["compression.barrier"].__doc__.splitlines()[0] in said
    assert "┊ compression.barrier at 0.6 Å" in said
    column = {line.index("┊") for line in said.splitlines() if "┊" in line and "at 0.6" not in line}
    assert len(column) == 1  # one vertical line
    assert max(map(len, said.splitlines())) <= 84


def test_a_reference_and_a_source_are_shown_where_there_are_any():
    said = spoken(quick_audit(), "dissociation.D_e", "N2", plot=False)
    assert "reference 9.905 eV" in said
    assert "source    Huber 1979" in said
    assert "┤" not in said
    assert "reference" not in spoken(quick_audit(), "compression.barrier", "N2", plot=False)


def test_a_curve_without_numbers_says_so():
    said = spoken(quick_audit(), "robustness.finite", "Ar2")
    assert "nothing to plot" in said


def test_hostile_strings_stay_on_their_lines():
    audit = hostile_audit()
    said = explain(audit, audit.findings[0])
    assert "\x1b" not in said
    assert HOSTILE not in said
    said.encode()  # no lone surrogates
