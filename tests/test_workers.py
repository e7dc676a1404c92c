import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

OWNER = """
import os, sys, time
from pathlib import Path

from ase_probe.workers import process_pool

def note(seconds):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(seconds)

if __name__ == "__main__":
    workers = process_pool(2)
    first, second = workers.submit(note, 1.0), workers.submit(note, 60.0)  # one will idle
    first.result()
    Path(sys.argv[1], "ready").touch()
    try:
        second.result()
    except KeyboardInterrupt:
        sys.exit("interrupted")
"""


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def owner(tmp_path):
    """A process with two workers, and the folder that they wrote their process IDs to."""
    script, notes = tmp_path / "owner.py", tmp_path / "notes"
    script.write_text(OWNER)
    notes.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(notes)],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (notes / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    yield process, [int(path.name) for path in notes.iterdir() if path.name.isdigit()]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def gone(processes, seconds=30.0):
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(alive, processes))


def test_ctrl_c_ends_all_without_a_traceback(owner):
    process, workers = owner
    assert len(workers) == 2
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    errors = process.communicate(timeout=30)[1]
    assert errors == "interrupted\n"
    assert gone(workers)


def test_workers_do_not_outlive_a_killed_owner(owner):
    process, workers = owner
    assert len(workers) == 2
    os.kill(process.pid, signal.SIGKILL)
    assert gone(workers)
