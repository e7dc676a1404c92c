from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.front import flops, front

LOSS = st.one_of(st.integers(1, 9), st.just(np.nan))


@given(st.lists(st.tuples(st.integers(1, 9), LOSS), min_size=1, max_size=30))
def test_the_front_is_what_nothing_beats(points: list[tuple[float, float]]) -> None:
    cost, loss = np.array(points, dtype=float).T
    on = front(cost, loss)
    for i in np.flatnonzero(np.isfinite(loss)):
        beaten = np.any((cost[on] <= cost[i]) & (loss[on] <= loss[i]))
        assert beaten
    assert np.all(np.diff(cost[on]) > 0)
    assert np.all(np.diff(loss[on]) < 0)


def test_operations() -> None:
    assert flops(np.array([10.0]), np.array([100.0])) == [6000.0]


def test_a_run_that_cost_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="positive"):
        front(np.array([0.0, 1.0]), np.array([1.0, 1.0]))
