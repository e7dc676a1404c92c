import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.cli.progress import Pace


@given(
    rate=st.floats(1.0, 1e5),
    step=st.floats(0.5, 20.0),
    totals=st.lists(st.integers(10**6, 10**7), min_size=2, max_size=50),
)
def test_a_steady_pace_is_found_whatever_the_total_does(rate, step, totals):
    pace = Pace()
    for i, total in enumerate(totals):
        now = 1e4 + i * step
        done = round(i * step * rate)
        left = pace.left(now, done, total)
        if i == 0:
            assert left is None
        elif done >= 100:  # a whole number of points
            assert left == pytest.approx((total - done) / rate, rel=0.02, abs=1.0)


def test_slow_points_at_the_end_of_every_group_do_not_sway_it():
    """Forty groups: 25 s of quick points, then 10 s of points a tenth as quick."""
    pace, now, done, every = Pace(), 0.0, 0, 40 * (25 * 1000 + 10 * 100)
    off = []
    for _ in range(40):
        for seconds, rate in ((25, 1000), (10, 100)):
            for _ in range(seconds):
                left = pace.left(now, done, every)
                if now > 120:
                    off.append(left / (40 * 35 - now))
                now, done = now + 1.0, done + rate
    assert done == every
    assert max(off[:-200]) < 1.15
    assert min(off[:-200]) > 0.85


def test_what_was_remembered_at_the_start_is_forgotten():
    """Half of the answers lie on disk and come at once; the others come slowly."""
    pace = Pace()
    for second in range(1000):
        left = pace.left(second, min(500_000, 100_000 * second) + 100 * second, 700_000)
    assert left == pytest.approx((700_000 - 599_900) / 100, rel=0.01)


def test_no_pace_no_time():
    pace = Pace()
    assert pace.left(0.0, 0, 10) is None
    assert pace.left(5.0, 0, 10) is None
    assert pace.left(6.0, 3, 10) == pytest.approx(14.0)
