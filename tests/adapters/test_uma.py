"""UMA, eSEN and AllScAIP keep the contract; the traps of their vendor are shut.

The weights are gated, so everything runs on tiny random checkpoints of the true architectures,
saved and loaded as the vendor does.
"""

import importlib.util
import logging
import os
import random
import tempfile
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
    UntrustedCheckpointError,
)
from ase_probe.model import ModelCard
from ase_probe.testing import Subject, contract

pytest.importorskip("fairchem.core")

uma = import_module("ase_probe.adapters.uma")
adapter = uma.adapter
CARDS = {card.name: card for card in adapter.cards}

_spec = importlib.util.spec_from_file_location("tiny_uma", Path(__file__).with_name("tiny_uma.py"))
tiny_uma = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_uma)

FOLDER = tempfile.TemporaryDirectory()  # removed when Python ends
with uma._contained("cpu"):
    UMA = tiny_uma.save_uma(Path(FOLDER.name) / "uma.pt")
    UMA_1P1 = tiny_uma.save_uma(Path(FOLDER.name) / "uma_1p1.pt", single_atoms=False)
    ESEN = tiny_uma.save_esen(Path(FOLDER.name) / "esen.pt")
    DIRECT = tiny_uma.save_esen(Path(FOLDER.name) / "direct.pt", forces="direct")
    ENERGY_ALONE = tiny_uma.save_esen(Path(FOLDER.name) / "energy.pt", forces=None)
    ALLSCAIP = tiny_uma.save_allscaip(Path(FOLDER.name) / "allscaip.pt")

# Differences that rounding alone explains, for the moderate geometries below.
ENERGY = {"float32": 2e-5, "float64": 1e-10}  # eV
FORCE = {"float32": 1e-4, "float64": 1e-9}  # eV/Å


def load(checkpoint=UMA, name="uma-s-1p2p1", **options):
    defaults = {"device": "cpu", "dtype": None, "task": None, "checkpoint": checkpoint}
    return adapter.load(CARDS[name], **{**defaults, **options})


def vendor_calculator(checkpoint, task, dtype="float32"):
    """The vendor's own, with its own settings for batches."""
    with uma._contained("cpu"):
        from fairchem.core import FAIRChemCalculator
        from fairchem.core.units.mlip_unit import InferenceSettings, load_predict_unit

        settings = "batch" if dtype == "float32" else InferenceSettings(base_precision_dtype=dtype)
        calculator = FAIRChemCalculator(load_predict_unit(checkpoint, settings, device="cpu"), task)
    calculate = calculator.calculate

    def silent(*arguments):
        with uma._without_noise():
            calculate(*arguments)

    calculator.calculate = silent
    return calculator


def subject(name, checkpoint, task, **options):
    dtype = options.pop("dtype", "float32")
    probe = {"checkpoint": checkpoint, "task": task, "dtype": dtype, "trust_checkpoint": True}
    if dtype == "float64":
        options |= {"energy_tolerance": 1e-8, "force_tolerance": 1e-7}
    vendor = lambda: vendor_calculator(checkpoint, task, dtype)  # noqa: E731
    return Subject(name, options=probe, vendor=vendor, **options)


test_contract = contract(
    subject("uma-s-1p2p1", UMA, "omol"),
    subject("uma-s-1p2p1", UMA, "omat", dtype="float64"),
    subject("esen-sm-conserving-all-omol", ESEN, "omol"),
    subject(
        *("esen-sm-direct-all-omol", DIRECT, "omol"),
        expected_failures={
            "force_is_minus_the_gradient": "the forces come from a head of their own"
        },
    ),
    subject(
        *("allscaip-md-conserving-all-omol", ALLSCAIP, "omol"),
        expected_failures={
            "rotation_turns_the_forces": "directions of edges enter a plain network: AllScAIP is "
            "not equivariant, rotations are learned"
        },
    ),
)


@pytest.fixture(scope="module")
def omol():
    return load(task="omol")


@pytest.fixture(scope="module")
def omat():
    return load(task="omat", dtype="float64")


def charged(atoms, charge, spin):
    atoms.info.update(charge=charge, spin=spin)
    return atoms


def structures():
    """About sixty: dimers, atoms, molecules and ions, crystals, a slab, a wire."""
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    salt.rattle(0.05, seed=1)
    dimers = [
        Atoms(pair, [[0, 0, 0], [0, 0, r]])
        for pair in ("H2", "NaCl", "NO", "Cu2")
        for r in np.linspace(0.5, 7.0, 10)
    ]
    ions = [charged(molecule("O2"), q, s) for q, s in ((0, 1), (0, 3), (1, 2), (-1, 2), (2, 1))]
    return [
        *dimers,
        *ions,
        *(Atoms(symbol) for symbol in ("H", "O", "Cl")),
        charged(Atoms("H"), 1, 1),
        *(molecule(name) for name in ("H2O", "CH4", "C6H6")),
        salt,
        bulk("Al"),
        Atoms("Cu2", [[0, 0, 5], [1.3, 1.3, 6.8]], cell=[2.6, 2.6, 15], pbc=[1, 1, 0]),
        Atoms("C2", [[0, 0, 0], [0, 0, 1.2]], cell=[0, 0, 2.6], pbc=[0, 0, 1]),
        Atoms("LiF", [[5, 5, 5], [5, 5, 6.7]], cell=[12, 12, 12], pbc=True),
        Atoms("O", cell=[12, 12, 12], pbc=True),
    ]


def single(calculator, atoms):
    calculator.reset()
    return calculator.get_property("energy", atoms), calculator.get_property("forces", atoms)


def assert_close(answer, expected, dtype):
    assert answer[0] == pytest.approx(expected[0], abs=ENERGY[dtype], rel=0)
    for got, want in zip(answer[1], expected[1], strict=True):
        assert got == pytest.approx(want, abs=FORCE[dtype], rel=0)


# Cards


def test_every_checkpoint_of_the_vendor_has_a_card():
    registry = import_module("fairchem.core.calculate.pretrained_mlip")._MODEL_CKPTS.checkpoints
    assert list(CARDS) == list(registry)
    for name, entry in registry.items():
        repository, _, file = CARDS[name].checkpoint.partition("/")
        assert f"facebook/{repository}" == entry.repo_id
        assert file == f"{entry.subfolder}/{entry.filename}"


def test_tasks_and_elements_are_those_we_know():
    for card in CARDS.values():
        assert set(card.tasks) <= set(uma.LEVELS)
        assert card.elements is None or len(card.elements) in (83, 89)


def test_file_in_the_vendors_cache_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("FAIRCHEM_CACHE_DIR", str(tmp_path))
    assert adapter.checkpoint_file(CARDS["uma-s-1p2"], None) is None
    folder = tmp_path / "models--facebook--UMA"
    file = folder / "snapshots" / "abc" / "checkpoints" / "uma-s-1p2.pt"
    for path, text in ((folder / "refs" / "main", "abc"), (file, "")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert adapter.checkpoint_file(CARDS["uma-s-1p2"], None) == str(file)
    assert adapter.checkpoint_file(CARDS["uma-s-1p2"], "mine.pt") == "mine.pt"


# Loading


def test_local_file_is_described_by_itself():
    card = ModelCard(name=f"uma:{UMA}", family="uma", checkpoint=UMA, local=True)
    calculator = adapter.load(card, device="cpu", dtype=None, task="oc20", checkpoint=UMA)
    described = adapter.describe(card, calculator)
    assert (described.level_of_theory, described.licence, described.sha256) == (None,) * 3
    assert (described.source, described.cutoff, described.conservative) == (UMA, 6.0, True)
    assert described.tasks == tiny_uma.UMA_TASKS
    assert (described.uses_charge, described.uses_spin) == (False, False)
    assert described.lone_atoms == "model"
    assert described.parameters > 100_000


def test_a_single_task_need_not_be_named():
    calculator = load(ESEN, "esen-sm-conserving-all-omol")
    assert calculator.task == "omol"
    card = adapter.describe(CARDS["esen-sm-conserving-all-omol"], calculator)
    assert (card.tasks, card.lone_atoms, card.conservative) == ((), "refused", True)
    direct = load(DIRECT, "esen-sm-direct-all-omol")
    assert not adapter.describe(CARDS["esen-sm-direct-all-omol"], direct).conservative


@pytest.mark.parametrize("task", [None, "omc", "OMOL"])
def test_wrong_task_lists_the_right_ones(task):
    with pytest.raises(UnsupportedOptionError, match="omol, omat, oc20"):
        load(task=task)


def test_allscaip_has_no_double_precision():
    with pytest.raises(UnsupportedOptionError, match="only float32"):
        load(ALLSCAIP, dtype="float64")


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_that_do_not_fit_are_refused(change, tmp_path):
    torch = import_module("torch")
    content = torch.load(UMA, weights_only=False)
    name = next(key for key in content.ema_state_dict if "energy_block" in key)
    value = content.ema_state_dict[name]
    if change == "missing":
        del content.ema_state_dict[name]
    else:
        content.ema_state_dict[f"{name}.more"] = value
    torch.save(content, tmp_path / "changed.pt")
    options = {"task": "omol", "checkpoint": tmp_path / "changed.pt", "trust_checkpoint": True}
    with pytest.raises(ModelLoadError, match="loading state_dict") as raised:
        Probe("uma-s-1p2p1", **options)
    assert f"{change} key(s)" in str(raised.value.__cause__).lower()


def test_unknown_pickle_is_not_opened():
    with pytest.raises(UntrustedCheckpointError):
        Probe("uma-s-1p2p1", task="omol", checkpoint=UMA)


def test_loading_leaves_the_process_alone():
    torch = import_module("torch")

    def state():
        generators = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()  # noqa: NPY002
        root = logging.getLogger()
        return [*map(str, generators), dict(os.environ), list(root.handlers), list(root.filters)]

    before = state()
    calculator = load(task="omol", dtype="float64")
    adapter.evaluate(calculator, [molecule("H2O")])
    assert state() == before
    assert torch.get_default_dtype() == torch.float32


def test_double_means_every_tensor(omat):
    torch = import_module("torch")
    adapter.evaluate(omat, [molecule("H2O")])
    model = omat.unit.model
    tensors = [t for t in [*model.parameters(), *model.buffers()] if t.is_floating_point()]
    assert {tensor.dtype for tensor in tensors} == {torch.float64}


# By name: the vendor's road, with the download alone replaced


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Serve a checkpoint and a table of lone atoms (eV) under the vendor's names."""
    references = tmp_path / "references.yaml"

    def serve(checkpoint, table=""):
        references.write_text(f"refs: {{}}\n{table}")

        def download(filename, subfolder, **_):
            return checkpoint if subfolder == "checkpoints" else str(references)

        module = import_module("fairchem.core.calculate.pretrained_mlip")
        monkeypatch.setattr(module, "hf_hub_download", download)

    return serve


# As the vendor writes them: by charge, or one number per element, 0 where there is none.
BY_CHARGE = "{1: {0: -13.5, 1: 0.25}, 8: {0: -2043.0}}"
BY_ELEMENT = "[0.0, -1.1, 0.0008, 0.0, 0.0, 0.0, 0.0, 0.0, -1.5]"
TABLE = f"omol_elem_refs: {BY_CHARGE}\nomat_elem_refs: {BY_ELEMENT}\n"


@pytest.mark.parametrize("task", tiny_uma.UMA_TASKS)
def test_the_task_chooses_level_and_elements(task, hub):
    hub(UMA, TABLE)
    card = Probe("uma-s-1p2", task=task).card
    assert card.level_of_theory == uma.LEVELS[task]
    assert card.elements == (uma.MOLECULAR if task == "omol" else uma.ALL)
    assert (card.uses_charge, card.uses_spin) == (task == "omol",) * 2
    assert (card.lone_atoms, card.gated) == ("model", True)
    assert card.tasks == CARDS["uma-s-1p2"].tasks


def test_fine_tuned_model_keeps_its_own_level(hub):
    hub(ESEN)
    card = Probe("uma-s-1p2p1-ft-d4rev").card
    assert card.level_of_theory == CARDS["uma-s-1p2p1-ft-d4rev"].level_of_theory


@pytest.mark.parametrize(("task", "energies"), [("omol", (-13.5, -2043.0)), ("omat", (-1.1, -1.5))])
def test_lone_atoms_come_from_the_table_also_in_company(task, energies, hub):
    hub(UMA_1P1, TABLE)
    probe = Probe("uma-s-1p1", task=task)
    assert probe.card.lone_atoms == "table"
    batch = [Atoms("H"), molecule("H2O"), Atoms("O"), molecule("N2")]
    result = probe.evaluator.evaluate(batch)
    assert not result.failures
    assert result.energy[[0, 2]] == pytest.approx(energies, rel=1e-6)
    assert not result.forces[0].any()
    others = probe.evaluator.evaluate([batch[1], batch[3]]).energy
    assert result.energy[[1, 3]] == pytest.approx(others, abs=ENERGY["float32"])


@pytest.mark.parametrize(
    ("task", "atom"),
    [
        ("omol", Atoms("C")),
        ("omol", charged(Atoms("O"), 1, 4)),
        ("omat", Atoms("Li")),  # the vendor answers 0 eV
        ("oc20", Atoms("H")),
    ],
)
def test_lone_atom_that_no_table_holds_is_refused(task, atom, hub):
    hub(UMA_1P1, TABLE)
    result = Probe("uma-s-1p1", task=task).evaluator.evaluate([molecule("H2O"), atom])
    assert list(result.failures) == [1]
    assert np.isfinite(result.energy[0])
    assert np.isnan(result.energy[1])


def test_ion_that_the_table_holds_is_answered(hub):
    hub(UMA_1P1, TABLE)
    calculator = load(None, "uma-s-1p1", task="omol")
    assert adapter.evaluate(calculator, [charged(Atoms("H"), 1, 1)])[0] == pytest.approx([0.25])


def test_charge_is_not_looked_up_as_neutral(hub):
    hub(UMA_1P1, f"omol_elem_refs: {BY_ELEMENT}")
    calculator = load(None, "uma-s-1p1", task="omol")
    with pytest.raises(EvaluationError, match="charge 1"):
        adapter.evaluate(calculator, [charged(Atoms("H"), 1, 1)])


def test_failed_download_says_what_to_do(monkeypatch):
    def download(**_):
        raise OSError("no connection.")

    module = import_module("fairchem.core.calculate.pretrained_mlip")
    monkeypatch.setattr(module, "hf_hub_download", download)
    with pytest.raises(ModelLoadError, match=r"no connection.*facebook/UMA.*hf auth"):
        Probe("uma-s-1p2", task="omol")


# Answers


def test_mixed_batch_equals_single():
    calculator, batch = load(task="omol", dtype="float64"), structures()
    expected = zip(*(single(calculator, atoms) for atoms in batch), strict=True)
    assert_close(adapter.evaluate(calculator, batch), [*expected], "float64")


def test_mixed_batch_agrees_with_the_vendor():
    batch = structures()[4:-3:3]
    calculator = vendor_calculator(UMA, "omol")
    expected = zip(*(single(calculator, atoms.copy()) for atoms in batch), strict=True)
    assert_close(adapter.evaluate(load(task="omol"), batch), [*expected], "float32")


def test_charge_and_spin_reach_the_model_per_structure(omol):
    states = [(0, 1), (0, 3), (1, 2), (-1, 2), (2, 1)]
    energies, forces = adapter.evaluate(omol, [charged(molecule("O2"), *s) for s in states])
    assert np.diff(np.sort(energies)).min() > 0.01
    assert len({array.tobytes() for array in forces}) == len(states)


def test_calculator_watches_charge_and_spin(omol):
    atoms = molecule("O2")
    atoms.calc = omol
    seen = [charged(atoms, *s).get_potential_energy() for s in ((0, 1), (0, 3), (1, 2), (0, 1))]
    assert np.diff(np.sort(seen[:3])).min() > 0.01
    assert seen[3] == pytest.approx(seen[0], abs=ENERGY["float32"])


def test_without_state_omol_is_a_neutral_singlet(omol):
    energies, _ = adapter.evaluate(omol, [molecule("O2"), charged(molecule("O2"), 0, 1)])
    assert energies[0] == pytest.approx(energies[1], abs=ENERGY["float32"])


@pytest.mark.parametrize(("charge", "spin"), [(1, 1), (0, 3), (-1, 2)])
def test_untrained_charge_and_spin_are_refused(charge, spin, omat):
    with pytest.raises(UnsupportedOptionError, match="omat"):
        adapter.evaluate(omat, [charged(molecule("O2"), charge, spin)])


def test_neutral_singlet_is_what_other_tasks_mean_by_nothing(omat):
    """To the vendor it is another state, that no training has shaped."""
    plain, explicit = molecule("O2"), charged(molecule("O2"), 0, 1)
    energies, _ = adapter.evaluate(omat, [plain, explicit])
    assert energies[0] == pytest.approx(energies[1], abs=ENERGY["float64"])
    vendor = vendor_calculator(UMA, "omat", "float64")
    assert single(vendor, plain.copy())[0] == pytest.approx(energies[0], abs=ENERGY["float64"])
    assert abs(single(vendor, explicit)[0] - energies[0]) > 0.01


@pytest.mark.parametrize(("charge", "spin"), [(0.5, 1), (101, 1), (0, 200), (0, "triplet")])
def test_impossible_state_is_refused(charge, spin, omol):
    with pytest.raises(UnsupportedOptionError, match=r"charge|spin"):
        adapter.evaluate(omol, [charged(molecule("O2"), charge, spin)])


def test_tasks_give_different_energies():
    atoms = [molecule("H2O")]
    energies = [adapter.evaluate(load(task=task), atoms)[0][0] for task in tiny_uma.UMA_TASKS]
    assert np.diff(np.sort(energies)).min() > 0.01


def test_positions_that_are_no_numbers_raise(omol):
    """The vendor answers with the energy of two lone atoms."""
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(omol, [Atoms("H2", np.full((2, 3), np.nan)), molecule("H2O")])


@pytest.mark.parametrize("pbc", [False, True])
def test_atoms_at_one_point_raise(pbc, omol):
    """The vendor answers with the energy of two lone atoms."""
    pair = Atoms("H2", [[0, 0, 0], [0, 0, 12.0 if pbc else 0.0]], cell=[12, 12, 12], pbc=pbc)
    with pytest.raises(EvaluationError, match="one point"):
        adapter.evaluate(omol, [pair])


def test_element_without_training_raises(omol):
    """Au has no reference energy in this checkpoint; the network would embed it."""
    with pytest.raises(UnsupportedElementError, match="does not know Au"):
        adapter.evaluate(omol, [molecule("H2O"), Atoms("Au")])


def test_what_else_is_in_info_does_not_matter(omol):
    """The vendor would read these as labels and fail to batch them."""
    atoms = molecule("H2O")
    atoms.info.update(energy="unknown", forces=[1.0], stress=np.ones(3))
    energies, _ = adapter.evaluate(omol, [molecule("H2O"), atoms])
    assert energies[0] == pytest.approx(energies[1], abs=ENERGY["float32"])


def test_molecule_far_from_the_origin(omol):
    near, far = molecule("H2O"), molecule("H2O")
    far.positions += (2000.0, -3000.0, 5000.0)
    energies, _ = adapter.evaluate(omol, [near, far])
    assert energies[0] == pytest.approx(energies[1], abs=ENERGY["float32"])


def test_stress_is_the_strain_derivative(omat):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(0.1, seed=1)
    atoms.calc = omat
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    assert np.abs(numerical).max() > 1e-4
    assert atoms.get_stress() == pytest.approx(numerical, abs=1e-7)


def test_model_of_energies_alone():
    probe = Probe("esen-sm-conserving-all-omol", checkpoint=ENERGY_ALONE, trust_checkpoint=True)
    assert "forces" not in probe.implemented_properties
    result = probe.evaluator.evaluate([molecule("H2O"), molecule("CH4")])
    assert not result.has_forces
    assert not result.failures
    single = probe.get_potential_energy(molecule("H2O"))
    assert result.energy[0] == pytest.approx(single, abs=ENERGY["float32"])


def test_pair_beyond_the_cutoff_feels_no_force(omat):
    """Its energy is not that of two atoms: the composition mixes the experts."""
    pair = Atoms("HF", [[0, 0, 0], [0, 0, 6.01]])
    (near, far), forces = adapter.evaluate(omat, [pair, Atoms("HF", [[0, 0, 0], [0, 0, 20]])])
    assert near == pytest.approx(far, abs=ENERGY["float64"])
    assert not np.any(forces)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cuda_agrees_with_the_cpu(dtype):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    batch = structures()
    device = load(task="omol", device="cuda:0", dtype=dtype)
    answer = adapter.evaluate(device, batch)
    assert_close(answer, adapter.evaluate(load(task="omol", dtype=dtype), batch), dtype)


# The real ones, where the vendor's cache has them


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("name", CARDS)
def test_real_weights(name):
    card = CARDS[name]
    if adapter.checkpoint_file(card, None) is None:
        pytest.skip(f"{name} is not in fairchem's cache; its weights are gated")
    probe = Probe(name, task=card.tasks[0] if card.tasks else None)
    for fact in ("conservative", "dtypes", "lone_atoms", "cutoff"):
        stated = getattr(card, fact)
        assert stated in (None, getattr(probe.card, fact)), fact
    hydrogen = [Atoms("H2", [[0, 0, 0], [0, 0, r]]) for r in (0.5, 0.74, 1.5)]
    result = probe.evaluator.evaluate([*hydrogen, molecule("H2O")])
    assert not result.failures
    assert result.energy[1] < min(result.energy[[0, 2]])
