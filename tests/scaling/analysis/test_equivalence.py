from __future__ import annotations

import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.equivalence import LOSS_MARGIN, loss_change, outcome_change
from ase_probe.scaling.analysis.runs import Runs

N, D, SEED = (a.ravel() for a in np.meshgrid([1e4, 3e4, 1e5], [1e2, 3e2, 1e3, 3e3], [0, 1, 2]))


def runs(change: float, noise: float, seed: int, **outcomes: np.ndarray) -> Runs:
    """ln loss changes by this much from the smallest N to the largest, and by −1.5 with D."""
    random = np.random.default_rng(seed)
    log = change * np.log(N / 1e4) / np.log(10) - 1.5 * np.log(D / 1e2) / np.log(30)
    return Runs(N, D, SEED, np.exp(log + noise * random.normal(size=len(N))), outcomes)


def test_flat_losses_do_not_scale_and_falling_ones_do() -> None:
    flat = loss_change(runs(0.0, 0.02, 0), "N")
    assert flat.verdict == "none"
    assert -LOSS_MARGIN < flat.low < flat.high < LOSS_MARGIN
    assert loss_change(runs(0.0, 0.02, 0), "D").verdict == "falls"
    assert loss_change(runs(0.5, 0.02, 0), "N").verdict == "rises"


def test_noise_leaves_it_undecided() -> None:
    assert loss_change(runs(0.0, 0.5, 0), "N").verdict == "undecided"


def test_a_change_as_large_as_the_margin_is_called_none_in_one_case_of_twenty() -> None:
    called = [loss_change(runs(-LOSS_MARGIN, 0.08, i), "N").verdict == "none" for i in range(600)]
    assert 0.02 < np.mean(called) < 0.08


def test_an_outcome_changes_by_its_own_margin() -> None:
    random = np.random.default_rng(0)
    same = runs(0, 0.1, 0, log10_rmse=0.5 + 0.02 * random.normal(size=len(N)))
    assert outcome_change(same, "log10_rmse", "N").verdict == "none"
    better = runs(0, 0.1, 0, log10_rmse=0.5 - 0.5 * np.log10(N / 1e4))
    assert outcome_change(better, "log10_rmse", "N").verdict == "falls"
    with pytest.raises(InputError, match="they have: log10_rmse"):
        outcome_change(same, "r_e_error", "N")


def test_an_outcome_that_some_runs_lack_has_no_change() -> None:
    lacking = np.full(len(N), 0.01)
    lacking[3] = np.nan
    change = outcome_change(runs(0, 0.1, 0, r_e_error=lacking), "r_e_error", "D")
    assert change.verdict == "undecided"
    assert change.value is None
    assert "1 of 36 runs have no value" in change.reason


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "none"), (1.0, "rises")])
def test_wells_that_never_come_are_told_from_wells_that_do(share: float, verdict: str) -> None:
    well = np.where(N == 1e5, share, 0.0)
    change = outcome_change(runs(0, 0.1, 0, well=well), "well", "N")
    assert change.verdict == verdict
    assert change.low < share <= change.high


def test_few_runs_without_wells_prove_nothing() -> None:
    some = runs(0, 0.1, 0, well=np.zeros(len(N)))
    assert outcome_change(some[some.seed == 0], "well", "N").verdict == "undecided"
