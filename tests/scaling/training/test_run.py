import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

import numpy as np  # noqa: E402
from scaling.synthetic import spec, task_of  # noqa: E402

from ase_probe.errors import InputError, ModelLoadError  # noqa: E402
from ase_probe.scaling.training import curves, run, store  # noqa: E402
from ase_probe.scaling.training.result import RunResult, paths  # noqa: E402
from ase_probe.scaling.training.spec import Shots  # noqa: E402

SHOTS = Shots(kind="with-h2", k=3, steps=24, learning_rate=1e-4)


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(curves, "evaluate", lambda potential: {"atoms": {"H": math.nan}})


def train(wanted, folder, **options):
    return run.train(wanted, folder, task=task_of, device="cpu", **options)


def weights(folder, wanted):
    return store.read(paths(folder, wanted)["weights"])["state"]


class Killed(BaseException):
    """What no `except Exception` stops."""


def kill_at(last):
    def progress(step, steps):
        if step == last:
            raise Killed

    return progress


@pytest.mark.parametrize("model", ["schnet", "visnet"])
@pytest.mark.parametrize("length", [{"steps": 24}, {"epochs": 6}])
def test_a_killed_run_goes_on_with_the_same_numbers(tmp_path, model, length):
    wanted = spec(model=model, **length)
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
    whole = train(wanted, tmp_path / "whole")
    # Inside a block (of 1 or 4 steps), behind a checkpoint, with the step after it lost.
    for last in (7, 14):
        with pytest.raises(Killed):
            train(wanted, tmp_path / "killed", checkpoint_every=0.0, progress=kill_at(last))
    seen = []
    resumed = train(wanted, tmp_path / "killed", progress=lambda step, _: seen.append(step))
    assert seen[0] == 15
    assert replace(resumed, seconds=0) == replace(whole, seconds=0)
    before, after = (weights(tmp_path / folder, wanted) for folder in ("whole", "killed"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not paths(tmp_path / "killed", wanted)["checkpoint"].exists()


def test_a_run_that_is_done_is_read(tmp_path):
    first = train(spec(), tmp_path)
    again = train(spec(), tmp_path, progress=kill_at(1))
    assert again == replace(first, curves=again.curves)
    assert math.isnan(again.curves["atoms"]["H"])  # by name in the file


def test_seeds_differ_and_the_callers_random_numbers_stay(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    losses = [train(spec(seed=seed), tmp_path).test_loss for seed in (0, 1)]
    assert torch.equal(torch.rand(1), expected)
    assert losses[0] != losses[1]


def test_it_learns(tmp_path):
    wanted = spec(steps=300, molecules=60, width=16, batch=10, learning_rate=5e-3)
    result = train(wanted, tmp_path)
    task = task_of(wanted)
    spread = float(np.var(task.held_out.targets.numpy() * task.scale**0.5))
    assert result.test_loss < 0.5 * spread
    assert result.test_mae < result.test_loss**0.5
    assert result.train_losses[-1] < 0.2 * result.train_losses[0]
    assert len(result.train_losses) == len(result.validation_losses) == 60
    assert result.validation_loss == min(result.validation_losses)


def test_a_run_in_epochs_stops_by_itself(tmp_path):
    result = train(spec(epochs=5000, molecules=6, learning_rate=2e-2, warmup=0), tmp_path)
    behind = len(result.validation_losses) - 1 - int(np.argmin(result.validation_losses))
    assert result.steps < 5000
    assert behind == 50
    assert result.validation_loss == min(result.validation_losses)


def test_fine_tuning_starts_from_the_trained_network(tmp_path):
    tuned = spec(shots=SHOTS)
    with pytest.raises(InputError, match="train that one first"):
        train(tuned, tmp_path)
    base = train(spec(), tmp_path)
    first = spec(shots=replace(SHOTS, learning_rate=1e-12, k=0))
    assert train(first, tmp_path).test_loss == pytest.approx(base.test_loss, rel=1e-4)


def test_shots_are_learnt_beside_the_replay(tmp_path):
    train(spec(), tmp_path)
    wanted = spec(shots=replace(SHOTS, steps=200, learning_rate=5e-3))
    control = spec(shots=replace(wanted.shots, k=0))
    errors = {}
    for tuned in (wanted, control):
        train(tuned, tmp_path)
        model = run._model(tuned, None, tmp_path)
        model.load_state_dict(weights(tmp_path, tuned))
        errors[tuned] = abs(task_of(wanted).shots.all_errors(model)).mean()
    assert errors[wanted] < 0.5 * errors[control]


def test_a_diverged_run_is_a_result(tmp_path):
    wanted = spec(learning_rate=1e30, clip=1e30)
    found = train(wanted, tmp_path)
    assert math.isnan(found.test_loss)
    assert math.isnan(found.validation_loss)
    assert found.curves == {}
    assert found.steps < 24 or not math.isfinite(found.validation_losses[-1])
    assert not paths(tmp_path, wanted)["weights"].exists()
    assert train(wanted, tmp_path).steps == found.steps  # read, not trained again
    with pytest.raises(InputError, match="unless it diverged"):
        train(replace(wanted, shots=SHOTS), tmp_path)


def test_runs_of_one_seed_share_neither_weights_nor_molecules():
    """The analysis takes runs for independent."""
    small, large, wide = spec(molecules=10), spec(molecules=20), spec(width=16)
    assert small.choice == large.choice  # nested sets
    assert small.start != large.start
    assert wide.choice != spec().choice
    assert wide.start != spec().start
    assert spec(seed=1).choice != spec().choice


def test_damaged_files_are_named(tmp_path):
    wanted = spec()
    files = paths(tmp_path, wanted)
    files["checkpoint"].write_bytes(b"half of it")
    with pytest.raises(ModelLoadError, match="remove it"):
        train(wanted, tmp_path)
    files["result"].write_text("{}")
    with pytest.raises(InputError, match="remove it"):
        RunResult.load(files["result"])
