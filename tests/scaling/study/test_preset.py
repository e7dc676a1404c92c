from collections import Counter

import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.study.cost import estimate, remaining
from ase_probe.scaling.study.preset import PRESETS, read_study

GRID = """
[[grid]]
model = "schnet"
layers = 2
width = [8, 16]
molecules = [10, 20]
seed = [0, 1]
batch = 5
steps = 30
warmup = 3
"""
SHOTS = """
[grid.shots]
kind = ["with-h2", "without-h2"]
k = [0, 4]
steps = 9
learning_rate = 1e-4
"""


@pytest.fixture
def study(tmp_path):
    def write(text):
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return write


def test_a_grid_is_a_product_with_whole_seeds_first(study):
    specs = read_study(study(GRID))
    assert [(s.seed, s.width, s.molecules) for s in specs] == [
        (seed, width, molecules) for seed in (0, 1) for width in (8, 16) for molecules in (10, 20)
    ]


def test_whole_seeds_come_first_in_several_grids(study):
    other = GRID.replace("[8, 16]", "4")
    assert other != GRID
    specs = read_study(study(GRID + other))
    assert [s.seed for s in specs] == [0] * 6 + [1] * 6


def test_shots_stand_behind_the_run_they_start_from(study):
    specs = read_study(study(GRID + SHOTS))
    assert len(specs) == len(set(specs)) == 8 * (1 + 3)  # two kinds share the control
    for place, spec in enumerate(specs):
        assert spec.base is None or spec.base in specs[:place]


def test_a_run_asked_for_twice_is_there_once(study):
    assert read_study(study(GRID + GRID)) == read_study(study(GRID))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = ", "is no TOML"),
        ("[grid]\nmodel = 'schnet'", r"list of \[\[grid\]\] tables"),
        (GRID + "[other]\n", "also holds other"),
        (GRID + GRID.replace("[8, 16]", "[8, 0]"), "grid 2: width is 0"),
        (GRID.replace("steps", "stpes"), "Unknown key stpes"),
        (GRID + "shots = 3", "shots is 3; give a table"),
    ],
)
def test_a_file_that_is_no_study_is_refused(study, text, message):
    with pytest.raises(InputError, match=message):
        read_study(study(text))


def test_an_unknown_preset_is_named():
    with pytest.raises(InputError, match="smoke, laptop, paper"):
        read_study("desktop")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_have_all_models_and_both_kinds_of_shots(preset):
    specs = read_study(preset)
    assert {spec.model for spec in specs} == {"schnet", "visnet", "chemgpt"}
    assert {"with-h2", "without-h2"} <= {spec.shots.kind for spec in specs if spec.shots}


def test_laptop_is_the_study_that_was_promised():
    plain = [spec for spec in read_study("laptop") if spec.shots is None]
    assert Counter(spec.model for spec in plain) == {"schnet": 36, "visnet": 16, "chemgpt": 18}
    assert {spec.steps for spec in plain} == {3600}
    assert sum(map(estimate, read_study("laptop"))) < 2 * 5 * 3600  # two cores, five hours


def test_time_left_follows_the_runs_that_are_done(study):
    small, large = (read_study(study(GRID))[place] for place in (0, 2))
    taken = [(small, 10 * estimate(small))]
    assert remaining([large], taken, 2) == pytest.approx(10 * estimate(large) / 2)
    assert estimate(large) > estimate(small)
