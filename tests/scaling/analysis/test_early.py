from __future__ import annotations

import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.early import ESTIMATORS, rank_correlation, tse, tse_e, tse_ema


def test_estimators_by_hand() -> None:
    losses = [4.0, 2.0, 1.0, 0.5]
    assert tse(losses, 3) == 7.0
    assert tse_e(losses, 3) == 1.0
    assert tse_e(losses, 3, last=2) == 3.0
    assert tse_ema(losses, 3, decay=0.5) == 0.25 * 4 + 0.5 * 2 + 1
    assert tse_ema(losses, 3, decay=1.0) == tse(losses, 3)


def test_what_cannot_be_summed_is_refused() -> None:
    with pytest.raises(InputError, match="has 2 epochs"):
        tse([1.0, 2.0], 3)
    with pytest.raises(InputError, match="last 1 to 2"):
        tse_e([1.0, 2.0], 2, last=3)
    with pytest.raises(InputError, match="decay"):
        tse_ema([1.0, 2.0], 2, decay=0.0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_learning_curves_of_one_shape_keep_their_order(name: str) -> None:
    random = np.random.default_rng(0)
    rates = random.uniform(0.1, 1.0, 24)
    histories = [
        np.arange(1, 101) ** -rate * np.exp(0.01 * random.normal(size=100)) for rate in rates
    ]
    early = [ESTIMATORS[name](list(history), 10) for history in histories]
    found = rank_correlation(early, [history[-1] for history in histories], repeats=199)
    assert found.spearman > 0.95
    assert found.spearman_interval.low > 0.9
    assert found.kendall_interval.low < found.kendall < found.spearman


def test_unrelated_numbers_have_an_interval_around_zero() -> None:
    random = np.random.default_rng(0)
    found = rank_correlation(random.normal(size=20), random.normal(size=20), repeats=499)
    assert 0.0 in found.spearman_interval
    assert found.spearman_interval.high - found.spearman_interval.low > 0.5


def test_diverged_runs_come_last() -> None:
    seven = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    final, last, first = [*seven, np.nan], [*seven, np.inf], [*seven, 0.0]
    assert rank_correlation(last, final, repeats=49).spearman == pytest.approx(1.0)
    assert rank_correlation(first, final, repeats=49).spearman < 0.5


def test_too_few_or_equal_runs_are_refused() -> None:
    with pytest.raises(InputError, match="at least 8 runs"):
        rank_correlation([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(InputError, match="no order"):
        rank_correlation([1.0] * 8, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
