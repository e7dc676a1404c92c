"""Peers' metrics as means."""

from dataclasses import replace

import numpy as np
import pytest

from ase_probe import audit
from ase_probe.report import text, write_html
from ase_probe.report.means import means


@pytest.fixture(scope="module")
def arena():
    return audit("lj", dimers=["Ar2", "Ne2"], grid="arena", checks=["compression"])


def test_means_over_the_dimers(arena):
    name, found = means(arena)
    assert name == "MLIP Arena"
    by_name = {row.metric: row for row in found}
    expected = np.mean([row["tortuosity"] for row in arena.metrics.values()])
    assert by_name["tortuosity"].mean == pytest.approx(expected)
    assert by_name["tortuosity"].dimers == len(arena.metrics)


def test_missing_values_are_counted_and_not_averaged(arena):
    rows = {name: dict(row) for name, row in arena.metrics.items()}
    next(iter(rows.values()))["tortuosity"] = float("nan")
    found = {row.metric: row for row in means(replace(arena, metrics=rows))[1]}
    assert found["tortuosity"].dimers == len(rows) - 1
    nothing = {name: {"tortuosity": float("nan")} for name in rows}
    (only,) = means(replace(arena, metrics=nothing))[1]
    assert only.text == "–"


def test_both_reports_show_them(arena, tmp_path):
    assert "MLIP Arena's own metrics" in text(arena)
    assert "tortuosity" in text(arena)
    assert "MLIP Arena" in write_html([arena], tmp_path / "a.html").read_text()


def test_nothing_on_our_own_grid():
    ours = audit("morse", dimers=["H2"], checks=["compression"])
    assert means(ours)[1] == []
    assert "own metrics" not in text(ours)
