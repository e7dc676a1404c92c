from __future__ import annotations

import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.runs import Runs


def table(**changes: object) -> Runs:
    columns: dict[str, object] = {
        "N": [10, 10, 20, 20],
        "D": [1, 1, 1, 2],
        "seed": [0, 1, 0, 0],
        "loss": [1.0, np.e, 3.0, 4.0],
    }
    return Runs(**{**columns, **changes})  # type: ignore[arg-type]


def test_runs_of_equal_size_form_a_cell() -> None:
    cells = table().log_loss
    assert cells.N.tolist() == [10, 20, 20]
    assert cells.D.tolist() == [1, 1, 2]
    assert cells.count.tolist() == [2, 1, 1]
    assert cells.value == pytest.approx([0.5, np.log(3), np.log(4)])
    assert cells.within == pytest.approx(0.5)
    assert cells.log("N") == pytest.approx(np.log([10, 20, 20]) - np.log(200) / 2)


@pytest.mark.parametrize("loss", [np.nan, np.inf, 0.0, -1.0])
def test_diverged_runs_are_left_out_only_on_purpose(loss: float) -> None:
    runs = table(loss=[1.0, 2.0, 3.0, loss])
    with pytest.raises(InputError, match="1 of 4 runs"):
        runs.log_loss  # noqa: B018
    assert len(runs[~runs.diverged].log_loss) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": [0, 0, 0, 0]}, "same N, D and seed"),
        ({"N": [0, 10, 20, 20]}, "positive"),
        ({"loss": [1.0]}, "shape"),
        ({"outcomes": {"well": [1.0]}}, "well has shape"),
    ],
)
def test_tables_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(**changes)
