from __future__ import annotations

import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.association import follows_loss
from ase_probe.scaling.analysis.runs import Runs

N, D, SEED = (a.ravel() for a in np.meshgrid([1e4, 3e4, 1e5], [1e2, 3e2, 1e3, 3e3], [0, 1, 2]))


def runs(coupling: float, seed: int, missing: int = 0) -> Runs:
    """Loss and error both fall with N and D; `coupling` ties what is left of them."""
    random = np.random.default_rng(seed)
    rest = random.normal(size=len(N))
    common = -0.3 * np.log(N) - 0.5 * np.log(D)
    loss = np.exp(common + 0.1 * rest)
    own = coupling * rest + np.sqrt(1 - coupling**2) * random.normal(size=len(N))
    error = common + 0.1 * own
    error[np.argsort(loss)[len(loss) - missing :]] = np.nan
    return Runs(N, D, SEED, loss, {"log10_rmse": error, "repulsive": -error})


def test_what_follows_the_loss_only_through_size_is_not_associated() -> None:
    found = [follows_loss(runs(0.0, i), "log10_rmse", permutations=199) for i in range(200)]
    assert abs(np.mean([a.correlation for a in found if a.correlation is not None])) < 0.05
    assert np.mean([a.p_value is not None and a.p_value <= 0.05 for a in found]) < 0.10
    held = [a.interval is not None and 0.0 in a.interval for a in found]
    assert 0.90 <= np.mean(held) <= 0.99


def test_what_follows_the_loss_is_found() -> None:
    found = follows_loss(runs(0.9, 0), "log10_rmse")
    assert found.correlation is not None
    assert found.correlation > 0.6
    assert found.interval is not None
    assert found.interval.low > 0.3
    assert found.p_value is not None
    assert found.p_value < 0.01


def test_larger_is_worse_whichever_way_an_outcome_is_measured() -> None:
    table = runs(0.9, 0)
    first, second = follows_loss(table, "log10_rmse"), follows_loss(table, "repulsive")
    assert first.correlation == pytest.approx(second.correlation)


def test_none_ranks_as_worst() -> None:
    whole, holed = runs(0.9, 0), runs(0.9, 0, missing=8)
    assert follows_loss(holed, "log10_rmse").none == 8
    correlation = follows_loss(holed, "log10_rmse").correlation
    assert correlation is not None
    assert correlation > 0.5
    assert follows_loss(whole, "log10_rmse").none == 0


def test_an_outcome_that_is_always_the_same_follows_nothing() -> None:
    table = Runs(N, D, SEED, runs(0, 0).loss, {"well": np.zeros(len(N))})
    found = follows_loss(table, "well")
    assert found.correlation is None
    assert "alike" in found.reason


def test_one_seed_a_cell_cannot_tell() -> None:
    table = runs(0.9, 0)
    found = follows_loss(table[table.seed == 0], "log10_rmse")
    assert found.correlation is None
    assert "0 runs more than cells" in found.reason


def test_an_outcome_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="they have: repulsive, log10_rmse"):
        follows_loss(runs(0, 0), "well")
