"""Environments are built for real, once, and a half-built one is never used."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from ase_probe import Probe
from ase_probe.engine import environments
from ase_probe.engine.environments import Recipe, create, installed, recipe, remove
from ase_probe.engine.pip_settings import uv_settings
from ase_probe.errors import InputError, WorkerError
from ase_probe.model import AdapterBase, Environment
from ase_probe.registry import families, origin, resolve

pytest.importorskip("uv")
ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SMALL = Recipe(family="small", requirements=("iniconfig",))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASE_PROBE_CACHE", str(tmp_path))
    return tmp_path / "environments"


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ase_probe.cli", *arguments], capture_output=True, text=True
    )


# What an environment is made of


@pytest.mark.parametrize("family", [f.name for f in families() if f.name in EXTRAS])
def test_requirements_are_those_of_the_extra(family):
    """Stale metadata of an editable install would build the wrong environment."""
    from packaging.requirements import Requirement

    adapter = next(f.adapter for f in families() if f.name == family)
    made = {str(Requirement(r)) for r in recipe(adapter, origin(adapter)[1]).requirements}
    extra = {str(Requirement(r)) for r in EXTRAS[family]}
    assert extra <= made
    assert {Requirement(r).name for r in made - extra} == {"ase", "numpy"}


def test_every_family_with_an_extra_is_a_family():
    assert {f.adapter.environment.extra for f in families() if f.adapter} - {None} <= set(EXTRAS)


def test_another_requirement_is_another_folder(cache):
    folders = {
        SMALL.folder,
        replace(SMALL, requirements=("iniconfig>=2",)).folder,
        replace(SMALL, exclude=("torchvision",)).folder,
        replace(SMALL, python="3.12").folder,
        replace(SMALL, family="other").folder,
    }
    assert len(folders) == 5
    assert SMALL.folder == Recipe(family="small", requirements=("iniconfig",)).folder
    assert SMALL.folder.parent == cache


def test_a_family_without_an_extra_has_no_environment():
    adapter, _ = resolve("morse")
    with pytest.raises(InputError, match="nothing to build"):
        recipe(adapter, "ase-probe")


def test_what_a_plugin_needs(monkeypatch):
    """A plugin's environment holds the plugin alone, its requirements, and not ase-probe."""

    class Plugin(AdapterBase):
        family = "plugin"
        environment = Environment(extra="gpu", exclude=("torchvision",))

    class Distribution:
        version = "1.2"

        def read_text(self, name):
            return None

    monkeypatch.setattr(
        importlib.metadata,
        "requires",
        lambda name: {
            "plugin": [
                "ase-probe>=0.1",
                "scipy",
                'cupy>=1; extra == "gpu"',
                'pytest; extra == "t"',
            ],
            "ase-probe": ["ase>=3.24", "numpy>=1.26", "rich"],
        }[name],
    )
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution())
    made = recipe(Plugin(), "plugin")
    assert made.requirements == ("ase>=3.24", "cupy>=1", "numpy>=1.26", "scipy")
    assert made.alone == ("plugin==1.2",)
    assert made.exclude == ("torchvision",)


# pip's settings


def test_pip_settings_in_the_words_of_uv(tmp_path):
    pytest.importorskip("pip")
    conf = tmp_path / "pip.conf"
    conf.write_text(
        "[global]\nindex-url = https://a.example/simple\nfind-links =\n    /a\n    /b\n"
        "extra-index-url = https://b.example https://c.example\n[install]\nconstraint = /c.txt\n"
    )
    environment = {"PIP_CONFIG_FILE": str(conf), "PIP_CONSTRAINT": "/d.txt", "HOME": str(tmp_path)}
    made = uv_settings(environment)
    assert made["UV_DEFAULT_INDEX"] == "https://a.example/simple"
    assert made["UV_FIND_LINKS"] == "/a,/b"
    assert made["UV_INDEX"] == "https://b.example https://c.example"
    assert made["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert made["UV_CONSTRAINT"] == "/d.txt"  # a variable comes before any file
    assert "UV_FIND_LINKS" not in uv_settings({**environment, "UV_FIND_LINKS": "/mine"})


def test_variables_count_without_pip(tmp_path):
    environment = {"PIP_FIND_LINKS": "/a /b", "PATH": str(tmp_path), "PYTHONHOME": "/nowhere"}
    assert uv_settings(environment) == {"UV_FIND_LINKS": "/a,/b"}


# Building


@pytest.mark.network
def test_built_once_listed_and_removed(cache, capfd):
    interpreter = create(SMALL)
    assert "building the environment of small" in capfd.readouterr().err
    done = subprocess.run([interpreter, "-c", "import iniconfig"], check=True)
    assert done.returncode == 0
    before = (SMALL.folder / "ready.json").stat().st_mtime_ns
    assert create(SMALL) == interpreter
    assert capfd.readouterr().err == ""
    assert (SMALL.folder / "ready.json").stat().st_mtime_ns == before
    ((folder, facts),) = installed()
    assert folder == SMALL.folder
    assert any(line.startswith("iniconfig==") for line in facts["frozen"])
    listed = run("env", "list")
    assert str(folder) in listed.stdout
    assert "1 packages for iniconfig" in listed.stdout
    assert remove("nonsense") == []
    gone = run("env", "remove", "small")
    assert gone.returncode == 0
    assert not folder.exists()
    assert run("env", "remove", "small").returncode == 2
    assert "No environments" in run("env", "list").stdout


def test_a_half_built_environment_is_built_again(cache, monkeypatch):
    SMALL.folder.mkdir(parents=True)
    (SMALL.folder / "rubbish").touch()
    assert not SMALL.ready
    assert installed() == [(SMALL.folder, {})]
    assert "unfinished" in run("env", "list").stdout
    built = []
    monkeypatch.setattr(environments, "_build", lambda wanted, lock: built.append(wanted))
    create(SMALL)
    assert built == [SMALL]
    assert not (SMALL.folder / "rubbish").exists()


@pytest.mark.network
def test_requirements_that_cannot_be_met_are_told(cache):
    wanted = Recipe(family="none", requirements=("no-such-distribution-at-all==99",))
    with pytest.raises(WorkerError, match="no-such-distribution-at-all"):
        create(wanted)
    assert not wanted.ready


@pytest.mark.network
def test_a_killed_build_is_no_environment(cache):
    code = (
        "from ase_probe.engine.environments import *;"
        f"create(Recipe(family='small', requirements={SMALL.requirements!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
        for _ in range(600):
            if SMALL.folder.exists():
                break
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert not SMALL.ready
    with_it = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in with_it] == [0, 0]  # one builds, the other waits
    assert json.loads((SMALL.folder / "ready.json").read_text())["family"] == "small"


@pytest.mark.network
def test_a_model_in_an_environment_of_its_own(cache):
    """The worker there has other packages than we, and gives the same bits."""
    pytest.importorskip("tblite")
    adapter, _ = resolve("gfn2-xtb")
    version = importlib.metadata.version("tblite")
    wanted = recipe(adapter, origin(adapter)[1])
    pinned = replace(
        wanted,
        requirements=(
            *wanted.requirements,
            f"tblite=={version}",
            f"numpy=={np.__version__}",
        ),
    )
    there = Probe("gfn2-xtb", isolate=str(create(pinned)))
    found = subprocess.run(
        [pinned.interpreter, "-c", "import click"], capture_output=True, text=True
    )
    assert "No module named 'click'" in found.stderr  # it is not our environment
    assert there.evaluator.environment["versions"]["tblite"] == version
    water = [molecule("H2O"), molecule("N2")]
    a = Probe("gfn2-xtb").evaluator.evaluate(water)
    b = there.evaluator.evaluate(water)
    assert np.array_equal(a.energy, b.energy)
    assert all(map(np.array_equal, a.forces, b.forces))
