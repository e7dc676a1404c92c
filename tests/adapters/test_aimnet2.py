"""AIMNet2 keeps the adapter contract and agrees with the vendor's own calculator."""

import io
import logging
import pickle
import tempfile
import warnings
from contextlib import redirect_stdout
from functools import cache
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

pytest.importorskip("aimnet")

adapter = import_module("ase_probe.adapters.aimnet2").adapter
CARDS = {card.name: card for card in adapter.cards}
ENERGY, FORCE = 2e-5, 1e-4  # eV, eV/Å: float32, atoms with 300 neighbours


@cache
def tiny_checkpoint(channels: int = 1) -> str:
    """Path of a random model of the true architecture, exported by the vendor's own command.

    It has 1 charge channel, or 2 (NSE, which takes a multiplicity).
    """
    folder = Path(tempfile.mkdtemp())
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
        torch, yaml = import_module("torch"), import_module("yaml")
        package = Path(import_module("aimnet.models").__file__).parent
        export = import_module("aimnet.train.export_model")
        config = yaml.safe_load((package / "aimnet2_dftd3_wb97m.yaml").read_text())
        kwargs = config["kwargs"]
        kwargs.update(nfeature=4, ncomb_v=3, hidden=[[12], [12], [12]], aim_size=8)
        kwargs.update(num_charge_channels=channels, aev={"rc_s": 5.0, "nshifts_s": 6})
        kwargs["outputs"]["energy_mlp"]["kwargs"]["n_in"] = 8
        kwargs["outputs"]["energy_mlp"]["kwargs"]["mlp"]["hidden"] = [8]
        model, weights, energies = (folder / name for name in ("model.yaml", "weights.pt", "sae"))
        model.write_text(yaml.safe_dump(config, sort_keys=False))
        energies.write_text(yaml.safe_dump({z: -1.0 - 0.1 * z for z in (1, 6, 7, 8, 17)}))
        with torch.random.fork_rng():
            torch.manual_seed(5)
            state = export.build_module(config).state_dict()
        state["mlps.0.2.weight"][: 2 * channels] *= 10  # charges worth the name
        torch.save(state, weights)
        export.export_model.callback(
            *(str(weights), str(folder / "tiny.pt"), str(model), str(energies), None, None)
        )
    return str(folder / "tiny.pt")


def vendor(checkpoint):
    calculators = import_module("aimnet.calculators")
    return calculators.AIMNet2ASE(calculators.AIMNet2Calculator(checkpoint, device="cpu"))


def load(checkpoint=None, name="aimnet2", **options):
    return adapter.load(
        CARDS[name],
        **{"device": "cpu", "dtype": None, "task": None, "checkpoint": checkpoint, **options},
    )


def subject(name, channels):
    path = tiny_checkpoint(channels)
    periodic = "with periodic images the vendor cuts Coulomb's law off at 15 Å, alone it does not"
    return Subject(
        name,
        options={"checkpoint": path},
        vendor=lambda: vendor(path),
        expected_failures={"boxed_equals_free": periodic},
    )


test_contract = contract(subject("aimnet2", 1), subject("aimnet2-nse", 2))


@pytest.fixture(scope="module")
def closed():
    return load(tiny_checkpoint())


@pytest.fixture(scope="module")
def nse():
    return load(tiny_checkpoint(2))


def crystal():
    atoms = bulk("C", "diamond", a=3.6, cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def mixed():
    """Dimers, atoms, molecules, a slab and a crystal, many charges."""
    batch = [
        Atoms(s, [[0, 0, 0], [0, 0, r]]) for s in ("HCl", "N2") for r in np.arange(0.5, 8, 0.4)
    ]
    batch += [molecule(name) for name in ("H2O", "CH3Cl", "C6H6")]
    batch += [Atoms("H"), crystal(), molecule("H2O", vacuum=5), Atoms("O")]
    batch[-2].pbc = (True, True, False)
    for number, atoms in enumerate(batch):
        atoms.info["charge"] = number % 3 - 1
        atoms.info["spin"] = number % 4 + 1
    assert len(batch) > 40
    return batch


# Cards


def test_cards_are_the_vendors_registry():
    """Names, aliases, files and hashes, one by one."""
    registry = import_module("aimnet.calculators.model_registry").load_model_registry()
    models = registry["models"]
    assert {card.checkpoint for card in adapter.cards} == set(models)
    for card in adapter.cards:
        entry = models[card.checkpoint]
        assert (card.source, card.sha256) == (entry["url"], entry["sha256"])
        assert card.checkpoint in card.aliases
    ours = {name: card.checkpoint for card in adapter.cards for name in (card.name, *card.aliases)}
    assert {name: ours[name] for name in registry["aliases"]} == registry["aliases"]


def test_weights_are_found_in_the_vendors_cache(monkeypatch, tmp_path):
    card = CARDS["aimnet2"]
    monkeypatch.setenv("AIMNET_CACHE_DIR", str(tmp_path))
    assert adapter.checkpoint_file(card, None) is None
    registry = import_module("aimnet.calculators.model_registry").load_model_registry()
    file = tmp_path / registry["models"][card.checkpoint]["file"]
    file.touch()
    assert adapter.checkpoint_file(card, None) == str(file)
    assert adapter.checkpoint_file(card, "mine.pt") == "mine.pt"


@pytest.mark.parametrize(("channels", "spin"), [(1, False), (2, True)])
def test_facts_come_from_the_file(channels, spin):
    path = tiny_checkpoint(channels)
    card = Probe("aimnet2", checkpoint=path).card
    assert card.uses_spin is spin
    assert card.elements == ("H", "C", "N", "O", "Cl")
    assert (card.cutoff, card.source, card.level_of_theory, card.sha256) == (5.0, path, None, None)


# Loading


def test_mismatching_weights_are_refused(tmp_path):
    torch = import_module("torch")
    data = torch.load(tiny_checkpoint(), weights_only=True)
    state = data["state_dict"]
    for name, keys in (
        ("fewer", {k: v for k, v in state.items() if k != "mlps.0.0.weight"}),
        ("more", {**state, "mlps.9.weight": torch.zeros(1)}),
        ("none", {}),
    ):
        torch.save({**data, "state_dict": keys}, tmp_path / f"{name}.pt")
        with pytest.raises(ModelLoadError):
            Probe("aimnet2", checkpoint=str(tmp_path / f"{name}.pt"))


def test_a_file_without_elements_is_refused(tmp_path):
    torch = import_module("torch")
    data = torch.load(tiny_checkpoint(), weights_only=True)
    torch.save({**data, "implemented_species": []}, tmp_path / "any.pt")
    with pytest.raises(ModelLoadError):
        Probe("aimnet2", checkpoint=str(tmp_path / "any.pt"))


def test_a_pickle_runs_no_code(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (tmp_path / "hostile.pt").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ModelLoadError):
        Probe("aimnet2", checkpoint=str(tmp_path / "hostile.pt"))
    assert not (tmp_path / "ran").exists()


def test_programs_are_refused(tmp_path):
    with pytest.raises(UnsupportedOptionError, match="aimnet convert"):
        load(str(tmp_path / "model.JPT"))


def test_loading_leaves_logging_alone(capfd):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    load(tiny_checkpoint())
    assert (root.handlers, root.level) == before
    assert capfd.readouterr() == ("", "")


# Answers


@pytest.mark.parametrize("channels", [1, 2])
def test_vendor_agrees_for_charges_spins_and_crystals(channels):
    calculator, theirs = load(tiny_checkpoint(channels)), vendor(tiny_checkpoint(channels))
    batch = mixed()
    for atoms, energy, force in zip(batch, *adapter.evaluate(calculator, batch), strict=True):
        copy = atoms.copy()
        copy.info.setdefault("charge", 0)  # theirs remembers the last one
        copy.info.setdefault("spin", 1)
        copy.calc = theirs
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Switching to DSF|Input mult=", UserWarning)
            assert copy.get_forces() == pytest.approx(force, abs=FORCE)
            assert copy.get_potential_energy() == pytest.approx(energy, abs=ENERGY)


def test_charge_and_spin_are_each_structures_own(nse):
    states = [(0, 1), (1, 2), (2, 1), (-1, 2), (0, 3), (None, None)]
    pairs = [Atoms("HCl", [[0, 0, 0], [0, 0, 1.4]]) for _ in states]
    for atoms, (charge, spin) in zip(pairs, states, strict=True):
        atoms.info.update(charge=charge, spin=spin)
    energies, _ = adapter.evaluate(nse, pairs)
    assert len({round(energy, 5) for energy in energies[:5]}) == 5
    assert energies[5] == pytest.approx(energies[0], abs=ENERGY)


def test_charge_does_not_stick(closed):
    ion = Atoms("HCl", [[0, 0, 0], [0, 0, 1.4]], info={"charge": 1})
    neutral = Atoms("HCl", ion.positions)
    first = closed.get_property("energy", neutral)
    assert closed.get_property("energy", ion) != first
    assert closed.get_property("energy", neutral) == first


def test_coulomb_reaches_as_far_as_it_should(closed):
    """Two ions of the model's own making, 60 and 80 Å apart."""
    pairs = [Atoms("H2", [[0, 0, 0], [0, 0, r]], info={"charge": 2}) for r in (60.0, 80.0)]
    energies, _ = adapter.evaluate(closed, pairs)
    expected = 14.399645 * (1 / 60 - 1 / 80)  # one elementary charge each
    assert energies[0] - energies[1] == pytest.approx(expected, abs=1e-5)


def test_far_from_the_origin(closed):
    near = molecule("CH3Cl")
    far = near.copy()
    far.translate([3000, -100, 7])
    energies, _ = adapter.evaluate(closed, [near, far])
    assert energies[0] == pytest.approx(energies[1], abs=ENERGY)


def test_stress_is_the_strain_derivative(closed):
    atoms = crystal()
    atoms.calc = closed
    numerical = calculate_numerical_stress(atoms, eps=1e-3)
    assert atoms.get_stress() == pytest.approx(numerical, abs=5e-5)


@pytest.mark.parametrize(
    ("atoms", "error"),
    [
        (Atoms("Na"), UnsupportedElementError),
        (Atoms("N2", [[0, 0, 0], [0, 0, np.nan]]), EvaluationError),
        (Atoms("N", cell=[5, 5, 0], pbc=[True, True, False]), EvaluationError),
    ],
    ids=["element", "nan", "two cell vectors"],
)
def test_what_the_vendor_would_answer_raises(atoms, error, closed):
    with pytest.raises(error):
        adapter.evaluate(closed, [molecule("H2O"), atoms])


@pytest.mark.weights
@pytest.mark.parametrize("name", ["aimnet2", "aimnet2-nse", "aimnet2-rxn"])
def test_real_weights(name):
    if adapter.checkpoint_file(CARDS[name], None) is None:
        pytest.skip("not in the vendor's cache: aimnet download")
    probe = Probe(name)
    assert probe.card.elements == CARDS[name].elements
    assert probe.card.uses_charge == CARDS[name].uses_charge
    pairs = [Atoms("H2", [[0, 0, 0], [0, 0, r]]) for r in (0.5, 0.74, 1.2)]
    energy = probe.evaluator.evaluate(pairs).energy
    assert energy.argmin() == 1
