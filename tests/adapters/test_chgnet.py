"""CHGNet keeps the adapter contract and agrees with the vendor's own calculator."""

import contextlib
import hashlib
import io
import pickle
import subprocess
import sys
import warnings
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_stress

from ase_probe import Probe
from ase_probe.engine import open_model
from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedElementError,
    UnsupportedOptionError,
)
from ase_probe.model import Adapter

pytest.importorskip("chgnet")

chgnet = import_module("ase_probe.adapters.chgnet")
adapter = chgnet.adapter
CARDS = {card.name: card for card in adapter.cards}

# Differences that rounding alone explains, for the moderate geometries below.
ENERGY = {"float32": 2e-5, "float64": 1e-10}  # eV
FORCE = {"float32": 3e-4, "float64": 1e-9}  # eV/Å
GRADIENT = 1e-6  # eV/Å, float64 forces against central differences
STEP = 3e-5  # Å


def load(name="chgnet-0.3.0", **options):
    return adapter.load(
        CARDS[name],
        **{"device": "cpu", "dtype": None, "task": None, "checkpoint": None, **options},
    )


@pytest.fixture(scope="module", autouse=True)
def float32():
    """First of all fixtures: nothing that the adapter imports or runs warns."""
    return load()


@pytest.fixture(scope="module")
def float64():
    return load(dtype="float64")


@pytest.fixture(scope="module", params=["float32", "float64"])
def model(request):
    """(dtype, calculator)."""
    return request.param, request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=CARDS)
def double(request):
    """(name, calculator) of every card in float64."""
    return request.param, load(request.param, dtype="float64")


@pytest.fixture(scope="module")
def probe():
    """A Probe before the family has an entry point."""
    made = Probe("morse")
    made.evaluator = open_model(adapter, CARDS["chgnet-0.3.0"], device="cpu")
    made.implemented_properties = ["energy", "free_energy", "forces", "stress"]
    return made


def structures():
    rattled = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    rattled.rattle(0.05, seed=1)
    slab = Atoms("Cu2", [[0, 0, 5], [1.3, 1.3, 6.8]], cell=[2.6, 2.6, 15], pbc=[True, True, False])
    return {
        "N2": Atoms("N2", [[0, 0, 0], [0, 0, 1.2]]),
        "H atom": Atoms("H"),
        "water": molecule("H2O"),
        "far pair": Atoms("HF", [[0, 0, 0], [0, 0, 7.0]]),
        "benzene": molecule("C6H6"),
        "boxed": Atoms("LiF", [[5, 5, 5], [5, 5, 6.7]], cell=[12, 12, 12], pbc=True),
        "boxed atom": Atoms("O", cell=[13, 13, 13], pbc=True),
        "salt": rattled,
        "slab": slab,
        "one-atom cell": bulk("Al"),
    }


def assert_close(answer, expected, dtype):
    assert answer[0] == pytest.approx(expected[0], abs=ENERGY[dtype], rel=1e-6)
    for got, want in zip(answer[1], expected[1], strict=True):
        assert got == pytest.approx(want, abs=FORCE[dtype], rel=1e-5)


def single(calculator, atoms):
    calculator.reset()
    return calculator.get_property("energy", atoms), calculator.get_property("forces", atoms)


def one_by_one(calculator, batch):
    pairs = [single(calculator, atoms.copy()) for atoms in batch]
    return np.array([energy for energy, _ in pairs]), [forces for _, forces in pairs]


def boxed(atoms, vacuum=15.0):
    """What the vendor needs: periodic in three directions, images out of sight."""
    box = atoms.copy()
    lengths = np.ptp(box.positions, axis=0) + 2 * vacuum
    vectors = [lengths[k] * np.eye(3)[k] if not box.pbc[k] else box.cell[k] for k in range(3)]
    box.set_cell(vectors)
    box.pbc = True
    return box


def vendor_answer(name, atoms):
    """Energy, forces, stress of the vendor's calculator, as its documentation says."""
    from chgnet.model.dynamics import CHGNetCalculator
    from chgnet.model.model import CHGNet

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)
        calculator = CHGNetCalculator(
            CHGNet.load(model_name=CARDS[name].checkpoint, use_device="cpu", verbose=False),
            use_device="cpu",
            on_isolated_atoms="ignore",
        )
        return [
            calculator.get_property(key, boxed(atoms)) for key in ("energy", "forces", "stress")
        ]


# Cards


def test_it_is_an_adapter():
    assert isinstance(adapter, Adapter)


def test_import_loads_no_vendor():
    code = (
        "import sys; from ase_probe.adapters.chgnet import adapter; adapter.cards;"
        "[adapter.checkpoint_file(card, None) for card in adapter.cards];"
        "assert not {'torch', 'chgnet', 'pymatgen'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_and_aliases_are_unique():
    names = [name for card in adapter.cards for name in {card.name, *card.aliases}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", CARDS)
def test_card_states_everything(name):
    card = CARDS[name]
    assert [field.name for field in fields(card) if getattr(card, field.name) is None] == []
    assert len(card.elements) == (88 if name == "chgnet-r2scan" else 89)


@pytest.mark.parametrize("name", CARDS)
def test_bundled_file_is_the_one_on_the_card(name):
    path = adapter.checkpoint_file(CARDS[name], None)
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == CARDS[name].sha256


@pytest.mark.parametrize("name", CARDS)
def test_card_agrees_with_the_loaded_model(name):
    assert adapter.describe(CARDS[name], load(name)) == CARDS[name]


def test_elements_without_a_reference_energy_are_not_on_the_r2scan_card():
    weights = load("chgnet-r2scan").model.composition_model.fc.weight.detach().numpy().ravel()
    trained = {chgnet.chemical_symbols[k + 1] for k in np.flatnonzero(np.abs(weights) > 1e-6)}
    assert trained == set(CARDS["chgnet-r2scan"].elements)


def test_a_file_that_is_not_there_is_none(monkeypatch):
    monkeypatch.setattr(chgnet.importlib.util, "find_spec", lambda name: None)
    assert adapter.checkpoint_file(CARDS["chgnet-0.3.0"], None) is None


# Loading


def test_loading_and_evaluating_print_nothing(capfd):
    calculator = load()
    adapter.evaluate(calculator, list(structures().values()))
    single(calculator, structures()["H atom"])
    assert capfd.readouterr() == ("", "")


def test_wrong_dtype_raises():
    with pytest.raises(UnsupportedOptionError, match="float32, float64"):
        load(dtype="float16")


def test_double_means_every_tensor(float64):
    torch = import_module("torch")
    tensors = [*float64.model.parameters(), *float64.model.buffers()]
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float64}
    assert torch.get_default_dtype() == torch.float32


def test_local_checkpoint(float32, tmp_path):
    original = adapter.checkpoint_file(CARDS["chgnet-0.3.0"], None)
    path = tmp_path / "mine.pth.tar"
    path.write_bytes(Path(original).read_bytes())
    assert adapter.checkpoint_file(CARDS["chgnet-0.3.0"], str(path)) == str(path)
    calculator = load(checkpoint=str(path))
    batch = [structures()["N2"]]
    assert_close(adapter.evaluate(calculator, batch), adapter.evaluate(float32, batch), "float32")
    card = adapter.describe(CARDS["chgnet-0.3.0"], calculator)
    assert (card.source, card.cutoff, len(card.elements)) == (str(path), 6.0, 94)
    assert (card.level_of_theory, card.training_data, card.sha256, card.doi) == (None,) * 4


def test_garbage_checkpoint_fails(tmp_path):
    path = tmp_path / "garbage.pth.tar"
    path.write_bytes(b"these are not weights")
    with pytest.raises(pickle.UnpicklingError):
        load(checkpoint=str(path))
    with pytest.raises(ModelLoadError, match="garbage"):
        open_model(
            adapter,
            CARDS["chgnet-0.3.0"],
            device="cpu",
            checkpoint=str(path),
            trust_checkpoint=True,
        )


def test_missing_checkpoint_fails(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(checkpoint=str(tmp_path / "nowhere.pth.tar"))


def test_model_without_atomic_energies_is_refused(tmp_path, capsys):
    torch, vendor = import_module("torch"), import_module("chgnet.model.model").CHGNet
    path = tmp_path / "averages.pth.tar"
    torch.save({"model": vendor(mlp_first=False).as_dict()}, path)
    with pytest.raises(ModelLoadError, match="mlp_first"):
        load(checkpoint=str(path))


# Answers


def test_shapes_and_types(model):
    _, calculator = model
    batch = list(structures().values())
    energies, forces = adapter.evaluate(calculator, batch)
    assert energies.shape == (len(batch),)
    assert [array.shape for array in forces] == [(len(atoms), 3) for atoms in batch]
    assert {array.dtype for array in (energies, *forces)} == {np.dtype(float)}


def test_no_structures(float32):
    energies, forces = adapter.evaluate(float32, [])
    assert (energies.shape, forces) == ((0,), [])


def test_mixed_batch_equals_single(model):
    dtype, calculator = model
    batch = list(structures().values())
    assert_close(adapter.evaluate(calculator, batch), one_by_one(calculator, batch), dtype)


def test_company_in_the_batch_does_not_matter(double):
    """In the vendor's batch of 0.2.0, water next door moves N2 by 0.04 eV."""
    _, calculator = double
    n2, water = structures()["N2"], structures()["water"]
    together = adapter.evaluate(calculator, [water, n2, water])[0][1]
    assert together == pytest.approx(adapter.evaluate(calculator, [n2])[0][0], abs=1e-10)


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("structure", ["N2", "H atom", "water", "far pair", "salt", "boxed"])
def test_agrees_with_the_vendor(name, structure):
    atoms = structures()[structure]
    energy, forces, _ = vendor_answer(name, atoms)
    assert_close(adapter.evaluate(load(name), [atoms]), ([energy], [forces]), "float32")


@pytest.mark.parametrize("structure", ["slab", "benzene", "one-atom cell", "boxed atom"])
def test_agrees_with_the_vendor_on_larger_cells(structure, float32):
    atoms = structures()[structure]
    energy, forces, _ = vendor_answer("chgnet-0.3.0", atoms)
    assert_close(adapter.evaluate(float32, [atoms]), ([energy], [forces]), "float32")


@pytest.mark.parametrize("structure", ["boxed", "salt", "one-atom cell"])
def test_stress_agrees_with_the_vendor(structure, float32):
    atoms = structures()[structure]
    *_, stress = vendor_answer("chgnet-0.3.0", atoms)
    expected = stress.flat[[0, 4, 8, 5, 2, 1]] if stress.shape == (3, 3) else stress
    assert float32.get_property("stress", atoms) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("structure", ["N2", "water", "benzene", "H atom"])
def test_a_box_changes_nothing(structure, float64):
    atoms = structures()[structure]
    energies, forces = adapter.evaluate(float64, [atoms, boxed(atoms)])
    assert energies[1] == pytest.approx(energies[0], abs=ENERGY["float64"])
    assert forces[1] == pytest.approx(forces[0], abs=FORCE["float64"])


def test_images_beyond_an_open_side_do_not_exist(float64):
    """A slab in a low cell: periodic in x and y only, whatever the height of the cell."""
    tall = structures()["slab"]
    low = tall.copy()
    low.set_cell([2.6, 2.6, 2.5])
    flat = tall.copy()
    flat.set_cell([2.6, 2.6, 0])
    energies, _ = adapter.evaluate(float64, [tall, low, flat])
    assert energies[1:] == pytest.approx(energies[0], abs=ENERGY["float64"])


def test_double_agrees_with_single_precision(float32, float64):
    batch = list(structures().values())
    low, high = adapter.evaluate(float32, batch), adapter.evaluate(float64, batch)
    assert_close(low, high, "float32")
    assert not np.array_equal(low[0], high[0])


def test_double_sees_tiny_displacements(float64):
    pair = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in (1.4, 1.4 + 1e-9)]
    energies, forces = adapter.evaluate(float64, pair)
    assert energies[1] - energies[0] == pytest.approx(-forces[0][1, 2] * 1e-9, rel=1e-3)


@pytest.mark.parametrize("structure", ["N2", "water", "salt", "slab"])
def test_forces_are_the_gradient(structure, float64):
    atoms = structures()[structure]
    _, (forces,) = adapter.evaluate(float64, [atoms])
    moved = []
    for sign in (-1, 1):
        for axis in range(3):
            moved.append(atoms.copy())
            moved[-1].positions[-1, axis] += sign * STEP
    energies, _ = adapter.evaluate(float64, moved)
    gradient = (energies[3:] - energies[:3]) / (2 * STEP)
    assert forces[-1] == pytest.approx(-gradient, abs=GRADIENT)


def test_stress_is_the_strain_derivative(float64):
    atoms = structures()["salt"]
    atoms.calc = float64
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    assert atoms.get_stress() == pytest.approx(numerical, abs=1e-8)


def test_molecules_have_no_stress(float32):
    with pytest.raises(PropertyNotImplementedError):
        float32.get_property("stress", structures()["water"])


def test_properties_of_a_single_point(float32):
    atoms = structures()["salt"]
    assert float32.get_property("free_energy", atoms) == float32.get_property("energy", atoms)
    assert float32.get_property("energies", atoms).sum() == float32.get_property("energy", atoms)
    assert float32.get_property("magmoms", atoms).shape == (8,)


def test_same_answer_twice(model):
    dtype, calculator = model
    batch = list(structures().values())
    assert_close(adapter.evaluate(calculator, batch), adapter.evaluate(calculator, batch), dtype)


def test_structures_are_left_alone(float32):
    batch = list(structures().values())
    for atoms in batch:
        atoms.info["note"] = "mine"
    before = [atoms.copy() for atoms in batch]
    adapter.evaluate(float32, batch)
    one_by_one(float32, batch)
    assert batch == before
    assert all(atoms.info == {"note": "mine"} for atoms in batch)
    assert all(atoms.calc is None for atoms in batch)


def test_lone_atom_feels_no_force(model):
    _, calculator = model
    energies, forces = adapter.evaluate(calculator, [Atoms("N")])
    assert np.isfinite(energies[0])
    assert np.array_equal(forces[0], np.zeros((1, 3)))


def test_batch_of_atoms_only(double):
    _, calculator = double
    alone = [adapter.evaluate(calculator, [Atoms(symbol)])[0][0] for symbol in ("H", "O", "Pu")]
    together, _ = adapter.evaluate(calculator, [Atoms("H"), Atoms("O"), Atoms("Pu")])
    assert together == pytest.approx(alone, abs=ENERGY["float64"])


def test_pair_beyond_the_cutoff_is_two_atoms(double):
    name, calculator = double
    pair = Atoms("HF", [[0, 0, 0], [0, 0, CARDS[name].cutoff + 0.001]])
    energies, forces = adapter.evaluate(calculator, [pair, Atoms("H"), Atoms("F")])
    assert energies[0] == pytest.approx(energies[1] + energies[2], abs=ENERGY["float64"])
    assert not forces[0].any()


def test_energy_is_continuous_at_the_cutoff(double):
    name, calculator = double
    edge = CARDS[name].cutoff
    pair = [Atoms("HF", [[0, 0, 0], [0, 0, edge + x]]) for x in (-1e-5, 1e-5)]
    energies, _ = adapter.evaluate(calculator, pair)
    assert energies[0] == pytest.approx(energies[1], abs=1e-8)


def test_distant_atom_leaves_a_molecule_alone(double):
    """One isolated atom in the structure: neither it nor the molecule notices."""
    _, calculator = double
    water = molecule("H2O")
    both = water + Atoms("N", [[0, 0, 50]])
    energies, forces = adapter.evaluate(calculator, [both, water, Atoms("N")])
    assert energies[0] == pytest.approx(energies[1] + energies[2], abs=ENERGY["float64"])
    assert forces[0] == pytest.approx(np.vstack(forces[1:]), abs=FORCE["float64"])


def test_angles_switch_on_with_a_jump_in_0_2_0_only(double):
    name, calculator = double
    trimers = [Atoms("N3", [[0, 0, 0], [0, 0, 1.3], [0, x, 0]]) for x in (2.99999, 3.00001)]
    energies, _ = adapter.evaluate(calculator, trimers)
    assert (abs(energies[1] - energies[0]) > 0.1) == (name == "chgnet-0.2.0")


def test_translation(model):
    dtype, calculator = model
    atoms = structures()["water"]
    moved = atoms.copy()
    moved.translate([1000, -3, 7])
    energies, _ = adapter.evaluate(calculator, [atoms, moved])
    assert energies[0] == pytest.approx(energies[1], abs=ENERGY[dtype])


def test_unwrapped_atoms(float64):
    atoms = structures()["salt"]
    moved = atoms.copy()
    moved.positions[0] += 3 * atoms.cell[0] - 2 * atoms.cell[2]
    assert_close(adapter.evaluate(float64, [moved]), adapter.evaluate(float64, [atoms]), "float64")


def test_rotation(float64):
    atoms = structures()["water"]
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = Atoms(atoms.symbols, atoms.positions @ rotation)
    energies, forces = adapter.evaluate(float64, [atoms, turned])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert forces[1] == pytest.approx(forces[0] @ rotation, abs=1e-9)


def test_permutation(float64):
    atoms = structures()["benzene"]
    order = np.random.default_rng(0).permutation(len(atoms))
    energies, forces = adapter.evaluate(float64, [atoms, atoms[order]])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert forces[1] == pytest.approx(forces[0][order], abs=1e-9)


def test_direct_pairs_are_the_vendors():
    atoms = Atoms("H40", np.random.default_rng(0).uniform(-6, 6, (40, 3)))
    i, j, _, distances = load().pairs(atoms)
    theirs = chgnet._periodic_pairs(atoms, 6.0)
    order = np.lexsort(theirs[1::-1])
    assert np.array_equal([i, j], [theirs[0][order], theirs[1][order]])
    assert distances == pytest.approx(theirs[3][order], abs=1e-12)


@pytest.mark.parametrize("symbol", ["Og", "X", "Am"])
def test_unknown_element_raises(symbol, float32):
    batch = [structures()["water"], Atoms(symbol)]
    with pytest.raises(UnsupportedElementError, match=rf"does not know {symbol};"):
        adapter.evaluate(float32, batch)


def test_untrained_elements_are_refused_through_probe(probe):
    """The vendor answers: polonium has an embedding that no training ever touched."""
    with pytest.raises(UnsupportedElementError, match="Po"):
        probe.get_property("energy", Atoms("Po"))


@pytest.mark.parametrize(("key", "value"), [("charge", 1), ("spin", 3)])
def test_charge_and_spin_are_refused_through_probe(probe, key, value):
    atoms = structures()["N2"]
    atoms.info[key] = value
    with pytest.raises(UnsupportedOptionError, match=key):
        probe.get_property("energy", atoms)


def test_probe_has_free_energy_and_stress(probe):
    salt = structures()["salt"]
    assert probe.get_property("free_energy", salt) == probe.get_property("energy", salt)
    assert probe.get_property("stress", salt).shape == (6,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_position_that_is_no_number_raises(value, float32):
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(float32, [Atoms("N2", [[0, 0, 0], [0, 0, value]])])


def test_structure_without_atoms_raises(float32):
    with pytest.raises(EvaluationError, match="without atoms"):
        adapter.evaluate(float32, [structures()["water"], Atoms()])


def test_coincident_atoms_are_not_a_number(float32):
    energies, _ = adapter.evaluate(float32, [Atoms("N2", [[0, 0, 0], [0, 0, 0]]), Atoms("N")])
    assert np.isnan(energies[0])
    assert np.isfinite(energies[1])


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cuda_agrees_with_the_cpu(dtype):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    batch = list(structures().values())
    device = load(device="cuda", dtype=dtype)
    assert_close(adapter.evaluate(device, batch), adapter.evaluate(load(dtype=dtype), batch), dtype)
