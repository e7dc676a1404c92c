import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.check_names import CHECK_NAMES
from ase_probe.checks import CHECKS
from ase_probe.checks.thresholds import LABEL_ALLOWANCE, THRESHOLDS, Limit, score, verdict

limits = st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)).filter(
    lambda pair: pair[0] != pair[1]
)


@given(st.floats(0, 1e6), limits)
def test_score_and_verdict_agree(deviation, pair):
    points, status = score(deviation, pair), verdict(deviation, pair)
    assert 0.0 <= points <= 1.0
    assert (points == 1.0) == (status == "pass") or math.isclose(points, 1.0)
    if status == "fail":
        assert points == 0.0


@given(st.floats(0, 1e6), st.floats(0, 1e6), limits)
def test_score_is_monotonic(a, b, pair):
    better, worse = sorted((a, b), reverse=pair[1] < pair[0])
    assert score(better, pair) >= score(worse, pair)


@given(limits)
def test_missing_values_never_score(pair):
    assert score(math.nan, pair) == 0.0
    assert verdict(math.nan, pair) == "fail"


@pytest.mark.parametrize(("count", "points"), [(0, 1.0), (1, 0.0), (500, 0.0)])
def test_counts_are_all_or_nothing(count, points):
    assert score(count, (0, 0)) == points


@pytest.mark.parametrize(
    ("barrier", "status", "points"),
    [
        (60, "pass", 1.0),
        (50, "pass", 1.0),
        (22.36, "warn", 0.5),
        (10, "warn", 0.0),
        (6, "fail", 0.0),
    ],
)
def test_larger_is_better_for_barriers(barrier, status, points):
    pair = THRESHOLDS["compression.barrier"].at()
    assert verdict(barrier, pair) == status
    assert score(barrier, pair) == pytest.approx(points, abs=1e-3)


def test_relative_limits():
    assert Limit(0.1, 0.03).at(10.0) == pytest.approx(0.3)
    assert Limit(0.1, 0.03).at(-1.0) == 0.1


def test_names_and_checks_are_the_same_in_the_same_order():
    assert tuple(CHECKS) == CHECK_NAMES


def test_every_row_has_a_source_and_belongs_to_a_check():
    assert all(threshold.source for threshold in THRESHOLDS.values())
    assert {row.partition(":")[0] for row in THRESHOLDS} <= set(CHECKS)
    assert set(LABEL_ALLOWANCE) <= set(THRESHOLDS)
    results = {
        "compression.r_trust",
        "charged.response",
        "spin.ladder",
    }  # without thresholds of their own
    assert set(CHECKS) - {row.partition(":")[0] for row in THRESHOLDS} == results
