"""MatterSim keeps the adapter contract: tiny random weights, the vendor's network, loader and file.

Its published weights must be downloaded; they are tested where the vendor's cache has them.
"""

import pickle
import subprocess
import sys
import tempfile
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_stress

from ase_probe import Probe
from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedElementError,
    UnsupportedOptionError,
)
from ase_probe.testing import Subject, contract

pytest.importorskip("mattersim")

mattersim = import_module("ase_probe.adapters.mattersim")
adapter = mattersim.adapter
CARDS = {card.name: card for card in adapter.cards}


@cache
def tiny():
    """Path of a checkpoint with two blocks of 16 units, written by the vendor's `save`."""
    torch = import_module("torch")
    with mattersim._without_side_effects():
        from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
        from mattersim.forcefield.potential import Potential
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = M3Gnet(num_blocks=2, units=16, device="cpu")
        for parameter in network.parameters():  # a fresh network is nearly linear and tiny
            parameter.data *= 1.5
        network.normalizer.shift.uniform_(-5.0, 0.0)
        potential = Potential(network, device="cpu")
    path = Path(tempfile.mkdtemp()) / "tiny.pth"
    potential.save(str(path))
    return str(path)


def changed(tmp_path, change):
    """Path of the tiny checkpoint after `change(content)`."""
    torch = import_module("torch")
    content = torch.load(tiny(), weights_only=True)
    change(content)
    path = tmp_path / "changed.pth"
    torch.save(content, path)
    return str(path)


def load(name="mattersim-v1-1m", **options):
    defaults = {"device": "cpu", "dtype": None, "task": None, "checkpoint": tiny()}
    return adapter.load(CARDS[name], **{**defaults, **options})


def make_vendor(path=None):
    """The vendor's calculator, as its documentation says, without its warning about the box."""
    with mattersim._without_side_effects():
        from mattersim.forcefield import MatterSimCalculator

        calculator = MatterSimCalculator(load_path=path or tiny(), device="cpu")
    calculate = calculator.calculate

    def quiet(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No PBC detected", UserWarning)
            calculate(*args, **kwargs)

    calculator.calculate = quiet
    return calculator


def structures():
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    salt.rattle(0.05, seed=1)
    return {
        "water": molecule("H2O"),
        "atom": Atoms("H"),
        "benzene": molecule("C6H6"),
        "CO2": molecule("CO2"),
        "far pair": Atoms("HF", [[0, 0, 0], [0, 0, 100.0]]),
        "boxed": Atoms("LiF", [[5, 5, 5], [5, 5, 6.7]], cell=[12, 12, 12], pbc=True),
        "boxed atom": Atoms("O", cell=[12, 12, 12], pbc=True),
        "salt": salt,
        "one-atom cell": bulk("Al"),
        "slab": fcc111("Cu", (1, 1, 3), vacuum=8.0),
    }


def subject(name, **options):
    return Subject(
        name,
        options={"checkpoint": tiny(), "device": "cpu", **options},
        structures=[*structures().values()],
        vendor=make_vendor,
        energy_tolerance=2e-5,
        force_tolerance=5e-5,
    )


test_contract = contract(subject("mattersim-v1-1m"), subject("mattersim-v1-5m", dtype="float64"))


@pytest.fixture(scope="module")
def float64():
    return load(dtype="float64")


@pytest.fixture(scope="module")
def vendor():
    return make_vendor()


def single(calculator, atoms):
    calculator.reset()
    return calculator.get_property("energy", atoms), calculator.get_property("forces", atoms)


# Cards


def test_published_checkpoints():
    assert set(CARDS) == {"mattersim-v1-1m", "mattersim-v1-5m"}
    assert {len(card.elements) for card in CARDS.values()} == {89}


@pytest.mark.parametrize(("name", "units", "blocks"), [("1m", 128, 3), ("5m", 256, 4)])
def test_sizes_are_those_of_the_networks(name, units, blocks):
    """890 034 is what the vendor's trainer prints for 1M; 5M has 256 units."""
    with mattersim._without_side_effects():
        from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
    network = M3Gnet(num_blocks=blocks, units=units, device="cpu")
    size = sum(parameter.numel() for parameter in network.parameters())
    assert CARDS[f"mattersim-v1-{name}"].parameters == size


def test_card_of_local_weights():
    card = Probe(f"mattersim:{tiny()}").card
    assert (card.uses_charge, card.uses_spin, card.lone_atoms) == (False, False, "model")
    assert (card.level_of_theory, card.training_data, card.licence, card.doi) == (None,) * 4
    assert (card.source, card.cutoff, len(card.elements)) == (tiny(), 5.0, 94)
    assert card.parameters == 12_978


# Loading


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"].clear(), "Missing: atom_embedding.*more. Unexpected: none"),
        (lambda c: c["model"].pop("normalizer.shift"), "Missing: normalizer.shift. Unexp"),
        (lambda c: c["model"].update({"head.weight": c["model"]["rbf.dn"]}), "head.weight"),
        (lambda c: c["model_args"].update(num_blocks=1), "Unexpected: graph_conv.1"),
        (lambda c: c.pop("model_args"), "is not a checkpoint"),
    ],
)
def test_weights_of_another_network_are_refused(change, message, tmp_path):
    """The vendor takes all but the last without a word: even no weights at all."""
    with pytest.raises(ModelLoadError, match=message):
        load(checkpoint=changed(tmp_path, change))


def test_published_weights_lack_a_table_that_is_rebuilt(tmp_path):
    path = changed(tmp_path, lambda content: content["model"].pop("sbf.coef"))
    water = structures()["water"]
    assert single(load(checkpoint=path), water)[0] == single(load(), water)[0]


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("switched_off", [False, True])
def test_loading_runs_no_code_of_the_file(switched_off, tmp_path, monkeypatch):
    """Not even where another package has switched torch's safe loading off."""
    if switched_off:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    victim = tmp_path / "was here"
    path = changed(tmp_path, lambda content: content.update(description=Hostile(victim)))
    with pytest.raises(pickle.UnpicklingError):
        load(checkpoint=path)
    assert not victim.exists()


def test_tasks_are_refused():
    with pytest.raises(UnsupportedOptionError, match="no task to choose"):
        Probe(f"mattersim:{tiny()}", task="PBE")


def test_local_file_with_the_name_of_a_published_one(tmp_path, monkeypatch):
    """To the vendor the bare name means the file that it downloads."""
    (tmp_path / "mattersim-v1.0.0-1M.pth").write_bytes(Path(tiny()).read_bytes())
    monkeypatch.chdir(tmp_path)
    calculator = load(checkpoint="mattersim-v1.0.0-1M.pth")
    assert calculator.potential.model.model_args["units"] == 16


def test_failed_download_says_what_to_do(tmp_path, monkeypatch):
    """No network: the proxy is a closed port."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(ModelLoadError, match=r"Fetch it elsewhere and put it at .*-1M\.pth"):
        load(checkpoint=None)


def test_loading_leaves_the_process_as_it_was():
    """Warning filters, loguru's handlers and TF32 are the user's own."""
    code = f"""
import warnings, torch, ase_probe.adapters.mattersim as family
from loguru import logger
seen, filters = [], list(warnings.filters)
logger.add(seen.append)
torch.backends.cuda.matmul.allow_tf32 = True
family.adapter.load(
    family.CARDS[0], device="cpu", dtype=None, task=None, checkpoint={tiny()!r}
)
assert not seen, seen
logger.info("still there")
assert len(seen) == 1
assert torch.backends.cuda.matmul.allow_tf32
assert not [f for f in set(warnings.filters) - set(filters) if f[0] in ("once", "default")]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout


# Answers


def test_nothing_changes_at_the_cutoff(float64):
    """Just inside, just outside, and two atoms alone."""
    pairs = [Atoms("HF", [[0, 0, 0], [0, 0, r]]) for r in (4.9999, 5.0001)]
    energies, _ = adapter.evaluate(float64, pairs)
    alone, _ = adapter.evaluate(float64, [Atoms("H"), Atoms("F")])  # a batch without pairs
    assert energies == pytest.approx(alone.sum(), abs=1e-8)


def test_slab_does_not_fall_apart(float64, vendor):
    """The vendor wraps along z, which is not periodic: its answer depends on the height."""
    slab = structures()["slab"]
    lowered = slab.copy()
    lowered.positions[:, 2] -= slab.positions[:, 2].mean()
    assert single(float64, slab)[0] == pytest.approx(single(vendor, slab.copy())[0], abs=2e-5)
    assert single(float64, lowered)[0] == pytest.approx(single(float64, slab)[0], abs=1e-10)
    assert abs(single(vendor, lowered.copy())[0] - single(vendor, slab.copy())[0]) > 1e-3


def test_slab_without_a_third_cell_vector(float64):
    slab = structures()["slab"]
    flat = slab.copy()
    flat.cell[2] = 0
    assert single(float64, flat)[0] == pytest.approx(single(float64, slab)[0], abs=1e-10)
    with pytest.raises(PropertyNotImplementedError):
        float64.get_property("stress", flat)


@pytest.mark.parametrize("name", ["boxed", "salt", "one-atom cell", "slab"])
def test_stress_is_the_strain_derivative(name, float64):
    atoms = structures()[name]
    atoms.calc = float64
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, 1e-5), abs=1e-8)


def test_stress_agrees_with_the_vendor(float64, vendor):
    salt = structures()["salt"]
    expected = vendor.get_property("stress", salt.copy())
    assert float64.get_property("stress", salt) == pytest.approx(expected, abs=1e-6)


def test_stress_in_a_left_handed_cell(float64, vendor):
    """The same crystal; the vendor's stress has the opposite sign."""
    salt = structures()["salt"]
    left = salt.copy()
    left.set_cell(salt.cell.array[[1, 0, 2]])
    expected = float64.get_property("stress", salt)
    assert float64.get_property("stress", left) == pytest.approx(expected, abs=1e-10)
    assert vendor.get_property("stress", left.copy()) == pytest.approx(-expected, abs=1e-6)


def test_double_sees_tiny_displacements(float64):
    """Positions enter in double precision: 1e-9 Å moves the energy by force times 1e-9 Å."""
    pair = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in (1.4, 1.4 + 1e-9)]
    energies, forces = adapter.evaluate(float64, pair)
    assert energies[1] - energies[0] == pytest.approx(-forces[0][1, 2] * 1e-9, rel=1e-3)


def test_far_from_the_origin_and_out_of_the_cell(float64):
    salt = structures()["salt"]
    moved = salt.copy()
    moved.positions[3] += 7 * salt.cell[0] - 40 * salt.cell[2]
    moved.positions += 1000
    energies, forces = adapter.evaluate(float64, [salt, moved])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert forces[0] == pytest.approx(forces[1], abs=1e-8)


@pytest.mark.parametrize("symbol", ["Og", "Cm", "X"])
def test_unknown_element_raises(symbol, float64):
    """X would be row 0 of the embedding."""
    with pytest.raises(UnsupportedElementError, match=rf"does not know {symbol};"):
        adapter.evaluate(float64, [structures()["water"], Atoms(symbol)])


def test_position_that_is_no_number_raises(float64):
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(float64, [Atoms("N2", [[0, 0, 0], [0, 0, np.nan]])])


def test_coincident_atoms_are_not_a_number(float64):
    energies, _ = adapter.evaluate(float64, [Atoms("N2", [[0, 0, 0], [0, 0, 0]]), Atoms("N")])
    assert np.isnan(energies[0])
    assert np.isfinite(energies[1])


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cuda_agrees_with_the_cpu(dtype):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    batch = list(structures().values())
    energies, forces = adapter.evaluate(load(device="cuda", dtype=dtype), batch)
    expected = adapter.evaluate(load(dtype=dtype), batch)
    assert energies == pytest.approx(expected[0], abs=1e-4)
    assert np.concatenate(forces) == pytest.approx(np.concatenate(expected[1]), abs=1e-4)


# The published weights


@pytest.mark.weights
@pytest.mark.parametrize("name", CARDS)
def test_published_weights(name):
    path = adapter.checkpoint_file(CARDS[name], None)
    if path is None:
        pytest.skip(f"{CARDS[name].checkpoint} is not in the vendor's cache")
    calculator, theirs = load(name, checkpoint=None), make_vendor(path)
    assert adapter.describe(CARDS[name], calculator) == CARDS[name]
    for atoms in (structures()[key] for key in ("water", "atom", "salt", "slab")):
        energy, forces = single(theirs, atoms.copy())
        assert single(calculator, atoms)[0] == pytest.approx(energy, abs=1e-3)
        assert single(calculator, atoms)[1] == pytest.approx(forces, abs=1e-3)
    with pytest.raises(UnsupportedElementError, match="Po"):
        adapter.evaluate(calculator, [Atoms("Po")])
