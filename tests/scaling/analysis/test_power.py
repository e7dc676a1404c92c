from __future__ import annotations

import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.power import power_law
from ase_probe.scaling.analysis.runs import Runs


def losses(exponent: float, noise: float, seed: int = 0) -> Runs:
    N, D = (axis.ravel() for axis in np.meshgrid([1e5, 1e6, 1e7], [1e3, 1e4, 1e5]))
    random = np.random.default_rng(seed)
    loss = np.where(N == 1e5, 3.0, 2.0) * D**-exponent * np.exp(noise * random.normal(size=9))
    return Runs(N, D, np.zeros(9), loss)


def test_every_size_has_its_prefactor_and_all_share_the_exponent() -> None:
    law = power_law(losses(0.17, 1e-9).log_loss, "D")
    assert law.exponent == pytest.approx(0.17, abs=1e-6)
    assert law.prefactors[1e5] / law.prefactors[1e6] == pytest.approx(1.5)
    assert str(law).startswith("exponent in D: 0.17 (0.17 to 0.17)")


def test_its_interval_covers() -> None:
    held = [0.17 in power_law(losses(0.17, 0.1, i).log_loss, "D").interval for i in range(400)]
    assert 0.92 <= np.mean(held) <= 0.98


def test_an_exponent_that_may_be_zero_is_no_number() -> None:
    law = power_law(losses(0.0, 0.1).log_loss, "D")
    assert "not identifiable" in str(law)
    assert law.unidentified


def test_one_size_has_no_exponent() -> None:
    runs = losses(0.17, 0.1)
    with pytest.raises(InputError, match="add sizes"):
        power_law(runs[runs.D == 1e3].log_loss, "D")
