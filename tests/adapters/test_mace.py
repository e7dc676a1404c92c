"""MACE keeps the adapter contract and agrees with the vendor's own calculator."""

import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import warnings
import zipfile
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_stress

from ase_probe import Probe
from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedOptionError,
    UntrustedCheckpointError,
)
from ase_probe.testing import Subject, contract

if importlib.util.find_spec("mace") is None:  # importing it would change the environment
    pytest.skip("no mace-torch", allow_module_level=True)

mace = import_module("ase_probe.adapters.mace")
adapter = mace.adapter
CARDS = {card.name: card for card in adapter.cards}

FOLDER = Path(tempfile.mkdtemp())
PLAIN, SINGLE, STATE, HEADS, POLAR = (
    f"{FOLDER}/{name}" for name in ("plain", "single", "state", "heads", "polar")
)
HAS_POLAR = importlib.util.find_spec("graph_longrange") is not None
needs_polar = pytest.mark.skipif(not HAS_POLAR, reason="no graph-longrange")

# Models of the true architecture, two layers of eight channels.
ATOMIC_NUMBERS = (1, 6, 7, 8, 29)
HEAD_NAMES = ("pbe", "r2scan")
CATEGORICAL = {"type": "categorical", "per": "graph", "in_dim": 1, "emb_dim": 16}
CHARGE_AND_SPIN = {  # what MACE-OMOL-0 was trained with, its training script says
    "total_spin": {**CATEGORICAL, "num_classes": 101, "offset": 0},
    "total_charge": {**CATEGORICAL, "num_classes": 201, "offset": 100},
}
POLAR_SETTINGS = {  # the settings of MACE-POLAR-1
    "num_recursion_steps": 2,
    "kspace_cutoff_factor": 1.5,
    "atomic_multipoles_max_l": 1,
    "atomic_multipoles_smearing_width": 1.5,
    "field_feature_max_l": 1,
    "field_feature_widths": [1.5, 3.0],
    "field_norm_factor": 1.0,
    "include_electrostatic_self_interaction": True,
    "add_local_electron_energy": True,
    "fixedpoint_update_config": {
        "type": "AgnosticEmbeddedOneBodyVariableUpdate",
        "potential_embedding_cls": "AgnosticChargeBiasedLinearPotentialEmbedding",
        "nonlinearity_cls": "MLPNonLinearity",
    },
    "field_readout_config": {"type": "OneBodyMLPFieldReadout"},
}

# Differences that rounding alone explains, for the moderate geometries below.
ENERGY = {"float32": 1e-4, "float64": 1e-9}  # eV
FORCE = {"float32": 2e-4, "float64": 1e-8}  # eV/Å


@contextmanager
def vendors_habits():
    """The vendor changes a list that all of ASE shares, warns, prints and unpickles anything."""
    shared, before = Calculator.implemented_properties, os.environ.get(mace.FORCE_UNPICKLING)
    kept = list(shared)
    os.environ[mace.FORCE_UNPICKLING] = "1"
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        shared[:] = kept
        os.environ.pop(mace.FORCE_UNPICKLING)
        if before is not None:
            os.environ[mace.FORCE_UNPICKLING] = before


def save(path, *, model="ScaleShiftMACE", heads=("Default",), dtype="float64", **settings):
    """Save two layers of eight channels."""
    with vendors_habits():
        import mace.modules as vendor  # before e3nn, which cannot be imported without it
        import torch
        from e3nn import o3
        from mace.modules.extensions import PolarMACE

        blocks = vendor.interaction_classes
        default = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                built = {"PolarMACE": PolarMACE, **vars(vendor)}[model](
                    **{
                        "r_max": 5.0,
                        "num_bessel": 8,
                        "num_polynomial_cutoff": 5,
                        "max_ell": 3,
                        "interaction_cls": blocks["RealAgnosticResidualInteractionBlock"],
                        "interaction_cls_first": blocks["RealAgnosticInteractionBlock"],
                        "num_interactions": 2,
                        "num_elements": len(ATOMIC_NUMBERS),
                        "hidden_irreps": o3.Irreps("8x0e + 8x1o"),
                        "MLP_irreps": o3.Irreps("16x0e"),
                        "gate": torch.nn.functional.silu,
                        "atomic_energies": -np.outer(
                            np.arange(1.0, len(heads) + 1), ATOMIC_NUMBERS
                        ),
                        "avg_num_neighbors": 8.0,
                        "atomic_numbers": list(ATOMIC_NUMBERS),
                        "correlation": 3,
                        "heads": list(heads),
                        "atomic_inter_scale": [2.0] * len(heads),
                        "atomic_inter_shift": [0.1] * len(heads),
                        **settings,
                    }
                )
            torch.save(built, path)
        finally:
            torch.set_default_dtype(default)


@pytest.fixture(scope="module", autouse=True)
def checkpoints():
    """Tiny models; the vendor is imported here first."""
    save(PLAIN)
    save(SINGLE, dtype="float32")
    save(STATE, embedding_specs=CHARGE_AND_SPIN)
    save(HEADS, heads=HEAD_NAMES)
    if HAS_POLAR:
        save(POLAR, model="PolarMACE", **POLAR_SETTINGS)
    yield
    shutil.rmtree(FOLDER)


def kind(path):
    return Path(path).name if isinstance(path, str) else ""


@cache
def vendor(path, dtype="", **options):
    """Without a dtype it takes the one that the file holds."""
    with vendors_habits():
        from mace.calculators import MACECalculator

        calculator = MACECalculator(path, default_dtype=dtype, **options)
        calculator.implemented_properties = list(calculator.implemented_properties)
        return calculator


@cache
def load(path, dtype=None, task=None, name="mace-mp-0-medium"):
    options = {"device": "cpu", "dtype": dtype, "task": task, "checkpoint": path}
    return adapter.load(CARDS[name], **options)


def subject(name, path, dtype="float64", expected_failures=None, task=None, **vendor_options):
    options = {"checkpoint": path, "trust_checkpoint": True, "dtype": dtype}
    return Subject(
        name,
        options=options if task is None else {**options, "task": task},
        vendor=lambda: vendor(path, dtype, **vendor_options),
        energy_tolerance=ENERGY[dtype],
        force_tolerance=FORCE["float32"],
        expected_failures=expected_failures or {},
    )


test_contract = contract(
    subject("mace-mp-0-medium", PLAIN, "float32"),
    subject("mace-omol-0", STATE),
    subject("mace-mh-1", HEADS, task="r2scan", head="r2scan"),
)
test_polar_contract = needs_polar(
    contract(
        subject(
            "mace-polar-1-m",
            POLAR,
            model_type="PolarMACE",
            expected_failures={
                "rotation_turns_the_forces": "an atomic dipole is a pair of point charges along "
                "each Cartesian axis: energies are invariant to 1e-5 eV only",
                "boxed_equals_free": "electrostatics is long-ranged: a molecule in a box feels its "
                "images, 3e-5 eV here",
            },
        )
    )
)


def structures():
    """54 of all kinds."""
    rng = np.random.default_rng(0)
    found = [Atoms("NO", [(0, 0, 0), (0, 0, r)]) for r in np.linspace(0.7, 7.0, 20)]
    found += [Atoms([z]) for z in ATOMIC_NUMBERS]
    found += [molecule(name) for name in ("H2O", "CH4", "C6H6", "CH3CH2OH")]
    found += [bulk("Cu"), bulk("Cu", cubic=True), Atoms("O", cell=[9, 9, 9], pbc=True)]
    found += [fcc111("Cu", (1, 1, 2), vacuum=5.0), Atoms("C", cell=[1.3, 9, 9], pbc=[1, 0, 0])]
    for n in range(17):
        atoms = Atoms("CNOHCu", rng.uniform(0, 5, (5, 3)), cell=[5, 6, 7], pbc=n % 2)
        found.append(atoms)
    for atoms in found:
        atoms.positions += rng.normal(0, 0.05, (len(atoms), 3))
    return found


def one_by_one(calculator, batch):
    energies, forces = [], []
    for atoms in batch:
        calculator.reset()
        energies.append(calculator.get_property("energy", atoms.copy()))
        forces.append(calculator.get_property("forces", atoms.copy()))
    return np.array(energies), forces


def assert_close(answer, expected, dtype="float64"):
    assert answer[0] == pytest.approx(expected[0], abs=ENERGY[dtype])
    for got, want in zip(answer[1], expected[1], strict=True):
        assert got == pytest.approx(want, abs=FORCE[dtype])


# Cards


def test_every_checkpoint_of_the_vendor_has_a_card():
    vendors = import_module("mace.calculators.foundations_models")
    tables = {"mp": vendors.mace_mp_urls, "off": vendors.mace_off_urls}
    tables |= {"polar": vendors.polar_model_urls, "omol": ["extra_large"], "anicc": [""]}
    named = {f"mace_{loader}:{name}" for loader, names in tables.items() for name in names}
    assert {card.checkpoint for card in adapter.cards} == named


@pytest.mark.parametrize("name", CARDS)
def test_vendor_downloads_it_from_and_to_where_the_card_says(name, monkeypatch, tmp_path, capsys):
    """By name, through the vendor's own road; only the download itself is a copy of a tiny file."""
    vendors = import_module("mace.calculators.foundations_models")
    package = tmp_path / "mace"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(vendors, "module_dir", str(package / "calculators"))
    spec = importlib.util.find_spec("mace")
    monkeypatch.setattr(spec, "submodule_search_locations", [str(package)])
    monkeypatch.setattr(mace.importlib.util, "find_spec", lambda module: spec)
    asked = []

    def download(url, filename):
        asked.append((url, filename))
        shutil.copy(HEADS if CARDS[name].tasks else PLAIN, filename)
        return filename, "Content-Type: application/octet-stream"

    monkeypatch.setattr(vendors, "_urlretrieve_with_timeout", download)
    assert adapter.checkpoint_file(CARDS[name], None) is None
    task = "pbe" if CARDS[name].tasks else None
    options = {"device": "cpu", "dtype": None, "task": task, "checkpoint": None}
    adapter.load(CARDS[name], **options)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "ownload" in captured.err
    path = adapter.checkpoint_file(CARDS[name], None)
    assert asked == [(CARDS[name].source, path)]
    adapter.load(CARDS[name], **options)
    assert capsys.readouterr() == ("", "")
    assert len(asked) == 1


def test_without_a_network_the_message_says_what_to_do(monkeypatch, tmp_path):
    def unreachable(*args, **options):
        raise OSError("no route to host")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(ModelLoadError, match=r"no route to host.*fetch https://.*as checkpoint"):
        Probe("mace-mp-0b2-small")


@pytest.mark.weights
@pytest.mark.parametrize("name", CARDS)
def test_published_weights(name):
    """The card says what the model says, batches equal single points, the vendor agrees."""
    card = CARDS[name]
    path = adapter.checkpoint_file(card, None)
    if path is None:
        pytest.skip("not in the vendor's cache")
    probe = Probe(name, dtype="float64", task=card.tasks[0] if card.tasks else None)
    for field in ("elements", "tasks", "uses_charge", "uses_spin"):
        assert getattr(probe.card, field) == getattr(card, field)
    assert card.cutoff in (None, probe.card.cutoff)
    batch = [a for a in structures() if not a.pbc.any() and set(a.symbols) <= {*"HCNO"}]
    result = probe.evaluator.evaluate(batch)
    answer = result.energy, result.forces
    assert_close(answer, one_by_one(probe, batch))
    options = {"head": card.tasks[0]} if card.tasks else {}
    if card.checkpoint.startswith("mace_polar"):
        options["model_type"] = "PolarMACE"
    assert_close(answer, one_by_one(vendor(path, "float64", **options), batch))


# What the vendor does to the process


def test_the_process_is_left_as_it_was():
    code = f"""
import os, logging, torch, numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase_probe import Probe
threads, load = torch.get_num_threads(), torch.jit.load
probe = Probe("mace:{PLAIN}", dtype="float64", trust_checkpoint=True)
Atoms("N2", [[0, 0, 0], [0, 0, 1.1]], calculator=probe).get_forces()
assert probe.evaluator.evaluate([Atoms("N2", [[0, 0, 0], [0, 0, 9e999]])]).failures
assert "{mace.FORCE_UNPICKLING}" not in os.environ
assert torch.get_default_dtype() == torch.float32
assert (torch.get_num_threads(), torch.jit.load) == (threads, load)
assert logging.root.handlers == [] and Calculator.implemented_properties == []
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""


def test_a_variable_that_was_set_stays(monkeypatch):
    monkeypatch.setenv(mace.FORCE_UNPICKLING, "0")
    load.__wrapped__(PLAIN)
    assert os.environ[mace.FORCE_UNPICKLING] == "0"


# Checkpoints


def test_local_checkpoint_of_any_name(tmp_path, monkeypatch):
    """The vendor would download a model called "small"."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(STATE, "small")
    with pytest.raises(UntrustedCheckpointError):
        Probe("mace:small")
    card = Probe("mace:small", trust_checkpoint=True).card
    assert card.elements == ("H", "C", "N", "O", "Cu")
    assert (card.cutoff, card.uses_charge, card.uses_spin, card.tasks) == (5.0, True, True, ())
    assert (card.level_of_theory, card.source, card.lone_atoms) == (None, "small", "model")


@pytest.mark.parametrize(
    ("path", "dtypes"), [(PLAIN, mace.DOUBLE_FIRST), (SINGLE, mace.SINGLE_FIRST)], ids=kind
)
@pytest.mark.parametrize("asked", [None, "float32", "float64"])
def test_local_checkpoint_keeps_its_precision(path, dtypes, asked):
    """As the vendor does it; a converted one is complete, buffers and reference energies too."""
    runs_in = asked or dtypes[0]
    for name in ("mace:" + path, "mace-mp-0-medium", "mace-off23-small"):
        options = {} if ":" in name else {"checkpoint": path}
        evaluator = Probe(name, dtype=asked, trust_checkpoint=True, **options).evaluator
        assert (evaluator.card.dtypes, evaluator.environment["dtype"]) == (dtypes, runs_in)
        model = evaluator.calculator.model
        tensors = [*model.parameters(), *model.buffers()]
        found = {str(t.dtype) for t in tensors if t.is_floating_point()}
        assert found == {f"torch.{runs_in}"}


def test_what_is_no_model_with_energies_is_refused(tmp_path):
    import torch

    model = load(PLAIN).model
    torch.save(model.state_dict(), tmp_path / "state_dict.model")
    torch.save(model.node_embedding, tmp_path / "part.model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), tmp_path / "compiled.model")
    for file in tmp_path.iterdir():
        with pytest.raises(ModelLoadError, match=r"not a MACE model.*training wrote"):
            load(str(file))


def _moved_to_cuda(buffer):
    """A TorchScript archive as if it had been saved on a GPU: a device is a name in its pickles."""
    moved = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(buffer)) as old, zipfile.ZipFile(moved, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith(".pkl"):
                data = data.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0")
            new.writestr(entry, data)
    return moved.getvalue()


def test_compiled_parts_saved_on_a_gpu_load_on_the_cpu(tmp_path, monkeypatch):
    """As in MACE-ANI-CC: e3nn opens them on the device they were saved on."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU opens them anyway")
    codegen = import_module("e3nn.util.codegen").CodeGenMixin
    pack, moved = codegen.__getstate__, []

    def packed(self):
        state = pack(self)
        parts = state.get("__codegen__", {})
        for name, buffer in parts.items():
            parts[name] = _moved_to_cuda(buffer)
            moved.append(parts[name] != buffer)
        return state

    monkeypatch.setattr(codegen, "__getstate__", packed)
    torch.save(load.__wrapped__(PLAIN).model, tmp_path / "cuda.model")
    assert any(moved)
    with vendors_habits(), pytest.raises(RuntimeError, match="CUDA"):
        torch.load(tmp_path / "cuda.model", map_location="cpu")
    batch = structures()
    assert_close(
        adapter.evaluate(load(str(tmp_path / "cuda.model")), batch),
        adapter.evaluate(load(PLAIN), batch),
    )


def test_polar_without_what_it_needs_says_so(tmp_path, monkeypatch):
    import torch

    monkeypatch.setitem(sys.modules, "graph_longrange", None)
    monkeypatch.delitem(sys.modules, "graph_longrange.energy", raising=False)
    pickled = b"\x80\x02cgraph_longrange.energy\nGTOElectrostaticEnergy\n."
    torch.save({}, tmp_path / "any.model")
    with (
        zipfile.ZipFile(tmp_path / "any.model") as old,
        zipfile.ZipFile(tmp_path / "polar.model", "w") as new,
    ):
        for entry in old.infolist():
            new.writestr(entry, pickled if "data.pkl" in entry.filename else old.read(entry))
    with pytest.raises(ModelLoadError, match=r"graph_longrange.*pip install"):
        load(str(tmp_path / "polar.model"))


@needs_polar
def test_polar_with_a_version_that_does_not_fit_says_so(monkeypatch):
    """Their functions take other arguments."""
    extensions = import_module("mace.modules.extensions")
    monkeypatch.setattr(extensions, "compute_k_vectors_flat", lambda cutoff: None)
    with pytest.raises(ModelLoadError, match=r"does not fit.*pip install"):
        load.__wrapped__(POLAR)


# Heads


@pytest.mark.parametrize("task", [None, "PBE", "Default"])
def test_unknown_head_raises(task):
    """The vendor logs a warning and takes the last one."""
    with pytest.raises(UnsupportedOptionError, match="choose one of: pbe, r2scan"):
        load(HEADS, task=task)


def test_heads_are_the_vendors():
    batch = structures()
    pbe, r2scan = (adapter.evaluate(load(HEADS, task=head), batch) for head in HEAD_NAMES)
    assert (abs(pbe[0] - r2scan[0]) > 0.5).all()
    molecules = [atoms for atoms in batch if not atoms.pbc.any()]
    answer = adapter.evaluate(load(HEADS, task="pbe"), molecules)
    assert_close(answer, one_by_one(vendor(HEADS, head="pbe"), molecules))
    assert load(PLAIN, task="Default").head == "Default"


def test_omol_takes_the_head_that_the_vendors_loader_takes(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = tmp_path / "mace" / "MACE-omol-0-extra-large-1024.model"
    file.parent.mkdir()
    save(file, heads=("omol", "other"))
    assert load.__wrapped__(None, name="mace-omol-0").head == "omol"
    with pytest.raises(UnsupportedOptionError, match="choose one of: omol, other"):
        load(str(file), name="mace-omol-0")


# Charge and spin


@pytest.mark.parametrize("path", [STATE, pytest.param(POLAR, marks=needs_polar)], ids=kind)
def test_charge_and_spin_of_every_structure_in_a_batch(path):
    batch = []
    for info in ({}, {"charge": 0, "spin": 1}, {"charge": 1, "spin": 2}, {"charge": -1, "spin": 4}):
        batch.append(molecule("H2O"))
        batch[-1].info.update(info)
    answer = adapter.evaluate(load(path), batch)
    assert answer[0][0] == answer[0][1]
    assert len(set(answer[0].round(6))) == 3
    model_type = "PolarMACE" if path == POLAR else "MACE"
    assert_close(answer, one_by_one(vendor(path, model_type=model_type), batch))


@pytest.mark.parametrize("info", [{"charge": 101}, {"spin": -1}, {"charge": 0.5}])
def test_state_without_an_embedding_raises(info):
    """The vendor truncates fractions, and an index outside the table kills a CUDA context."""
    atoms = molecule("H2O")
    atoms.info.update(info)
    with pytest.raises(UnsupportedOptionError, match="whole numbers from"):
        adapter.evaluate(load(STATE), [atoms])


# Answers


@pytest.mark.parametrize("path", [SINGLE, PLAIN], ids=kind)
def test_agrees_with_the_vendor_on_all_kinds(path):
    batch = structures()
    dtype = load(path).stored
    assert_close(adapter.evaluate(load(path), batch), one_by_one(vendor(path), batch), dtype)


@needs_polar
def test_polar_batch_equals_single_points():
    """Whatever is in the batch; the vendor fails when a lone atom is the last."""
    batch = [atoms for atoms in structures() if tuple(atoms.pbc) in mace.POLAR_PBC]
    batch.append(Atoms("H"))
    answer = adapter.evaluate(load(POLAR), batch)
    assert_close(answer, one_by_one(load(POLAR), batch))


@pytest.mark.parametrize("shift", [1e3, 1e6])
def test_far_from_the_origin(shift):
    """The vendor's neighbour list needs memory that grows with the distance cubed."""
    here, there = molecule("H2O"), molecule("H2O")
    there.positions += (shift, 0, -shift)
    energies, _ = adapter.evaluate(load(PLAIN), [here, there])
    assert energies[1] == pytest.approx(energies[0], abs=1e-8)


@pytest.mark.parametrize(
    "atoms",
    [bulk("Cu"), fcc111("Cu", (1, 1, 2), vacuum=5.0), Atoms("C", cell=[1.3, 9, 9], pbc=[1, 0, 0])],
    ids=["crystal", "slab", "wire"],
)
def test_stress_is_the_strain_derivative(atoms):
    """In the volume of the cell that the structure has."""
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(1).normal(0, 0.02, (len(atoms), 3))
    atoms.calc = load.__wrapped__(PLAIN)
    expected = calculate_numerical_stress(atoms, eps=1e-5)
    assert np.abs(expected).max() > 1e-5
    assert atoms.get_stress() == pytest.approx(expected, abs=1e-8)


def test_molecules_have_no_stress():
    with pytest.raises(PropertyNotImplementedError):
        load(PLAIN).get_property("stress", molecule("H2O"))


def test_a_pair_beyond_the_cutoff_is_two_atoms():
    pair = Atoms("NO", [(0, 0, 0), (0, 0, 5.01)])
    energies, forces = adapter.evaluate(load(PLAIN), [pair, Atoms("N"), Atoms("O")])
    assert energies[0] == pytest.approx(energies[1] + energies[2], abs=1e-10)
    assert not forces[0].any()


@pytest.mark.parametrize(
    "atoms",
    [Atoms("N2", [(0, 0, 0), (0, 0, np.nan)]), Atoms("N", pbc=True)],
    ids=["nan", "no cell"],
)
def test_what_the_vendor_would_guess_at_raises(atoms):
    with pytest.raises(EvaluationError):
        adapter.evaluate(load(PLAIN), [atoms])


@needs_polar
def test_polar_refuses_wires():
    with pytest.raises(EvaluationError, match="slabs"):
        adapter.evaluate(load(POLAR), [Atoms("C", cell=[1.3, 9, 9], pbc=[1, 0, 0])])


@needs_polar
def test_polar_slab_is_the_vendors():
    """At the origin: the box that the vendor lays around it grows with the distance."""
    slab = fcc111("Cu", (1, 1, 2), vacuum=5.0)
    slab.positions -= slab.positions.mean(axis=0)
    slab.info["charge"] = 1
    expected = one_by_one(vendor(POLAR, model_type="PolarMACE"), [slab])
    assert_close(adapter.evaluate(load(POLAR), [slab]), expected)


@needs_polar
def test_polar_left_handed_cell_is_the_same_crystal():
    """The vendor's volume of it is negative."""
    right = bulk("CuO", "rocksalt", a=4.2)
    right.info["charge"] = 3
    left = right.copy()
    left.set_cell(right.cell.array[[1, 0, 2]])
    energies, _ = adapter.evaluate(load(POLAR), [right, left])
    assert energies[0] == pytest.approx(energies[1], abs=ENERGY["float64"])
    (vendors,), _ = one_by_one(vendor(POLAR, model_type="PolarMACE"), [left])
    assert abs(vendors - energies[1]) > 1e-5  # no longer so: no need to look after it


@needs_polar
def test_polar_has_no_stress():
    """The vendor's lacks the electrostatics, 4e-5 eV/Å³ here."""
    crystal = bulk("CuO", "rocksalt", a=4.2)
    crystal.info["charge"] = 3
    with pytest.raises(PropertyNotImplementedError):
        load(POLAR).get_property("stress", crystal)
    crystal.calc = load.__wrapped__(POLAR)
    expected = calculate_numerical_stress(crystal, eps=1e-4)
    vendors = vendor(POLAR, model_type="PolarMACE").get_property("stress", crystal)
    assert abs(vendors - expected).max() > 1e-5  # no longer so: give it


@needs_polar
def test_polar_pair_far_apart_needs_no_memory():
    """The vendor takes 27 times as many reciprocal vectors for three times the distance."""
    pairs = [Atoms("N2", [(0, 0, 0), (0, 0, r)]) for r in np.linspace(10, 200, 100)]
    energies, _ = adapter.evaluate(load(POLAR), pairs)
    assert np.isfinite(energies).all()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cuda_agrees_with_the_cpu(dtype):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    options = {"device": "cuda", "dtype": dtype, "task": None, "checkpoint": STATE}
    on_gpu = adapter.load(CARDS["mace-omol-0"], **options)
    batch = structures()
    assert_close(
        adapter.evaluate(on_gpu, batch), adapter.evaluate(load(STATE, dtype), batch), dtype
    )
