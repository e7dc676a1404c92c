"""MatGL keeps the adapter contract: tiny random weights, the vendor's networks, loader and files.

Its published weights must be downloaded; they are tested where the vendor's cache has them.
"""

import json
import shutil
import tempfile
import warnings
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.fd import calculate_numerical_stress

from ase_probe.errors import EvaluationError, ModelLoadError
from ase_probe.testing import CONTRACT, Subject, contract

pytest.importorskip("matgl")

matgl = import_module("ase_probe.adapters.matgl")
adapter = matgl.adapter
CARDS = {card.name: card for card in adapter.cards}
NETWORKS = ("M3GNet", "CHGNet", "TensorNet", "SO3Net", "QET")
ELEMENTS = ("H", "Li", "C", "N", "O", "F", "Na", "Al", "Cl", "Cu")

# Differences that rounding alone explains, for the moderate geometries below.
ENERGY = {"float32": 1e-5, "float64": 1e-10}  # eV
FORCE = {"float32": 1e-5, "float64": 1e-9}  # eV/Å


@cache
def vendor():
    """The package, imported without what it says of its dependencies."""
    with matgl._without_vendor_noise():
        return import_module("matgl")


def build(network="M3GNet", potential=(), **arguments):
    """Folder of a small random potential, written by the vendor's `save`."""
    vendor()
    models, torch = import_module("matgl.models"), import_module("torch")
    small = {
        "M3GNet": {"dim_node_embedding": 8, "dim_edge_embedding": 8, "use_smooth": True},
        "CHGNet": {f"dim_{part}_embedding": 8 for part in ("atom", "bond", "angle")}
        | {"atom_conv_hidden_dims": (8,), "bond_conv_hidden_dims": (8,), "num_blocks": 2},
        "TensorNet": {"num_rbf": 8, "nblocks": 1},
        "SO3Net": {"dim_node_embedding": 8, "nblocks": 2, "lmax": 1},
        "QET": {"num_rbf": 8, "nblocks": 1, "is_hardness_envs": True},
    }[network]
    kind = {} if network == "CHGNet" else {"units": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(models, network)(
            **{"element_types": ELEMENTS, "is_intensive": False, **kind, **small, **arguments}
        )
        made = import_module("matgl.apps.pes").Potential(
            model,
            data_std=torch.tensor(20.0),
            element_refs=torch.linspace(-1.0, -7.0, len(ELEMENTS)),
            **{"calc_magmom": network == "CHGNet", "calc_charge": network == "QET"}
            | dict(potential),
        )
    folder = tempfile.mkdtemp()
    made.save(folder)
    return folder


tiny = cache(build)


@cache
def load(network="M3GNet", **options):
    defaults = {"device": "cpu", "dtype": None, "task": None}
    options.setdefault("checkpoint", tiny(network))
    return adapter.load(CARDS["m3gnet-matpes-pbe"], **{**defaults, **options})


@cache
def make_vendor(network, double=False):
    """The vendor's calculator, as its documentation says."""
    with warnings.catch_warnings():  # its neighbour list uses another package's old names
        warnings.simplefilter("ignore", DeprecationWarning)
        calculator_class = import_module("matgl.ext.ase").PESCalculator
        potential = vendor().load_model(tiny(network)).eval()
        calculator = calculator_class(
            potential.double() if double else potential, stress_unit="eV/A3", use_voigt=True
        )
    calculate = calculator.calculate

    def quiet(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calculate(*args, **kwargs)

    calculator.calculate = quiet
    return calculator


def subject(name, network, vendors=True, **options):
    return Subject(
        name,
        options={"checkpoint": tiny(network), "device": "cpu", **options},
        vendor=(lambda: make_vendor(network)) if vendors else None,
        energy_tolerance=2e-5,
        force_tolerance=1e-4,
    )


test_contract = contract(
    subject("m3gnet-matpes-pbe", "M3GNet"),
    subject("qet-matpes-pbe", "QET"),
    # The vendor's calculator rounds positions to float32: compared below, with its tolerance.
    subject("tensornet-matpes-r2scan", "TensorNet", vendors=False, dtype="float64"),
)


@pytest.fixture(params=NETWORKS)
def network(request):
    return request.param


@pytest.fixture(params=matgl.DTYPES)
def dtype(request):
    return request.param


def structures():
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    salt.rattle(0.05, seed=1)
    return {
        "water": molecule("H2O"),
        "atom": Atoms("H"),
        "benzene": molecule("C6H6"),
        "CO2": molecule("CO2"),
        "far pair": Atoms("HF", [[0, 0, 0], [0, 0, 100.0]]),
        "boxed": Atoms("LiF", [[5, 5, 5], [5, 5, 6.7]], cell=[12, 12, 12], pbc=True),
        "boxed atom": Atoms("O", cell=[12, 12, 12], pbc=True),
        "salt": salt,
        "one-atom cell": bulk("Al"),
        "slab": fcc111("Cu", (1, 1, 3), vacuum=8.0),
    }


def many():
    """Structures of every kind, dimers above all: 58."""
    dimers = [
        Atoms(name, [[0, 0, 0], [0, 0, r]])
        for name in ("H2", "NO", "NaCl", "Cu2")
        for r in (0.1, 0.4, 0.7, 1.0, 1.3, 1.7, 2.2, 2.9, 3.7, 4.5, 4.9, 7.0)
    ]
    return [*dimers, *structures().values()]


def single(calculator, atoms):
    calculator.reset()
    return calculator.get_property("energy", atoms), calculator.get_property("forces", atoms)


def edited(change, network="M3GNet", name="model.pt"):
    """Folder of the tiny model after `change(content of the file)`."""
    torch = import_module("torch")
    folder = Path(tempfile.mkdtemp()) / "model"
    shutil.copytree(tiny(network), folder)
    if name == "model.json":
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))
    else:
        content = torch.load(folder / name, weights_only=True)
        change(content)
        torch.save(content, folder / name)
    return str(folder)


# Cards


def test_published_potentials():
    assert len(CARDS) == 14
    for card in CARDS.values():
        assert card.uses_charge is card.checkpoint.startswith("QET")
        assert card.source.endswith(card.checkpoint)
        ani = "ANI-1x" in card.checkpoint
        assert len(card.elements) == (4 if ani else 86 if card.name == "qet-matq" else 89)
        assert ("r2SCAN" in card.checkpoint) is card.level_of_theory.startswith("r2SCAN")


def test_elements_are_those_of_the_vendor():
    vendor()
    assert import_module("matgl.config").DEFAULT_ELEMENTS == matgl.ELEMENTS


def test_card_of_ones_own_weights(network):
    calculator = load(network)
    card = adapter.describe(CARDS["m3gnet-matpes-pbe"], calculator)
    assert card.source == tiny(network)
    assert (card.level_of_theory, card.training_data, card.licence, card.doi) == (None,) * 4
    assert card.elements == ELEMENTS
    assert card.cutoff == (6.0 if network == "CHGNet" else 5.0)
    assert card.uses_charge is (network == "QET")
    weights = sum(p.numel() for p in calculator.potential.parameters())
    # The centres of TensorNet's Gaussians are parameters that are not trained.
    assert card.parameters == weights - (8 if network in ("TensorNet", "QET") else 0)


# Loading


@pytest.mark.parametrize("name", ["model.json", "model.pt", "state.pt"])
def test_folder_or_a_file_of_it(name):
    path = str(Path(tiny("M3GNet")) / name)
    atoms = structures()["water"]
    assert single(load(checkpoint=path), atoms)[0] == single(load(), atoms)[0]
    weights = str(Path(tiny("M3GNet")) / "state.pt")
    assert adapter.checkpoint_file(CARDS["m3gnet-matpes-pbe"], path) == weights


def test_missing_weights_are_refused():
    with pytest.raises(ModelLoadError, match="randomly initialized"):
        load(checkpoint=edited(lambda state: state.clear(), name="state.pt"))


@pytest.mark.parametrize("network", ["M3GNet", "TensorNet"])  # the latter with Warp's layers
def test_weights_without_a_place_are_refused(network):
    """The vendor only logs them."""

    def add(state):
        state["model.more.0.weight"] = state["data_mean"]

    with pytest.raises(ModelLoadError, match=r"no place for model\.more\.0\.weight"):
        load(checkpoint=edited(add, network, "state.pt"))


def test_wrong_shapes_are_refused():
    def shrink(arguments):
        arguments["model"]["init_args"]["dim_node_embedding"] = 4

    with pytest.raises(ModelLoadError, match="size mismatch"):
        load(checkpoint=edited(shrink))


def test_weights_of_an_older_network_are_not_silent():
    def age(arguments):
        arguments["model"]["@model_version"] = 1

    with pytest.warns(UserWarning, match="Incompatible model version"):
        load(checkpoint=edited(age))


def test_code_in_a_file_does_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    for name in ("model.pt", "state.pt"):
        folder = edited(lambda _: None)
        import_module("torch").save({"model": Hostile()}, Path(folder) / name)
        with pytest.raises(Exception, match="Weights only load failed"):
            load(checkpoint=folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("module", ["subprocess", "matgl.models.evil", "matgl.modelsevil"])
def test_foreign_class_is_refused(module):
    def swap(arguments):
        arguments["model"].update({"@module": module})

    with pytest.raises(ModelLoadError, match="no interatomic potential"):
        load(checkpoint=edited(swap))
    with pytest.raises(ModelLoadError, match="no interatomic potential"):
        load(checkpoint=edited(lambda d: d.update({"@module": module}), name="model.json"))


def test_foreign_argument_is_refused():
    def add(arguments):
        arguments["data_mean"] = {"@module": "subprocess", "@class": "Popen", "init_args": {}}

    with pytest.raises(ModelLoadError, match="no interatomic potential"):
        load(checkpoint=edited(add))


def test_property_model_is_refused():
    with pytest.raises(ModelLoadError, match="no total energies"):
        load(checkpoint=build("TensorNet", is_intensive=True))


def test_failed_download_says_what_to_do(monkeypatch):
    vendor()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    card = replace(CARDS["m3gnet-matpes-pbe"], checkpoint="no-such-model")
    with pytest.raises(ModelLoadError, match=r"no-such-model: .*name it as checkpoint="):
        adapter.load(card, device="cpu", dtype=None, task=None, checkpoint=None)


def test_joined_layers_of_the_warp_kernels_are_no_mismatch():
    """Weights saved without the kernels are loaded with them where they are installed."""
    pytest.importorskip("nvalchemiops")
    plain = build("TensorNet", use_warp=False)
    torch = import_module("torch")
    joined = Path(tempfile.mkdtemp()) / "model"
    shutil.copytree(plain, joined)
    arguments = torch.load(joined / "model.pt", weights_only=True)
    arguments["model"]["init_args"]["use_warp"] = None
    torch.save(arguments, joined / "model.pt")
    atoms = structures()["salt"]
    kernels = load(checkpoint=str(joined), dtype="float64")
    assert type(kernels.potential.model.tensor_embedding).__module__.endswith("_warp")
    energy, forces = single(kernels, atoms)
    expected, expected_forces = single(load(checkpoint=plain, dtype="float64"), atoms)
    assert energy == pytest.approx(expected, abs=1e-7)
    assert forces == pytest.approx(expected_forces, abs=1e-7)


# Evaluation


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("chgnet-matpes-r2scan", "CHGNet"),
        ("tensornet-matpes-pbe", "TensorNet"),
        ("so3net-ani-1x", "SO3Net"),
    ],
)
def test_batch_agrees_with_the_vendor(name, network):
    """For the networks that are not under the whole contract."""
    CONTRACT["vendor_agrees"](subject(name, network))


@pytest.mark.parametrize(
    ("network", "dtype"), [("M3GNet", "float32"), ("CHGNet", "float64"), ("TensorNet", "float32")]
)
def test_batch_is_single_for_many(network, dtype):
    calculator = load(network, dtype=dtype)
    energies, forces = adapter.evaluate(calculator, many())
    for atoms, energy, force in zip(many(), energies, forces, strict=True):
        alone, alone_force = single(calculator, atoms)
        assert energy == pytest.approx(alone, abs=ENERGY[dtype], rel=1e-6)
        assert force == pytest.approx(alone_force, abs=FORCE[dtype], rel=1e-4)


def test_double_precision_agrees_with_the_vendor(network):
    """To what rounding the positions to float32 explains."""
    calculator, theirs = load(network, dtype="float64"), make_vendor(network, double=True)
    for name in ("benzene", "salt", "boxed"):
        energy, forces = single(calculator, structures()[name])
        expected, expected_forces = single(theirs, structures()[name])
        assert energy == pytest.approx(expected, abs=1e-4)
        assert forces == pytest.approx(expected_forces, abs=1e-4)


def test_double_precision_is_double(network):
    calculator = load(network, dtype="float64")
    floating = [t for t in calculator.potential.state_dict().values() if t.is_floating_point()]
    assert {str(t.dtype) for t in floating} == {"torch.float64"}
    far = molecule("H2O")
    far.positions += 1e4
    near = molecule("H2O")
    near[0].x += 1e-9
    energies, forces = adapter.evaluate(calculator, [molecule("H2O"), far, near])
    assert energies[1] == pytest.approx(energies[0], abs=1e-8)
    assert (energies[2] - energies[0]) / 1e-9 == pytest.approx(-forces[0][0, 0], abs=2e-4)
    assert vendor().float_th == import_module("torch").get_default_dtype()


def test_stress_agrees_with_the_vendor(network):
    atoms = structures()["salt"]
    stress = load(network).get_property("stress", atoms)
    assert stress == pytest.approx(make_vendor(network).get_property("stress", atoms), abs=1e-6)


def test_stress_is_the_derivative():
    atoms = structures()["salt"]
    atoms.calc = load(dtype="float64")
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, 1e-4), abs=1e-7)


def test_stress_in_a_left_handed_cell():
    atoms = structures()["salt"]
    calculator = load(dtype="float64")
    mirrored = atoms.copy()
    mirrored.set_cell(atoms.cell.array[[1, 0, 2]])
    assert calculator.get_property("stress", mirrored) == pytest.approx(
        calculator.get_property("stress", atoms), abs=1e-10
    )


def test_slab_has_images_where_it_is_periodic(network):
    """The vendor's calculator fails here, or takes the slab for a molecule."""
    slab = structures()["slab"]
    boxed, free = slab.copy(), slab.copy()
    boxed.pbc, free.pbc = True, False
    energies, _ = adapter.evaluate(load(network, dtype="float64"), [slab, boxed, free])
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    assert abs(energies[0] - energies[2]) > 1e-3


def test_dropout_is_off():
    calculator = load(checkpoint=build("M3GNet", dropout=0.5))
    assert single(calculator, molecule("C6H6"))[0] == single(calculator, molecule("C6H6"))[0]


def test_debug_mode_is_off():
    """It gives the gradient in the place of the forces."""
    atoms = molecule("H2O")
    debug = load(checkpoint=build("M3GNet", potential={"debug_mode": True}.items()))
    assert single(debug, atoms)[1] == pytest.approx(single(load(), atoms)[1], abs=1e-7)


def test_pair_at_the_cutoff_is_two_lone_atoms(network):
    symbols = ("H", "O", "Cu")
    pairs = [Atoms([symbol, symbol], [[0, 0, 0], [0, 0, 6.0001]]) for symbol in symbols]
    calculator = load(network, dtype="float64")
    energies, _ = adapter.evaluate(calculator, [*pairs, *map(Atoms, symbols)])
    assert energies[:3] == pytest.approx(2 * energies[3:], abs=1e-8)


def test_charge_reaches_the_model_per_structure():
    charged = []
    for charge in (None, 0, 1, -1, 2):
        charged.append(molecule("H2O"))
        charged[-1].info = {"charge": charge}
    calculator = load("QET", dtype="float64")
    energies, _ = adapter.evaluate(calculator, charged)
    assert energies[0] == energies[1]
    assert len(set(np.round(energies, 6))) == 4
    for atoms, energy in zip(charged, energies, strict=True):
        assert single(calculator, atoms)[0] == pytest.approx(energy, abs=1e-10)


def test_charge_means_what_it_means_to_the_vendor():
    atoms = molecule("H2O")
    atoms.set_initial_charges([1, 0, 0])
    expected = single(make_vendor("QET"), atoms)[0]
    atoms.info["charge"] = 1
    assert single(load("QET"), atoms)[0] == pytest.approx(expected, abs=1e-5)


def test_position_that_is_no_number_raises():
    with pytest.raises(EvaluationError, match="not a finite number"):
        adapter.evaluate(load(), [molecule("H2O"), Atoms("HO", [[0, 0, 0], [0, 0, np.nan]])])


def test_coincident_atoms_spoil_nobody_else(network):
    water = molecule("H2O")
    pair = Atoms("O2", np.zeros((2, 3)))
    energies, _ = adapter.evaluate(load(network), [water, pair, water])
    expected = single(load(network), water)[0]
    assert energies[[0, 2]] == pytest.approx([expected, expected], abs=1e-5)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(network, dtype):
    if not import_module("torch").cuda.is_available():
        pytest.skip("no CUDA device")
    batch = [*structures().values()]
    energies, forces = adapter.evaluate(load(network, dtype=dtype, device="cuda"), batch)
    expected, expected_forces = adapter.evaluate(load(network, dtype=dtype), batch)
    assert energies == pytest.approx(expected, abs=1e-4)
    for force, other in zip(forces, expected_forces, strict=True):
        assert force == pytest.approx(other, abs=1e-4)


# The real weights


@pytest.mark.weights
@pytest.mark.parametrize("name", CARDS)
def test_published_weights(name):
    if adapter.checkpoint_file(CARDS[name], None) is None:
        pytest.skip(f"{name} is not in the vendor's cache")
    with warnings.catch_warnings():  # some are of an older network, as the vendor says
        warnings.filterwarnings("ignore", "Incompatible model version", UserWarning)
        calculator = adapter.load(CARDS[name], device="cpu", dtype=None, task=None, checkpoint=None)
    distances = np.linspace(0.6, 4.0, 100)
    curve = [Atoms("N2", [[0, 0, 0], [0, 0, r]]) for r in distances]
    energies, _ = adapter.evaluate(calculator, curve)
    assert 1.0 < distances[energies[:40].argmin()] < 1.25
    described = adapter.describe(CARDS[name], calculator)
    assert CARDS[name].parameters in (None, described.parameters)
    assert CARDS[name].cutoff in (None, described.cutoff)
