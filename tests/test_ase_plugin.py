"""ASE lists `Probe` among its plugins, and asking costs an importing user nothing."""

import subprocess
import sys

import pytest


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def has_plugins():
    return run(
        "import importlib.util as u\n"
        "try: print(bool(u.find_spec('ase._4.plugins.plugin')))\n"
        "except ImportError: print(False)"
    ).strip() == "True"  # fmt: skip


needs_plugins = pytest.mark.skipif(not has_plugins(), reason="needs ASE 3.29 or newer")


@needs_plugins
def test_ase_info_lists_it():
    done = subprocess.run(
        [sys.executable, "-m", "ase", "info", "--plugins"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ours = done.stdout.partition("\nase_probe ")[2]
    assert ours.startswith("0.")
    assert "CalculatorPlugin" in ours
    assert "Probe" in ours.partition("CalculatorPlugin")[2]


@needs_plugins
def test_the_plugin_is_the_calculator():
    code = (
        "from ase._4.plugins import plugins\n"
        "plugin = next(p for p in plugins.calculators if p.package == 'ase_probe')\n"
        "from ase_probe import Probe\n"
        "from ase.build import molecule\n"
        "h2 = molecule('H2')\n"
        "h2.calc = plugin()('morse')\n"
        "print(plugin() is Probe, plugin.version, round(h2.get_potential_energy(), 1))"
    )
    same, version, energy = run(code).split()
    assert (same, energy) == ("True", "-4.7")
    assert version.startswith("0.")


def test_the_module_imports_nothing():
    code = (
        "import ase_probe.ase_plugin, sys\n"
        "print(sorted({'ase', 'numpy', 'torch'} & set(sys.modules)))\n"
        "print(hasattr(ase_probe.ase_plugin, 'anything_else'))"
    )
    assert run(code).split() == ["[]", "False"]


def test_an_ase_without_plugins_is_offered_none():
    code = (
        "import sys; sys.modules['ase._4'] = None\n"
        "import ase_probe.ase_plugin as p; print(len(p.__ase_plugins__))"
    )
    assert run(code).strip() == "0"
