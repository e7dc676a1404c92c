"""What an audit prints: one line, annotations, colour where there is a terminal."""

import os
import pty
import subprocess
import sys

import pytest
from report.synthetic import hostile_audit, quick_audit

from ase_probe import audit
from ase_probe.report.github import annotation, audit_annotations

AUDIT = [sys.executable, "-m", "ase_probe.cli", "audit"]
WALL = ["morse", "--dimers", "H2", "--checks", "compression"]
CLEAN = ["morse", "--dimers", "H2", "--checks", "dissociation"]


def probe(*arguments, **environment):
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(
        [*AUDIT, *arguments],
        capture_output=True,
        text=True,
        env={**plain, "COLUMNS": "100", "TERM": "xterm-256color", **environment},
    )


def test_quiet_is_one_line_per_model():
    done = probe(*CLEAN, "--quiet")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith("PASS  morse  score 1.00, coverage 100 %: ")
    two = probe("morse", "lj", "--dimers", "H2,Ar2", "-q")
    assert two.returncode == 1
    assert [line.split()[1] for line in two.stdout.splitlines()] == ["morse", "lj"]


def test_github_annotations_come_worst_first_and_the_report_goes_to_the_summary(tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("what was there\n")
    done = probe(*WALL, "--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("::error title=morse%3A compression.wall on H2::the model never")
    assert lines[1].startswith("::warning title=morse%3A compression.")
    assert lines[-1].startswith("FAIL  morse")
    written = summary.read_text()
    assert written.startswith("what was there\n### FAIL  morse")
    assert "compression.wall" in written


def test_without_a_summary_file_only_annotations_are_written():
    environment = {"GITHUB_STEP_SUMMARY": ""}
    assert probe(*WALL, "--format", "github", **environment).returncode == 1


def test_annotations_cannot_be_broken_out_of():
    assert annotation("error", "a: b, c", "100%\r\n::stop-commands::x") == (
        "::error title=a%3A b%2C c::100%25%0D%0A::stop-commands::x"
    )
    for made in (hostile_audit(), quick_audit()):
        lines = audit_annotations(made)
        assert len(lines) == sum(f.status in ("fail", "warn") for f in made.findings)
        assert not any("\n" in line or "\r" in line for line in lines)


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_in_a_pipe(environment, coloured):
    done = probe(*WALL, **environment)
    assert ("\x1b[1;31m" in done.stdout) is coloured  # bold red
    assert done.stderr == ""  # no progress bar, even where colour is forced


@pytest.mark.parametrize(("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_on_a_terminal(variable, coloured):
    controller, terminal = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [*AUDIT, *WALL, "-q"],
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env={**plain, "TERM": "xterm-256color", **variable},
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
    assert process.wait() == 1
    assert (b"\x1b[1;31m" in shown) is coloured
    assert b"FAIL" in shown


def test_the_same_characters_with_and_without_colour():
    import io

    from rich.console import Console

    from ase_probe.report import print_audit, text

    made = audit("morse", dimers=["H2"], checks=["compression"])
    stream = io.StringIO()
    print_audit(made, Console(file=stream, force_terminal=True, no_color=True, width=100))
    shown = stream.getvalue().replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert shown == text(made) + "\n"
