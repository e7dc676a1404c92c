"""An isolated model gives the same bits, and nothing it does to its process reaches ours."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ase_probe import Probe, audit
from ase_probe.engine import wire
from ase_probe.errors import (
    InputError,
    ModelLoadError,
    UnsupportedElementError,
    UnsupportedOptionError,
    WorkerError,
)

MISBEHAVING = str(Path(__file__).parents[1] / "misbehaving.py")


def pairs(*distances):
    return [Atoms("H2", [(0, 0, 0), (0, 0, r)]) for r in distances]


def isolated(name, **options):
    return Probe(f"{MISBEHAVING}:{name}", isolate=True, **options)


@pytest.fixture(scope="module")
def morse():
    return Probe("morse", isolate=True)


# The wire


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    st.dictionaries(st.text(), st.integers()),
)
def test_messages_keep_every_bit(array, header):
    got, arrays = wire.unpack(wire.pack(header, {"a": array, "b": array}))
    assert got == header
    for name in ("a", "b"):
        assert arrays[name].tobytes() == array.tobytes()
        assert arrays[name].shape == array.shape


def test_structures_arrive_as_they_were_sent():
    slab = bulk("Cu", cubic=True)
    slab.pbc = (True, True, False)
    water = molecule("H2O")
    water.info.update(charge=np.int64(-1), spin=2, note=object())
    sent = [slab, water, Atoms()]
    got = wire.structures_of(*wire.unpack(wire.pack(*wire.pack_structures(sent))))
    for a, b in zip(sent, got, strict=True):
        assert np.array_equal(a.numbers, b.numbers)
        assert np.array_equal(a.positions, b.positions)
        assert np.array_equal(a.cell.array, b.cell.array)
        assert np.array_equal(a.pbc, b.pbc)
    assert got[1].info == {"charge": -1, "spin": 2}
    assert type(got[1].info["charge"]) is int


def test_forces_of_any_shape_arrive():
    sent = [np.eye(3), None, np.full((1, 2), np.nan), np.empty((0, 3))]
    got = wire.forces_of(*wire.unpack(wire.pack(*wire.pack_forces(sent))))
    assert [None if f is None else f.shape for f in got] == [(3, 3), None, (1, 2), (0, 3)]
    assert np.array_equal(got[0], np.eye(3))
    assert np.isnan(got[2]).all()


# The same answers


def test_same_bits_as_in_process(morse):
    structures = pairs(*np.linspace(0.2, 6, 300))
    here, there = (
        Probe("morse").evaluator.evaluate(structures),
        morse.evaluator.evaluate(structures),
    )
    assert np.array_equal(here.energy, there.energy)
    assert all(map(np.array_equal, here.forces, there.forces))


@pytest.mark.parametrize("name", ["7net-0", "chgnet-0.3.0", "gfn2-xtb"])
def test_same_bits_from_a_real_model(name):
    pytest.importorskip({"7": "sevenn", "c": "chgnet", "g": "tblite"}[name[0]])
    here, there = Probe(name), Probe(name, isolate=True)
    crystal = bulk("NaCl", "rocksalt", a=5.6)
    structures = [*pairs(0.5, 0.74, 2.0), molecule("H2O"), *([] if name[0] == "g" else [crystal])]
    a, b = here.evaluator.evaluate(structures), there.evaluator.evaluate(structures)
    assert np.array_equal(a.energy, b.energy)
    assert all(map(np.array_equal, a.forces, b.forces))
    assert there.card == here.card
    for key in ("device", "dtype", "weights", "versions"):
        assert there.evaluator.environment[key] == here.evaluator.environment[key]
    if name[0] != "g":
        stress = []
        for probe in (here, there):
            crystal.calc = probe
            stress.append(crystal.get_stress())
        assert np.array_equal(*stress)


def test_an_isolated_probe_is_a_probe(morse):
    atoms = molecule("H2")
    atoms.calc = morse
    plain = molecule("H2")
    plain.calc = Probe("morse")
    assert atoms.get_potential_energy() == plain.get_potential_energy()
    assert np.array_equal(atoms.get_forces(), plain.get_forces())
    assert morse.card == plain.calc.card
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()
    atoms.info["charge"] = 1
    with pytest.raises(UnsupportedOptionError):
        atoms.get_potential_energy()


def test_an_audit_of_an_isolated_model_finds_the_same():
    plain = audit("morse", dimers=["H2"])
    there = audit("morse", dimers=["H2"], isolate=True)
    assert there.findings == plain.findings
    assert there.environment["isolated"] == sys.executable


def test_the_interpreter_can_be_named():
    probe = Probe("morse", isolate=sys.executable)
    assert probe.evaluator.environment["isolated"] == sys.executable
    with pytest.raises(WorkerError, match="Cannot start '/no/such/python'"):
        Probe("morse", isolate="/no/such/python")


# What goes wrong there, is told here


def test_errors_keep_their_names_and_messages():
    with pytest.raises(UnsupportedOptionError, match="cannot use dtype 'float16'"):
        Probe("morse", isolate=True, dtype="float16")
    with pytest.raises(ModelLoadError, match="RuntimeError: no licence"):
        isolated("never_opens")
    with pytest.raises(ModelLoadError, match="has no 'nothing'"):
        isolated("nothing")
    probe = Probe("morse", isolate=True)
    with pytest.raises(UnsupportedElementError):
        Atoms("Xe2", [(0, 0, 0), (0, 0, 1)], calculator=probe).get_potential_energy()
    here = Probe(f"{MISBEHAVING}:Raises").evaluator.evaluate(pairs(2.0, 0.5))
    there = isolated("Raises").evaluator.evaluate(pairs(2.0, 0.5))
    assert here.failures == there.failures == {1: "ZeroDivisionError: no such distance"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Killed", r"died \(SIGKILL\)"),
        ("Segfaults", r"died \(SIGSEGV\)"),
        ("Exits", r"died \(exit code 3\).*the vendor gives up"),
        ("HoldsTheLine", r"died \(exit code 7\)"),
        ("Hangs", r"no answer within 1 s"),
    ],
)
def test_a_lost_worker_costs_one_structure(name, message):
    started = time.monotonic()
    probe = isolated(name, timeout=1.0)
    result = probe.evaluator.evaluate(pairs(2.0, 1.5, 0.5, 3.0))
    assert list(result.failures) == [2]
    assert result.energy[[0, 1, 3]] == pytest.approx([0.125, 0.0, 1.125])
    assert np.isnan(result.energy[2])
    with pytest.raises(WorkerError, match=message):
        pairs_energy(probe, 0.5)
    assert pairs_energy(probe, 2.0) == 0.125
    assert time.monotonic() - started < 60


def pairs_energy(probe, distance):
    (atoms,) = pairs(distance)
    atoms.calc = probe
    return atoms.get_potential_energy()


def test_a_batch_is_halved_until_the_guilty_is_found(monkeypatch):
    probe = isolated("Killed")
    probe.evaluator.adapter.batch_size = 64
    result = probe.evaluator.evaluate(pairs(*[2.0] * 20, 0.5, *[3.0] * 20))
    assert list(result.failures) == [20]
    assert np.isfinite(np.delete(result.energy, 20)).all()


def test_what_a_worker_prints_does_not_reach_the_line(capfd):
    probe = isolated("Prints")
    result = probe.evaluator.evaluate(pairs(*np.linspace(1, 3, 40)))
    assert not result.failures
    assert capfd.readouterr().out == ""
    log = probe.evaluator.calculator.worker._line.log
    assert os.fstat(log.fileno()).st_size < 1_500_000  # of the 8 MB printed


def test_an_interrupt_leaves_no_answer_behind():
    probe = isolated("Hangs", timeout=60)
    timer = threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        pairs_energy(probe, 0.5)
    timer.join()
    assert pairs_energy(probe, 2.0) == 0.125
    assert pairs_energy(probe, 3.0) == 1.125


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_worker_outlives_its_probe():
    probe = isolated("Spring")
    pid = probe.evaluator.calculator.worker._line.process.pid
    assert alive(pid)
    del probe
    gc.collect()
    assert not alive(pid)


def test_no_worker_outlives_a_killed_parent(tmp_path):
    code = (
        "from ase_probe import Probe; p = Probe('morse', isolate=True);"
        "print(p.evaluator.calculator.worker._line.process.pid, flush=True); import time;"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.1)
    raise AssertionError("the worker lives on")


FORKED = """
import os, sys
from ase import Atoms
from ase_probe import Probe

probe = Probe(sys.argv[1], isolate=True)

def energy(r):
    return Atoms("H2", [(0, 0, 0), (0, 0, r)], calculator=probe).get_potential_energy()

print(energy(2.0), flush=True)
if os.fork() == 0:
    print(energy(3.0), flush=True)
    probe.evaluator.calculator.worker.stop()
    os._exit(0)
os.wait()
print(energy(2.5))
"""


def test_a_forked_child_asks_a_worker_of_its_own():
    done = subprocess.run(
        [sys.executable, "-c", FORKED, f"{MISBEHAVING}:Spring"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0.125", "1.125", "0.5"]


def test_a_probe_travels_by_pickle():
    import pickle

    twin = pickle.loads(pickle.dumps(isolated("Spring", timeout=5.0)))
    assert pairs_energy(twin, 2.0) == 0.125
    assert twin.evaluator.calculator.worker.timeout == 5.0


FACTORY = """
import sys
sys.path.insert(0, {folder!r})
from misbehaving import Killed

class Model(Killed):
    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["energy"] += {shift}

def make():
    return Model()
"""


def test_a_worker_started_again_is_the_same_model(tmp_path, monkeypatch):
    file = tmp_path / "mine.py"
    file.write_text(FACTORY.format(folder=str(Path(MISBEHAVING).parent), shift=0.0))
    monkeypatch.chdir(tmp_path)
    probe = Probe("mine.py:make", isolate=True)
    assert pairs_energy(probe, 2.0) == 0.125
    monkeypatch.chdir("/")
    with pytest.raises(WorkerError, match="SIGKILL"):
        pairs_energy(probe, 0.5)
    assert pairs_energy(probe, 2.5) == 0.5  # found again, though named relative to another folder
    with pytest.raises(WorkerError, match="SIGKILL"):
        pairs_energy(probe, 0.5)
    file.write_text(FACTORY.format(folder=str(Path(MISBEHAVING).parent), shift=10.0))
    for _ in range(2):
        with pytest.raises(WorkerError, match="changed while it ran"):
            pairs_energy(probe, 2.5)


def test_a_model_that_always_kills_its_worker_is_given_up():
    probe = isolated("Killed")
    probe.evaluator.adapter.batch_size = 64
    began = time.monotonic()
    result = probe.evaluator.evaluate(pairs(*[0.5] * 40))
    assert len(result.failures) == 40
    assert "20 times in a row" in result.failures[39]
    assert time.monotonic() - began < 60


def test_a_worker_that_stands_still_does_not_block_the_question():
    probe = isolated("Spring", timeout=1.0)
    os.kill(probe.evaluator.calculator.worker._line.process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match=r"took no request|no answer within"):
        probe.get_property("energy", Atoms("H60000", positions=np.zeros((60_000, 3))))
    assert pairs_energy(probe, 2.0) == 0.125


def test_a_hung_worker_ends_with_its_parent():
    code = f"""if True:
        import threading
        from ase import Atoms
        from ase_probe import Probe
        probe = Probe({MISBEHAVING + ":Hangs"!r}, isolate=True)
        print(probe.evaluator.calculator.worker._line.process.pid, flush=True)
        Atoms("H2", [(0, 0, 0), (0, 0, 0.5)], calculator=probe).get_potential_energy()
        """
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.5)
        parent.terminate()
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.1)
    raise AssertionError("the worker lives on")


def test_a_failed_opening_leaves_no_worker():
    with pytest.raises(ModelLoadError) as raised:
        isolated("never_opens")
    worker = raised.traceback[-1].frame.f_locals.get("self")
    mine = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "boot.py"], capture_output=True)
    assert worker is None or worker._line is None or not mine.stdout


def test_a_factory_for_another_python_is_not_imported_here(tmp_path):
    file = tmp_path / "elsewhere.py"
    here = os.getpid()
    file.write_text(
        f"import os\nassert os.getpid() != {here}\n"
        + FACTORY.format(folder=str(Path(MISBEHAVING).parent), shift=1.0)
    )
    assert pairs_energy(Probe(f"{file}:make", isolate=Path(sys.executable)), 2.0) == 1.125
    with pytest.raises(ModelLoadError, match="AssertionError"):
        Probe(f"{file}:make")


def test_the_same_python_sees_what_we_see(tmp_path, monkeypatch):
    (tmp_path / "only_on_our_path.py").write_text(
        FACTORY.format(folder=str(Path(MISBEHAVING).parent), shift=2.0)
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert pairs_energy(Probe("only_on_our_path:make", isolate=True), 2.0) == 2.125


def test_none_among_the_results_is_none():
    probe = isolated("SaysNone")
    assert pairs_energy(probe, 2.0) == 0.125
    assert "stress" not in probe.evaluator.calculator.results
    assert type(probe.evaluator.calculator.results["energy"]) is float


@pytest.mark.parametrize("isolate", ["", 1, None, 3.5])
def test_isolate_is_a_choice_or_a_path(isolate):
    with pytest.raises(InputError, match="isolate must be True, False or the path"):
        Probe("morse", isolate=isolate)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"timeout": 3.0}, "for isolate=True only"),
        ({"isolate": True, "timeout": -1.0}, "positive number"),
    ],
)
def test_a_timeout_needs_isolation(options, match):
    with pytest.raises(InputError, match=match):
        Probe("morse", **options)


def test_a_built_calculator_cannot_move():
    from ase.calculators.emt import EMT

    with pytest.raises(InputError, match="already built"):
        Probe(EMT(), isolate=True)
