"""Several audits side by side: ranks on common ground, and what counts as a regression."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.checks import group_scores, total_score
from ase_probe.compare import KINDS, changes, compare, regressions
from ase_probe.curve import STATUSES, Audit, Curve, Finding
from ase_probe.errors import InputError
from ase_probe.model import ModelCard
from ase_probe.report.comparison import change_text, leaderboard_text
from ase_probe.report.comparison_page import (
    change_section,
    leaderboard_section,
    write_comparison,
)

GRID = np.linspace(0.5, 5.0, 20)
CURVE = Curve(r=GRID, energy=1 / GRID)
SCORES = {"pass": 1.0, "warn": 0.5, "fail": 0.0}


def finding(dimer, check, status, value=1.0, **more):
    return Finding(
        check=check, dimer=dimer, status=status, value=value, unit="eV",
        score=SCORES.get(status), reason=f"{check} of {dimer}", **more,
    )  # fmt: skip


def make(name, findings, *, refused=(), asked=None, **environment):
    """An audit with these findings; dimers in `refused` have no curve."""
    findings = tuple(findings)
    names = asked or dict.fromkeys((*(f.dimer for f in findings), *refused))
    refusals = (
        Finding(check="coverage.elements", dimer=d, status="out-of-domain", reason="unknown")
        for d in refused
    )
    groups = group_scores(findings)
    return Audit(
        card=ModelCard(name=name, family="test"),
        environment={"dimers": list(names), "profile": "md", "grid": "standard", **environment},
        curves={d: CURVE for d in names if d not in refused},
        references={},
        findings=(*findings, *refusals),
        score=total_score(groups),
        group_scores=groups,
        coverage=1 - len(refused) / len(names),
    )


def test_refusing_the_hard_dimer_moves_no_rank():
    honest = make("honest", [finding("H2", "a.x", "pass"), finding("N2", "a.x", "fail")])
    coward = make("coward", [finding("H2", "a.x", "warn")], refused=["N2"])
    assert honest.score == coward.score == 0.5
    found = compare([coward, honest])
    assert found.common == ("H2",)
    assert [(e.label, e.rank, e.score, e.coverage) for e in found.entries] == [
        ("honest", 1, 1.0, 1.0),
        ("coward", 2, 0.5, 0.5),
    ]
    assert "coward has no answer for 1 of 2: N2." in found.notes


def test_what_one_suite_left_out_counts_as_not_answered():
    small = make("small", [finding("H2", "a.x", "pass")])
    large = make("large", [finding("H2", "a.x", "pass"), finding("N2", "a.x", "fail")])
    found = compare([small, large])
    assert {e.label: e.coverage for e in found.entries} == {"small": 0.5, "large": 1.0}
    assert [e.rank for e in found.entries] == [1, 1]  # no better, no worse: equal scores
    assert found.entries[0].label == "large"  # the one that answered more stands first


def test_a_group_that_is_not_scored_for_all_is_left_out_and_said():
    full = make("full", [finding("H2", "a.x", "pass"), finding("H2", "b.y", "fail")])
    half = make("half", [finding("H2", "a.x", "pass"), finding("H2", "b.y", "unresolved")])
    found = compare([full, half])
    assert found.groups == ("a",)
    assert [e.score for e in found.entries] == [1.0, 1.0]
    assert "b is left out of the score: not judged for half." in found.notes
    assert {e.label: e.counts["unresolved"] for e in found.entries} == {"full": 0, "half": 1}


def test_a_model_without_a_bond_moves_no_rank_and_gains_nothing():
    """Its robustness passes and earns no mark; left out for all, that would lift it."""
    sound = make("sound", [finding("H2", "a.x", "pass"), finding("H2", "b.y", "pass")])
    holed = make("holed", [finding("H2", "a.x", "fail"), finding("H2", "b.y", "pass")])
    unbound = replace(finding("H2", "b.y", "pass"), score=None)
    none = make("none", [finding("H2", "a.x", "warn"), unbound])
    found = compare([sound, holed, none])
    assert found.groups == ("a", "b")
    assert [(e.label, e.score) for e in found.entries] == [
        ("sound", 1.0),
        ("holed", 0.5),
        ("none", 0.25),
    ]
    assert "b counts 0 for none: no bond to earn a mark with." in found.notes


def test_groups_that_the_profile_does_not_count_are_shown_and_not_ranked():
    two = [
        make(name, [finding("H2", "a.x", "pass"), finding("H2", "b.y", y)], groups=["a"])
        for name, y in (("one", "pass"), ("two", "fail"))
    ]
    found = compare(two)
    assert [e.score for e in found.entries] == [1.0, 1.0]
    assert [e.group_scores["b"] for e in found.entries] == [1.0, 0.0]


def test_nothing_in_common_is_no_score():
    found = compare(
        [make("one", [finding("H2", "a.x", "pass")]), make("two", [finding("N2", "a.x", "pass")])]
    )
    assert found.common == ()
    assert [(e.rank, e.score) for e in found.entries] == [(None, None)] * 2
    assert "cannot be compared" in leaderboard_text(found)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("profile", "search", "profile"),
        ("cap_eV", 200.0, "profile"),
        ("grid", "matbench", "grid"),
        ("thresholds", {"path": "own.toml", "sha256": "1" * 64}, "limits"),
    ],
)
def test_other_rules_are_refused(key, value, word):
    one = make("one", [finding("H2", "a.x", "pass")])
    two = make("two", [finding("H2", "a.x", "pass")], **{key: value})
    for call in (lambda: compare([one, two]), lambda: changes(one, two)):
        with pytest.raises(InputError, match=f"different rules: {word}.*Run one of the audits"):
            call()


@pytest.mark.parametrize(("other", "same"), [("1" * 64, True), ("2" * 64, False)])
def test_limits_are_compared_by_content(other, same):
    one, two = (
        make(name, [finding("H2", "a.x", "pass")], thresholds={"path": name, "sha256": digest})
        for name, digest in (("one", "1" * 64), ("two", other))
    )
    if same:
        compare([one, two])
    else:
        with pytest.raises(InputError, match="different rules: limits"):
            compare([one, two])


def test_other_suites_versions_and_checks_are_said():
    one = make("one", [finding("H2", "a.x", "pass")], suite="quick", versions={"ase-probe": "1"})
    two = make(
        "two", [finding("H2", "a.x", "pass"), finding("H2", "b.y", "pass")],
        suite="standard", versions={"ase-probe": "2"},
    )  # fmt: skip
    notes = compare([one, two]).notes
    assert "The suites differ: one quick, two standard." in notes
    assert "The versions of ase-probe differ: one 1, two 2." in notes
    assert "one was not asked for b.y." in notes


def test_impossible_comparisons():
    one = make("one", [finding("H2", "a.x", "pass")])
    with pytest.raises(InputError, match="two audits or more, got 1"):
        compare([one])
    with pytest.raises(InputError, match="one label per audit"):
        compare([one, one], ["a", "a"])
    with pytest.raises(InputError, match="tolerance"):
        changes(one, one, tolerance=-1)
    with pytest.raises(InputError, match="fail_on"):
        regressions((), fail_on="never")
    assert [e.label for e in compare([one, one]).entries] == ["one", "one (2)"]


@pytest.mark.parametrize(
    ("before", "after", "kind", "on_fail", "on_warn"),
    [
        ("pass", "fail", "worse", True, True),
        ("pass", "warn", "worse", False, True),
        ("warn", "fail", "worse", True, True),
        ("unresolved", "fail", "worse", True, True),
        ("inherited", "warn", "worse", False, True),
        ("fail", "warn", "better", False, False),
        ("not-run", "pass", "better", False, False),
        ("pass", "inherited", "changed", False, False),
        ("unresolved", "not-run", "changed", False, False),
        ("pass", "unresolved", "unjudged", False, True),
        ("fail", "unresolved", "unjudged", False, False),  # no better, and no worse
        ("warn", "out-of-domain", "refused", True, True),
        ("out-of-domain", "fail", "answered", False, False),
    ],
)
def test_what_is_a_regression(before, after, kind, on_fail, on_warn):
    one, two = (make("m", [finding("H2", "a.x", status)]) for status in (before, after))
    (change,) = changes(one, two)
    assert change.kind == kind
    assert bool(regressions([change], fail_on="fail")) is on_fail
    assert bool(regressions([change], fail_on="warn")) is on_warn
    assert regressions([change], fail_on="warn", groups=["b"]) == ()


@given(st.sampled_from(STATUSES), st.sampled_from(STATUSES))
def test_any_two_statuses_compare_and_no_improvement_is_a_regression(before, after):
    one, two = (make("m", [finding("H2", "a.x", status)]) for status in (before, after))
    forth, back = changes(one, two), changes(two, one)
    assert (forth == ()) is (before == after)
    assert not (regressions(forth, fail_on="warn") and regressions(back, fail_on="warn"))
    assert {change.kind for change in (*forth, *back)} <= set(KINDS)


def test_dimers_that_vanish_are_refused_or_appear_count_once():
    before = make(
        "m",
        [finding(d, c, "pass") for d in ("H2", "N2", "O2") for c in ("a.x", "a.y")],
        refused=["H2+"],
    )
    after = make(
        "m",
        [finding(d, c, "fail") for d in ("H2+", "F2") for c in ("a.x", "a.y")]
        + [finding("H2", "a.x", "pass")],
        refused=["N2"],
    )
    found = changes(before, after)
    assert [(c.kind, c.dimer, c.check) for c in found] == [
        ("refused", "N2", ""),
        ("vanished", "O2", ""),
        ("vanished", "H2", "a.y"),
        ("appeared", "F2", ""),
        ("answered", "H2+", ""),
    ]
    # a model that begins to answer is no regression, whatever the answer
    assert [c.dimer for c in regressions(found)] == ["N2", "O2", "H2"]
    assert "2 fail" in found[-1].reason


def test_a_curve_without_a_finite_energy_is_no_answer():
    before = make("m", [finding("H2", "a.x", "pass")])
    nothing = Curve(r=GRID, energy=np.full(len(GRID), np.nan))
    after = replace(before, curves={"H2": nothing})
    (change,) = changes(before, after)
    assert (change.kind, change.reason) == ("refused", "no finite energy at any distance")


def test_a_check_without_a_verdict_may_vanish():
    before = make("m", [finding("H2", "a.x", "pass"), finding("H2", "b.y", "not-run")])
    after = make("m", [finding("H2", "a.x", "pass")])
    (change,) = changes(before, after)
    assert change.kind == "vanished"
    assert regressions([change], fail_on="warn") == ()


@pytest.mark.parametrize(
    ("threshold", "before", "after", "moved"),
    [
        ((0.1, 0.3), 4.70, 4.705, False),  # a twentieth of the limit for pass
        ((0.1, 0.3), 4.70, 4.72, True),
        ((50.0, 10.0), 78.0, 80.0, False),  # larger is better: a tenth of the value
        ((50.0, 10.0), 78.0, 60.0, True),
        ((0.0, 0.0), 0.0, 1.0, True),
        (None, 1.0, 1.05, False),
        (None, 1.0, 1.2, True),
        ((0.1, 0.3), np.inf, np.inf, False),
        ((0.1, 0.3), 1.0, np.inf, True),
        ((0.1, 0.3), 1.0, None, True),
    ],
)
def test_values_that_moved(threshold, before, after, moved):
    one, two = (
        make("m", [finding("H2", "a.x", "warn", value=v, threshold=threshold)])
        for v in (before, after)
    )
    assert [c.kind for c in changes(one, two)] == ["moved"] * moved
    assert regressions(changes(one, two), fail_on="warn") == ()


def test_terminal_and_page(tmp_path):
    hostile = "<script>alert(1)</script>"
    one = make("7net", [finding("H2", "a.x", "pass"), finding("N2", "b.y", "pass")])
    two = make(hostile, [finding("H2", "a.x", "fail")], refused=["N2"])
    found, compared = changes(one, two), compare([one, two])
    bad = regressions(found)
    for width in (40, 60, 100):
        for text in (
            leaderboard_text(compared, width=width),
            change_text(found, bad, ("7net", hostile), comparison=compared, width=width),
        ):
            assert max(map(len, text.splitlines())) <= width
    assert text.startswith("2 REGRESSIONS  from 7net to <script>")
    assert "pass → fail" in text
    sections = [
        leaderboard_section(compared),
        change_section(found, bad, ("7net", hostile)),
    ]
    page = write_comparison(compared, sections, tmp_path / "page.html").read_text()
    assert hostile not in page
    assert 0 < page.index('id="leaderboard"') < page.index("2 regressions from 7net")
    assert page.index("2 regressions") < page.index('id="dimers"')


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    make("m", [finding("H2", "a.x", "pass")]).save(tmp_path / "before.json")
    make("m", [finding("H2", "a.x", "fail")]).save(tmp_path / "after.json")
    make("other", [finding("H2", "a.x", "warn")]).save(tmp_path / "other.json")
    make("alone", [finding("N2", "a.x", "warn")]).save(tmp_path / "alone.json")
    return tmp_path


def probe(folder, *arguments, **environment):
    command = [sys.executable, "-m", "ase_probe.cli", "compare", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "100", **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["before.json", "after.json"], 1, ["1 REGRESSION  from m (before) to m (after)"]),
        (["after.json", "before.json"], 0, ["NO REGRESSION", "1 better"]),
        (["before.json", "before.json"], 0, ["NO REGRESSION", "Nothing changed"]),
        (["before.json", "after.json", "--fail-on", "never"], 0, ["1 worse"]),
        (["before.json", "other.json"], 0, ["2 models compared", "rank"]),
        (["before.json", "other.json", "--changes", "--fail-on", "warn"], 1, ["pass → warn"]),
        (["before.json", "after.json", "other.json"], 0, ["3 models compared", "m (after)"]),
        (["before.json", "after.json", "--leaderboard", "--changes"], 1, ["REGRESSION", "rank"]),
        (["before.json", "after.json", "-q"], 1, ["1 REGRESSION"]),
        (["before.json", "alone.json"], 2, ["cannot be compared"]),
        (["before.json", "alone.json", "--changes"], 1, ["it was not asked for"]),
    ],
)
def test_views_and_exit_codes(folder, arguments, code, words):
    done = probe(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert [word for word in words if word not in done.stdout] == []
    if "-q" in arguments:
        assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["before.json"], ["two audits or more"]),
        (["before.json", "missing.json"], ["Cannot read 'missing.json'"]),
        (["before.json", "after.json", "other.json", "--changes"], ["compares two", "got 3"]),
        (["before.json", "after.json", "--html", "no/such/a.html"], ["Cannot write"]),
    ],
)
def test_bad_input_is_one_clear_paragraph(folder, arguments, words):
    done = probe(folder, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert [word for word in words if word not in done.stderr] == []


def test_github_annotations_and_summary(folder):
    summary = folder / "summary.md"
    done = probe(
        folder, "before.json", "after.json", "--format", "github",
        "--html", "page.html", GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    assert done.returncode == 1
    first, last = done.stdout.splitlines()
    assert first.startswith("::error title=m (after)%3A worse%2C a.x on H2::pass → fail: a.x of H2")
    assert last.startswith("1 REGRESSION")
    assert summary.read_text().startswith("### 1 REGRESSION")
    assert "m (after)" in (folder / "page.html").read_text()
