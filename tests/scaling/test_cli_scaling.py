"""`ase-probe scaling` as a user runs it, on a chemistry that costs nothing."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from ase_probe.cli import main
from ase_probe.scaling.summary.plan import PLAN

TINY = """
[[grid]]
model = "schnet"
layers = 1
width = [4, 8]
molecules = [10, 20]
seed = [0, 1]
batch = 5
steps = 12
warmup = 2
validation = 5
test = 5

[[grid]]
model = "schnet"
layers = 1
width = 8
molecules = 20
seed = [0, 1]
batch = 5
steps = 12
warmup = 2
validation = 5
test = 5
[grid.shots]
kind = "with-h2"
k = [0, 3]
steps = 6
learning_rate = 2e-4
"""


def scaling(*arguments):
    return CliRunner().invoke(main, ["scaling", *map(str, arguments)])


@pytest.fixture(scope="session")
def swept(tmp_path_factory):
    """A study that ran once, from the command line."""
    pytest.importorskip("torch_geometric")
    from scaling import synthetic

    folder = tmp_path_factory.mktemp("scaling")
    (folder / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ase_probe.scaling.training.sources.task_of", synthetic.task_of)
        patch.setattr("importlib.util.find_spec", lambda n: n == "qm9pack" or find_spec(n))
        done = scaling("run", folder / "tiny.toml", "--out", folder / "out", "--device", "cpu")
    assert done.exit_code == 0, done.output
    return folder, done


def test_run_says_what_it_did_and_what_comes_next(swept):
    folder, done = swept
    assert f"12 of 12 runs are done in {folder / 'out'}." in done.output
    assert f"Next: ase-probe scaling report {folder / 'out'}" in done.output
    assert "12/12 runs" in done.stderr
    assert (folder / "out" / PLAN).exists()


def test_status(swept):
    folder, _ = swept
    text = scaling("status", folder / "out").output
    assert "schnet: 8 of 8 runs, 4 of 4 cells done" in text
    assert "schnet w8 D20 with shots: 4 of 4 runs, 2 of 2 cells done" in text
    other = scaling("status", folder / "out", "--study", "smoke").output
    assert "not of this study: 12 runs" in other
    assert "Left: 8 runs" in other


def test_report(swept, tmp_path):
    folder, _ = swept
    done = scaling("report", folder / "out", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "Scaling study: 12 of 12 runs" in done.output
    assert "The control WITHOUT H2 was not run" in done.output
    assert "no charge" in done.output
    data = json.loads((tmp_path / "summary.json").read_text())
    assert len(data["families"][0]["runs"]) == 8
    page = (tmp_path / "report.md").read_text()
    assert "![h2](h2.svg)" in page
    assert (tmp_path / "h2.png").stat().st_size > 10_000
    assert (tmp_path / "report.txt").read_text() in done.output


def test_report_of_one_figure(swept, tmp_path):
    folder, _ = swept
    done = scaling("report", folder / "out", "--out", tmp_path, "--figure", "front")
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"front.svg", "front.png"}
    assert scaling("report", folder / "out", "--figure", "front").exit_code == 2
    among_runs = scaling("report", folder / "out", "--out", folder / "out")
    assert among_runs.exit_code == 2
    assert "where the runs lie" in among_runs.output


def test_a_folder_belongs_to_one_study(swept):
    folder, _ = swept
    (folder / "less.toml").write_text(TINY.replace("[4, 8]", "[8]"))
    done = scaling("run", folder / "less.toml", "--out", folder / "out")
    assert done.exit_code == 2
    assert "belongs to another study" in done.stderr


def test_a_missing_package_is_named_before_anything_runs(tmp_path, monkeypatch):
    missing = {"qm9pack"}
    monkeypatch.setattr("importlib.util.find_spec", lambda n: n not in missing and find_spec(n))
    monkeypatch.setitem(sys.modules, "qm9pack", None)
    done = scaling("run", "smoke", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "pip install 'ase-probe[scaling]'" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "desktop", "--out", "x"], "smoke, laptop, paper"),
        (["report", "."], "no finished run"),
        (["released", "nowhere.json"], "nowhere.json"),
    ],
)
def test_errors_are_one_paragraph(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = scaling(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_released(tmp_path):
    audit = tmp_path / "morse.json"
    CliRunner().invoke(main, ["audit", "morse", "--dimers", "H2", "--json", str(audit)])
    text = scaling("released", audit).output
    assert "Descriptive only" in text
    assert "morse" in text


def test_help_is_light():
    code = (
        "import sys; sys.argv = ['ase-probe', 'scaling', 'run', '--help']\n"
        "from ase_probe.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "ase", "torch", "rich", "scipy"}.isdisjoint(done.stdout.split())


SLEEPER = """
import sys, time
import ase_probe.scaling.training.run as run
def sleep(spec, out, **options):
    (out / "started").touch()
    time.sleep(60)
run.train = sleep
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: name in ("qm9pack", "moses") or real(name, *rest)
from ase_probe.cli import main
main(["scaling", "run", "smoke", "--out", sys.argv[1]])
"""


def test_an_interrupt_says_how_to_go_on(tmp_path):
    pytest.importorskip("torch")
    command = [sys.executable, "-c", SLEEPER, str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert f"To go on: ase-probe scaling run smoke --out {tmp_path}" in stderr
    assert "Traceback" not in stderr
