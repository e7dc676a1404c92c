"""CHGNet keeps the adapter contract: the real weights, which come in its wheel."""

import contextlib
import hashlib
import io
import warnings
from dataclasses import fields
from functools import partial
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

pytest.importorskip("chgnet")

chgnet = import_module("ase_probe.adapters.chgnet")
adapter = chgnet.adapter
CARDS = {card.name: card for card in adapter.cards}


def load(name="chgnet-0.3.0", **options):
    defaults = {"device": "cpu", "dtype": None, "task": None, "checkpoint": None}
    return adapter.load(CARDS[name], **{**defaults, **options})


def boxed(atoms, vacuum=15.0):
    """What the vendor needs: periodic in three directions, images out of sight."""
    box = atoms.copy()
    lengths = np.ptp(box.positions, axis=0) + 2 * vacuum
    vectors = [lengths[k] * np.eye(3)[k] if not box.pbc[k] else box.cell[k] for k in range(3)]
    box.set_cell(vectors)
    box.pbc = True
    return box


def make_vendor(name="chgnet-0.3.0"):
    """The vendor's calculator, as its documentation says; structures get a box."""
    load()  # the adapter imports the vendor without its warnings
    from chgnet.model.dynamics import CHGNetCalculator
    from chgnet.model.model import CHGNet

    class Boxed(CHGNetCalculator):
        def calculate(self, atoms, *args, **kwargs):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Converting a tensor with", UserWarning)
                super().calculate(boxed(atoms), *args, **kwargs)

    with contextlib.redirect_stdout(io.StringIO()):
        model = CHGNet.load(model_name=CARDS[name].checkpoint, use_device="cpu", verbose=False)
        return Boxed(model, use_device="cpu", on_isolated_atoms="ignore")


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
        "boxed atom": Atoms("O", cell=[13, 13, 13], pbc=True),
        "salt": salt,
        "slab": slab,
        "one-atom cell": bulk("Al"),
    }


def subject(name="chgnet-0.3.0", **arguments):
    tolerances = {"energy_tolerance": 2e-5, "force_tolerance": 3e-4}  # rounding in float32
    return Subject(name, structures=[*structures().values()], **{**tolerances, **arguments})


test_contract = contract(
    *(subject(name, vendor=partial(make_vendor, name)) for name in CARDS),
    # 1e-5 eV: the energy of water is so rough that central differences need it.
    subject(options={"dtype": "float64"}, energy_tolerance=1e-5, force_tolerance=1e-5),
)


@pytest.fixture(scope="module", autouse=True)
def float32():
    """First of all fixtures: nothing that the adapter imports or runs warns."""
    return load()


@pytest.fixture(scope="module")
def float64():
    return load(dtype="float64")


@pytest.fixture(scope="module", params=CARDS)
def double(request):
    """(name, calculator) of every card in float64."""
    return request.param, load(request.param, dtype="float64")


# Cards


@pytest.mark.parametrize("name", CARDS)
def test_card_states_everything_and_agrees_with_the_model(name):
    card = CARDS[name]
    assert [field.name for field in fields(card) if getattr(card, field.name) is None] == []
    path = Path(adapter.checkpoint_file(card, None))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    assert adapter.describe(card, load(name)) == card


def test_elements_without_a_reference_energy_are_not_on_the_r2scan_card():
    weights = load("chgnet-r2scan").model.composition_model.fc.weight.detach().numpy().ravel()
    trained = {chgnet.chemical_symbols[k + 1] for k in np.flatnonzero(np.abs(weights) > 1e-6)}
    assert trained == set(CARDS["chgnet-r2scan"].elements)


def test_a_file_that_is_not_there_is_none(monkeypatch):
    monkeypatch.setattr(chgnet.importlib.util, "find_spec", lambda name: None)
    assert adapter.checkpoint_file(CARDS["chgnet-0.3.0"], None) is None


# Loading


def test_loading_and_evaluating_print_nothing(capfd):
    adapter.evaluate(load(), list(structures().values()))
    assert capfd.readouterr() == ("", "")


def test_double_means_every_tensor(float64):
    torch = import_module("torch")
    tensors = [*float64.model.parameters(), *float64.model.buffers()]
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float64}
    assert torch.get_default_dtype() == torch.float32


def test_local_checkpoint(float32, tmp_path):
    path = tmp_path / "mine.pth.tar"
    path.write_bytes(Path(adapter.checkpoint_file(CARDS["chgnet-0.3.0"], None)).read_bytes())
    probe = Probe(f"chgnet:{path}", trust_checkpoint=True)
    water = structures()["water"]
    assert probe.get_property("energy", water) == adapter.evaluate(float32, [water])[0][0]
    card = probe.card
    assert (card.source, card.cutoff, len(card.elements)) == (str(path), 6.0, 94)
    assert (card.level_of_theory, card.training_data, card.sha256, card.doi) == (None,) * 4
    assert (card.uses_charge, card.uses_spin, card.lone_atoms) == (False, False, "model")
    with pytest.raises(UnsupportedOptionError, match="no task to choose"):
        Probe(f"chgnet:{path}", trust_checkpoint=True, task="PBE")


def test_model_without_atomic_energies_is_refused(tmp_path, capsys):
    torch, vendor = import_module("torch"), import_module("chgnet.model.model").CHGNet
    path = tmp_path / "averages.pth.tar"
    torch.save({"model": vendor(mlp_first=False).as_dict()}, path)
    with pytest.raises(ModelLoadError, match="mlp_first"):
        load(checkpoint=str(path))


# Answers


def test_company_in_the_batch_does_not_matter(double):
    """In the vendor's batch of 0.2.0, water next door moves N2 by 0.04 eV."""
    _, calculator = double
    n2, water = structures()["N2"], structures()["water"]
    together = adapter.evaluate(calculator, [water, n2, water])[0][1]
    assert together == pytest.approx(adapter.evaluate(calculator, [n2])[0][0], abs=1e-10)


def test_angles_switch_on_with_a_jump_in_0_2_0_only(double):
    name, calculator = double
    trimers = [Atoms("N3", [[0, 0, 0], [0, 0, 1.3], [0, x, 0]]) for x in (2.99999, 3.00001)]
    energies, _ = adapter.evaluate(calculator, trimers)
    assert (abs(energies[1] - energies[0]) > 0.1) == (name == "chgnet-0.2.0")


def test_nothing_changes_at_the_cutoff(double):
    """Just inside, just outside, and two atoms alone."""
    name, calculator = double
    edge = CARDS[name].cutoff
    pairs = [Atoms("HF", [[0, 0, 0], [0, 0, edge + x]]) for x in (-1e-5, 1e-5)]
    energies, _ = adapter.evaluate(calculator, pairs)
    alone, _ = adapter.evaluate(calculator, [Atoms("H"), Atoms("F")])  # a batch without pairs
    assert energies == pytest.approx(alone.sum(), abs=1e-8)


def test_distant_atom_leaves_a_molecule_alone(double):
    """One isolated atom in the structure: neither it nor the molecule notices."""
    _, calculator = double
    water = molecule("H2O")
    both = water + Atoms("N", [[0, 0, 50]])
    energies, forces = adapter.evaluate(calculator, [both, water, Atoms("N")])
    assert energies[0] == pytest.approx(energies[1] + energies[2], abs=1e-10)
    assert forces[0] == pytest.approx(np.vstack(forces[1:]), abs=1e-9)


def test_images_beyond_an_open_side_do_not_exist(float64):
    """A slab in a low cell: periodic in x and y only, whatever the height of the cell."""
    tall = structures()["slab"]
    low = tall.copy()
    low.set_cell([2.6, 2.6, 2.5])
    flat = tall.copy()
    flat.set_cell([2.6, 2.6, 0])
    energies, _ = adapter.evaluate(float64, [tall, low, flat])
    assert energies[1:] == pytest.approx(energies[0], abs=1e-10)


@pytest.mark.parametrize("name", ["boxed", "salt", "one-atom cell"])
def test_stress_agrees_with_the_vendor(name, float32):
    atoms = structures()[name]
    stress = make_vendor().get_property("stress", atoms)
    expected = stress.flat[[0, 4, 8, 5, 2, 1]] if stress.shape == (3, 3) else stress
    assert float32.get_property("stress", atoms) == pytest.approx(expected, abs=1e-6)


def test_stress_is_the_strain_derivative(float64):
    atoms = structures()["salt"]
    atoms.calc = float64
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    assert atoms.get_stress() == pytest.approx(numerical, abs=1e-8)


def test_double_sees_tiny_displacements(float64):
    """Positions enter in double precision: 1e-9 Å moves the energy by force times 1e-9 Å."""
    pair = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in (1.4, 1.4 + 1e-9)]
    energies, forces = adapter.evaluate(float64, pair)
    assert energies[1] - energies[0] == pytest.approx(-forces[0][1, 2] * 1e-9, rel=1e-3)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-10)])
def test_far_from_the_origin_and_out_of_the_cell(dtype, tolerance):
    water, salt = structures()["water"], structures()["salt"]
    far, out = water.copy(), salt.copy()
    far.positions += [1000, -3, 7]
    out.positions[0] += 3 * salt.cell[0] - 2 * salt.cell[2]
    energies, _ = adapter.evaluate(load(dtype=dtype), [water, salt, far, out])
    assert energies[2:] == pytest.approx(energies[:2], abs=tolerance)


@pytest.mark.parametrize("symbol", ["Og", "X", "Am"])
def test_unknown_element_raises(symbol, float32):
    with pytest.raises(UnsupportedElementError, match=rf"does not know {symbol};"):
        adapter.evaluate(float32, [structures()["water"], Atoms(symbol)])


def test_untrained_elements_are_refused_through_probe():
    """The vendor answers: polonium has an embedding that no training ever touched."""
    with pytest.raises(UnsupportedElementError, match="Po"):
        Probe("chgnet-0.3.0").get_property("energy", Atoms("Po"))


def test_position_that_is_no_number_raises(float32):
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(float32, [Atoms("N2", [[0, 0, 0], [0, 0, np.nan]])])


def test_coincident_atoms_are_not_a_number(float32):
    energies, _ = adapter.evaluate(float32, [Atoms("N2", [[0, 0, 0], [0, 0, 0]]), Atoms("N")])
    assert np.isnan(energies[0])
    assert np.isfinite(energies[1])


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-4), ("float64", 1e-9)])
def test_cuda_agrees_with_the_cpu(dtype, tolerance):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    batch = list(structures().values())
    energies, forces = adapter.evaluate(load(device="cuda", dtype=dtype), batch)
    expected = adapter.evaluate(load(dtype=dtype), batch)
    assert energies == pytest.approx(expected[0], abs=tolerance)
    assert np.concatenate(forces) == pytest.approx(np.concatenate(expected[1]), abs=tolerance)
