from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.table import h2_outcomes, labels_curve, table

R = np.geomspace(0.1, 10, 300)


def result(seed: int, *, curves: bool = True, model: str = "schnet") -> Any:
    energy = 4.7 * ((1 - np.exp(-1.9 * (R - 0.75))) ** 2 - 1)
    h2 = {"r": R.tolist(), "energy": energy.tolist(), "force": (-np.gradient(energy, R)).tolist()}
    return SimpleNamespace(
        spec=SimpleNamespace(model=model, layers=3, shots=None, molecules=100, seed=seed),
        parameters=12345,
        test_loss=0.5 + seed,
        curves={"H2": h2, "atoms": {"H": 0.1}} if curves else {},
    )


@pytest.mark.parametrize("kind", ["restricted", "unrestricted"])
def test_the_labels_agree_with_themselves(kind: str) -> None:
    labels = labels_curve(kind)
    near = labels.r[np.argmin(labels.energy)]
    assert near == pytest.approx(0.743, abs=0.01)


def test_runs_become_rows() -> None:
    runs = table([result(0), result(1)])
    assert runs.N.tolist() == [12345, 12345]
    assert runs.loss.tolist() == [0.5, 1.5]
    assert runs.outcomes["well"].tolist() == [1.0, 1.0]
    found = h2_outcomes(result(0))
    assert found.slope_from == "forces"
    assert found.D_e_atoms == pytest.approx(4.9, abs=0.01)


def test_language_models_have_no_outcomes() -> None:
    assert table([result(0, curves=False)]).outcomes == {}


def test_different_models_do_not_share_a_table() -> None:
    with pytest.raises(InputError, match="2 kinds"):
        table([result(0), result(1, model="visnet")])
    with pytest.raises(InputError, match="Unknown kind"):
        table([result(0)], "exact")
