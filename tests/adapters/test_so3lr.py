"""SO3LR keeps the adapter contract and agrees with the vendor's own calculator."""

import io
import pickle
import subprocess
import sys
import tempfile
import warnings
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib import import_module
from math import erf
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.fd import calculate_numerical_stress

from ase_probe import Probe, graphs
from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedElementError,
    UntrustedCheckpointError,
)
from ase_probe.testing import Subject, contract

pytest.importorskip("so3krates_torch")

adapter = import_module("ase_probe.adapters.so3lr").adapter
(CARD,) = adapter.cards
ENERGY, FORCE = 2e-4, 1e-4  # eV, eV/Å: the vendor adds up energies of -1e3 eV in float32


@contextmanager
def vendors_noise():
    """Its prints, its deprecated resources, and torch's default dtype, which it changes."""
    torch = import_module("torch")
    default = torch.get_default_dtype()
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.filterwarnings("ignore", "path is deprecated", DeprecationWarning)
            warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
            yield
    finally:
        torch.set_default_dtype(default)


def vendor(dtype="float32"):
    with vendors_noise():
        calculator = import_module("so3krates_torch.calculator.so3").SO3LRCalculator
        return calculator(default_dtype=dtype, compute_stress=True)


@cache
def tiny_checkpoint(kind="SO3LR", **options):
    """A random model of the true architecture, saved as the vendor's trainer saves."""
    path = Path(tempfile.mkdtemp()) / "tiny.model"
    with vendors_noise():
        torch, models = (import_module(n) for n in ("torch", "so3krates_torch.modules.models"))
        with torch.random.fork_rng():
            torch.manual_seed(1)
            network = {"num_features": 16, "num_heads": 2, "num_layers": 1, "degrees": [1, 2]}
            network |= {"energy_regression_dim": 16}
            if kind != "So3krates":
                network["dispersion_energy_cutoff_lr_damping"] = 2.0
            model = getattr(models, kind)(
                **{"r_max": 4.0, "num_radial_basis_fn": 8, **network},
                **{"use_charge_embed": True, "avg_num_neighbors": 5.0, **options},
            )
        torch.save(model, path)
    return str(path)


def load(**options):
    return adapter.load(
        CARD, **{"device": "cpu", "dtype": None, "task": None, "checkpoint": None, **options}
    )


test_contract = contract(
    Subject("so3lr", vendor=vendor, energy_tolerance=ENERGY),
    Subject("so3lr", options={"dtype": "float64"}, energy_tolerance=1e-9, force_tolerance=1e-5),
    Subject("so3lr", options={"checkpoint": tiny_checkpoint(), "trust_checkpoint": True}),
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


def mixed():
    """Dimers, atoms, molecules, a slab and a crystal, many charges and spins."""
    batch = [
        Atoms(s, [[0, 0, 0], [0, 0, r]]) for s in ("HCl", "N2") for r in np.arange(0.6, 9, 0.4)
    ]
    batch += [molecule(name) for name in ("H2O", "CH3Cl", "C6H6")]
    batch += [Atoms("H"), crystal(), molecule("H2O", vacuum=5), Atoms("O")]
    batch[-2].pbc = (True, True, False)
    for number, atoms in enumerate(batch):
        atoms.info["charge"] = number % 3 - 1
        atoms.info["spin"] = number % 4 + 1
    assert len(batch) >= 49
    return batch


# Loading


def test_a_file_saved_by_the_trainer():
    path = tiny_checkpoint()
    with pytest.raises(UntrustedCheckpointError):
        Probe("so3lr", checkpoint=path)
    card = Probe("so3lr", checkpoint=path, trust_checkpoint=True).card
    assert (card.cutoff, card.uses_charge, card.uses_spin) == (4.0, True, False)
    assert (card.level_of_theory, card.sha256, card.source) == (None, None, path)
    assert len(card.elements) == 99


def test_spin_is_used_by_models_that_embed_it():
    path = tiny_checkpoint(use_spin_embed=True)
    assert Probe("so3lr", checkpoint=path, trust_checkpoint=True).card.uses_spin is True


@pytest.mark.parametrize("kind", ["So3krates", "MultiHeadSO3LR"])
def test_other_models_of_the_vendor_are_refused(kind):
    with pytest.raises(ModelLoadError, match=f"is a {kind}"):
        load(checkpoint=tiny_checkpoint(kind))


def test_a_hostile_pickle_needs_trust(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (tmp_path / "hostile.model").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(UntrustedCheckpointError):
        Probe("so3lr", checkpoint=str(tmp_path / "hostile.model"))
    assert not (tmp_path / "ran").exists()


def test_loading_changes_no_default_and_prints_nothing(capfd):
    """In a fresh process: pytest has handlers of its own."""
    code = (
        "import logging, torch; from ase_probe import Probe; Probe('so3lr', dtype='float64');"
        "assert torch.get_default_dtype() == torch.float32 and not logging.getLogger().handlers"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    assert capfd.readouterr() == ("", "")


# Answers


def test_vendor_agrees_in_double_precision(float64):
    """With charges and spins, in crystals; positions around a centre differ by rounding."""
    batch = mixed()
    energies, forces = adapter.evaluate(float64, batch)
    with vendors_noise():
        theirs = vendor("float64")
        import_module("torch").set_default_dtype(import_module("torch").float64)
        for atoms, energy, force in zip(batch, energies, forces, strict=True):
            copy = atoms.copy()
            copy.info["total_spin"] = (copy.info.pop("spin") - 1) / 2
            copy.calc = theirs
            # Its constants for ZBL and dispersion are exact to 1e-8 only.
            assert copy.get_potential_energy() == pytest.approx(energy, abs=1e-5)
            assert copy.get_forces() == pytest.approx(force, abs=1e-5)


def test_charge_and_spin_are_each_structures_own(float32):
    states = [(0, 1), (1, 2), (2, 1), (-1, 2), (0, 3), (None, None)]
    pairs = [Atoms("HCl", [[0, 0, 0], [0, 0, 1.4]]) for _ in states]
    for atoms, (charge, spin) in zip(pairs, states, strict=True):
        atoms.info.update(charge=charge, spin=spin)
    energies, _ = adapter.evaluate(float32, pairs)
    assert len({round(energy, 3) for energy in energies[:5]}) == 5
    assert energies[5] == pytest.approx(energies[0], abs=1e-5)


def test_charge_is_watched(float32):
    ion = Atoms("HCl", [[0, 0, 0], [0, 0, 1.4]], info={"charge": 1})
    neutral = Atoms("HCl", ion.positions)
    first = float32.get_property("energy", neutral)
    assert float32.get_property("energy", ion) != first
    assert float32.get_property("energy", neutral) == first


def test_energies_are_no_coarser_than_their_differences(float32):
    """The sum of two shifts of -163.6 eV in float32 moves in steps of 3e-5 eV."""
    pairs = [Atoms("H2", [[0, 0, 0], [0, 0, r]]) for r in np.linspace(0.7400, 0.7401, 11)]
    energies, forces = adapter.evaluate(float32, pairs)
    slope = np.polyfit(np.linspace(0, 1e-4, 11), energies, 1)[0]
    assert slope == pytest.approx(-forces[5][1, 2], abs=0.2)


def test_far_from_the_origin(float32):
    near = molecule("CH3Cl")
    far = near.copy()
    far.translate([3000, -100, 7])
    energies, _ = adapter.evaluate(float32, [near, far])
    assert energies[0] == pytest.approx(energies[1], abs=5e-5)


def test_many_atoms_take_the_vendors_neighbours(float32, monkeypatch):
    atoms = molecule("C6H6")
    expected = adapter.evaluate(float32, [atoms])
    monkeypatch.setattr(graphs, "DIRECT_PAIRS", 3)
    energies, forces = adapter.evaluate(float32, [atoms])
    assert energies == pytest.approx(expected[0], abs=5e-5)
    assert forces[0] == pytest.approx(expected[1][0], abs=FORCE)


def test_stress_is_the_strain_derivative(float64):
    atoms = crystal()
    atoms.calc = float64
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    assert atoms.get_stress() == pytest.approx(numerical, abs=1e-8)


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


def test_coulombs_law_is_damped_and_ends_at_12(float64):
    """As the docstring says: erf(r / 4 Å) / r below 5.4 Å, and nothing beyond 12 Å."""
    pairs = [Atoms("H2", [[0, 0, 0], [0, 0, r]], info={"charge": 2}) for r in (5, 5.4, 12.1, 30)]
    energies, _ = adapter.evaluate(float64, pairs)
    expected = 14.399645 * (erf(5 / 4) / 5 - erf(5.4 / 4) / 5.4)
    assert energies[0] - energies[1] == pytest.approx(expected, abs=2e-3)  # and some dispersion
    assert energies[2] == energies[3]
