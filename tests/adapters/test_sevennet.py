"""SevenNet keeps the adapter contract and agrees with the vendor's own calculator."""

import hashlib
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

from ase_probe.errors import EvaluationError, UnsupportedElementError, UnsupportedOptionError
from ase_probe.model import Adapter

pytest.importorskip("sevenn")

sevennet = import_module("ase_probe.adapters.sevennet")
adapter = sevennet.adapter
CARDS = {card.name: card for card in adapter.cards}
BUNDLED = ("7net-0", "7net-0-22may2024", "7net-l3i5", "7net-mf-0")

# Differences that rounding alone explains, for the moderate geometries below.
ENERGY = {"float32": 2e-5, "float64": 1e-10}  # eV
FORCE = {"float32": 2e-4, "float64": 1e-9}  # eV/Å
GRADIENT = 1e-6  # eV/Å, float64 forces against central differences
STEP = 3e-5  # Å
ROTATION = 1e-7  # eV, eV/Å


def load(name="7net-0", **options):
    return adapter.load(
        CARDS[name],
        **{"device": "cpu", "dtype": None, "task": None, "checkpoint": None, **options},
    )


@pytest.fixture(scope="module", autouse=True)
def float32():
    """First of all fixtures: the adapter imports the vendor without a warning, tests do not."""
    return load()


@pytest.fixture(scope="module")
def float64():
    return load(dtype="float64")


@pytest.fixture(scope="module", params=["float32", "float64"])
def model(request):
    """(dtype, calculator)."""
    return request.param, request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def multi_task():
    return load("7net-mf-0", task="PBE")


@pytest.fixture(scope="module")
def vendor():
    """The vendor's calculator, as its documentation says."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.script`", DeprecationWarning)
        warnings.filterwarnings("ignore", "No tensor product accelerator", UserWarning)
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator("7net-0", device="cpu")


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
        "boxed atom": Atoms("O", cell=[12, 12, 12], pbc=True),
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


# Cards


def test_it_is_an_adapter():
    assert isinstance(adapter, Adapter)


def test_import_loads_no_vendor():
    code = (
        "import sys; from ase_probe.adapters.sevennet import adapter; adapter.cards;"
        "[adapter.checkpoint_file(card, None) for card in adapter.cards];"
        "assert not {'torch', 'sevenn', 'e3nn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_and_aliases_are_unique():
    names = [name for card in adapter.cards for name in {card.name, *card.aliases}]
    assert len(names) == len(set(names))


def test_every_checkpoint_of_the_vendor_has_a_card():
    util = import_module("sevenn.util")
    assert [card.checkpoint for card in adapter.cards] == util.get_available_pretrained_models()


@pytest.mark.parametrize("name", CARDS)
def test_vendor_keeps_the_file_where_we_look(name, monkeypatch):
    """Names, folders and download addresses agree with the vendor's own tables."""
    const, util = import_module("sevenn._const"), import_module("sevenn.util")
    monkeypatch.setattr(util.osp, "exists", lambda path: False)
    asked = {}

    def download(path, url):
        asked.update(path=path, url=url)
        return path

    monkeypatch.setattr(util, "download_checkpoint", download)
    for alias in (CARDS[name].checkpoint, *CARDS[name].aliases):
        try:
            path = util.pretrained_name_to_path(alias)
        except FileNotFoundError as error:  # bundled: nothing to download
            path = str(error)
        assert Path(path) == Path(const._prefix) / sevennet.FILES[CARDS[name].checkpoint]
    if name not in BUNDLED:
        assert asked["url"] == CARDS[name].source


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_card_states_everything(name):
    unstated = {
        field.name for field in fields(CARDS[name]) if getattr(CARDS[name], field.name) is None
    }
    assert unstated == set()
    assert len(CARDS[name].elements) == 89


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_file_is_the_one_on_the_card(name):
    path = adapter.checkpoint_file(CARDS[name], None)
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == CARDS[name].sha256


@pytest.mark.parametrize("name", BUNDLED)
def test_card_agrees_with_the_loaded_model(name):
    calculator = load(name, task=next(iter(CARDS[name].tasks), None))
    assert adapter.describe(CARDS[name], calculator) == CARDS[name]


def test_a_file_that_is_not_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sevennet.importlib.util, "find_spec", lambda name: None)
    assert adapter.checkpoint_file(CARDS["7net-omni"], None) is None


def test_the_users_cache_is_searched(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    file = tmp_path / ".cache" / "sevennet" / sevennet.FILES["7net-omni"]
    file.parent.mkdir(parents=True)
    file.touch()
    assert adapter.checkpoint_file(CARDS["7net-omni"], None) == str(file)


# Options


def test_unknown_dtype_raises():
    with pytest.raises(UnsupportedOptionError, match=r"float16.*float32, float64"):
        load(dtype="float16")


def test_task_for_a_model_without_tasks_raises():
    with pytest.raises(UnsupportedOptionError, match=r"PBE.*none to choose"):
        load(task="PBE")


@pytest.mark.parametrize("task", [None, "pbe", "SCAN"])
def test_wrong_task_raises_and_lists_the_right_ones(task):
    with pytest.raises(UnsupportedOptionError, match="R2SCAN, PBE"):
        load("7net-mf-0", task=task)


def test_tasks_give_different_energies(multi_task):
    batch = [structures()["salt"]]
    other = load("7net-mf-0", task="R2SCAN")
    assert abs(adapter.evaluate(multi_task, batch)[0] - adapter.evaluate(other, batch)[0]) > 1.0


def test_task_batch_equals_single(multi_task):
    batch = list(structures().values())
    assert_close(adapter.evaluate(multi_task, batch), one_by_one(multi_task, batch), "float32")


def test_task_in_double_precision():
    calculator = load("7net-mf-0", task="PBE", dtype="float64")
    batch = list(structures().values())
    assert_close(adapter.evaluate(calculator, batch), one_by_one(calculator, batch), "float64")


def test_local_checkpoint(float32, tmp_path):
    original = adapter.checkpoint_file(CARDS["7net-0"], None)
    path = tmp_path / "mine.pth"
    path.write_bytes(Path(original).read_bytes())
    assert adapter.checkpoint_file(CARDS["7net-0"], str(path)) == str(path)
    calculator = load(checkpoint=str(path))
    batch = [structures()["N2"]]
    assert_close(adapter.evaluate(calculator, batch), adapter.evaluate(float32, batch), "float32")
    card = adapter.describe(CARDS["7net-0"], calculator)
    assert (card.source, card.cutoff, len(card.elements)) == (str(path), 5.0, 89)
    assert (card.level_of_theory, card.training_data, card.sha256, card.doi) == (None,) * 4


def test_garbage_checkpoint_fails(tmp_path):
    path = tmp_path / "garbage.pth"
    path.write_bytes(b"these are not weights")
    with pytest.raises(pickle.UnpicklingError):
        load(checkpoint=str(path))


def test_missing_checkpoint_fails(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        load(checkpoint=str(tmp_path / "nowhere.pth"))


def test_loading_keeps_torchs_default_dtype(float64):
    torch = import_module("torch")
    assert torch.get_default_dtype() == torch.float32


def test_double_means_every_tensor(float64):
    torch = import_module("torch")
    tensors = [*float64.model.parameters(), *float64.model.buffers()]
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float64}


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


@pytest.mark.parametrize("name", structures())
def test_agrees_with_the_vendor(name, float32, vendor):
    atoms = structures()[name]
    energies, forces = adapter.evaluate(float32, [atoms])
    energy, vendor_forces = single(vendor, atoms.copy())
    assert_close((energies[0], forces), (energy, [vendor_forces]), "float32")


@pytest.mark.parametrize("name", ["boxed", "salt", "one-atom cell"])
def test_stress_agrees_with_the_vendor(name, float32, vendor):
    atoms = structures()[name]
    stress = float32.get_property("stress", atoms)
    assert stress == pytest.approx(vendor.get_property("stress", atoms), abs=1e-6)


def test_vendors_single_points_work_after_a_batch(float32, vendor):
    """The batch switch of the shared model is put back, also when the batch failed."""
    from sevenn.calculator import SevenNetCalculator

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No tensor product accelerator", UserWarning)
        theirs = SevenNetCalculator(float32.model, file_type="model_instance", device="cpu")
    atoms = structures()["water"]
    adapter.evaluate(float32, [atoms, atoms])
    assert single(theirs, atoms)[0] == pytest.approx(single(vendor, atoms)[0], abs=1e-5)
    assert float32.model.is_batch_data is False


def test_double_agrees_with_single_precision(float32, float64):
    batch = list(structures().values())
    low, high = adapter.evaluate(float32, batch), adapter.evaluate(float64, batch)
    assert_close(low, high, "float32")
    assert not np.array_equal(low[0], high[0])


def test_double_sees_tiny_displacements(float64):
    """Positions enter in double precision: 1e-9 Å moves the energy by force times 1e-9 Å."""
    pair = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in (1.4, 1.4 + 1e-9)]
    energies, forces = adapter.evaluate(float64, pair)
    assert energies[1] - energies[0] == pytest.approx(-forces[0][1, 2] * 1e-9, rel=1e-3)


@pytest.mark.parametrize("name", ["N2", "water", "salt", "slab"])
def test_forces_are_the_gradient(name, float64):
    atoms = structures()[name]
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


def test_free_energy_is_the_energy(float32):
    atoms = structures()["water"]
    assert float32.get_property("free_energy", atoms) == float32.get_property("energy", atoms)
    assert float32.get_property("energies", atoms).shape == (3,)


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
    assert batch == before
    assert all(atoms.info == {"note": "mine"} for atoms in batch)
    assert all(atoms.calc is None for atoms in batch)


def test_lone_atom_feels_no_force(model):
    _, calculator = model
    energies, forces = adapter.evaluate(calculator, [Atoms("N")])
    assert np.isfinite(energies[0])
    assert np.array_equal(forces[0], np.zeros((1, 3)))


def test_batch_of_atoms_only(float64):
    alone = [adapter.evaluate(float64, [Atoms(symbol)])[0][0] for symbol in ("H", "O", "Pu")]
    together, _ = adapter.evaluate(float64, [Atoms("H"), Atoms("O"), Atoms("Pu")])
    assert together == pytest.approx(alone, abs=ENERGY["float64"])


def test_pair_beyond_the_cutoff_is_two_atoms(float64):
    pair = Atoms("HF", [[0, 0, 0], [0, 0, 5.001]])
    energies, forces = adapter.evaluate(float64, [pair, Atoms("H"), Atoms("F")])
    assert energies[0] == pytest.approx(energies[1] + energies[2], abs=ENERGY["float64"])
    assert not forces[0].any()


def test_energy_is_continuous_at_the_cutoff(float64):
    inside, outside = (Atoms("HF", [[0, 0, 0], [0, 0, r]]) for r in (4.99999, 5.00001))
    energies, _ = adapter.evaluate(float64, [inside, outside])
    assert energies[0] == pytest.approx(energies[1], abs=1e-8)


def test_translation(float64):
    atoms = structures()["water"]
    moved = atoms.copy()
    moved.translate([1000, -3, 7])  # the vendor's neighbour list would take 20 s
    energies, _ = adapter.evaluate(float64, [atoms, moved])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)


def test_rotation(float64):
    """Only as good as the Wigner 3j symbols, which the checkpoint stores in float32."""
    atoms = structures()["water"]
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = Atoms(atoms.symbols, atoms.positions @ rotation)
    energies, forces = adapter.evaluate(float64, [atoms, turned])
    assert energies[0] == pytest.approx(energies[1], abs=ROTATION)
    assert forces[1] == pytest.approx(forces[0] @ rotation, abs=ROTATION)


def test_permutation(float64):
    atoms = structures()["benzene"]
    order = np.random.default_rng(0).permutation(len(atoms))
    energies, forces = adapter.evaluate(float64, [atoms, atoms[order]])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert forces[1] == pytest.approx(forces[0][order], abs=1e-9)


def test_direct_pairs_are_the_vendors():
    """Same edges and vectors as the vendor's neighbour list, up to order and rounding."""
    dataload = import_module("sevenn.train.dataload")
    positions = np.random.default_rng(0).uniform(-6, 6, (40, 3))
    atoms = Atoms("H40", positions)
    index, vectors = sevennet._edges(atoms, 5.0)
    graph = dataload.unlabeled_atoms_to_graph(atoms, 5.0)
    order = np.lexsort(graph["edge_index"][::-1])
    assert np.array_equal(graph["edge_index"][:, order], index)
    assert graph["edge_vec"][order] == pytest.approx(vectors, abs=1e-12)


def test_dimer_energies_are_the_vendors_to_the_bit(float32, vendor):
    """Atomic energies, that is: the vendor adds them up in float32."""
    for distance in (0.6, 1.1, 2.0, 4.0):
        atoms = Atoms("NO", [[0, 0, 0], [0, 0, distance]])
        ours = float32.get_property("energies", atoms)
        assert np.array_equal(ours, vendor.get_property("energies", atoms))


@pytest.mark.parametrize("symbol", ["Og", "X", "Po"])
def test_unknown_element_raises(symbol, float32):
    batch = [structures()["water"], Atoms(symbol)]
    with pytest.raises(UnsupportedElementError, match=rf"does not know {symbol};"):
        adapter.evaluate(float32, batch)
    with pytest.raises(UnsupportedElementError, match=symbol):
        float32.get_property("energy", batch[1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_position_that_is_no_number_raises(value, float32):
    """The vendor finds no neighbours there and answers with the energy of a lone atom."""
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
