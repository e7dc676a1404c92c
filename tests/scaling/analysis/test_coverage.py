"""The verdicts on studies whose truth is known; the whole table is `coverage`'s own command."""

from __future__ import annotations

import pytest

from ase_probe.scaling.analysis import coverage
from ase_probe.scaling.analysis.coverage import cover
from ase_probe.scaling.analysis.synthetic import DESIGNS


def test_intervals_of_an_identifiable_design_hold_the_truth() -> None:
    result = cover(DESIGNS["8 sizes of D, 3 seeds, 2 %"], 80, repeats=99)
    assert set(result.profile) == {"floor", "b", "beta"}
    # 80 studies with 95 %: fewer than 67 or all 80 come up once in ten thousand or in sixty.
    assert all(share >= 67 / 80 for share in result.profile.values())
    assert all(share >= 65 / 80 for share in result.bootstrap.values())
    assert all(share == 1.0 for share in result.identified.values())
    assert result.no_scaling == {"D": 0.0}


def test_four_by_three_cells_with_8_percent_noise_identify_little() -> None:
    result = cover(DESIGNS["4 x 3 cells, 1 seed, 8 %"], 12)
    assert max(result.identified.values()) == 0.0


def test_flat_losses_show_no_scaling() -> None:
    result = cover(DESIGNS["3 x 4 cells, 3 seeds, 3 %, flat"], 8)
    assert result.no_scaling == {"N": 1.0, "D": 1.0}
    assert set(result.identified.values()) == {0.0}


def test_the_command_prints_a_table_and_fails_where_coverage_is_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--trials", "3", "--bootstrap", "0", "--design", "8 sizes"]
    monkeypatch.setattr(coverage, "ACCEPTED", (0.0, 1.0))
    assert coverage.main(asked) == 0
    printed = capsys.readouterr().out
    assert "8 sizes of D, 3 seeds, 2 % (3 studies)" in printed
    assert "β" in printed
    monkeypatch.setattr(coverage, "ACCEPTED", (1.1, 1.2))
    assert coverage.main(asked) == 1
    assert "not in 8 sizes" in capsys.readouterr().out
