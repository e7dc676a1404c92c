"""ANI keeps the adapter contract and agrees with the vendor's own calculator."""

import inspect
import pickle
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule
from ase.calculators.fd import calculate_numerical_stress

from ase_probe import Probe
from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedElementError,
    UnsupportedOptionError,
)
from ase_probe.model import ModelCard
from ase_probe.testing import Subject, contract

if find_spec("torchani") is None:  # importing it, as importorskip does, warns
    pytest.skip("could not import 'torchani'", allow_module_level=True)

torchani = import_module("ase_probe.adapters.torchani")
adapter = torchani.adapter
CARDS = {card.name: card for card in adapter.cards}
SINGLE_FILE = [name for name, card in CARDS.items() if len(torchani.FILES[card.checkpoint]) == 1]
ENERGY, FORCE = 1e-5, 1e-4  # eV, eV/Å, float32


@contextmanager
def vendors_noise():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The extensions: .* are not installed", UserWarning)
        warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
        warnings.filterwarnings("ignore", "ANIr2s is experimental", UserWarning)
        yield


def untrained(name):
    """The named model as its factory builds it."""
    with vendors_noise(), pytest.MonkeyPatch.context() as patch:
        torch, models = import_module("torch"), import_module("torchani.models")
        nothing = {"energy_shifter.self_energies": None}
        patch.setattr(models, "_fetch_state_dict", lambda *_, **__: nothing)
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_: None)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return getattr(models, CARDS[name].checkpoint)()


@cache
def random_weights(name):
    """A file of random weights of the named model, in a cache like the vendor's."""
    folder = Path(tempfile.mkdtemp()) / "StateDicts"
    folder.mkdir()
    state = untrained(name).state_dict()
    for key in state:  # energies worth the name
        if "final_layer" in key:
            state[key] *= 10
    path = folder / torchani.FILES[CARDS[name].checkpoint][0]
    import_module("torch").save(state, path)
    return path


def vendor(name, dtype):
    """By the vendor's public factory, from its cache."""
    with vendors_noise(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHANI_DATA_DIR", str(random_weights(name).parent.parent))
        patch.setenv("HF_HUB_OFFLINE", "1")
        models = import_module("torchani.models")
        dtype = getattr(import_module("torch"), dtype)
        return getattr(models, CARDS[name].checkpoint)(dtype=dtype).ase()


def load(name="ani-2x", **options):
    default = {"device": "cpu", "dtype": None, "task": None}
    return adapter.load(
        CARDS[name], **{**default, "checkpoint": str(random_weights(name)), **options}
    )


test_contract = contract(
    Subject("ani-2x", options={"checkpoint": str(random_weights("ani-2x"))}),
    Subject(
        "ani-2dr",
        options={"checkpoint": str(random_weights("ani-2dr")), "dtype": "float64"},
        vendor=lambda: vendor("ani-2dr", "float64"),
        energy_tolerance=1e-7,
        force_tolerance=1e-5,
    ),
)


@pytest.fixture(scope="module")
def float32():
    return load()


@pytest.fixture(scope="module")
def float64():
    return load(dtype="float64")


def crystal():
    atoms = bulk("C", "diamond", a=3.6, cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def slab():
    atoms = graphene(size=(2, 2, 1), vacuum=6)
    atoms.pbc = (True, True, False)
    atoms.rattle(0.05, seed=1)
    return atoms


def mixed():
    """Dimers, atoms, molecules, a slab and a crystal."""
    batch = [
        Atoms(s, [[0, 0, 0], [0, 0, r]]) for s in ("HCl", "N2") for r in np.arange(0.5, 9, 0.4)
    ]
    batch += [molecule(name) for name in ("H2O", "CH3Cl", "C6H6")]
    batch += [Atoms("H"), crystal(), molecule("H2O", vacuum=5), Atoms("O")]
    batch[-2].pbc = (True, True, False)
    assert len(batch) > 50
    return batch


# Cards


def test_every_model_of_the_vendor_has_a_card():
    with vendors_noise():
        models = import_module("torchani.models")
    factories = {
        name
        for name, value in vars(models).items()
        if inspect.isfunction(value) and "model_index" in inspect.signature(value).parameters
    }
    assert {card.checkpoint for card in adapter.cards} == factories


@pytest.mark.parametrize("name", SINGLE_FILE)
def test_facts_agree_with_the_architecture(name, monkeypatch):
    """By name, from the vendor's cache: file names, elements and cutoffs."""
    monkeypatch.setenv("TORCHANI_DATA_DIR", str(random_weights(name).parent.parent))
    assert adapter.checkpoint_file(CARDS[name], None) == str(random_weights(name))
    card = Probe(name).card
    assert set(card.elements) == set(CARDS[name].elements)
    assert card.cutoff == CARDS[name].cutoff
    assert card.level_of_theory == CARDS[name].level_of_theory
    assert card.parameters > 1e5


def test_charge_networks_change_no_energy(float32, monkeypatch, tmp_path):
    """ANI-mbis loads from two files; its energies are those of ANI-2x."""
    torch = import_module("torch")
    (tmp_path / "StateDicts").mkdir()
    energies, charges = (tmp_path / "StateDicts" / name for name in torchani.FILES["ANImbis"])
    monkeypatch.setenv("TORCHANI_DATA_DIR", str(tmp_path))
    state = torch.load(random_weights("ani-2x"), weights_only=True)
    torch.save({k.removeprefix("potentials.nnp."): v for k, v in state.items()}, energies)
    assert adapter.checkpoint_file(CARDS["ani-mbis"], None) is None
    torch.save(untrained("ani-mbis").nnp.charge_networks.state_dict(), charges)
    assert adapter.checkpoint_file(CARDS["ani-mbis"], None) == str(charges)
    both = load("ani-mbis", checkpoint=None)
    expected, forces = adapter.evaluate(float32, mixed())
    found = adapter.evaluate(both, mixed())
    assert found[0] == pytest.approx(expected, abs=ENERGY, rel=0)
    for got, want in zip(found[1], forces, strict=True):
        assert got == pytest.approx(want, abs=FORCE)


# Loading


@pytest.mark.parametrize("change", ["fewer", "more", "none"])
def test_mismatching_weights_are_refused(change, tmp_path):
    torch = import_module("torch")
    state = dict(torch.load(random_weights("ani-1x"), weights_only=True))
    key = next(key for key in state if key.endswith("weight"))
    if change == "fewer":
        del state[key]
    state = {"fewer": state, "more": {**state, "w": torch.zeros(1)}, "none": {}}[change]
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(ModelLoadError):
        Probe("ani-1x", checkpoint=str(tmp_path / "weights.pt"))


def test_weights_of_another_model_are_refused():
    with pytest.raises(ModelLoadError):
        Probe("ani-2x", checkpoint=str(random_weights("ani-1x")))


@pytest.mark.parametrize("road", ["checkpoint", "cache"])
def test_a_pickle_runs_no_code(road, tmp_path, monkeypatch):
    class Hostile:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (tmp_path / "StateDicts").mkdir()
    file = tmp_path / "StateDicts" / torchani.FILES["ANI1x"][0]
    file.write_bytes(pickle.dumps(Hostile()))
    monkeypatch.setenv("TORCHANI_DATA_DIR", str(tmp_path))
    with pytest.raises(ModelLoadError):
        Probe("ani-1x", checkpoint=str(file) if road == "checkpoint" else None)
    assert not (tmp_path / "ran").exists()


def test_the_vendor_downloads_what_is_not_there(monkeypatch, tmp_path):
    with vendors_noise():
        models = import_module("torchani.models")
    asked = []

    def refuse(name, **_):
        asked.append(name)
        raise OSError("no network")

    monkeypatch.setenv("TORCHANI_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(models, "_fetch_state_dict", refuse)
    with pytest.raises(ModelLoadError, match="no network"):
        Probe("ani-1x")
    assert asked == ["ani1x_state_dict.pt"]
    assert models._fetch_state_dict is refuse


def test_a_file_alone_is_no_model():
    card = ModelCard(name="torchani:w.pt", family="torchani", checkpoint="w.pt", local=True)
    with pytest.raises(UnsupportedOptionError, match="ani-2x --checkpoint"):
        adapter.load(card, device="cpu", dtype=None, task=None, checkpoint="w.pt")
    with pytest.raises(UnsupportedOptionError, match="2 files"):
        adapter.load(CARDS["ani-mbis"], device="cpu", dtype=None, task=None, checkpoint="w.pt")


# Answers


@pytest.mark.parametrize("name", ["ani-1x", "ani-2x", "ani-2xr", "snn-ani-2xr", "ani-r2s"])
def test_vendor_agrees_in_double_precision(name):
    calculator, theirs = load(name, dtype="float64"), vendor(name, "float64")
    batch = [a for a in mixed() if set(a.symbols) <= set(CARDS[name].elements)]
    if name == "ani-r2s":
        batch = [atoms for atoms in batch if not atoms.pbc.any()]
    for atoms, energy, force in zip(batch, *adapter.evaluate(calculator, batch), strict=True):
        copy = atoms.copy()
        copy.calc = theirs
        assert copy.get_potential_energy() == pytest.approx(energy, abs=1e-7)
        assert copy.get_forces() == pytest.approx(force, abs=1e-7)


def test_single_precision_is_as_good_as_the_network(float32, float64):
    """The energies of 1s electrons do not eat up the digits: 8 chlorine atoms, -1e5 eV."""
    atoms = Atoms("Cl8", [[2.2 * i, 0.3 * (i % 2), 0] for i in range(8)])
    (low,), _ = adapter.evaluate(float32, [atoms])
    (high,), _ = adapter.evaluate(float64, [atoms])
    assert low == pytest.approx(high, abs=5e-5, rel=0)


def test_far_from_the_origin(float32):
    near = molecule("CH3Cl")
    far = near.copy()
    far.translate([3000, -100, 7])
    energies, _ = adapter.evaluate(float32, [near, far])
    assert energies[0] == pytest.approx(energies[1], abs=5e-5)


@pytest.mark.parametrize("atoms", [crystal(), slab()], ids=["crystal", "slab"])
def test_stress_is_the_strain_derivative(atoms, float64):
    atoms.calc = float64
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    assert abs(numerical).max() > 1e-4
    assert atoms.get_stress() == pytest.approx(numerical, abs=1e-7)


def test_slabs_and_wires_may_lie_anyhow(float64):
    """The vendor wraps them along the Cartesian axes: here 2.4 eV apart."""
    turn = np.linalg.qr(np.random.default_rng(7).standard_normal((3, 3)))[0]
    for pbc in ((True, True, False), (False, True, False)):
        atoms = slab()
        atoms.pbc = pbc
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ turn.T, scale_atoms=True)
        energies, forces = adapter.evaluate(float64, [atoms, turned])
        assert energies[0] == pytest.approx(energies[1], abs=1e-8, rel=0)
        assert forces[0] @ turn.T == pytest.approx(forces[1], abs=1e-8)


@pytest.mark.parametrize(
    ("atoms", "error"),
    [
        (Atoms("Na"), UnsupportedElementError),
        (Atoms("N2", [[0, 0, 0], [0, 0, np.nan]]), EvaluationError),
    ],
)
def test_what_the_vendor_would_answer_raises(atoms, error, float32):
    with pytest.raises(error):
        adapter.evaluate(float32, [molecule("H2O"), atoms])


def test_repulsion_without_end_cannot_be_periodic():
    with pytest.raises(EvaluationError, match="no cutoff"):
        adapter.evaluate(load("ani-r2s"), [crystal()])


@pytest.mark.weights
@pytest.mark.parametrize("name", ["ani-2x", "ani-1ccx", "ani-2dr"])
def test_real_weights(name):
    if adapter.checkpoint_file(CARDS[name], None) is None:
        pytest.skip("not in the vendor's cache: torchani.models loads it there")
    pairs = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in (0.9, 1.1, 1.4)]
    assert Probe(name).evaluator.evaluate(pairs).energy.argmin() == 1
