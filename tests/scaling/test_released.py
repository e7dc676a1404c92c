from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ase_probe import audit
from ase_probe.curve import Curve
from ase_probe.model import ModelCard
from ase_probe.registry import models
from ase_probe.scaling.released import TRAINING_SETS, describe, lines, main, structures


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("MPtrj", 1_580_395),
        ("MatQ, 114 445 structures", 114_445),
        ("MatterSim (not published), 3 million structures", 3_000_000),
        ("4 million molecular fragments (10.5281/zenodo.14779793)", 4_000_000),
        ("MPtrj, 1.58 million structures", 1_580_000),
        ("ANI-1x, a subset of 991 735 structures", 991_735),
    ],
)
def test_sizes_come_from_the_card_or_the_table(data: str, expected: int) -> None:
    assert structures(ModelCard(name="m", family="f", training_data=data)) == expected


@pytest.mark.parametrize(
    "data", [None, "MPtrj, sAlex", "OMat24, then MatPES-PBE", "ANI-2x", "MP-2"]
)
def test_sizes_that_nobody_states_are_not_made_up(data: str | None) -> None:
    assert isinstance(structures(ModelCard(name="m", family="f", training_data=data)), str)


def test_the_table_names_sets_as_the_cards_do() -> None:
    named = {card.training_data for card in models()}
    # sAlex is never a model's only set, but belongs to several cards.
    assert set(TRAINING_SETS) - {"sAlex"} <= named


def test_a_card_without_numbers_says_so() -> None:
    row = describe(ModelCard(name="bare", family="f"), None)
    text = "\n".join(lines([row]))
    assert "bare: the card states no number of parameters" in text
    assert "bare: no H2 curve" in text


def test_the_level_of_the_labels_is_compared_with_where_it_is_known() -> None:
    r = np.geomspace(0.1, 10, 300)
    curve = Curve(r=r, energy=4.5 * ((1 - np.exp(-1.9 * (r - 0.75))) ** 2 - 1))
    pbe = ModelCard(name="m", family="f", level_of_theory="PBE, somewhere", uses_spin=False)
    assert describe(pbe, curve).compared_with == "PBE"
    unknown = describe(ModelCard(name="m", family="f"), curve)
    assert unknown.compared_with == "exact"
    assert any("exact" in gap for gap in unknown.gaps)
    assert unknown.outcomes is not None
    assert unknown.outcomes.well


def test_audits_become_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Give audits" in capsys.readouterr().out
    path = audit("morse", dimers=["H2"], checks=["robustness"]).save(tmp_path / "morse.json")
    assert main([str(path)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("morse "))
    assert "yes" in row
