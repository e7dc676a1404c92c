"""`assert_physical`: what passes, what fails, and whether the message says enough."""

import subprocess
import sys
import warnings

import pytest
from broken_models import AllNaN, Hole, Pair
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.check_names import CHECK_NAMES
from ase_probe.curve import STATUSES, Finding
from ase_probe.errors import InputError, UnknownModelError
from ase_probe.testing import assert_physical
from ase_probe.testing.judging import parse_exceptions, rule

HOLE = "compression.barrier[N2]"


def complaint(*arguments, **options):
    with pytest.raises(AssertionError) as caught:
        assert_physical(*arguments, **options)
    return str(caught.value)


def test_a_sound_potential_passes_and_its_audit_comes_back():
    made = assert_physical(Pair(), dimers=["N2"])
    assert made.worst != "fail"
    assert list(made.curves) == ["N2"]


def test_the_quick_suite_is_the_default():
    assert assert_physical("morse", checks=["dissociation"]).environment["suite"] == "quick"


def test_the_message_shows_value_limits_source_and_curve():
    said = complaint(Hole(), dimers=["N2"], checks=["compression.barrier", "robustness"])
    assert said.startswith("Hole is not physical: 1 check fails of 5.")
    assert "N2: compression.barrier fails" in said
    assert "inside 0.89 Å the energy falls to −373.2 eV" in said
    assert "value     −5.695 eV" in said
    assert "limits    passes from 50 eV up, fails below 10 eV" in said
    assert "source    thermal rates at 3000 K" in said
    assert "┊ compression.barrier at 0.895 Å" in said
    assert said.endswith(
        "Next: ase_probe.audit(model, dimers=['N2']).to_html(\"report.html\") shows every curve."
    )


def test_a_named_model_gets_a_command():
    said = complaint("morse", dimers=["H2"])
    assert said.endswith("Next: ase-probe audit morse --dimers H2 --html report.html")


def test_many_failures_stay_readable():
    dimers = ["N2", "O2", "H2", "F2", "CO"]
    said = complaint(AllNaN(), dimers=dimers)
    assert said.count("  model     AllNaN") == 8
    assert said.count("nothing to plot") == 3
    assert all(f"{dimer}: robustness.finite fails\n" in said for dimer in dimers)
    assert "H2: dissociation.D_e fails: the model gave no energies\n" in said  # one line each
    assert "\nand 17 more" in said


def test_warnings_fail_on_demand():
    asked = {"dimers": ["N2"], "checks": ["compression.zbl"]}
    assert_physical(Pair(), **asked)
    assert "N2: compression.zbl warns" in complaint(Pair(), **asked, fail_on="warn")


def test_a_known_exception_passes_until_it_is_none():
    asked = {"dimers": ["N2"], "checks": ["compression.barrier", "robustness"]}
    assert_physical(Hole(), **asked, expected_failures={HOLE: "a known hole"})
    said = complaint(Pair(), **asked, expected_failures={HOLE: "a known hole"})
    assert f"{HOLE} was expected to fail (a known hole) and does not fail any more" in said
    said = complaint(Pair(), **asked, expected_failures={"compression.wall[N2]": "soft"})
    assert "compression.wall[N2] is among the expected failures, and no such check was run" in said


def test_nothing_judged_is_no_pass():
    assert "Nothing could be judged about morse" in complaint("morse", dimers=["N2"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fail_on": "never"}, "allowed: fail, warn"),
        ({"checks": ["bonds"]}, "Unknown check"),
        ({"dimers": ["Nn"]}, "is not a dimer"),
        ({"expected_failures": {HOLE: " "}}, "needs a reason"),
        ({"expected_failures": {"bonds[N2]": "x"}}, "names no check"),
    ],
)
def test_mistakes_are_input_errors(options, words):
    with pytest.raises(InputError, match=words):
        assert_physical(Pair(), **options)


def test_a_model_that_is_not_there_is_no_assertion():
    with pytest.raises(UnknownModelError):
        assert_physical("7net-O")


def test_warnings_as_errors_are_no_failures_of_the_model():
    class Chatty(Pair):
        def answer(self, atoms, energy, forces):
            warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
            return super().answer(atoms, energy, forces)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            assert_physical(Chatty(), dimers=["N2"], checks=["robustness"])


def test_importing_it_imports_no_framework():
    code = "from ase_probe.testing import assert_physical; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "pytest", "plotly", "rich", "pyscf"}.isdisjoint(done.stdout.split())


# --- judging ---------------------------------------------------------------------------------

NAMES = st.sampled_from([f"{check}[{dimer}]" for check in CHECK_NAMES for dimer in ("N2", "H2++")])
REASONS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1)


@given(st.dictionaries(NAMES, REASONS))
def test_exceptions_are_read_as_they_are_written(given):
    lines = [f"  {name}: {reason}" for name, reason in given.items()]
    assert parse_exceptions(lines) == given


@given(
    status=st.sampled_from(STATUSES),
    fail_on=st.sampled_from(["fail", "warn"]),
    counts=st.booleans(),
    known=st.booleans(),
)
def test_only_a_verdict_passes_or_fails(status, fail_on, counts, known):
    finding = Finding(check="compression.barrier", dimer="N2", status=status)
    exceptions = {HOLE: "known"} if known else {}
    counted = ["compression"] if counts else ["smoothness"]
    outcome = rule(finding, fail_on=fail_on, counted=counted, exceptions=exceptions).outcome
    bad = counts and status in ("fail", fail_on)
    if known:
        assert outcome == ("expected" if bad else "stale")
    elif status in ("pass", "warn", "inherited", "fail"):
        assert outcome in ("pass", "fail", "skip")
        assert (outcome == "fail") == bad
        assert (outcome == "skip") == (not counts and status in ("warn", "fail"))
    else:
        assert outcome == "skip"
