"""The built wheel, in an empty environment, does the main job."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("dist")
    # The wheel is built from the sdist, so what the sdist forgets is missing in the wheel.
    result = run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_wheel_and_sdist_hold_what_they_should(dist):
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        shim = b"__path__" in wheel.read("ase_probe/adapters/__init__.py")
    assert not shim  # it is for checkouts only
    for name in (
        "ase_probe/py.typed",
        "ase_probe/adapters/__init__.py",
        "ase_probe/adapters/sevennet.py",
        "ase_probe/baselines/data/h2_exact.csv",
        "ase_probe/baselines/data/diatomic_constants.csv",
        "ase_probe/baselines/data/nlh_coefficients.csv",
        "ase_probe/baselines/data/curves/dft-pbe/N2.json",
        "ase_probe/report/page.html",
        "ase_probe/report/page.css",
        "ase_probe/report/page.js",
        "ase_probe/report/plots.js",
        "ase_probe/report/cards.js",
        "ase_probe/report/heatmaps.js",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("adapters/", "tests/"))]
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        assert any(name.endswith("/adapters/toy.py") for name in sdist.getnames())


@pytest.fixture(scope="module")
def environment(dist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty") / "env"
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    wheel = next(dist.glob("*.whl"))
    install = run(
        folder / "bin" / "pip",
        "install",
        "-q",
        "-c",
        ROOT / "constraints.txt",
        f"{wheel}[sevennet]",
    )
    assert install.returncode == 0, install.stdout + install.stderr
    return folder / "bin"


def test_installed_wheel_audits_a_foundation_model(environment, tmp_path):
    variables = {**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    command = [environment / "ase-probe", "audit", "7net-0", "--suite", "quick", "--json", "a.json"]
    result = run(*command, cwd=tmp_path, env=variables)
    seconds = time.perf_counter() - start
    assert result.returncode == 1, result.stdout + result.stderr
    assert seconds < 60  # about 7 s; the bound only notices what went badly wrong
    assert "charge-blind" in result.stdout
    findings = {
        (f["dimer"], f["check"]): f
        for f in json.loads((tmp_path / "a.json").read_text())["findings"]
    }
    n2, nacl = (findings[dimer, "compression.barrier"] for dimer in ("N2", "NaCl"))
    assert n2["value"] == pytest.approx(78, abs=5)
    assert n2["details"]["depth"] < -1000
    assert nacl["value"] == pytest.approx(46, abs=2)
    assert nacl["details"]["depth"] < -1e6
    for check in ("r_e", "D_e", "omega_e"):
        assert findings["H2", f"dissociation.{check}"]["value"] > 0
    assert findings["H2++", "bare_nuclei.coulomb"]["status"] == "out-of-domain"


def test_the_core_alone_works_and_names_the_missing_extra(dist, tmp_path):
    folder = tmp_path / "env"
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    pip = [folder / "bin" / "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
    install = run(*pip, next(dist.glob("*.whl")))
    assert install.returncode == 0, install.stderr
    variables = {**os.environ, "PYTHONSAFEPATH": "1"}
    probe = folder / "bin" / "ase-probe"
    clean = run(probe, "audit", "morse", "--dimers", "H2", "--fail-on", "never", env=variables)
    assert clean.returncode == 0, clean.stderr
    missing = run(probe, "audit", "7net-0", env=variables, cwd=tmp_path)
    assert missing.returncode == 2
    assert "pip install 'ase-probe[sevennet]'" in " ".join(missing.stderr.split())


def test_a_plugin_installed_for_real(environment, tmp_path):
    plugin = shutil.copytree(ROOT / "docs" / "plugin", tmp_path / "plugin")
    install = run(environment / "pip", "install", "-q", "--no-deps", plugin)
    assert install.returncode == 0, install.stderr
    variables = {**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    assert "exp6-argon" in run(environment / "ase-probe", "models", env=variables).stdout
    audit = [environment / "ase-probe", "audit", "exp6-argon", "--dimers", "Ar2"]
    here, there = (
        run(*audit, *options, "--json", name, cwd=tmp_path, env=variables)
        for options, name in (((), "here.json"), (("--isolate",), "there.json"))
    )
    assert here.returncode == there.returncode == 1, here.stderr + there.stderr  # it has findings
    names = ("here.json", "there.json")
    findings = [json.loads((tmp_path / name).read_text())["findings"] for name in names]
    assert findings[0] == findings[1]
    assert any(f["check"] == "compression.barrier" and f["status"] == "warn" for f in findings[0])


def test_no_session_installs_what_excludes_each_other():
    pytest.importorskip("nox")
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    noxfile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(noxfile)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    clashes = [{e["extra"] for e in pair} for pair in project["tool"]["uv"]["conflicts"]]
    assert clashes
    for clash in clashes:
        assert clash <= set(project["project"]["optional-dependencies"])
        assert not clash <= set(noxfile.MAIN)
        assert not clash <= set(noxfile.MACE)
    assert set(noxfile.MAIN) | set(noxfile.MACE) == noxfile.EXTRAS
