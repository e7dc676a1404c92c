from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from scaling.pretended import in_a_process, write  # noqa: E402
from scaling.synthetic import spec  # noqa: E402

from ase_probe.errors import InputError  # noqa: E402
from ase_probe.scaling.study.sweep import Status, read_results, run_study  # noqa: E402
from ase_probe.scaling.training.result import paths  # noqa: E402
from ase_probe.scaling.training.spec import Shots  # noqa: E402

SHOTS = Shots(kind="with-h2", k=3, steps=9, learning_rate=1e-4)


class Fake:
    """Trains nothing; remembers its calls, fails for the seeds told."""

    def __init__(self, *bad):
        self.bad, self.calls = bad, []

    def __call__(self, wanted, out, *, device, checkpoint_every):
        self.calls.append(wanted)
        if wanted.seed in self.bad:
            raise ValueError(f"seed {wanted.seed} is bad")
        base = wanted.base
        assert base is None or paths(Path(out), base)["result"].exists()
        return write(wanted, out)


SPECS = tuple(spec(seed=seed) for seed in range(3))


def test_what_is_done_is_skipped(tmp_path):
    run_study(SPECS[:2], tmp_path, train=Fake())
    again = Fake()
    study = run_study(SPECS, tmp_path, train=again)
    assert again.calls == [SPECS[2]]
    assert [result.spec for result in study.results] == list(SPECS)
    assert sorted(read_results(tmp_path), key=lambda r: r.spec.seed) == study.results


def test_results_of_another_recipe_are_not_mixed_in(tmp_path, monkeypatch):
    run_study(SPECS, tmp_path, train=Fake())
    monkeypatch.setattr("ase_probe.scaling.training.spec.RECIPE", 0)
    run_study(SPECS[:1], tmp_path, train=Fake())  # trains again, by the other recipe
    with pytest.raises(InputError, match="another version's recipe"):
        read_results(tmp_path)


def test_a_failure_is_reported_and_the_rest_goes_on(tmp_path):
    tuned = spec(seed=1, shots=SHOTS)
    study = run_study([SPECS[0], tuned, SPECS[2]], tmp_path, train=Fake(1))
    assert [result.spec.seed for result in study.results] == [0, 2]
    assert study.failures[SPECS[1]] == "ValueError: seed 1 is bad"
    assert study.failures[tuned] == f"{SPECS[1].label} failed"
    assert run_study([tuned], tmp_path, train=Fake()).failures == {}


@pytest.mark.parametrize("workers", [1, 3])
def test_any_executor(tmp_path, workers):
    wanted = [spec(seed=1, shots=SHOTS), *SPECS]
    with ThreadPoolExecutor(workers) as executor:
        study = run_study(wanted, tmp_path, executor=executor, train=Fake())
    assert {result.spec for result in study.results} == set(wanted)


def test_processes_of_its_own_have_one_thread_each(tmp_path):
    study = run_study(SPECS, tmp_path, jobs=2, train=in_a_process)
    assert [result.environment["threads"] for result in study.results] == [1, 1, 1]


def test_progress_counts_down(tmp_path):
    seen = []
    run_study(SPECS, tmp_path, train=Fake(1), progress=seen.append)
    assert [(s.done, s.failed, s.running, s.last) for s in seen] == [
        (0, 0, (), None),
        (0, 0, SPECS[:1], None),
        (1, 0, (), SPECS[0]),
        (1, 0, SPECS[1:2], None),
        (1, 1, (), SPECS[1]),
        (1, 1, SPECS[2:], None),
        (2, 1, (), SPECS[2]),
    ]
    assert seen[0].seconds_left > seen[2].seconds_left > seen[-1].seconds_left == 0


def test_status_reads_well():
    status = Status(
        done=3, total=9, failed=1, last=None, running=(SPECS[1],), seconds_left=3 * 3600 + 125
    )
    assert str(status) == ("3/9 runs, 1 failed, 3 h 02 min left, now schnet w8 D20 seed 1")


@pytest.mark.parametrize("options", [{"jobs": 0}, {"jobs": 2, "executor": ThreadPoolExecutor(1)}])
def test_impossible_numbers_of_jobs(tmp_path, options):
    with pytest.raises(InputError, match="jobs is"):
        run_study(SPECS, tmp_path, train=Fake(), **options)
