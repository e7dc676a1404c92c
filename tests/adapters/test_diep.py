"""DIEP keeps the adapter contract: the real weights, which come in its wheel."""

import json
import pickle
import shutil
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

pytest.importorskip("diep")

diep = import_module("ase_probe.adapters.diep")
adapter = diep.adapter
(CARD,) = adapter.cards
BUNDLED = Path(adapter.checkpoint_file(CARD, None)).parent

# Differences that rounding alone explains, for the moderate geometries below. Float32 forces carry
# the vendor's noise at nearly straight triplets.
FLOAT32 = {"energy_tolerance": 5e-5, "force_tolerance": 2e-3}
FLOAT64 = {"energy_tolerance": 1e-5, "force_tolerance": 1e-4}  # central differences need it


def load(**options):
    defaults = {"device": "cpu", "dtype": None, "task": None, "checkpoint": None}
    return adapter.load(CARD, **{**defaults, **options})


def make_vendor():
    """The vendor's calculator, as its documentation says."""
    load()  # the adapter imports the vendor without its warnings
    from diep.pretrained import make_calculator

    return make_calculator()


def structures():
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    salt.rattle(0.05, seed=1)
    benzene = molecule("C6H6")
    benzene.rattle(0.03, seed=2)
    # Rattled and with images beyond 4 Å: where two edges of a triplet tie, the energy has kinks.
    slab = fcc111("Cu", (2, 2, 2), vacuum=8.0)
    slab.rattle(0.05, seed=1)
    return {
        "water": molecule("H2O"),
        "atom": Atoms("H"),
        "benzene": benzene,
        "far pair": Atoms("HF", [[0, 0, 0], [0, 0, 100.0]]),
        "boxed": Atoms("LiF", [[5, 5, 5], [5, 5, 6.7]], cell=[12, 12, 12], pbc=True),
        "boxed atom": Atoms("O", cell=[12, 12, 12], pbc=True),
        "salt": salt,
        "one-atom cell": bulk("Al"),
        "slab": slab,
    }


test_contract = contract(
    Subject("diep-fold1", structures=[*structures().values()], vendor=make_vendor, **FLOAT32),
    Subject(
        "diep-fold1",
        options={"dtype": "float64"},
        structures=[*structures().values()],
        **FLOAT64,
    ),
)


@pytest.fixture(scope="module")
def float32():
    return load()


@pytest.fixture(scope="module")
def float64():
    return load(dtype="float64")


@pytest.fixture(scope="module")
def vendor():
    return make_vendor()


def single(calculator, atoms):
    calculator.reset()
    return calculator.get_property("energy", atoms), calculator.get_property("forces", atoms)


@cache
def torch():
    return import_module("torch")


def changed(tmp_path, name, change):
    """Folder of the bundled model after `change(content of the file)`."""
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED, folder)
    content = torch().load(folder / name, weights_only=True)
    change(content)
    torch().save(content, folder / name)
    return str(folder)


# Cards


def test_card_says_what_the_vendor_states(float32):
    assert adapter.describe(CARD, float32) == CARD
    provenance = json.loads((BUNDLED / "PROVENANCE.json").read_text())
    described = json.loads((BUNDLED / "model.json").read_text())["kwargs"]["model"]["init_args"]
    assert CARD.checkpoint == provenance["name"]
    assert CARD.parameters == provenance["n_parameters"]
    assert CARD.cutoff == provenance["architecture"]["cutoff"]
    assert CARD.elements == tuple(described["element_types"])
    assert str(provenance["training"]["n_train"]) in CARD.training_data.replace(" ", "")


@pytest.mark.parametrize("file", ["", *diep.FILES])
def test_local_model_by_folder_or_file(file, float32, tmp_path):
    path = changed(tmp_path, "state.pt", lambda _: None)
    calculator = load(checkpoint=str(Path(path) / file))
    water = structures()["water"]
    assert single(calculator, water)[0] == single(float32, water)[0]
    card = adapter.describe(CARD, calculator)
    assert (card.level_of_theory, card.training_data, card.licence, card.sha256) == (None,) * 4
    assert (card.uses_charge, card.uses_spin, card.lone_atoms) == (False, False, "model")


def test_audit_records_the_weights_of_a_local_model(tmp_path):
    folder = changed(tmp_path, "state.pt", lambda state: state["data_mean"].add_(1.0))
    probe = Probe("diep-fold1", checkpoint=folder)
    assert probe.evaluator.environment["weights"]["path"] == str(Path(folder) / "state.pt")
    assert probe.evaluator.environment["weights"]["sha256"] != CARD.sha256


def test_environment_variable_does_not_replace_the_model(tmp_path, monkeypatch, float32):
    monkeypatch.setenv("DIEP_MODEL_DIR", str(tmp_path))
    water = structures()["water"]
    assert single(load(), water)[0] == single(float32, water)[0]


# Loading


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.clear(), "missing"),
        (lambda state: state.pop("data_std"), "data_std"),
        (lambda state: state.update({"head": state["data_std"]}), "not those.*: head"),
    ],
)
def test_weights_of_another_network_are_refused(change, message, tmp_path):
    """The vendor refuses missing weights itself; of others it only warns."""
    with pytest.raises((ModelLoadError, ValueError), match=message):
        load(checkpoint=changed(tmp_path, "state.pt", change))


def test_weights_of_the_other_triplet_frame_are_refused(tmp_path):
    """The vendor warns, and computes the wrong features."""

    def mark(state):
        state["model.diep_integrator.bond_anchored_triplets"] = torch().ones(())

    with pytest.raises(ModelLoadError, match="bond_anchored_triplets"):
        load(checkpoint=changed(tmp_path, "state.pt", mark))


def test_model_runs_no_code_that_it_names(tmp_path):
    """The vendor imports any module and calls anything in it, without any pickle."""
    victim = tmp_path / "was here"

    def poison(arguments):
        arguments["debug_mode"] = {
            "@module": "subprocess",
            "@class": "check_call",
            "init_args": {"args": ["touch", str(victim)]},
        }

    folder = changed(tmp_path, "model.pt", poison)
    with pytest.raises(ModelLoadError, match=r"subprocess\.check_call"):
        load(checkpoint=folder)
    assert not victim.exists()
    from diep.pretrained import load_potential

    load_potential(folder)
    assert victim.exists()


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("file", ["model.pt", "state.pt"])
@pytest.mark.parametrize("switched_off", [False, True])
def test_loading_runs_no_code_of_the_file(file, switched_off, tmp_path, monkeypatch):
    """Not even where another package has switched torch's safe loading off."""
    victim = tmp_path / "was here"
    folder = changed(tmp_path, file, lambda content: content.update(note=Hostile(victim)))
    if switched_off:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(pickle.UnpicklingError):
        load(checkpoint=folder)
    assert not victim.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"is_intensive": True},
        {"is_intensive": False, "include_state": True, "ntypes_state": 2, "dim_state_embedding": 4},
    ],
)
def test_models_of_other_than_energies_are_refused(options, tmp_path):
    load()
    from diep.apps.pes import Potential
    from diep.models import DIEP

    Potential(DIEP(units=8, nblocks=1, **options)).save(tmp_path)
    with pytest.raises(ModelLoadError, match="no total energies of structures alone"):
        load(checkpoint=str(tmp_path))


def test_tasks_are_refused():
    with pytest.raises(UnsupportedOptionError, match="no task to choose"):
        Probe(f"diep:{BUNDLED}", task="PBE")


def test_other_file_of_the_folder_is_no_model(tmp_path):
    folder = changed(tmp_path, "state.pt", lambda _: None)
    with pytest.raises(ModelLoadError, match=r"name a folder with model\.json"):
        load(checkpoint=str(Path(folder) / "PROVENANCE.json"))


# Answers


def test_nothing_changes_at_the_cutoff(float64):
    """Just inside, just outside, and two atoms alone."""
    pairs = [Atoms("HF", [[0, 0, 0], [0, 0, r]]) for r in (4.9999, 5.0001)]
    energies, _ = adapter.evaluate(float64, pairs)
    alone, _ = adapter.evaluate(float64, [Atoms("H"), Atoms("F")])  # a batch without pairs
    assert energies == pytest.approx(alone.sum(), abs=1e-8)


def test_precisions_live_side_by_side(float32, float64):
    """The vendor's precision is one global; each calculator sets its own and puts it back."""
    config = import_module("diep.config")
    water = structures()["water"]
    low, high = (single(calculator, water)[0] for calculator in (float32, float64))
    assert low != high
    assert low == pytest.approx(high, abs=FLOAT32["energy_tolerance"])
    assert single(float32, water)[0] == low
    assert config.float_th == torch().get_default_dtype() == torch().float32


def test_double_sees_tiny_displacements(float64):
    """Positions enter in double precision: 1e-9 Å moves the energy by force times 1e-9 Å."""
    pair = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in (1.4, 1.4 + 1e-9)]
    energies, forces = adapter.evaluate(float64, pair)
    assert energies[1] - energies[0] == pytest.approx(-forces[0][1, 2] * 1e-9, rel=1e-3)


@pytest.mark.parametrize("name", ["boxed", "salt", "slab"])
def test_stress_is_the_strain_derivative(name, float64):
    atoms = structures()[name]
    atoms.calc = float64
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, 1e-5), abs=1e-7)


@pytest.mark.parametrize("name", ["salt", "slab"])
def test_stress_agrees_with_the_vendor(name, float32, vendor):
    atoms = structures()[name]
    vendor.reset()
    tensor = vendor.get_property("stress", atoms.copy())
    expected = tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    assert float32.get_property("stress", atoms) == pytest.approx(expected, abs=1e-5)


def test_slab_without_a_third_cell_vector(float64):
    slab = structures()["slab"]
    flat = slab.copy()
    flat.cell[2] = 0
    assert single(float64, flat)[0] == pytest.approx(single(float64, slab)[0], abs=1e-9)
    with pytest.raises(PropertyNotImplementedError):
        float64.get_property("stress", flat)


def test_isolated_atoms_are_more_than_the_table(float64):
    """Energies of the network, not the DFT energies of atoms stored beside it."""
    table = float64.potential.element_refs.property_offset
    energies, _ = adapter.evaluate(float64, [Atoms("H"), Atoms("N"), Atoms("Pu")])
    offsets = table[[0, 6, 88]].numpy()
    assert (np.abs(energies - offsets) > 1e-3).all()


def test_far_from_the_origin_and_out_of_the_cell(float64):
    salt = structures()["salt"]
    moved = salt.copy()
    moved.positions[3] += 7 * salt.cell[0] - 40 * salt.cell[2]
    moved.positions += 1000
    energies, forces = adapter.evaluate(float64, [salt, moved])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert forces[0] == pytest.approx(forces[1], abs=1e-8)


@pytest.mark.parametrize("symbol", ["Og", "Po", "X"])
def test_unknown_element_raises(symbol, float64):
    with pytest.raises(UnsupportedElementError, match=rf"does not know {symbol};"):
        adapter.evaluate(float64, [structures()["water"], Atoms(symbol)])


def test_position_that_is_no_number_raises(float64):
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(float64, [Atoms("N2", [[0, 0, 0], [0, 0, np.nan]])])


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cuda_agrees_with_the_cpu(dtype):
    if not torch().cuda.is_available():
        pytest.skip("no CUDA device")
    batch = list(structures().values())
    energies, forces = adapter.evaluate(load(device="cuda", dtype=dtype), batch)
    expected = adapter.evaluate(load(dtype=dtype), batch)
    assert energies == pytest.approx(expected[0], abs=1e-3)
    assert np.concatenate(forces) == pytest.approx(np.concatenate(expected[1]), abs=5e-3)
