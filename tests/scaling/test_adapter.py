"""A trained network is a model like any other: it has a card, answers in batches, is audited."""

import sys
from importlib.metadata import EntryPoint

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

import numpy as np  # noqa: E402
from ase.build import molecule  # noqa: E402
from scaling.synthetic import spec, task_of  # noqa: E402

from ase_probe import Probe, audit, registry  # noqa: E402
from ase_probe.errors import ModelLoadError, UnsupportedOptionError  # noqa: E402
from ase_probe.scaling.models.potential import load  # noqa: E402
from ase_probe.scaling.training import curves, run  # noqa: E402
from ase_probe.scaling.training.result import paths  # noqa: E402


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "evaluate", lambda potential: {})
        run.train(spec(), folder, task=task_of, device="cpu")
    return paths(folder, spec())["weights"]


@pytest.fixture
def named(weights, monkeypatch):
    """``scaling:path`` of the trained network, whatever entry points are installed."""
    entry = EntryPoint("scaling", "ase_probe.scaling.adapter:adapter", registry.GROUP)
    family = registry._load_family(entry)
    monkeypatch.setattr(registry, "families", lambda: (family,))
    return f"scaling:{weights}"


def test_an_audit_asks_in_batches_and_finds_what_the_calculator_gives(named, weights):
    radii = [0.5, 0.8, 1.2, 4.0]
    found = audit(named, dimers=["H2"], grid=radii, cache=False)
    card = found.card
    assert (card.level_of_theory, card.energy_reference) == ("B3LYP/6-31G(2df,p)", "atomization")
    assert card.training_data == "QM9, 20 molecules, energies only"
    assert (card.uses_charge, card.uses_spin, card.cutoff) == (False, False, 5.0)
    assert set(card.elements) == {"H", "C", "N", "O"}
    alone = audit(load(weights), dimers=["H2"], grid=radii)
    np.testing.assert_allclose(found.curves["H2"].energy, alone.curves["H2"].energy, atol=1e-5)
    np.testing.assert_allclose(found.curves["H2"].forces, alone.curves["H2"].forces, atol=1e-5)


def test_probe_is_an_ase_calculator(named, weights):
    atoms = molecule("CH4")
    atoms.calc = Probe(named)
    expected = load(weights).forward([atoms])
    assert atoms.get_potential_energy() == pytest.approx(expected.energies[0])
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-6)


def test_charges_are_not_asked_for(named):
    found = audit(named, dimers=["H2+"], cache=False)
    assert [finding.status for finding in found.findings] == ["out-of-domain"]


def test_double_precision_is_refused(named):
    with pytest.raises(UnsupportedOptionError, match="float64"):
        Probe(named, dtype="float64")


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"state": {}}, path)
    with pytest.raises(ModelLoadError, match="has format None"):
        load(path)
    path.write_text("nothing")
    with pytest.raises(ModelLoadError, match="no file of weights"):
        load(path)


def test_naming_the_family_costs_no_torch():
    import subprocess

    code = (
        "import sys, ase_probe.scaling.adapter, ase_probe.scaling.study.sweep; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
