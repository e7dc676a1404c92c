"""The command line as a user runs it: a process of its own, its output, its exit code."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from ase_probe import Audit

PROBE = [sys.executable, "-m", "ase_probe.cli"]
BROKEN = Path(__file__).with_name("broken_models.py")


def probe(*arguments, **options):
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        [*PROBE, *arguments], capture_output=True, text=True, env=environment, **options
    )


def assert_clear_error(result, *words):
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in " ".join(result.stderr.split())


def test_help_is_worth_reading():
    text = probe("--help").stdout
    assert "ase-probe audit 7net-0" in text
    assert "stops being physics" in text
    audit = probe("audit", "--help").stdout
    for option in ("--suite", "--dimers", "--grid", "--json", "--html", "--fail-on", "--device"):
        assert option in audit
    assert "Exit code" in audit


def test_version():
    assert probe("--version").stdout.startswith("ase-probe, version 0.")


def test_a_clean_audit_exits_zero(tmp_path):
    result = probe("audit", "morse", "--dimers", "H2", "--checks", "dissociation")
    assert result.returncode == 0, result.stderr
    assert "H2" in result.stdout
    assert result.stderr == ""  # no progress bar in a pipe
    assert "\x1b" not in result.stdout  # and no colour


def test_findings_exit_one_unless_told_otherwise():
    model = f"{BROKEN}:Hole"
    assert probe("audit", model, "--dimers", "N2").returncode == 1
    assert probe("audit", model, "--dimers", "N2", "--fail-on", "never").returncode == 0
    # EMT's copper core is too soft, which warns and no more.
    warns = ("audit", "ase.calculators.emt:EMT", "--dimers", "Cu2", "--checks", "compression.zbl")
    assert probe(*warns).returncode == 0
    assert probe(*warns, "--fail-on", "warn").returncode == 1


def test_json_and_html(tmp_path):
    result = probe(
        "audit", "morse", "--dimers", "H2,H2+", "--dimers", "H2++",
        "--json", "a.json", "--html", "a.html", "--fail-on", "never", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    audit = Audit.load(tmp_path / "a.json")
    assert audit.environment["dimers"] == ["H2", "H2+", "H2++"]
    assert audit.environment["command"].startswith("ase-probe audit morse")
    assert "<html" in (tmp_path / "a.html").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.json"]


def test_a_reader_that_leaves_early_costs_no_file(tmp_path):
    command = [*PROBE, "audit", "morse", "--dimers", "H2", "--json", "a.json", "--html", "a.html"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    )
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.json"]


def test_several_models(tmp_path):
    result = probe(
        "audit", "morse", "lj", "--dimers", "H2,Ar2", "--json", "a.json", "--html", "all.html",
        "--fail-on", "never", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["a-lj.json", "a-morse.json", "all.html"]


def test_one_model_that_cannot_run_does_not_stop_the_others():
    broken = f"{BROKEN}:raising_factory"
    result = probe("audit", broken, "morse", "--dimers", "H2", "--fail-on", "never")
    assert_clear_error(result, "weights not found")
    assert "morse" in result.stdout


def test_a_typo_in_the_last_name_costs_no_audit_of_the_others():
    result = probe("audit", "morse", "nothing", "--dimers", "H2")
    assert_clear_error(result, "Unknown model 'nothing'")
    assert result.stdout == ""


def test_nothing_judged_is_not_clean():
    result = probe("audit", "morse", "--dimers", "N2")
    assert_clear_error(result, "nothing could be judged about morse")
    assert "no score" in result.stdout


def test_user_code_that_exits_is_an_error(tmp_path):
    (tmp_path / "exits.py").write_text("import sys\ndef make(): sys.exit(0)\n")
    assert_clear_error(probe("audit", "exits.py:make", cwd=tmp_path), "SystemExit")


def test_interrupt_is_neither_clean_nor_findings(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\nfrom ase.calculators.emt import EMT\n"
        "class Slow(EMT):\n    def calculate(self, *a, **k):\n"
        "        pathlib.Path('started').touch()\n        time.sleep(1)\n"
    )
    command = [*PROBE, "audit", "slow.py:Slow", "--dimers", "Cu2", "--json", "a.json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert sorted(p.name for p in tmp_path.glob("*.json")) == []


def test_progress_bar_on_a_terminal():
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*PROBE, "audit", "morse", "--dimers", "H2", "--fail-on", "never"],
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            chunk = os.read(controller, 4096)
        except OSError:  # Linux ends a closed terminal with EIO
            break
        if not chunk:
            break
        shown += chunk
    os.close(controller)
    assert process.wait() == 0
    assert b"points" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["7nte-0"], ["Did you mean", "7net-0", "ase-probe models"]),
        (["morse", "--dimers", "Xx2"], ["Unknown element 'Xx'"]),
        (["morse", "--dimers", "O2@2"], ["Multiplicity 2 is impossible", "Allowed: 1, 3"]),
        (["morse", "--dimers", "nacl"], ["Did you mean 'NaCl'"]),
        (["morse", "--dimers", ","], ["No dimers"]),
        (["morse", "--device", "cuda"], ["does not run on 'cuda'"]),
        pytest.param(
            ["7net-0", "--device", "cuda:99"],
            ["'cuda:99' is not there", "--device cpu"],
            marks=pytest.mark.skipif(not find_spec("sevenn"), reason="needs sevenn"),
        ),
        (["morse", "--dtype", "float32"], ["cannot use dtype 'float32'"]),
        (["morse", "--checks", "nonsense"], ["Unknown check 'nonsense'", "compression"]),
        (["morse", "--suite", "everything"], ["'everything' is not one of"]),
        (["morse", "--json", "no/such/folder/a.json"], ["folder does not exist"]),
        (["no_module:make"], ["Cannot import 'no_module'"]),
        (["no_file.py:make"], ["no file 'no_file.py'"]),
        ([f"{BROKEN}:nothing"], ["has no 'nothing'"]),
        ([f"{BROKEN}:not_a_calculator"], ["returned int", "not an ASE calculator"]),
        ([f"{BROKEN}:raising_factory"], ["could not be loaded", "weights not found"]),
        ([f"{BROKEN}:Pair", "--suite", "homonuclear"], ["does not state them"]),
        (["morse", "--suite", "quick", "--dimers", "H2"], ["--dimers excludes"]),
        (["morse", "--html", "."], ["a folder itself"]),
        (["my_model.py"], ["my_model.py:function"]),
        ([], ["Missing argument 'MODEL...'"]),
    ],
)
def test_bad_input_is_one_clear_paragraph(tmp_path, arguments, words):
    result = probe("audit", *arguments, cwd=tmp_path)
    assert_clear_error(result, *words)
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback():
    result = probe("audit", f"{BROKEN}:raising_factory", "--debug")
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert "weights not found" in result.stderr


def test_models():
    text = probe("models").stdout
    assert "7net-0" in text
    assert "morse" in text
    rows = {row["name"]: row for row in json.loads(probe("models", "--json").stdout)}
    assert rows["7net-0"]["sha256"]
    assert rows["7net-0"]["installed"] in (True, False)
    assert rows["7net-0"]["install"] == "pip install 'ase-probe[sevennet]'"


def test_models_by_word_and_how_to_get_them(monkeypatch):
    from click.testing import CliRunner

    from ase_probe.cli import main
    from ase_probe.engine import opening

    text = probe("models", "MACE", "r2scan").stdout
    assert "mace-matpes-r2scan-0" in text
    assert "7net" not in text
    nothing = probe("models", "nonsense")
    assert nothing.returncode == 2
    assert "No model holds 'nonsense'" in nothing.stderr
    monkeypatch.setattr(opening, "is_installed", lambda adapter: False)
    text = CliRunner().invoke(main, ["models", "mace-mp-0-medium"]).output
    assert "not installed: pip install 'ase-probe[mace]'" in text  # brackets are no markup
    assert "--isolate" in text


def test_tasks_and_checkpoints_of_one_among_many():
    from ase_probe.cli.audit import for_model

    models = ("uma-s-1p2", "7net-0")
    assert for_model((), "7net-0", models) is None
    assert for_model(("omat",), "7net-0", models) == "omat"
    assert for_model(("uma-s-1p2=omat",), "uma-s-1p2", models) == "omat"
    assert for_model(("uma-s-1p2=omat",), "7net-0", models) is None
    assert for_model(("mpa", "uma-s-1p2=omat"), "uma-s-1p2", models) == "omat"
    assert for_model(("runs/lr=0.1/a.pt",), "7net-0", models) == "runs/lr=0.1/a.pt"


def test_a_task_for_one_model_only(tmp_path):
    """Of two models one has tasks; the other would refuse."""
    pytest.importorskip("sevenn")
    done = probe(
        *("audit", "morse", "7net-mf-0", "--task", "7net-mf-0=PBE", "--dimers", "H2"),
        *("--json", str(tmp_path / "a.json")),
    )
    assert done.returncode in (0, 1), done.stderr
    audit = json.loads((tmp_path / "a-7net-mf-0.json").read_text())
    assert audit["environment"]["task"] == "PBE"


def test_models_of_one_name_get_files_of_their_own(tmp_path):
    done = probe("audit", "morse", "morse", "--dimers", "H2", "--json", str(tmp_path / "a.json"))
    assert done.returncode in (0, 1)
    assert {p.name for p in tmp_path.iterdir()} == {"a-morse.json", "a-morse-2.json"}


def test_a_python_of_ones_own():
    done = probe("audit", "morse", "--dimers", "H2", "--python", "/no/such/python")
    assert done.returncode == 2
    assert "Cannot start '/no/such/python'" in done.stderr


def test_what_is_known_of_a_dimer():
    text = " ".join(probe("baseline", "show", "H2").stdout.split())
    assert "minimum −4.7" in text
    assert "experiment D_e 4.748 eV ± 0.01 meV, r_e 0.7414 Å" in text
    assert "none: " in text  # a reason, not a gap
    wrong = probe("baseline", "show", "Xy2")
    assert wrong.returncode == 2
    assert "Xy" in wrong.stderr


def test_curves_are_computed_and_shown(tmp_path):
    pytest.importorskip("pyscf")
    folder = str(tmp_path)
    wanted = ("He2", "--tier", "dft:pbe", "--folder", folder, "--points", "12", "--jobs", "1")
    built = probe("baseline", "build", *wanted)
    assert built.returncode == 0, built.stderr
    shown = probe("baseline", "show", "He2", "--folder", folder)
    assert "PBE/def2-TZVPD" in shown.stdout


def test_computing_curves_needs_pyscf():
    import importlib.util

    if importlib.util.find_spec("pyscf"):
        pytest.skip("PySCF is installed")
    done = probe("baseline", "build", "He2", "--tier", "dft:pbe")
    assert done.returncode == 2
    assert "pip install 'ase-probe[pyscf]'" in done.stderr
