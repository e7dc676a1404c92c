from __future__ import annotations

import math

import numpy as np
import pytest

from ase_probe.scaling.analysis.law import Law, fit
from ase_probe.scaling.analysis.power import power_law
from ase_probe.scaling.analysis.profile import profile, verdicts
from ase_probe.scaling.analysis.synthetic import DESIGNS, Design


def test_of_a_straight_line_the_profile_interval_is_students() -> None:
    design = Design((1e5,), tuple(np.geomspace(1e2, 1e5, 6)), 2, {"b": 0.2, "beta": 0.5}, 0.05)
    cells = design.runs(np.random.default_rng(3)).log_loss
    best = fit(cells, Law(("D",), floor=False))
    line = power_law(cells, "D")
    assert best.values["beta"] == pytest.approx(line.exponent, rel=1e-5)
    interval = profile(best, "beta")
    assert interval.low == pytest.approx(line.interval.low, rel=1e-4)
    assert interval.high == pytest.approx(line.interval.high, rel=1e-4)


def test_a_good_design_identifies_every_parameter() -> None:
    design = DESIGNS["5 x 5 cells, 2 seeds, 3 %"]
    best = fit(design.runs(np.random.default_rng(0)).log_loss)
    for name, (interval, reason) in verdicts(best).items():
        assert interval.low < best.values[name] < interval.high
        assert reason is None


def test_two_widths_cannot_tell_the_exponent_of_N() -> None:
    truth = DESIGNS["5 x 5 cells, 2 seeds, 3 %"].truth
    design = Design((1e4, 1e7), tuple(np.geomspace(1e2, 1e5, 6)), 3, truth, 0.01)
    best = fit(design.runs(np.random.default_rng(0)).log_loss)
    found = verdicts(best)
    interval, reason = found["alpha"]
    assert interval.open_low or interval.open_high
    assert reason
    assert found["floor"][1]
    interval, reason = found["beta"]
    assert interval.high - interval.low < 0.1  # narrow, but it follows from L∞
    assert reason
    assert "L∞" in reason


def test_losses_without_noise_have_narrow_intervals() -> None:
    truth = DESIGNS["5 x 5 cells, 2 seeds, 3 %"].truth
    sizes = tuple(np.geomspace(1e4, 1e7, 5)), tuple(np.geomspace(1e2, 1e5, 5))
    best = fit(Design(*sizes, 1, truth, 0.0).runs(np.random.default_rng(0)).log_loss)
    interval = profile(best, "floor")
    assert interval.high - interval.low < 1e-6
    assert math.isfinite(interval.high)
