"""Orb keeps the adapter contract, with random weights in the vendor's full-size architectures."""

import atexit
import hashlib
import inspect
import tempfile
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.fd import calculate_numerical_stress

from ase_probe import Probe
from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedElementError,
    UnsupportedOptionError,
)
from ase_probe.testing import Subject, contract

pytest.importorskip("orb_models")

orb = import_module("ase_probe.adapters.orb")
adapter = orb.adapter
CARDS = {card.name: card for card in adapter.cards}
CONSERVATIVE, DIRECT = "orb-v3-conservative-inf-omat", "orb-v3-direct-20-omat"
OMOL, V2 = "orb-v3-conservative-omol", "orb-d3-xs-v2"
FOLDER = tempfile.TemporaryDirectory()
atexit.register(FOLDER.cleanup)


def vendor_module(name="pretrained"):
    with orb._without_vendor_noise():
        return import_module(f"orb_models.forcefield.{name}")


def architecture(name):
    pretrained, systems = vendor_module(), vendor_module("atomic_system")
    neighbours = 120 if "inf" in name or "omol" in name else 20
    options = {"device": "cpu", "system_config": systems.SystemConfig(6.0, neighbours)}
    if name.endswith("v2"):
        steps = {"orb-d3-sm-v2": 10, "orb-d3-xs-v2": 5}.get(name, 15)
        return pretrained.orb_v2_architecture(num_message_passing_steps=steps, **options)
    if "omol" in name:
        options |= {"has_charge_spin_cond": True, "has_stress": False}
    kind = "conservative" if "conservative" in name else "direct"
    return getattr(pretrained, f"orb_v3_{kind}_architecture")(**options)


@lru_cache
def checkpoint(name):
    """Path of random weights, saved as the vendor's finetuning saves them."""
    import torch

    torch.manual_seed(0)
    path = Path(FOLDER.name) / f"{name}.ckpt"
    torch.save(architecture(name).state_dict(), path)
    return str(path)


@lru_cache
def load(name, dtype=None):
    return adapter.load(
        CARDS[name], device="cpu", dtype=dtype, task=None, checkpoint=checkpoint(name)
    )


@lru_cache
def vendor(name, precision="float32-highest"):
    """The vendor's calculator, as its README says."""
    with orb._without_vendor_noise():
        model = vendor_module().ORB_PRETRAINED_MODELS[name](
            weights_path=checkpoint(name), device="cpu", precision=precision, compile=False
        )

    class Quiet(vendor_module("calculator").ORBCalculator):
        def calculate(self, *args, **kwargs):
            with orb._without_vendor_noise():
                super().calculate(*args, **kwargs)

    return Quiet(model, device="cpu")


def structures():
    """Moderate geometries; charge and spin for the models that take them."""
    names = ("H2O", "N2", "CO2", "LiF")
    found = [*map(molecule, names), bulk("Al") * (2, 1, 1), bulk("NaCl", "rocksalt", a=5.6)]
    for atoms in found:
        atoms.rattle(0.03, seed=2)
        atoms.info.update(charge=0, spin=1)
    return found


NOT_EQUIVARIANT = {
    "rotation_turns_the_forces": "Cartesian features go through plain layers: Orb learns rotations"
}
NOT_A_GRADIENT = {
    **NOT_EQUIVARIANT,
    "force_is_minus_the_gradient": "forces come from a head of their own",
    "boxed_equals_free": "the vendor removes the net torque without a cell, not with one",
}


def subject(name, failures):
    return Subject(
        name,
        options={"checkpoint": checkpoint(name), "device": "cpu"},
        structures=structures(),
        vendor=lambda: vendor(name),
        expected_failures=failures,
    )


test_contract = contract(subject(OMOL, NOT_EQUIVARIANT), subject(DIRECT, NOT_A_GRADIENT))


def energy_of(calculator, *batch):
    return adapter.evaluate(calculator, batch)[0]


def pair(symbols, distance, **info):
    return Atoms(symbols, [[0, 0, 0], [0, 0, distance]], info=info)


@pytest.fixture
def torch_state():
    """Torch's default dtype and matmul precision; put back, whatever a test or the vendor does."""
    import torch

    before = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    yield lambda: (torch.get_default_dtype(), torch.get_float32_matmul_precision())
    torch.set_default_dtype(before[0])
    torch.set_float32_matmul_precision(before[1])


# Cards


def test_every_model_of_the_vendor_has_a_card_or_a_reason():
    unlisted = set(vendor_module().ORB_PRETRAINED_MODELS) - set(CARDS)
    assert set(CARDS) <= set(vendor_module().ORB_PRETRAINED_MODELS)
    assert all(name.startswith("separate-d") or "v1" in name for name in unlisted)
    for card in adapter.cards:
        assert (
            getattr(vendor_module(), card.aliases[0])
            is (vendor_module().ORB_PRETRAINED_MODELS[card.checkpoint])
        )


@pytest.mark.parametrize("name", CARDS)
def test_card_agrees_with_the_vendor(name, monkeypatch):
    """Address, architecture, cutoff and size, from the vendor's own function up to its weights."""
    pretrained, built = vendor_module(), []

    def keep(model, path, *args, **kwargs):
        built.append((model, path))
        return model

    monkeypatch.setattr(pretrained, "load_model", keep)
    pretrained.ORB_PRETRAINED_MODELS[name](device="cpu", compile=False)
    ((model, address),) = built
    calculator = orb.OrbCalculator(model, device="cpu", dtype="float32", checkpoint=None)
    card = CARDS[name]
    assert adapter.describe(card, calculator) == card
    assert card.source == address
    assert card.uses_charge is card.uses_spin is (model.model.conditioner is not None)
    assert card.conservative is hasattr(model, "grad_forces_name")
    assert inspect.signature(pretrained.ORB_PRETRAINED_MODELS[name]).parameters["compile"]


def test_own_weights_are_not_described_as_the_vendors():
    card = adapter.describe(CARDS[OMOL], load(OMOL))
    assert (card.level_of_theory, card.source) == (None, checkpoint(OMOL))
    assert len(card.elements) == 117
    assert card.uses_charge


# Loading


def test_path_without_a_model_name_is_refused():
    with pytest.raises(UnsupportedOptionError, match="--checkpoint"):
        Probe(f"orb:{checkpoint(V2)}")


def test_task_is_refused():
    with pytest.raises(UnsupportedOptionError, match="omat"):
        Probe(V2, checkpoint=checkpoint(V2), task="omat")


def without(name, prefix, path):
    """Save the checkpoint of `name` without the weights below `prefix`."""
    import torch

    weights = torch.load(checkpoint(name), weights_only=True)
    torch.save({key: w for key, w in weights.items() if not key.startswith(prefix)}, path)
    return str(path)


@pytest.mark.parametrize("head", ["energy", "forces", "stress.mlp"])
def test_missing_head_is_refused(head, tmp_path):
    """The vendor loads it, with random numbers for the head."""
    path = without(V2, f"heads.{head}", tmp_path / "headless.ckpt")
    with pytest.raises(ModelLoadError, match=rf"heads\.{head}"):
        Probe(V2, checkpoint=path)


def test_missing_confidence_does_not_matter(tmp_path):
    path = without(CONSERVATIVE, "heads.confidence", tmp_path / "modest.ckpt")
    atoms = molecule("H2O")
    atoms.calc = Probe(CONSERVATIVE, checkpoint=path)
    assert atoms.get_potential_energy() == energy_of(load(CONSERVATIVE), atoms)[0]


def test_weights_of_another_architecture_are_refused():
    with pytest.raises(ModelLoadError, match="loading state_dict"):
        Probe(CONSERVATIVE, checkpoint=checkpoint(V2))


def test_old_names_of_the_heads_are_understood(tmp_path):
    import torch

    old = {new: old for old, new in orb.LEGACY.items()}
    weights = torch.load(checkpoint(V2), weights_only=True)
    for new, legacy in old.items():
        weights = {key.replace(new, legacy): value for key, value in weights.items()}
    path = str(tmp_path / "old.ckpt")
    torch.save(weights, path)
    atoms = molecule("H2O")
    atoms.calc = Probe(V2, checkpoint=path)
    assert atoms.get_potential_energy() == energy_of(load(V2), atoms)[0]


def test_no_code_in_a_checkpoint_runs(tmp_path):
    import torch

    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    torch.save({"model": Hostile()}, tmp_path / "hostile.ckpt")
    assert not adapter.unpickles
    with pytest.raises(ModelLoadError):
        Probe(CONSERVATIVE, checkpoint=str(tmp_path / "hostile.ckpt"))
    assert not (tmp_path / "ran").exists()


def test_weights_come_from_the_vendors_cache(monkeypatch, tmp_path):
    """Also without a network; the folder and names are `cached_path`'s."""
    from cached_path import find_latest_cached

    card = CARDS[V2]
    monkeypatch.setenv("CACHED_PATH_CACHE_ROOT", str(tmp_path))
    assert adapter.checkpoint_file(card, None) is None
    name = hashlib.sha256(card.source.encode()).hexdigest() + "." + "0" * 64
    (tmp_path / name).symlink_to(checkpoint(V2))
    for suffix in (".json", ".lock"):
        (tmp_path / (name + suffix)).touch()
    assert adapter.checkpoint_file(card, None) == str(find_latest_cached(card.source, tmp_path))
    atoms = molecule("H2O")
    atoms.calc = Probe(V2)
    assert atoms.get_potential_energy() == energy_of(load(V2), atoms)[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_process_is_left_alone(dtype, torch_state):
    """The vendor's loader sets the default dtype and the precision of products for everybody."""
    import torch

    torch.set_float32_matmul_precision("high")
    before = torch_state()
    energy_of(load.__wrapped__(V2, dtype), molecule("H2O"))
    assert torch_state() == before


def test_the_process_does_not_matter(torch_state):
    import torch

    calm = adapter.evaluate(load(OMOL), [molecule("H2O")])
    torch.set_default_dtype(torch.float64)
    again = adapter.evaluate(load.__wrapped__(OMOL), [molecule("H2O")])
    assert np.array_equal(calm[0], again[0])
    assert np.array_equal(calm[1][0], again[1][0])


# Double precision


@pytest.mark.parametrize("name", [CONSERVATIVE, V2])
def test_double_is_the_vendors_double(name, torch_state):
    batch = structures()[::5]  # water and a crystal
    energies, forces = adapter.evaluate(load(name, "float64"), batch)
    low, _ = adapter.evaluate(load(name), batch)
    assert energies == pytest.approx(low, abs=1e-3)  # the norms' epsilon is that of the dtype
    assert not np.array_equal(energies, low)
    theirs = vendor(name, "float64")
    for atoms, energy, force in zip(batch, energies, forces, strict=True):
        atoms.calc = theirs
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        assert force == pytest.approx(atoms.get_forces(), abs=1e-9)


def test_stress_is_the_strain_derivative():
    atoms = structures()[-1]
    atoms.calc = load(CONSERVATIVE, "float64")
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    assert np.abs(numerical).max() > 1e-4
    assert atoms.get_stress() == pytest.approx(numerical, abs=1e-8)


def test_stress_is_the_vendors_and_for_crystals_only():
    atoms = structures()[-1]
    ours = load(DIRECT).get_property("stress", atoms)
    assert ours == pytest.approx(vendor(DIRECT).get_property("stress", atoms), abs=1e-6)
    load(DIRECT).get_property("energy", molecule("H2O"))
    assert "stress" not in load(DIRECT).results


def test_models_of_molecules_have_no_stress():
    assert "stress" not in load(OMOL).implemented_properties


# Batches, charge and spin


def mixture():
    """Pairs near and far, atoms, molecules, crystals; charge and spin throughout."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(18):
        symbols = rng.choice(["H", "C", "N", "O", "F", "Na", "Cl", "Cu"], 2)
        atoms = Atoms(symbols, [[0, 0, 0], rng.normal(size=3)])
        atoms.set_distance(0, 1, 0.7 + 0.4 * i)
        found += [atoms, *([Atoms(symbols[:1])] if i % 5 == 0 else [])]
    found += [*structures(), molecule("C6H6"), bulk("Cu")]
    for i, atoms in enumerate(found):
        atoms.info.update(charge=i % 3 - 1, spin=i % 4 + 1)
    return found


def test_batch_equals_single():
    batch = mixture()
    energies, forces = adapter.evaluate(load(OMOL, "float64"), batch)
    for atoms, energy, force in zip(batch, energies, forces, strict=True):
        atoms.calc = load(OMOL, "float64")
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        assert force == pytest.approx(atoms.get_forces(), abs=1e-8)


def test_charge_and_spin_are_those_of_each_structure():
    states = [(0, 1), (1, 2), (-1, 2), (0, 3)]
    batch = [pair("OH", 1.0, charge=charge, spin=spin) for charge, spin in states]
    energies = energy_of(load(OMOL), *batch)
    assert len(set(energies.round(4))) == 4
    assert energies == pytest.approx([energy_of(load(OMOL), a)[0] for a in batch], abs=1e-5)
    theirs = vendor(OMOL)
    for atoms, energy in zip(batch, energies, strict=True):
        theirs.reset()
        assert energy == pytest.approx(theirs.get_property("energy", atoms), abs=1e-5)


@pytest.mark.parametrize("info", [{}, {"charge": None, "spin": None}, {"charge": 0}, {"spin": 1}])
def test_neutral_singlet_where_nothing_is_stated(info):
    """In one batch with a structure that states both: the vendor's batch would fail."""
    stated = pair("OH", 1.0, charge=0, spin=1)
    energies = energy_of(load(OMOL), stated, pair("OH", 1.0, **info))
    assert energies[0] == pytest.approx(energies[1], abs=1e-5)


def test_calculator_sees_a_changed_charge():
    """ASE does not watch ``atoms.info``: the vendor's calculator answers with the old energy."""
    atoms = pair("OH", 1.0, charge=0, spin=2)
    for calculator, stale in ((vendor(OMOL), True), (load(OMOL), False)):
        atoms.calc = calculator
        atoms.info["charge"] = 0
        before = atoms.get_potential_energy()
        atoms.info["charge"] = -1
        assert (atoms.get_potential_energy() == before) is stale


def test_features_in_info_do_not_reach_the_model():
    """The vendor would take node features, graph features and targets from ``atoms.info``."""
    import torch

    atoms = pair("OH", 1.0)
    before = energy_of(load(CONSERVATIVE), atoms)[0]
    atoms.info["node_features"] = {"atomic_numbers": torch.tensor([1, 1])}
    atoms.info["graph_features"] = {"odd": torch.zeros(1)}
    assert energy_of(load(CONSERVATIVE), atoms, pair("OH", 1.0))[0] == pytest.approx(before)


# What the models are like


def test_energy_is_no_sum_over_atoms():
    """Two atoms that do not see each other; a finding of the audit, not of this adapter."""
    calculator = load(CONSERVATIVE, "float64")
    together, h, f = energy_of(calculator, pair("HF", 30.0), Atoms("H"), Atoms("F"))
    assert abs(together - h - f) > 1e-3
    twins, alone = energy_of(calculator, pair("H2", 30.0), Atoms("H"))
    assert twins == pytest.approx(2 * alone, abs=1e-9)


def test_direct_forces_do_not_end_at_the_cutoff():
    (far,) = adapter.evaluate(load(DIRECT), [pair("HF", 30.0)])[1]
    assert np.abs(far).max() > 1e-3


def test_a_cell_that_is_not_used_changes_nothing():
    atoms = molecule("H2O")
    celled = atoms.copy()
    celled.set_cell([20, 20, 20])
    energies, forces = adapter.evaluate(load(DIRECT), [atoms, celled])
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)
    assert forces[0] == pytest.approx(forces[1], abs=1e-6)


@pytest.mark.parametrize(("name", "atoms_it_is_divided_by"), [(CONSERVATIVE, 2), (DIRECT, 1)])
def test_repulsion_is_not_zbl(name, atoms_it_is_divided_by):
    """(Z + 1)² e² φ(r/a) / r, cut off at the radii of the next element; conservative: a mean."""
    from ase.data import covalent_radii

    systems, r = vendor_module("atomic_system"), 0.3
    model = load(name).model
    with orb._without_vendor_noise():
        graph = systems.ase_atoms_to_atom_graphs(pair("H2", r), model.system_config, device="cpu")
    energy = model.pair_repulsion_fn(graph)["energy"].item()
    z, x = 2, r / (2 * covalent_radii[2])
    scaled = r / (0.4543 * 0.529 / (2 * z**0.3))
    terms = ((0.1818, 3.2), (0.5099, 0.9423), (0.2802, 0.4028), (0.02817, 0.2016))
    phi = sum(c * np.exp(-d * scaled) for c, d in terms)
    envelope = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    expected = 14.3996 * z * z * phi * envelope / r / atoms_it_is_divided_by
    assert energy == pytest.approx(expected, rel=1e-5)


# Refusals


def test_dummy_atom_raises():
    """The vendor has an embedding for it."""
    with pytest.raises(UnsupportedElementError, match="X"):
        adapter.evaluate(load(DIRECT), [molecule("H2O"), Atoms("X")])


def test_elements_without_training_data_are_refused_by_name():
    """The embedding of polonium is as it was drawn at random, so the cards do not list it."""
    assert not any("Po" in card.elements for card in adapter.cards)


def test_position_that_is_no_number_raises():
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(load(DIRECT), [pair("N2", np.nan)])


def test_slab_raises():
    slab = Atoms("Cu", cell=[2.6, 2.6, 20], pbc=[True, True, False])
    with pytest.raises(EvaluationError, match="three directions or none"):
        adapter.evaluate(load(DIRECT), [slab])


def test_coincident_atoms_are_not_a_number_and_harm_nobody():
    batch = [pair("N2", 0.0), molecule("H2O")]
    for name in (CONSERVATIVE, DIRECT):
        energies = energy_of(load(name), *batch)
        assert np.isnan(energies[0])
        assert energies[1] == pytest.approx(energy_of(load(name), batch[1])[0], abs=1e-5)


# Real weights


@pytest.mark.weights
@pytest.mark.parametrize("name", CARDS)
def test_real_weights(name):
    """Nitrogen binds, and the card describes what was loaded."""
    if adapter.checkpoint_file(CARDS[name], None) is None:
        pytest.skip(f"the weights of {name} are not in the cache of cached_path")
    probe = Probe(name)
    assert probe.card == CARDS[name]
    energies = probe.evaluator.evaluate([pair("N2", 1.1), pair("N2", 2.0)]).energy
    assert 2 < energies[1] - energies[0] < 15


@pytest.mark.gpu
@pytest.mark.parametrize("name", [CONSERVATIVE, OMOL, DIRECT, V2])
def test_cuda_agrees_with_the_cpu(name):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    options = {"dtype": "float64", "task": None, "checkpoint": checkpoint(name)}
    energies, forces = adapter.evaluate(
        adapter.load(CARDS[name], device="cuda", **options), mixture()
    )
    low, weak = adapter.evaluate(load(name, "float64"), mixture())
    assert energies == pytest.approx(low, abs=1e-9)
    for got, want in zip(forces, weak, strict=True):
        assert got == pytest.approx(want, abs=1e-8)
