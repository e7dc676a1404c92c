from __future__ import annotations

import numpy as np

from ase_probe.scaling.analysis.front import allocation
from ase_probe.scaling.analysis.law import Law
from ase_probe.scaling.analysis.report import analyse
from ase_probe.scaling.analysis.synthetic import DESIGNS


def test_an_identifiable_design_gets_numbers() -> None:
    design = DESIGNS["5 x 5 cells, 2 seeds, 3 %"]
    report = analyse(design.runs(np.random.default_rng(0)), repeats=99)
    for parameter in report.parameters:
        assert parameter.unidentified is None
        assert parameter.interval is not None
        assert parameter.bootstrap is not None
        # Two ways to the same interval.
        width = parameter.interval.high - parameter.interval.low
        other = parameter.bootstrap.high - parameter.bootstrap.low
        assert 0.5 < other / width < 2
    text = report.text()
    assert "L∞ + a (N/N₀)^−α + b (D/D₀)^−β" in text
    assert "the loss falls with the number of training molecules" in text
    spending = allocation(report)
    assert not isinstance(spending, str)
    assert spending.N + spending.D == 1.0
    assert spending.N_interval.low < 0.5 / 0.9 < spending.N_interval.high


def test_what_is_not_identifiable_is_not_a_number() -> None:
    runs = DESIGNS["3 x 4 cells, 3 seeds, 3 %, flat"].runs(np.random.default_rng(0))
    report = analyse(runs, repeats=9)
    assert all(parameter.value is None for parameter in report.parameters)
    assert all(parameter.interval is None for parameter in report.parameters)
    text = report.text()
    assert "α   not identifiable: " in text
    assert "no scaling with the number of parameters" in text
    assert "not identifiable" in str(allocation(report))


def test_one_variable() -> None:
    runs = DESIGNS["8 sizes of D, 3 seeds, 2 %"].runs(np.random.default_rng(0))
    report = analyse(runs, Law(("D",)), repeats=9)
    assert set(report.changes) == {"D"}
    assert allocation(report) == "the law has no terms in both N and D"
