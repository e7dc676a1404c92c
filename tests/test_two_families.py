"""MACE and UMA want different e3nn. They answer in one session, and in one audit."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from ase_probe import Probe
from ase_probe.engine.environments import create, recipe
from ase_probe.engine.opening import is_installed
from ase_probe.registry import origin, resolve

pytestmark = [pytest.mark.slow, pytest.mark.network]

MAKE_MACE = """
import os, sys, warnings
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
warnings.simplefilter("ignore")
import numpy, torch, mace.modules as mace
from e3nn import o3
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
model = mace.ScaleShiftMACE(
    r_max=5.0, num_bessel=8, num_polynomial_cutoff=5, max_ell=2,
    interaction_cls=mace.interaction_classes["RealAgnosticResidualInteractionBlock"],
    interaction_cls_first=mace.interaction_classes["RealAgnosticInteractionBlock"],
    num_interactions=2, num_elements=3, hidden_irreps=o3.Irreps("8x0e"),
    MLP_irreps=o3.Irreps("16x0e"), gate=torch.nn.functional.silu,
    atomic_energies=-numpy.array([[1.0, 7.0, 8.0]]), avg_num_neighbors=8.0,
    atomic_numbers=[1, 7, 8], correlation=2, heads=["Default"],
    atomic_inter_scale=[1.0], atomic_inter_shift=[0.0],
)
torch.save(model, sys.argv[1])
"""


@pytest.fixture(scope="module")
def mace(tmp_path_factory):
    """(interpreter of MACE's environment, checkpoint made there)."""
    pytest.importorskip("uv")
    adapter, _ = resolve("mace-mp-0-medium")
    if is_installed(adapter):
        pytest.skip("MACE is installed here: nothing to keep apart")
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASE_PROBE_CACHE", str(folder))
        interpreter = create(recipe(adapter, origin(adapter)[1]))
        checkpoint = folder / "tiny.model"
        subprocess.run([interpreter, "-c", MAKE_MACE, checkpoint], check=True, timeout=300)
        yield interpreter, str(checkpoint)


@pytest.fixture(scope="module")
def uma(tmp_path_factory):
    """Path of a tiny UMA."""
    pytest.importorskip("fairchem.core")
    file = Path(__file__).parent / "adapters" / "tiny_uma.py"
    spec = importlib.util.spec_from_file_location("tiny_uma", file)
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return str(tiny.save_uma(tmp_path_factory.mktemp("uma") / "uma.pt"))


def test_mace_and_uma_in_one_session(mace, uma):
    _, checkpoint = mace
    isolated = Probe(f"mace:{checkpoint}", isolate=True, trust_checkpoint=True)
    here = Probe("uma-s-1p2", task="omol", checkpoint=uma, trust_checkpoint=True)
    water = molecule("H2O")
    energies = []
    for probe in (isolated, here, isolated, here):
        atoms = water.copy()
        atoms.calc = probe
        energies.append(atoms.get_potential_energy())
        assert np.isfinite(atoms.get_forces()).all()
    assert energies[:2] == pytest.approx(energies[2:], abs=1e-5)
    assert isolated.evaluator.environment["versions"]["e3nn"] == "0.4.4"
    assert importlib.metadata.version("e3nn") != "0.4.4"
    assert isolated.card.elements == ("H", "N", "O")
    assert isolated.card.level_of_theory is None


def test_one_command_audits_them_side_by_side(mace, tmp_path):
    pytest.importorskip("sevenn")
    pytest.importorskip("chgnet")
    _, checkpoint = mace
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "ase_probe.cli", "audit", "7net-0", "chgnet-0.3.0"]
    command += [f"mace:{checkpoint}", "--isolate", "--trust-checkpoint", "--dimers", "H2,N2"]
    done = subprocess.run(
        [*command, "--json", "a.json", "--html", "all.html"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=variables,
    )
    assert done.returncode == 1, done.stderr  # all three have findings
    names = {"a-7net-0.json", "a-chgnet-0.3.0.json", "a-mace-tiny.model.json"}
    assert {path.name for path in tmp_path.glob("*.json")} == names
    audits = {name: json.loads((tmp_path / name).read_text()) for name in names}
    pythons = {name: audit["environment"]["isolated"] for name, audit in audits.items()}
    assert pythons["a-7net-0.json"] == pythons["a-chgnet-0.3.0.json"] == sys.executable
    assert pythons["a-mace-tiny.model.json"].startswith(os.environ["ASE_PROBE_CACHE"])
    assert all(set(audit["curves"]) == {"H2", "N2"} for audit in audits.values())
    page = (tmp_path / "all.html").read_text()
    assert all(name in page for name in ("7net-0", "chgnet-0.3.0", "mace:tiny.model"))


def test_mace_and_uma_in_one_command(mace, uma, tmp_path):
    _, checkpoint = mace
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "ase_probe.cli", "audit", "uma-s-1p2", f"mace:{checkpoint}"]
    command += ["--task", "uma-s-1p2=omol", "--checkpoint", f"uma-s-1p2={uma}", "--dimers", "H2"]
    done = subprocess.run(
        [*command, "--isolate", "--trust-checkpoint", "--json", "a.json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=variables,
    )
    assert done.returncode in (0, 1), done.stderr
    versions = {
        path.name: json.loads(path.read_text())["environment"]["versions"]["e3nn"]
        for path in tmp_path.glob("*.json")
        if "mace" in path.name
    }
    assert versions == {"a-mace-tiny.model.json": "0.4.4"}
    assert (tmp_path / "a-uma-s-1p2.json").is_file()
