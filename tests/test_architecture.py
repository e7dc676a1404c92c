"""The floors hold, and a planted violation would be noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path):
    for folder in ("ase_probe", "adapters"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(checkout):
    pytest.importorskip("importlinter")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True)


def test_imports_go_down_only(checkout):
    result = lint_imports(checkout)
    assert result.returncode == 0, result.stdout
    assert "3 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("ase_probe/dimer.py", "import ase_probe.cli", "Floors"),
        ("ase_probe/checks/case.py", "import ase_probe.baselines", "Floors"),
        ("ase_probe/scan.py", "import torch", "No vendor"),
        ("ase_probe/scan.py", "import ase_probe.adapters.toy", "Floors"),
        ("adapters/toy.py", "import ase_probe.checks", "Adapters know"),
    ],
)
def test_a_planted_import_breaks_a_contract(checkout, file, line, contract):
    path = checkout / file
    path.write_text(path.read_text() + f"\n{line}\n")
    result = lint_imports(checkout)
    assert result.returncode == 1
    broken = [row for row in result.stdout.splitlines() if "BROKEN" in row]
    assert any(contract in row for row in broken), result.stdout
