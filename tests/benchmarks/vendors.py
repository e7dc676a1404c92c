"""Every family with three ways to ask it: our engine, the vendor's calculator, the bare network.

Weights are the real ones where a wheel brings them; elsewhere random ones in the published
architecture at its full size, or in a smaller one where its name says so.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from ase_probe import Probe

RANDOM = "random"
ELEMENTS = chemical_symbols[1:90]


@dataclass(frozen=True)
class Subject:
    """One row of the table.

    Attributes
    ----------
    module
        What must be importable.
    weights
        ``bundled``, or what random ones stand for.
    model, options
        Of our `Probe`.
    vendor
        (our calculator, device) -> the vendor's ASE calculator, with its default settings.
    network
        Our calculator -> object and name of the method through which it calls the network; `None`
        without one.
    finish
        What follows a call, given its answer and arguments: networks may leave the forces to us.
    boxed
        Does the vendor's calculator need a cell?
    """

    module: str
    weights: str
    model: str
    vendor: Callable[[Any, str], Any]
    network: Callable[[Any], tuple[Any, str]] | None
    options: Callable[[], dict[str, Any]] = dict
    finish: Callable[[Any, Any], Any] = lambda answer, arguments: answer
    boxed: bool = False

    @property
    def is_installed(self) -> bool:
        """Can it run in this environment?"""
        return importlib.util.find_spec(self.module.partition(".")[0]) is not None

    def probe(self, device: str) -> Probe:
        """Load it."""
        return Probe(self.model, device=device, **self.options())


def vendor(path: str) -> Any:
    """A name of a vendor's module."""
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def folder() -> Path:
    """A new one; the system clears it away."""
    return Path(tempfile.mkdtemp(prefix="ase-probe-benchmark-"))


def sevennet(calculator: Any, device: str) -> Any:
    return vendor("sevenn.calculator:SevenNetCalculator")("7net-0", device=device)


def chgnet(calculator: Any, device: str) -> Any:
    return vendor("chgnet.model.dynamics:CHGNetCalculator")(use_device=device)


def so3lr(calculator: Any, device: str) -> Any:
    kind = vendor("so3krates_torch.calculator.so3:SO3LRCalculator")
    return kind(device=device, default_dtype="float32")


def diep(calculator: Any, device: str) -> Any:
    return vendor("diep.pretrained:make_calculator")(device=device)


@cache
def mace_file(irreps: str) -> str:
    """MACE-MP-0's settings (its paper, table of hyperparameters) and its 89 elements."""
    torch, o3 = vendor("torch"), None
    modules = vendor("mace.modules")  # before e3nn, which cannot be imported without it
    o3 = vendor("e3nn.o3")
    torch.manual_seed(0)
    network = modules.ScaleShiftMACE(
        r_max=6.0,
        num_bessel=10,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        num_interactions=2,
        num_elements=len(ELEMENTS),
        hidden_irreps=o3.Irreps(irreps),
        MLP_irreps=o3.Irreps("16x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=-np.arange(1.0, len(ELEMENTS) + 1),
        avg_num_neighbors=60.0,
        atomic_numbers=[atomic_numbers[symbol] for symbol in ELEMENTS],
        correlation=3,
        atomic_inter_scale=0.8,
        atomic_inter_shift=0.1,
    )
    torch.save(network, path := folder() / "mace.model")
    return str(path)


def mace(irreps: str) -> Subject:
    return Subject(
        "mace",
        RANDOM,
        "mace-mp-0-small",
        lambda _, device: vendor("mace.calculators:MACECalculator")(
            mace_file(irreps), device=device, default_dtype="float32"
        ),
        lambda calculator: (calculator.model, "forward"),
        lambda: {"checkpoint": mace_file(irreps), "dtype": "float32", "trust_checkpoint": True},
    )


@cache
def uma_file(channels: int, layers: int, experts: int) -> str:
    """The architecture of UMA, by the helper of the adapter's own tests."""
    path = Path(__file__).parents[1] / "adapters" / "tiny_uma.py"
    spec = importlib.util.spec_from_file_location("tiny_uma", path)
    assert spec
    assert spec.loader
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return str(
        tiny.save_uma(
            folder() / "uma.pt",
            sphere_channels=channels,
            hidden_channels=channels,
            edge_channels=channels,
            num_layers=layers,
            experts=experts,
        )
    )


def uma(channels: int, layers: int, experts: int) -> Subject:
    def calculator(_: Any, device: str) -> Any:
        unit = vendor("fairchem.core.units.mlip_unit:load_predict_unit")
        # The default compiles for minutes for one composition, and is this one after the second.
        loaded = unit(uma_file(channels, layers, experts), "batch", device=device)
        return vendor("fairchem.core:FAIRChemCalculator")(loaded, "omol")

    return Subject(
        "fairchem.core",
        RANDOM,
        "uma-s-1p2p1",
        calculator,
        lambda calculator: (calculator.unit.model, "forward"),
        lambda: {
            "checkpoint": uma_file(channels, layers, experts),
            "task": "omol",
            "trust_checkpoint": True,
        },
    )


@cache
def mattersim_file() -> str:
    """MatterSim-v1's network of 1 M parameters: three blocks of 128 units."""
    torch = vendor("torch")
    torch.manual_seed(0)
    network = vendor("mattersim.forcefield.m3gnet.m3gnet:M3Gnet")(num_blocks=3, device="cpu")
    potential = vendor("mattersim.forcefield.potential:Potential")(network, device="cpu")
    potential.save(str(path := folder() / "mattersim.pth"))
    return str(path)


def mattersim(calculator: Any, device: str) -> Any:
    kind = vendor("mattersim.forcefield:MatterSimCalculator")
    return kind(load_path=mattersim_file(), device=device)


@cache
def matgl_folder(network: str) -> str:
    """MatGL's networks at their default sizes, which are those of the MatPES models."""
    torch = vendor("torch")
    vendor("matgl")
    torch.manual_seed(0)
    model = vendor(f"matgl.models:{network}")(is_intensive=False, use_smooth=True)
    potential = vendor("matgl.apps.pes:Potential")(
        model, element_refs=torch.linspace(-1.0, -7.0, len(model.element_types))
    )
    potential.save(path := str(folder()))
    return path


def matgl(name: str, network: str) -> Subject:
    return Subject(
        "matgl",
        RANDOM,
        name,
        lambda _, device: vendor("matgl.ext.ase:PESCalculator")(
            vendor("matgl").load_model(matgl_folder(network)).to(device).eval()
        ),
        lambda calculator: (calculator.potential, "forward"),
        lambda: {"checkpoint": matgl_folder(network)},
    )


@cache
def ani_file() -> str:
    """ANI-2x: all eight members."""
    torch, models = vendor("torch"), vendor("torchani.models")
    fetch, load = models._fetch_state_dict, torch.nn.Module.load_state_dict
    models._fetch_state_dict = lambda *_, **__: {"energy_shifter.self_energies": None}
    torch.nn.Module.load_state_dict = lambda *_, **__: None
    try:
        torch.manual_seed(0)
        state = models.ANI2x().state_dict()
    finally:
        models._fetch_state_dict, torch.nn.Module.load_state_dict = fetch, load
    torch.save(state, path := folder() / "ani2x_state_dict.pt")
    return str(path)


def ani(calculator: Any, device: str) -> Any:
    model = Probe("ani-2x", checkpoint=ani_file(), device=device).evaluator.calculator.model
    model.set_enabled("energy_shifter", True)  # ours adds these energies itself
    return model.ase()


@cache
def aimnet2_file() -> str:
    """AIMNet2's own configuration, exported by the vendor's command."""
    torch, yaml = vendor("torch"), vendor("yaml")
    export = vendor("aimnet.train.export_model")
    source = Path(vendor("aimnet.models").__file__).parent / "aimnet2_dftd3_wb97m.yaml"
    here = folder()
    (here / "energies").write_text(yaml.safe_dump({z: -1.0 - 0.1 * z for z in (1, 6, 7, 8, 17)}))
    torch.manual_seed(5)
    state = export.build_module(yaml.safe_load(source.read_text())).state_dict()
    torch.save(state, here / "weights.pt")
    files = (here / "weights.pt", here / "aimnet2.pt", source, here / "energies")
    export.export_model.callback(*map(str, files), None, None)
    return str(here / "aimnet2.pt")


def aimnet2(calculator: Any, device: str) -> Any:
    module = vendor("aimnet.calculators")
    return module.AIMNet2ASE(module.AIMNet2Calculator(aimnet2_file(), device=device))


@cache
def upet_file() -> str:
    """PET at the default size of metatrain."""
    torch = vendor("torch")
    with vendor("ase_probe.adapters.upet")._able_to_compile():
        return _upet_file(torch)


def _upet_file(torch: Any) -> str:
    vendor("upet")
    hypers = vendor("metatrain.utils.architectures").get_default_hypers("pet")["model"]
    data, info = vendor("metatrain.utils.data"), vendor("metatrain.utils.data.target_info")
    torch.manual_seed(0)
    dataset = data.DatasetInfo(
        length_unit="angstrom",
        atomic_types=[atomic_numbers[symbol] for symbol in ELEMENTS],
        targets={"energy": info.get_energy_target_info("energy", {"unit": "eV"})},
    )
    model = vendor("metatrain.pet").__model__(deepcopy(hypers), dataset)
    torch.save(model.get_checkpoint(), path := folder() / "pet.ckpt")
    return str(path)


def upet(calculator: Any, device: str) -> Any:
    with vendor("ase_probe.adapters.upet")._able_to_compile():
        kind = vendor("upet.calculator:UPETCalculator")
        return kind(checkpoint_path=upet_file(), device=device)


@cache
def orb_file(kind: str) -> str:
    """Orb v3: conservative with unlimited, direct with 20 neighbours."""
    torch = vendor("torch")
    torch.manual_seed(0)
    neighbours = 120 if kind == "conservative" else 20
    system = vendor("orb_models.forcefield.atomic_system:SystemConfig")(6.0, neighbours)
    build = vendor(f"orb_models.forcefield.pretrained:orb_v3_{kind}_architecture")
    state = build(device="cpu", system_config=system).state_dict()
    torch.save(state, path := folder() / f"{kind}.ckpt")
    return str(path)


def orb(kind: str, name: str) -> Subject:
    def calculator(_: Any, device: str) -> Any:
        load = vendor("orb_models.forcefield.pretrained:ORB_PRETRAINED_MODELS")[name]
        model = load(weights_path=orb_file(kind), device=device, compile=False)
        return vendor("orb_models.forcefield.calculator:ORBCalculator")(model, device=device)

    return Subject(
        "orb_models",
        RANDOM,
        name,
        calculator,
        lambda calculator: (calculator.model, "predict"),
        lambda: {"checkpoint": orb_file(kind)},
    )


@cache
def nequix_file() -> str:
    """The architecture of all public checkpoints (the vendor's configurations)."""
    equinox, jax = vendor("equinox"), vendor("jax")
    architecture = {
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
    model = vendor("nequix.model")
    drawn = equinox.filter_eval_shape(
        model.Nequix, jax.random.key(0), n_species=len(ELEMENTS), **architecture
    )
    rng = np.random.default_rng(3)
    filled = jax.tree.map(lambda leaf: 0.1 * rng.normal(size=leaf.shape).astype("float32"), drawn)
    numbers = [atomic_numbers[symbol] for symbol in ELEMENTS]
    path = folder() / "nequix.nqx"
    model.save_model(path, filled, {"atomic_numbers": numbers, **architecture})
    return str(path)


def nequix(calculator: Any, device: str) -> Any:
    kind = vendor("nequix.calculator:NequixCalculator")
    return kind(model_path=nequix_file(), backend="jax", use_kernel=False)


def tblite(calculator: Any, device: str) -> Any:
    return vendor("tblite.ase:TBLite")(method="GFN2-xTB", verbosity=0)


def gradient_of(energies: Callable[[Any], Any], leaf: Callable[[Any], Any]) -> Any:
    """Forces as the adapter takes them: one backward pass."""

    def gradient(answer: Any, arguments: Any) -> Any:
        grad = vendor("torch").autograd.grad
        total = energies(answer).sum()
        return grad(total, leaf(arguments), retain_graph=True, allow_unused=True)

    return gradient


def upet_energies(answer: Any) -> Any:
    return answer["energy"].block().values


def upet_positions(arguments: Any) -> Any:
    return [system.positions for system in arguments[0]]


def model(calculator: Any) -> tuple[Any, str]:
    return calculator.model, "forward"


def network(calculator: Any) -> tuple[Any, str]:
    return calculator, "network"


def potential(calculator: Any) -> tuple[Any, str]:
    return calculator.potential, "forward"


SUBJECTS = {
    "7net-0": Subject("sevenn", "bundled", "7net-0", sevennet, network),
    "chgnet-0.3.0": Subject("chgnet", "bundled", "chgnet-0.3.0", chgnet, model, boxed=True),
    "so3lr": Subject("so3krates_torch", "bundled", "so3lr", so3lr, model),
    "diep-fold1": Subject("diep", "bundled", "diep-fold1", diep, potential),
    "mace, 128x0e": mace("128x0e"),
    "mace, 128x0e+128x1o": mace("128x0e + 128x1o"),
    "uma, 16 channels": uma(16, 2, 4),
    "uma, 128 channels": uma(128, 4, 32),
    "mattersim-v1-1m": Subject(
        *("mattersim", RANDOM, "mattersim-v1-1m", mattersim, potential),
        lambda: {"checkpoint": mattersim_file()},
    ),
    "matgl, M3GNet": matgl("m3gnet-matpes-pbe", "M3GNet"),
    "matgl, TensorNet": matgl("tensornet-matpes-pbe", "TensorNet"),
    "ani-2x": Subject(
        *("torchani", RANDOM, "ani-2x", ani, model),
        lambda: {"checkpoint": ani_file()},
        gradient_of(lambda answer: answer.energies, lambda arguments: arguments[0][1]),
    ),
    "aimnet2": Subject(
        *("aimnet", RANDOM, "aimnet2", aimnet2, lambda c: (c.vendor, "_evaluate_prepared")),
        lambda: {"checkpoint": aimnet2_file()},
    ),
    "upet, PET": Subject(
        *("upet", RANDOM, "pet-omat-xs-v1.0.0", upet, lambda c: (c, "model")),
        lambda: {"checkpoint": upet_file(), "trust_checkpoint": True},
        gradient_of(upet_energies, upet_positions),
    ),
    "orb-v3-conservative": orb("conservative", "orb-v3-conservative-inf-omat"),
    "orb-v3-direct": orb("direct", "orb-v3-direct-20-omat"),
    "nequix-mp-1": Subject(
        *("nequix", RANDOM, "nequix-mp-1", nequix, network),
        lambda: {"checkpoint": nequix_file()},
        lambda answer, _: vendor("jax").block_until_ready(answer),
    ),
    "gfn2-xtb": Subject("tblite", "none", "gfn2-xtb", tblite, None),
}
