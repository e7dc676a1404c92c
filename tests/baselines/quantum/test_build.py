import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

pytest.importorskip("pyscf")

from ase_probe.baselines.quantum import branch, dft
from ase_probe.baselines.quantum.build import build, main
from ase_probe.baselines.quantum.checkpoint import checkpoint
from ase_probe.baselines.quantum.methods import method
from ase_probe.baselines.quantum.store import read
from ase_probe.dimer import Dimer
from ase_probe.errors import EvaluationError, InputError

QUICK = {"basis": "sto-3g", "grid": 0, "points": 12}


def lines(folder):
    """Finished points in a scratch folder: file -> complete lines."""
    return {
        path.name: [x for x in path.read_bytes().split(b"\n")[:-1] if b'"r"' in x]
        for path in sorted(folder.glob("*.jsonl"))
    }


def count(folder):
    return sum(map(len, lines(folder).values()))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    told = []
    with ThreadPoolExecutor(1) as pool:
        result = build(["H2"], "dft:pbe", folder=folder, executor=pool, **QUICK,
                       progress=lambda *what: told.append(what))  # fmt: skip
    return folder, result, told


def energies(path):
    return read(path).branches["unrestricted"].energy


def test_threads(built):
    folder, result, told = built
    assert result.files == {"H2": folder / "dft-pbe" / "H2.json"}
    assert result.failed == {}
    reference = read(result.files["H2"])
    assert reference.method["basis"] == "sto-3g"
    assert reference.versions["pyscf"]
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] == 3 * 18


def test_nothing_is_computed_twice(built, monkeypatch):
    folder, result, _ = built
    monkeypatch.setattr(branch, "solve", None)
    with ThreadPoolExecutor(1) as pool:
        again = build(["H2"], "dft:pbe", folder=folder, executor=pool, **QUICK)
        assembled = build(["H2"], "dft:pbe", folder=folder, executor=pool, overwrite=True, **QUICK)
    assert again == assembled == result


def test_a_process_pool_of_the_caller(built, tmp_path):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = build(["H2"], "dft:pbe", folder=tmp_path, executor=pool, **QUICK)
    assert energies(result.files["H2"]) == pytest.approx(energies(built[1].files["H2"]), abs=1e-7)


@pytest.mark.filterwarnings("ignore")  # what Dask says about its own parts
def test_dask(built, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        result = build(["H2"], "dft:pbe", folder=tmp_path, executor=client.get_executor(), **QUICK)
    assert energies(result.files["H2"]) == pytest.approx(energies(built[1].files["H2"]), abs=1e-7)


def test_killed_it_goes_on_behind_the_last_point(built, tmp_path, monkeypatch):
    command = [
        sys.executable, "-m", "ase_probe.baselines.quantum.build", "H2", "--tier", "dft:pbe",
        "--folder", str(tmp_path), "--jobs", "1", "--basis", "6-31g", "--points", "12",
    ]  # fmt: skip
    scratch = tmp_path / ".scratch"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while count(scratch) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = lines(scratch)
    kept = sum(map(len, before.values()))
    assert kept >= 5
    assert not (tmp_path / "dft-pbe").exists()

    recorded = []
    original = branch._record
    monkeypatch.setattr(
        branch, "_record", lambda r, *rest: recorded.append(r) or original(r, *rest)
    )
    with ThreadPoolExecutor(1) as pool:
        result = build(["H2"], "dft:pbe", folder=tmp_path, executor=pool, basis="6-31g", points=12)
    after = lines(scratch)
    for name, finished in before.items():
        assert after[name][: len(finished)] == finished  # not one was computed again
    assert len(recorded) == sum(map(len, after.values())) - kept
    inward = 18 - 11  # of the scan "out", which repeats the scan "in" there
    assert sum(map(len, after.values())) == 3 * 18 - inward
    assert abs(energies(result.files["H2"])[-1]) < 1e-3


def test_a_torn_line_is_computed_again(built, tmp_path):
    setup = method("dft:pbe", basis="sto-3g", grid=0)
    unit = dft.units(Dimer.parse("H2"), setup, points=12)[1]
    whole = branch.run(unit, tmp_path)
    path = checkpoint(unit, tmp_path)
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(rows[:6]) + rows[6][:20])
    again = branch.run(unit, tmp_path)
    assert [x.get("r") for x in again] == [x.get("r") for x in whole]
    for new, old in zip(again, whole, strict=True):
        assert new.get("energy", 0.0) == pytest.approx(old.get("energy", 0.0), abs=1e-7)


def test_one_failure_does_not_stop_the_others(built, tmp_path, monkeypatch):
    original = branch._atoms

    def refuse(unit, dimer):
        if unit.dimer == "He2":
            raise EvaluationError("He did not converge")
        return original(unit, dimer)

    monkeypatch.setattr(branch, "_atoms", refuse)
    with ThreadPoolExecutor(1) as pool:
        result = build(["He2", "H2"], "dft:pbe", folder=tmp_path, executor=pool, **QUICK)
    assert list(result.files) == ["H2"]
    assert "He did not converge" in result.failed["He2"]


@pytest.mark.parametrize(
    ("dimers", "tier", "message"),
    [(["H2"], "dft:b3lyp", "dft:pbe"), (["Xx2"], "dft:pbe", "Xx"), (["H2++"], "dft:pbe", "no el")],
)
def test_what_cannot_be_built_is_refused_at_once(tmp_path, dimers, tier, message):
    with pytest.raises(InputError, match=message):
        build(dimers, tier, folder=tmp_path)
    assert main([*dimers, "--tier", tier, "--folder", str(tmp_path)]) == 2


def test_checkpoints_are_json_lines(built):
    for path in (built[0] / ".scratch").glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        assert records[-1] == {"done": True}
