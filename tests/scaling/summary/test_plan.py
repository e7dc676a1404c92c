import pytest
from scaling.studies import plan

from ase_probe.errors import InputError
from ase_probe.scaling.summary.plan import PLAN, Count, keep, planned


def test_a_plan_comes_back(tmp_path):
    specs = plan(tmp_path)
    keep(specs, tmp_path / "new" / "folder")
    assert planned(tmp_path / "new" / "folder") == specs


def test_a_folder_without_a_plan_needs_the_name_of_its_study(tmp_path):
    assert planned(tmp_path) is None
    assert len(planned(tmp_path, "smoke")) == 8


def test_a_study_may_grow_and_not_shrink(tmp_path):
    specs = plan(tmp_path)
    keep(specs[:5], tmp_path)
    keep(specs, tmp_path)
    assert planned(tmp_path) == specs
    with pytest.raises(InputError, match="belongs to another study"):
        keep(specs[:5], tmp_path)


def test_a_damaged_plan_is_named(tmp_path):
    (tmp_path / PLAN).write_text("{}\n")
    with pytest.raises(InputError, match=r"plan\.jsonl is no plan"):
        planned(tmp_path)


def test_cells_are_complete_with_all_their_seeds(tmp_path):
    specs = [spec for spec in plan(tmp_path) if spec.model == "schnet" and spec.shots is None]
    count = Count.of([*specs[:6], specs[6]], specs)  # all of seed 0, one of seed 1
    assert (count.runs, count.cells, count.planned_runs, count.planned_cells) == (7, 0, 18, 6)
    assert str(count) == "INCOMPLETE: 7 of 18 runs, 0 of 6 cells done"
    assert Count.of(specs[:2], specs).empty == 4
    assert str(Count.of(specs, specs)) == "18 of 18 runs, 6 of 6 cells done"
