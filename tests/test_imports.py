"""`import ase_probe` is light, and the names it promises are there."""

import subprocess
import sys
from pathlib import Path

import ase_probe

ROOT = Path(__file__).parents[1]


def run(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, **options
    ).stdout.split()


def test_import_loads_nothing_heavy():
    loaded = run("import ase_probe, sys; print(*sys.modules)")
    assert "ase_probe" in loaded
    heavy = {"numpy", "ase", "torch", "scipy", "matplotlib", "pyscf", "plotly", "rich", "sevenn"}
    assert heavy.isdisjoint(loaded)


def test_help_loads_no_numpy_and_no_ase():
    code = (
        "import sys; sys.argv = ['ase-probe', 'audit', '--help']\n"
        "from ase_probe.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    assert {"numpy", "ase", "torch", "rich"}.isdisjoint(run(code))


def test_the_audit_machinery_loads_no_torch():
    loaded = run("from ase_probe import *; import ase_probe.report, sys; print(*sys.modules)")
    heavy = {"torch", "sevenn", "matplotlib", "pyscf", "plotly", "scipy.stats", "scipy.signal"}
    assert heavy.isdisjoint(loaded)


def test_public_names_resolve_in_any_order():
    # The function `audit` must not be shadowed by a module that is imported on the way.
    code = (
        "import ase_probe.calculator, ase_probe.auditing\n"
        "ase_probe.Probe('morse').audit(dimers=['H2'])\n"
        "from ase_probe import audit, models\n"
        "print(callable(audit), callable(models))"
    )
    assert run(code) == ["True", "True"]
    assert set(ase_probe.__all__) <= set(dir(ase_probe))


def test_checkout_imports_from_its_own_folder():
    assert run("import ase_probe.adapters.toy as t; print(t.__file__)", cwd=ROOT) == [
        str(ROOT / "adapters" / "toy.py")
    ]
