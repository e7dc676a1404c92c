"""UPET keeps the adapter contract: tiny random weights, the vendor's network, loader and file.

Its published weights must be downloaded; they are tested where the Hub's cache has them.
"""

import copy
import logging
import subprocess
import sys
import tempfile
import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.fd import calculate_numerical_stress
from ase.data import atomic_numbers

from ase_probe import Probe
from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedOptionError,
    UntrustedCheckpointError,
)
from ase_probe.testing import Subject, contract

if find_spec("upet") is None:  # importing it could fail: see the adapter
    pytest.skip("upet is not installed", allow_module_level=True)

upet = import_module("ase_probe.adapters.upet")
adapter = upet.adapter
CARDS = {card.name: card for card in adapter.cards}
CARD = CARDS["pet-omat-xs-v1.0.0"]
ELEMENTS = ("H", "Li", "C", "N", "O", "F", "Na", "Al", "Cl", "Cu")

# Differences that rounding to float32 alone explains, for the moderate geometries below.
ENERGY = 2e-5  # eV
FORCE = 2e-5  # eV/Å


@cache
def vendor(module="upet"):
    """A module of the vendor, imported as the adapter does."""
    with upet._able_to_compile():
        return import_module(module)


def network(targets=("energy",), **hypers):
    """A small random network with reference energies, as metatrain would train it."""
    vendor()
    torch, metatensor = import_module("torch"), import_module("metatensor.torch")
    architectures = vendor("metatrain.utils.architectures")
    data, info = vendor("metatrain.utils.data"), vendor("metatrain.utils.data.target_info")
    arguments = copy.deepcopy(architectures.get_default_hypers("pet")["model"])
    arguments |= {"d_pet": 8, "d_node": 8, "d_head": 8, "d_feedforward": 8, "num_heads": 1}
    arguments |= {"num_gnn_layers": 1, "num_attention_layers": 1, "cutoff": 5.0}
    arguments |= {"num_neighbors_adaptive": 8, **hypers}
    dataset = data.DatasetInfo(
        length_unit="angstrom",
        atomic_types=[atomic_numbers[symbol] for symbol in ELEMENTS],
        targets={name: info.get_energy_target_info(name, {"unit": "eV"}) for name in targets},
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = vendor("metatrain.pet").__model__(arguments, dataset)
        if model.system_conditioning is not None:  # made as one that changes nothing
            torch.nn.init.normal_(model.system_conditioning.project[2].weight, std=5.0)
    for k, name in enumerate(targets):
        buffer = getattr(model.additive_models[0], f"{name}_composition_buffer")
        weights = metatensor.load_buffer(buffer)
        values = weights.block().values
        values[:] = torch.linspace(-1.0 - k, -7.0, len(values), dtype=values.dtype)[:, None]
        buffer[:] = metatensor.save_buffer(metatensor.make_contiguous(weights))
    model.additive_models[0].sync_tensor_maps()
    return model


def save(content):
    path = Path(tempfile.mkdtemp()) / "tiny.ckpt"
    import_module("torch").save(content, path)
    return str(path)


@cache
def tiny(kind="plain"):
    """Path of a checkpoint, written as metatrain writes it."""
    if kind == "uncertain":  # what the published PET-MAD models are
        model = network()
        hypers = vendor("metatrain.utils.architectures").get_default_hypers("llpr")["model"]
        hypers["num_ensemble_members"] = {"energy": 4}
        wrapped = vendor("metatrain.llpr").__model__(hypers, model.dataset_info)
        wrapped.set_wrapped_model(model)
        return save(wrapped.get_checkpoint())
    options = {
        "plain": {},
        "conditioned": {"system_conditioning": True},
        "grid": {"adaptive_cutoff_method": "grid"},
        "variants": {"targets": ("energy/pbe", "energy/r2scan")},
        "default and variant": {"targets": ("energy", "energy/pbe")},
        "one variant": {"targets": ("energy/pbe",)},
    }[kind]
    return save(network(**options).get_checkpoint())


@cache
def load(kind="plain", dtype=None, task=None):
    return adapter.load(CARD, device="cpu", dtype=dtype, task=task, checkpoint=tiny(kind))


@cache
def make_vendor(kind="plain", **options):
    """The vendor's calculator, as its documentation says."""
    with upet._able_to_compile():
        from upet.ase import UPETCalculator

        calculator = UPETCalculator(checkpoint_path=tiny(kind), device="cpu", **options)
    calculate = calculator.calculate

    def quiet(*args, **kwargs):
        with np.errstate(all="ignore"):  # it divides by the volume of a molecule, which is zero
            calculate(*args, **kwargs)

    calculator.calculate = quiet
    return calculator


NOT_EQUIVARIANT = "PET learns rotations from data, it is not equivariant by construction"


def subject(name, kind, **options):
    return Subject(
        name,
        options={
            "checkpoint": tiny(kind),
            "trust_checkpoint": True,
            "device": "cpu",
            **options,
        },
        vendor=lambda: make_vendor(kind, dtype=options.get("dtype")),
        energy_tolerance=2e-5,
        force_tolerance=1e-4,
        expected_failures={"rotation_turns_the_forces": NOT_EQUIVARIANT},
    )


test_contract = contract(
    subject("pet-omol-s", "conditioned"),
    subject("pet-spice-s", "plain", dtype="float64"),
)


@pytest.fixture(params=upet.DTYPES)
def dtype(request):
    return request.param


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


def many():
    """Structures of every kind, dimers above all: 58."""
    dimers = [
        Atoms(name, [[0, 0, 0], [0, 0, r]])
        for name in ("H2", "NO", "NaCl", "Cu2")
        for r in (0.1, 0.4, 0.7, 1.0, 1.3, 1.7, 2.2, 2.9, 3.7, 4.5, 4.9, 7.0)
    ]
    return [*dimers, *structures().values()]


def single(calculator, atoms):
    calculator.reset()
    return calculator.get_property("energy", atoms), calculator.get_property("forces", atoms)


# Cards


def test_every_published_model_has_a_card():
    names = {name for card in CARDS.values() for name in (card.name, *card.aliases)}
    assert set(vendor("upet._version").UPET_AVAILABLE_MODELS) <= names
    assert len(CARDS) == 24


def test_names_are_those_of_the_vendors_files():
    parse = vendor("upet._models").parse_checkpoint_filename
    for card in CARDS.values():
        model, size, version = parse(f"{card.checkpoint}.ckpt")
        assert card.checkpoint == f"{model}-{size}-v{version}"
        assert card.uses_charge is card.uses_spin is (model == "pet-omol")


def test_card_of_ones_own_weights():
    card = adapter.describe(CARD, load("conditioned"))
    assert card.source == tiny("conditioned")
    assert (card.level_of_theory, card.training_data, card.licence, card.doi) == (None,) * 4
    assert (card.elements, card.cutoff) == (ELEMENTS, 5.0)
    assert card.uses_charge
    assert card.uses_spin
    assert not adapter.describe(CARD, load()).uses_charge


# Loading


def test_task_that_the_weights_have_not_raises():
    with pytest.raises(UnsupportedOptionError, match="'pbe'; its variants of the energy: none"):
        load(task="pbe")


def test_variants_are_tasks():
    for task in (None, "scan"):
        with pytest.raises(UnsupportedOptionError, match="energy: pbe, r2scan"):
            load("variants", task=task)
    atoms = molecule("H2O")
    pbe, r2scan = (single(load("variants", task=task), atoms)[0] for task in ("pbe", "r2scan"))
    assert abs(pbe - r2scan) > 0.1
    vendors = make_vendor.__wrapped__("variants", variants={"energy": "r2scan"})
    assert r2scan == pytest.approx(single(vendors, atoms)[0], abs=ENERGY)
    assert adapter.describe(CARD, load("variants", task="pbe")).tasks == ("pbe", "r2scan")


def test_default_energy_needs_no_task():
    assert load("default and variant").energy == "energy"
    assert load("default and variant", task="pbe").energy == "energy/pbe"
    assert load("one variant").energy == "energy/pbe"


def test_uncertainties_do_not_change_the_energy():
    atoms = structures()["salt"]
    energy, forces = single(load("uncertain"), atoms)
    expected, expected_forces = single(load(), atoms)
    assert energy == pytest.approx(expected, abs=ENERGY)
    assert forces == pytest.approx(expected_forces, abs=FORCE)


def test_model_without_energy_is_refused():
    dipole = save(network(targets=("mtt::dipole",)).get_checkpoint())
    with pytest.raises(ModelLoadError, match="predicts no energy"):
        adapter.load(CARD, device="cpu", dtype=None, task=None, checkpoint=dipole)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_of_another_network_are_refused(change):
    content = network().get_checkpoint()
    weights = content["best_model_state_dict"]
    if change == "missing":
        weights.pop([key for key in weights if key.endswith(".weight")][-1])
    else:
        weights["more.weight"] = import_module("torch").zeros(3)
    with pytest.raises(ModelLoadError, match="loading state_dict"):
        Probe(CARD.name, checkpoint=save(content), trust_checkpoint=True, device="cpu")


def test_unknown_file_is_not_opened_unasked():
    with pytest.raises(UntrustedCheckpointError):
        Probe(CARD.name, checkpoint=tiny(), device="cpu")


def test_import_after_pytorch_geometric():
    """Its import replaces a function of torch that TorchScript needs."""
    pytest.importorskip("torch_geometric")
    code = (
        "import torch_geometric, torch, logging\n"
        "from ase_probe.adapters.upet import adapter\n"
        "from ase.build import molecule\n"
        "before = torch.index_select\n"
        "c = adapter.load(adapter.cards[0], device='cpu', dtype=None, task=None,"
        f" checkpoint={tiny()!r})\n"
        "print(c.get_property('energy', molecule('H2O')))\n"
        "assert torch.index_select is before\n"
        "assert not logging.root.handlers\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = single(load(), molecule("H2O"))[0]
    assert float(done.stdout.split()[-1]) == pytest.approx(expected, abs=1e-5)


def test_loading_leaves_the_process_alone():
    filters, handlers = warnings.filters[:], logging.root.handlers[:]
    load.__wrapped__()
    assert warnings.filters == filters
    assert logging.root.handlers == handlers


# Evaluation


def test_batch_is_single_for_many():
    """Where the cutoff adapts to the number of neighbours, too."""
    calculator = load("grid", dtype="float64")
    energies, forces = adapter.evaluate(calculator, many())
    for atoms, energy, force in zip(many(), energies, forces, strict=True):
        alone, alone_force = single(calculator, atoms)
        assert energy == pytest.approx(alone, abs=1e-10, rel=1e-6)
        assert force == pytest.approx(alone_force, abs=1e-9, rel=1e-4)


def test_batch_agrees_with_the_vendors_batch():
    batch = [atoms for atoms in many() if len(atoms) > 1]
    answer = make_vendor().calculator.compute_energy(batch, compute_forces_and_stresses=True)
    energies, forces = adapter.evaluate(load(), batch)
    assert energies == pytest.approx(answer["energy"], abs=1e-4)
    for force, expected in zip(forces, answer["forces"], strict=True):
        assert force == pytest.approx(expected, abs=1e-4, rel=1e-3)


def test_double_precision_is_double():
    calculator = load(dtype="float64")
    assert {str(p.dtype) for p in calculator.model.parameters()} == {"torch.float64"}
    far, near = molecule("H2O"), molecule("H2O")
    far.positions += 1e4
    near[0].x += 1e-9
    energies, forces = adapter.evaluate(calculator, [molecule("H2O"), far, near])
    assert energies[1] == pytest.approx(energies[0], abs=1e-8)
    assert (energies[2] - energies[0]) / 1e-9 == pytest.approx(-forces[0][0, 0], abs=2e-4)


def test_stress_agrees_with_the_vendor():
    atoms = structures()["salt"]
    stress = load().get_property("stress", atoms)
    assert stress == pytest.approx(make_vendor().get_property("stress", atoms), abs=1e-6)


def test_stress_is_the_derivative():
    atoms = structures()["salt"]
    atoms.calc = load(dtype="float64")
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, 1e-4), abs=1e-7)


def test_slab_has_images_where_it_is_periodic():
    slab = structures()["slab"]
    boxed, free = slab.copy(), slab.copy()
    boxed.pbc, free.pbc = True, False
    energies, _ = adapter.evaluate(load(dtype="float64"), [slab, boxed, free])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert abs(energies[0] - energies[2]) > 1e-3


def test_pair_at_the_cutoff_is_two_lone_atoms():
    symbols = ("H", "O", "Cu")
    pairs = [Atoms([symbol, symbol], [[0, 0, 0], [0, 0, 5.0001]]) for symbol in symbols]
    energies, _ = adapter.evaluate(load(dtype="float64"), [*pairs, *map(Atoms, symbols)])
    assert energies[:3] == pytest.approx(2 * energies[3:], abs=1e-9)


@pytest.mark.parametrize(("key", "values"), [("charge", (0, 1, -2)), ("spin", (1, 2, 5))])
def test_state_reaches_the_model_per_structure(key, values):
    batch = [molecule("H2O")]
    for value in (None, *values):
        batch.append(molecule("H2O"))
        batch[-1].info = {key: value}
    calculator = load("conditioned", dtype="float64")
    energies, _ = adapter.evaluate(calculator, batch)
    assert energies[0] == pytest.approx(energies[1], abs=1e-12) == energies[2]
    assert len(set(np.round(energies, 8))) == 3
    for atoms, energy in zip(batch, energies, strict=True):
        assert single(calculator, atoms)[0] == pytest.approx(energy, abs=1e-10)


def test_state_means_what_it_means_to_the_vendor():
    """In its single points; its batch gives the energy of the neutral singlet."""
    atoms = molecule("H2O")
    atoms.info = {"charge": 1, "spin": 2}
    theirs = make_vendor("conditioned")
    assert single(load("conditioned"), atoms)[0] == pytest.approx(
        single(theirs, atoms)[0], abs=ENERGY
    )
    neutral = single(load("conditioned"), molecule("H2O"))[0]
    assert theirs.calculator.compute_energy([atoms])["energy"][0] == pytest.approx(
        neutral, abs=ENERGY
    )


def test_charge_beyond_the_model_raises():
    atoms = molecule("H2O")
    atoms.info["charge"] = 11
    with pytest.raises(EvaluationError, match=r"charge values must be in \[-10, 10\]"):
        adapter.evaluate(load("conditioned"), [atoms])


def test_position_that_is_no_number_raises():
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(load(), [molecule("H2O"), Atoms("HO", [[0, 0, 0], [0, 0, np.nan]])])


def test_coincident_atoms_spoil_nobody_else():
    water = molecule("H2O")
    energies, _ = adapter.evaluate(load(), [water, Atoms("O2", np.zeros((2, 3))), water])
    expected = single(load(), water)[0]
    assert energies[[0, 2]] == pytest.approx([expected, expected], abs=1e-5)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(dtype):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    device = adapter.load(
        CARD, device="cuda", dtype=dtype, task=None, checkpoint=tiny("conditioned")
    )
    batch = [*structures().values()]
    energies, forces = adapter.evaluate(device, batch)
    expected, expected_forces = adapter.evaluate(load("conditioned", dtype=dtype), batch)
    assert energies == pytest.approx(expected, abs=1e-4)
    for force, other in zip(forces, expected_forces, strict=True):
        assert force == pytest.approx(other, abs=1e-4)


# The real weights


@pytest.mark.weights
@pytest.mark.parametrize("name", CARDS)
def test_published_weights(name):
    card = CARDS[name]
    if adapter.checkpoint_file(card, None) is None:
        pytest.skip(f"{name} is not in the cache of the Hugging Face Hub")
    calculator = adapter.load(card, device="cpu", dtype=None, task=None, checkpoint=None)
    distances = np.linspace(0.6, 4.0, 60)
    curve = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in distances]
    energies, _ = adapter.evaluate(calculator, curve)
    assert 1.0 < distances[energies[:30].argmin()] < 1.25
    described = adapter.describe(card, calculator)
    assert card.elements in (None, described.elements)
    assert card.cutoff in (None, described.cutoff)
    assert (card.uses_charge, card.uses_spin) == (described.uses_charge, described.uses_spin)
