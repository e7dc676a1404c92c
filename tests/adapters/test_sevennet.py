"""SevenNet keeps the adapter contract: the real weights, which come in its wheel."""

import hashlib
import warnings
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.fd import calculate_numerical_stress

from ase_probe import Probe
from ase_probe.errors import EvaluationError, UnsupportedElementError, UnsupportedOptionError
from ase_probe.testing import Subject, contract

pytest.importorskip("sevenn")

sevennet = import_module("ase_probe.adapters.sevennet")
adapter = sevennet.adapter
CARDS = {card.name: card for card in adapter.cards}
BUNDLED = ("7net-0", "7net-0-22may2024", "7net-l3i5", "7net-mf-0")


def load(name="7net-0", **options):
    defaults = {"device": "cpu", "dtype": None, "task": None, "checkpoint": None}
    return adapter.load(CARDS[name], **{**defaults, **options})


def make_vendor(model="7net-0", **options):
    """The vendor's calculator, as its documentation says."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No tensor product accelerator", UserWarning)
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator(model, device="cpu", **options)


def structures():
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    salt.rattle(0.05, seed=1)
    slab = Atoms("Cu2", [[0, 0, 5], [1.3, 1.3, 6.8]], cell=[2.6, 2.6, 15], pbc=[True, True, False])
    return {
        "water": molecule("H2O"),
        "N2": Atoms("N2", [[0, 0, 0], [0, 0, 1.2]]),
        "H atom": Atoms("H"),
        "far pair": Atoms("HF", [[0, 0, 0], [0, 0, 7.0]]),
        "benzene": molecule("C6H6"),
        "boxed": Atoms("LiF", [[5, 5, 5], [5, 5, 6.7]], cell=[12, 12, 12], pbc=True),
        "boxed atom": Atoms("O", cell=[12, 12, 12], pbc=True),
        "salt": salt,
        "slab": slab,
        "one-atom cell": bulk("Al"),
    }


def subject(model="7net-0", **arguments):
    tolerances = {"energy_tolerance": 2e-5, "force_tolerance": 2e-4}  # rounding in float32
    return Subject(model, structures=[*structures().values()], **{**tolerances, **arguments})


test_contract = contract(
    subject(vendor=make_vendor),
    subject(options={"dtype": "float64"}, energy_tolerance=1e-6, force_tolerance=1e-5),
    subject(
        "7net-mf-0",
        options={"task": "PBE"},
        vendor=lambda: make_vendor("7net-mf-0", modal="PBE"),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def float32():
    """First of all fixtures: the adapter imports the vendor without a warning, tests do not."""
    return load()


@pytest.fixture(scope="module")
def float64():
    return load(dtype="float64")


@pytest.fixture(scope="module")
def vendor():
    return make_vendor()


# Cards


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
def test_bundled_card_states_everything_and_agrees_with_the_model(name):
    card = CARDS[name]
    assert [field.name for field in fields(card) if getattr(card, field.name) is None] == []
    path = Path(adapter.checkpoint_file(card, None))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    assert adapter.describe(card, load(name, task=next(iter(card.tasks), None))) == card


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


# Loading


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("7net-0", "PBE", r"PBE.*none to choose"),
        ("7net-mf-0", None, "R2SCAN, PBE"),
        ("7net-mf-0", "pbe", "R2SCAN, PBE"),
    ],
)
def test_tasks_of_a_local_checkpoint_are_the_models_own(name, task, message):
    path = adapter.checkpoint_file(CARDS[name], None)
    with pytest.raises(UnsupportedOptionError, match=message):
        load("7net-omni", checkpoint=path, task=task)


def test_tasks_give_different_energies():
    batch = [structures()["salt"]]
    energies = [
        adapter.evaluate(load("7net-mf-0", task=task), batch)[0] for task in ("PBE", "R2SCAN")
    ]
    assert abs(energies[0] - energies[1]) > 1.0


def test_local_checkpoint(float32, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(Path(adapter.checkpoint_file(CARDS["7net-0"], None)).read_bytes())
    probe = Probe(f"sevennet:{path}", trust_checkpoint=True)
    water = structures()["water"]
    assert probe.get_property("energy", water) == adapter.evaluate(float32, [water])[0][0]
    card = probe.card
    assert (card.source, card.cutoff, len(card.elements)) == (str(path), 5.0, 89)
    assert (card.level_of_theory, card.training_data, card.sha256, card.doi) == (None,) * 4
    assert (card.uses_charge, card.uses_spin, card.lone_atoms) == (False, False, "model")


def test_double_means_every_tensor(float64):
    torch = import_module("torch")
    tensors = [*float64.model.parameters(), *float64.model.buffers()]
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float64}
    assert torch.get_default_dtype() == torch.float32


# Answers


@pytest.mark.parametrize("name", ["boxed", "salt", "one-atom cell"])
def test_stress_agrees_with_the_vendor(name, float32, vendor):
    atoms = structures()[name]
    stress = float32.get_property("stress", atoms)
    assert stress == pytest.approx(vendor.get_property("stress", atoms), abs=1e-6)


def test_stress_is_the_strain_derivative(float64):
    atoms = structures()["salt"]
    atoms.calc = float64
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    assert atoms.get_stress() == pytest.approx(numerical, abs=1e-8)


def test_vendors_single_points_work_after_a_batch(float32, vendor):
    """The batch switch of the shared model is put back."""
    theirs = make_vendor(float32.model, file_type="model_instance")
    water = structures()["water"]
    adapter.evaluate(float32, [water, water])
    expected = vendor.get_property("energy", water)
    assert theirs.get_property("energy", water) == pytest.approx(expected, abs=1e-5)
    assert float32.model.is_batch_data is False


def test_double_sees_tiny_displacements(float64):
    """Positions enter in double precision: 1e-9 Å moves the energy by force times 1e-9 Å."""
    pair = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in (1.4, 1.4 + 1e-9)]
    energies, forces = adapter.evaluate(float64, pair)
    assert energies[1] - energies[0] == pytest.approx(-forces[0][1, 2] * 1e-9, rel=1e-3)


def test_nothing_changes_at_the_cutoff(float64):
    """Just inside, just outside, and two atoms alone."""
    pairs = [Atoms("HF", [[0, 0, 0], [0, 0, r]]) for r in (4.99999, 5.00001)]
    energies, _ = adapter.evaluate(float64, pairs)
    alone, _ = adapter.evaluate(float64, [Atoms("H"), Atoms("F")])  # a batch without pairs
    assert energies == pytest.approx(alone.sum(), abs=1e-8)


def test_far_from_the_origin(float64):
    """The vendor's neighbour list would take 20 s."""
    water = structures()["water"]
    moved = water.copy()
    moved.translate([1000, -3, 7])
    energies, _ = adapter.evaluate(float64, [water, moved])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)


@pytest.mark.parametrize("symbol", ["Og", "X", "Po"])
def test_unknown_element_raises(symbol, float32):
    with pytest.raises(UnsupportedElementError, match=rf"does not know {symbol};"):
        adapter.evaluate(float32, [structures()["water"], Atoms(symbol)])


def test_position_that_is_no_number_raises(float32):
    """The vendor finds no neighbours there and answers with the energy of a lone atom."""
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(float32, [Atoms("N2", [[0, 0, 0], [0, 0, np.nan]])])


def test_coincident_atoms_are_not_a_number(float32):
    energies, _ = adapter.evaluate(float32, [Atoms("N2", [[0, 0, 0], [0, 0, 0]]), Atoms("N")])
    assert np.isnan(energies[0])
    assert np.isfinite(energies[1])


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-4), ("float64", 1e-9)])
def test_cuda_agrees_with_the_cpu(dtype, tolerance):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    batch = list(structures().values())
    energies, forces = adapter.evaluate(load(device="cuda", dtype=dtype), batch)
    expected = adapter.evaluate(load(dtype=dtype), batch)
    assert energies == pytest.approx(expected[0], abs=tolerance)
    assert np.concatenate(forces) == pytest.approx(np.concatenate(expected[1]), abs=tolerance)


def test_pairs_are_ases():
    from ase.neighborlist import primitive_neighbor_list
    from ase_probe.adapters.sevennet import _pairs

    more = {
        "chain in an incomplete cell": Atoms("H2", [[0, 0, 0], [1, 0, 0]], cell=[3, 0, 0]),
        "outside of its cell": Atoms("H2", [[50, 0, 0], [50, 7, 1]], cell=[4, 4, 4], pbc=True),
        "cluster": bulk("Cu", cubic=True) * (3, 3, 3),
    }
    more["chain in an incomplete cell"].pbc = (True, False, False)
    more["cluster"].pbc = False
    more["cluster"].cell = np.zeros((3, 3))
    for name, atoms in {**structures(), **more}.items():
        expected = primitive_neighbor_list(
            "ijS", atoms.pbc, atoms.cell.complete(), atoms.positions, 5.0
        )
        ours, ases = (
            sorted(map(tuple, np.column_stack(found).tolist()))
            for found in (_pairs(atoms, 5.0), expected)
        )
        assert ours == ases, name
