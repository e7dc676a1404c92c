"""Nequix keeps the adapter contract, with random weights in a network of few channels."""

import atexit
import json
import tempfile
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import atomic_numbers

from ase_probe import Probe
from ase_probe.errors import EvaluationError, ModelLoadError, UnsupportedOptionError
from ase_probe.testing import Subject, contract

pytest.importorskip("nequix")

nequix = import_module("ase_probe.adapters.nequix")
adapter = nequix.adapter
CARDS = {card.name: card for card in adapter.cards}
NAME = "nequix-mp-1"
FOLDER = tempfile.TemporaryDirectory()
atexit.register(FOLDER.cleanup)

KNOWN = ("H", "C", "N", "O", "F", "Na", "Al", "Cl", "Cu")
ARCHITECTURE = {  # of all public checkpoints, by the configurations in the vendor's repository
    "hidden_irreps": "128x0e + 64x1o + 32x2e + 32x3o",
    "lmax": 3,
    "cutoff": 6.0,
    "n_layers": 4,
    "radial_basis_size": 8,
    "radial_mlp_size": 64,
    "radial_mlp_layers": 2,
    "radial_polynomial_p": 6.0,
    "mlp_init_scale": 4.0,
    "index_weights": False,
    "layer_norm": True,
    "shift": 0.165,
    "scale": 0.807,
    "avg_n_neighbors": 57.4,
}
TINY = {
    **ARCHITECTURE,
    "hidden_irreps": "8x0e + 4x1o",
    "lmax": 1,
    "cutoff": 4.0,
    "n_layers": 2,
    "radial_mlp_size": 8,
    "avg_n_neighbors": 4.0,
}


@pytest.fixture(scope="module", autouse=True)
def _compile_quickly():
    """Compilation takes most of the time of these tests."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@lru_cache
def checkpoint():
    """Path of random weights, saved by the vendor's own function."""
    import equinox
    import jax
    from nequix.model import Nequix, save_model

    rng = np.random.default_rng(3)
    drawn = equinox.filter_eval_shape(Nequix, jax.random.key(0), n_species=len(KNOWN), **TINY)
    model = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype("float32"), drawn)
    path = Path(FOLDER.name) / "tiny.nqx"
    save_model(path, model, {"atomic_numbers": [atomic_numbers[s] for s in KNOWN], **TINY})
    return str(path)


@lru_cache
def vendor():
    """The vendor's calculator, as its README says, without the kernels."""
    from nequix.calculator import NequixCalculator

    return NequixCalculator(model_path=checkpoint(), backend="jax", use_kernel=False)


def salt():
    crystal = bulk("NaCl", "rocksalt", a=5.6)
    crystal.rattle(0.05, seed=1)
    return crystal


def moderate():
    """Small, so that all graphs have the same few sizes: each size is compiled for seconds."""
    found = [molecule(name) for name in ("H2", "N2", "H2O", "CO2", "NaCl")]
    for atoms in found:
        atoms.rattle(0.03, seed=2)
    return [*found, salt()]


SUBJECT = Subject(
    NAME,
    options={"checkpoint": checkpoint(), "device": "cpu"},
    structures=moderate(),
    vendor=vendor,
)
test_contract = contract(SUBJECT)


@lru_cache
def load(dtype="float32"):
    """The same model for all tests: every load is compiled anew."""
    if dtype == "float32":
        return SUBJECT.probe.evaluator.calculator
    return Probe(NAME, checkpoint=checkpoint(), dtype=dtype).evaluator.calculator


def same_weights(calculator, other):
    import jax

    pairs = zip(*(jax.tree.leaves(c.model) for c in (calculator, other)), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def pair(symbols, distance):
    return Atoms(symbols, [[0, 0, 0], [0, 0, distance]])


def energy_of(calculator, *batch):
    return adapter.evaluate(calculator, batch)[0]


# Cards


def test_every_model_of_the_vendor_has_a_card():
    from nequix.calculator import NequixCalculator

    assert {card.checkpoint: card.source for card in adapter.cards} == NequixCalculator.URLS


@pytest.mark.parametrize("name", CARDS)
def test_card_agrees_with_the_architecture(name):
    import equinox
    import jax
    from nequix.model import Nequix

    model = equinox.filter_eval_shape(Nequix, jax.random.key(0), n_species=89, **ARCHITECTURE)
    numbers = [atomic_numbers[symbol] for symbol in nequix.ELEMENTS]
    config = {"atomic_numbers": numbers, **ARCHITECTURE}
    calculator = nequix.NequixCalculator(model, config, dtype="float32", checkpoint=None)
    assert adapter.describe(CARDS[name], calculator) == CARDS[name]


def test_file_alone_is_enough():
    """Architecture, cutoff and elements stand in the file; where it comes from does not."""
    path = checkpoint()
    probe = Probe(f"nequix:{path}")
    assert same_weights(probe.evaluator.calculator, load())
    card = probe.card
    assert (card.elements, card.cutoff, card.source) == (KNOWN, 4.0, path)
    assert (card.uses_charge, card.uses_spin, card.conservative) == (False, False, True)
    assert (card.dtypes, card.lone_atoms) == (("float32", "float64"), "model")
    assert card.level_of_theory is card.training_data is card.licence is card.doi is None


# Loading


def test_weights_come_from_the_vendors_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert adapter.checkpoint_file(CARDS[NAME], None) is None
    path = tmp_path / ".cache" / "nequix" / "models" / f"{NAME}.nqx"
    path.parent.mkdir(parents=True)
    path.symlink_to(checkpoint())
    assert adapter.checkpoint_file(CARDS[NAME], None) == str(path)
    calculator = Probe(NAME).evaluator.calculator
    assert calculator.checkpoint is None
    assert same_weights(calculator, load())


def test_without_a_network_the_error_says_what_to_fetch(monkeypatch, tmp_path):
    def refuse(url, path):
        raise URLError("no route to host")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlretrieve", refuse)
    with pytest.raises(ModelLoadError, match=rf"no route.*{CARDS[NAME].source}.*checkpoint="):
        Probe(NAME)


def test_task_is_refused():
    with pytest.raises(UnsupportedOptionError, match="omat"):
        Probe(NAME, checkpoint=checkpoint(), task="omat")


def test_other_files_are_refused_and_not_converted(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(Path(checkpoint()).read_bytes())
    with pytest.raises(UnsupportedOptionError, match=r"\.nqx"):
        Probe(NAME, checkpoint=str(path))
    assert list(tmp_path.iterdir()) == [path]


def damaged(change):
    """Return the checkpoint's bytes with another configuration or other weights."""
    header, _, weights = Path(checkpoint()).read_bytes().partition(b"\n")
    config, weights = change(json.loads(header), weights)
    return json.dumps(config).encode() + b"\n" + weights


@pytest.mark.parametrize(
    "content",
    [
        b"these are not weights",
        b"",
        damaged(lambda config, weights: (config, weights[:-100])),
        damaged(lambda config, weights: ({**config, "n_layers": 1}, weights)),
        damaged(lambda config, weights: ({**config, "atomic_numbers": [1, 6]}, weights)),
    ],
    ids=["garbage", "empty", "truncated", "fewer layers", "elements"],
)
def test_damaged_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "damaged.nqx"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError):
        Probe(NAME, checkpoint=str(path))


def test_no_code_in_a_checkpoint_runs(tmp_path):
    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "hostile.nqx"
    with path.open("wb") as file:
        file.write(Path(checkpoint()).read_bytes().partition(b"\n")[0] + b"\n")
        np.save(file, np.array([Hostile()], dtype=object), allow_pickle=True)
    assert not adapter.unpickles
    with pytest.raises(ModelLoadError):
        Probe(NAME, checkpoint=str(path))
    assert not (tmp_path / "ran").exists()


# Answers


def mixture():
    """70 structures: pairs near and far, atoms, molecules, crystals, a slab, a wire."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(50):
        symbols = rng.choice(KNOWN, 2)
        atoms = Atoms(symbols, [[0, 0, 0], rng.normal(size=3)])
        atoms.set_distance(0, 1, 0.7 + 0.15 * i)
        found += [atoms, *([Atoms(symbols[:1])] if i % 5 == 0 else [])]
    found += [molecule(name) for name in ("H2O", "CH4", "CO2", "NaCl")]
    slab = Atoms("Cu2", [[0, 0, 5], [1.3, 1.3, 6.8]], cell=[2.6, 2.6, 15], pbc=[True, True, False])
    wire = Atoms("Al", cell=[0, 0, 2.7], pbc=[False, False, True])
    return [*found, salt(), bulk("Cu"), bulk("Al"), bulk("Al") * (1, 1, 2), slab, wire]


def test_batch_equals_single():
    batch = mixture()
    assert len(batch) == 70
    energies, forces = adapter.evaluate(load(), batch)
    assert np.abs(np.concatenate(forces)).max() > 0.05
    for atoms, energy, force in zip(batch, energies, forces, strict=True):
        atoms.calc = load()
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        assert force == pytest.approx(atoms.get_forces(), abs=1e-5)


def test_double_agrees_with_single_precision():
    low, high = (adapter.evaluate(load(dtype), mixture()) for dtype in ("float32", "float64"))
    assert high[0] == pytest.approx(low[0], abs=1e-5)
    assert np.concatenate(high[1]) == pytest.approx(np.concatenate(low[1]), abs=1e-5)
    assert not np.array_equal(low[0], high[0])


def test_double_sees_tiny_displacements():
    energies, forces = adapter.evaluate(load("float64"), [pair("N2", 1.4), pair("N2", 1.4 + 1e-8)])
    assert energies[1] - energies[0] == pytest.approx(-forces[0][1, 2] * 1e-8, rel=1e-4)


def test_jax_is_left_alone_and_does_not_matter():
    import jax

    batch = [salt(), pair("N2", 1.4)]
    calm = [energy_of(load(dtype), *batch) for dtype in ("float32", "float64")]
    assert not jax.config.jax_enable_x64
    with jax.enable_x64(True):
        again = [energy_of(load(dtype), *batch) for dtype in ("float32", "float64")]
    assert np.array_equal(calm, again)


def test_stress_is_the_vendors_and_for_crystals_only():
    stress = load().get_property("stress", salt())
    assert stress == pytest.approx(vendor().get_property("stress", salt()), abs=1e-6)
    load().get_property("energy", molecule("H2O"))
    assert "stress" not in load().results


def test_slab_is_a_slab():
    """The vendor drops the lattice vectors unless all three directions are periodic."""
    slab = mixture()[-2]
    crystal = slab.copy()
    crystal.pbc = True
    answer = load().forward([slab, crystal], stress=True)
    assert answer.energies[0] == pytest.approx(answer.energies[1], abs=1e-5)
    assert answer.forces[:2] == pytest.approx(answer.forces[2:], abs=1e-5)
    assert answer.stress[0] == pytest.approx(answer.stress[1], abs=1e-6)
    assert np.abs(answer.stress[0]).max() > 1e-4


def test_pair_beyond_the_cutoff_is_two_atoms():
    energies, forces = adapter.evaluate(
        load("float64"), [pair("HF", 4.001), Atoms("H"), Atoms("F")]
    )
    assert energies[0] == pytest.approx(energies[1] + energies[2], abs=1e-12)
    assert not forces[0].any()


def test_far_from_the_origin():
    """Positions are float32 to the model: they enter relative to the centre."""
    near = molecule("H2O")
    far = near.copy()
    far.translate([1000, -300, 70])
    energies, forces = adapter.evaluate(load(), [near, far])
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)
    assert forces[0] == pytest.approx(forces[1], abs=1e-5)


def test_batches_of_dimers_are_compiled_once():
    sizes = {(nequix._room(n, 256), nequix._room(2 * n, 512)) for n in range(2, 257)}
    assert len(sizes) == 1
    assert nequix._room(513, 512) == 2048


# Refusals


def test_position_that_is_no_number_raises():
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(load(), [pair("N2", np.nan)])


def test_coincident_atoms_have_no_forces_and_harm_nobody():
    batch = [pair("N2", 0.0), molecule("H2O")]
    energies, forces = adapter.evaluate(load(), batch)
    assert np.isnan(forces[0]).any()
    alone = adapter.evaluate(load(), batch[1:])
    assert energies[1] == pytest.approx(alone[0][0], abs=1e-6)
    assert forces[1] == pytest.approx(alone[1][0], abs=1e-6)


# Real weights


@pytest.mark.weights
@pytest.mark.parametrize("name", CARDS)
def test_real_weights(name):
    """Nitrogen binds, and the card describes what was loaded."""
    if adapter.checkpoint_file(CARDS[name], None) is None:
        pytest.skip(f"the weights of {name} are not in ~/.cache/nequix/models")
    probe = Probe(name)
    assert probe.card == CARDS[name]
    energies = probe.evaluator.evaluate([pair("N2", 1.1), pair("N2", 2.0)]).energy
    assert 2 < energies[1] - energies[0] < 15
