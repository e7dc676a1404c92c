"""UPET (`upet`, https://github.com/lab-cosmo/upet): PET transformers that are not equivariant.

The vendor's model runs on one list of all structures, each moved to the origin in float64, for
single points and batches alike. Its own calculator is not used: it gives molecules a stress (by
dividing through a volume of zero), claims every property that ASE knows, and its batch leaves out
charge and spin, so that an ion of PET-OMol gets the energy of the neutral molecule. Models with
charge and spin take charges from -10 to 10 and multiplicities from 1 to 10, unless trained for
more.

The energy changes with the orientation of a structure, by less than the model's error according to
the vendor: dimers are evaluated along one axis. The first two evaluations of a kind take seconds
while TorchScript compiles.

PyTorch Geometric 2.7 replaces ``torch.index_select`` when it is imported, with a function that
TorchScript cannot compile: after that even the import of `upet` fails. It is put back while this
adapter imports and compiles. What the vendor changes for the whole process is undone (a handler on
the root logger, warning filters), but for TorchScript's fusion strategy, which its models need.

The vendor asks the Hugging Face Hub for its versions on every load, even of a file it has: here
cached weights are opened without. Checkpoints are unpickled: open only files you trust.

Isolated atoms: an atom without neighbours gets the network's value for its element plus the
reference energy of the element, an offset that every structure gets.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import EvaluationError, ModelLoadError, UnsupportedOptionError
from ase_probe.graphs import centred, check_structures, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["UPET", "UPETCalculator", "adapter"]

DTYPES = ("float32", "float64")
REPOSITORY = "lab-cosmo/upet"
"""Repository of the published models on the Hugging Face Hub."""
STATE = {"charge": ("charge", 0), "spin_multiplicity": ("spin", 1)}
"""The vendor's input -> key of ``atoms.info``, value when it is absent."""
MATERIALS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
MOLECULES = (
    *("H", "Li", "B", "C", "N", "O", "F", "Na", "Mg", "Si"),
    *("P", "S", "Cl", "K", "Ca", "Br", "I"),
)
CUTOFFS = {"xs": 7.5, "s": 8.0, "m": 8.5, "l": 9.0, "xl": 10.0}

_OMAT = {
    "level_of_theory": "PBE(+U), VASP PAW (OMat24)",
    "training_data": "OMat24",
    "elements": MATERIALS,
    "doi": "10.48550/arXiv.2601.16195",
}
_MAD = {
    "level_of_theory": "r2SCAN (MAD)",
    "doi": "10.48550/arXiv.2603.02089",
}
_MAD1 = {
    "level_of_theory": "PBEsol (MAD-1)",
    "training_data": "OMat24, then MAD-1.0",
    "doi": "10.48550/arXiv.2601.16195",
}
_OMOL = {
    "level_of_theory": "ωB97M-V/def2-TZVPD (OMol25)",
    "training_data": "OMol25",
    "elements": tuple(chemical_symbols[1:84]),
    "uses_charge": True,
    "uses_spin": True,
}
_SPICE = {
    "level_of_theory": "ωB97M-D3(BJ)/def2-TZVPPD (SPICE)",
    "training_data": "SPICE",
    "elements": MOLECULES,
    "doi": "10.48550/arXiv.2601.16195",
}
_MOLS = {"level_of_theory": "PBE0+MBD", "training_data": "organic crystals of the CSD, a subset"}


def _card(checkpoint: str, *aliases: str, **facts: Any) -> ModelCard:
    return ModelCard(
        **{
            "name": checkpoint,
            "family": "upet",
            "checkpoint": checkpoint,
            "aliases": aliases,
            "uses_charge": False,
            "uses_spin": False,
            "conservative": True,
            "energy_reference": "total",
            "licence": "BSD-3-Clause",
            "source": f"https://huggingface.co/{REPOSITORY}: models/{checkpoint}.ckpt",
            "dtypes": DTYPES,
            "lone_atoms": "model",
            **facts,
        }
    )


def _mad(size: str, version: str, *aliases: str) -> ModelCard:
    return _card(
        f"pet-mad-{size}-v{version}.0",
        *aliases,
        **_MAD,
        training_data=f"OMat24, then MAD-{version}",
        cutoff=CUTOFFS[size],
    )


# Names from the vendor's list; level, data, elements and cutoffs from its table of models. A name
# without a version is the newest one, as it is to the vendor.
CARDS = (
    _mad("xs", "1.6", "pet-mad-xs"),
    _mad("s", "1.6", "pet-mad-s"),
    _mad("m", "1.6", "pet-mad-m"),
    _mad("xs", "1.5"),
    _mad("s", "1.5"),
    *(
        _card(f"pet-omat-{size}-v1.0.0", f"pet-omat-{size}", **_OMAT, cutoff=CUTOFFS[size])
        for size in CUTOFFS
    ),
    *(
        _card(
            f"pet-oam-{size}-v{version}",
            f"pet-oam-{size}",
            **{
                **_OMAT,
                "level_of_theory": "PBE(+U), as in the Materials Project",
                "training_data": "OMat24, then sAlex and MPtrj",
            },
        )
        for size, version in (("l", "0.1.0"), ("xl", "1.0.0"))
    ),
    _card(
        "pet-omatpes-l-v0.1.0",
        "pet-omatpes-l",
        **{
            **_OMAT,
            "level_of_theory": "r2SCAN (MatPES)",
            "training_data": "OMat24, then MatPES",
        },
    ),
    *(_card(f"pet-omol-{size}-v1.0.0", f"pet-omol-{size}", **_OMOL) for size in "sml"),
    *(_card(f"pet-spice-{size}-v0.2.0", f"pet-spice-{size}", **_SPICE) for size in "sl"),
    _card("pet-mols-s-v1.1.0", "pet-mols-s", **_MOLS),
    _card("pet-mols-s-v1.0.0", **_MOLS),
    _card(
        "pet-mad-s-v1.0.2",
        **{**_MAD1, "training_data": "MAD-1.0", "doi": "10.1038/s41467-025-65662-7"},
    ),
    *(
        _card(f"pet-omad-{size}-v{version}", f"pet-omad-{size}", **_MAD1)
        for size, version in (("xs", "1.0.0"), ("s", "1.0.0"), ("l", "0.1.0"))
    ),
)


class UPET(BatchAdapter):
    """The family; weights are downloaded by `upet` itself."""

    family = "upet"
    cards = CARDS
    environment = Environment(
        extra="upet",
        modules=("upet",),
        distributions=("upet", "metatrain", "metatomic-torch", "torch"),
    )
    devices = ("cpu", "cuda")
    unpickles = True
    batch_size = 256

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> UPETCalculator:
        """Load weights by the vendor's name or from a checkpoint of metatrain.

        `task` is the vendor's variant: one of several energies of one model.
        """
        path = self.checkpoint_file(card, checkpoint)
        with _able_to_compile():
            import upet

            if path is not None:
                model: Any = upet.get_upet(checkpoint_path=path)
            else:
                name, size, version = card.checkpoint.rsplit("-", 2)
                model = upet.get_upet(model=name, size=size, version=version.removeprefix("v"))
        model.capabilities().dtype = dtype or DTYPES[0]
        unknown = set(model.requested_inputs(use_new_names=True)) - set(STATE)
        if unknown:
            raise ModelLoadError(f"{card.name} asks for more than atoms: {sorted(unknown)}.")
        return UPETCalculator(
            model, energy=_energy(model, task, card.name), device=device, checkpoint=checkpoint
        )

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements, size and inputs from the model."""
        model, inputs = calculator.model, calculator.inputs
        if calculator.checkpoint is not None:
            card = card.of_unknown_training(calculator.checkpoint)
        return replace(
            card,
            elements=calculator.elements,
            uses_charge="charge" in inputs,
            uses_spin="spin_multiplicity" in inputs,
            cutoff=max(float(o.cutoff) for o in model.requested_neighbor_lists()),
            conservative=True,
            parameters=sum(p.numel() for p in model.parameters()),
            tasks=_variants(model),
            dtypes=DTYPES,
            lone_atoms="model",
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the file in the cache of the Hub; `None` if it is not there."""
        if checkpoint is not None or importlib.util.find_spec("huggingface_hub") is None:
            return checkpoint
        hub: Any = importlib.import_module("huggingface_hub")
        file = hub.try_to_load_from_cache(REPOSITORY, f"models/{card.checkpoint}.ckpt")
        return file if isinstance(file, str) else None


class UPETCalculator(BatchCalculator):
    """The vendor's model on its own structures and neighbour lists.

    Models with charge and spin take ``atoms.info["charge"]`` (0 when absent) and
    ``atoms.info["spin"]`` (multiplicity, 1 when absent).
    """

    watched = ("charge", "spin")

    def __init__(self, model: Any, *, energy: str, device: str, checkpoint: str | None) -> None:
        import torch
        from metatomic.torch import ModelEvaluationOptions, ModelOutput

        super().__init__(checkpoint)
        capabilities = model.capabilities()
        self.dtype = getattr(torch, capabilities.dtype)
        self.model = model.to(device=device, dtype=self.dtype)
        self.energy, self.device = energy, device
        self.elements = tuple(chemical_symbols[z] for z in sorted(capabilities.atomic_types))
        self.inputs = tuple(model.requested_inputs(use_new_names=True))
        vesin: Any = importlib.import_module("vesin.metatomic")
        self.neighbors = vesin.neighbor_lists_for_model("angstrom", model, skin=0.0)
        self.options = ModelEvaluationOptions(
            length_unit="angstrom",
            outputs={energy: ModelOutput(unit="eV", sample_kind="system")},
        )

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate one list of all."""
        import torch

        check_structures(structures, self.elements)
        positions = torch.tensor(centred(structures), dtype=self.dtype, requires_grad=True)
        strains = torch.eye(3, dtype=self.dtype).repeat(len(structures), 1, 1)
        strains.requires_grad_(stress)
        places = torch.split(positions, sizes(structures).tolist())
        systems = [
            self._system(atoms, place, strain if stress else None)
            for atoms, place, strain in zip(structures, places, strains, strict=True)
        ]
        for calculator in self.neighbors:
            calculator.add_neighbor_list(systems)
        systems = [system.to(device=self.device) for system in systems]
        try:
            answer = self.model(systems, self.options, check_consistency=False)
        except torch.jit.Error as error:  # its first line is "The following operation failed …"
            raise EvaluationError(str(error).strip().splitlines()[-1]) from error
        energies = answer[self.energy].block().values[:, 0]
        gradients = torch.autograd.grad(
            energies.sum(),
            [positions, strains] if stress else [positions],
            allow_unused=True,  # by lone atoms
            materialize_grads=True,
        )
        forces, *virials = (gradient.double().numpy() for gradient in gradients)
        tensors = None
        if stress:
            volumes = np.array([atoms.get_volume() for atoms in structures])
            tensors = full_3x3_to_voigt_6_stress(virials[0] / volumes[:, None, None])
        return Batch(energies.detach().cpu().double().numpy(), -forces, tensors)

    def _system(self, atoms: Atoms, positions: Any, strain: Any) -> Any:
        """Return the vendor's structure; vectors of directions that are not periodic are zero."""
        import torch
        from metatomic.torch import System

        cell = torch.tensor(atoms.cell.array * atoms.pbc[:, None], dtype=self.dtype)
        if strain is not None:
            positions, cell = positions @ strain, cell @ strain
        types = torch.tensor(atoms.numbers, dtype=torch.int32)
        system = System(types, positions, cell, torch.tensor(atoms.pbc))
        for name in self.inputs:
            key, absent = STATE[name]
            value = atoms.info.get(key)
            system.add_data(name, self._value(name, absent if value is None else value))
        return system

    def _value(self, name: str, value: float) -> Any:
        """Return one number of a structure as the vendor's table."""
        import torch
        from metatensor.torch import Labels, TensorBlock, TensorMap

        index = torch.zeros((1, 1), dtype=torch.int32)
        block = TensorBlock(
            values=torch.tensor([[float(value)]], dtype=self.dtype),
            samples=Labels(["system"], index),
            components=[],
            properties=Labels([name], index),
        )
        return TensorMap(Labels(["_"], index), [block])


def _variants(model: Any) -> tuple[str, ...]:
    outputs = sorted(model.capabilities().outputs)
    return tuple(key.removeprefix("energy/") for key in outputs if key.startswith("energy/"))


def _energy(model: Any, task: str | None, name: str) -> str:
    """Return the vendor's name of the energy that `task` means."""
    variants, plain = _variants(model), "energy" in model.capabilities().outputs
    if not variants and not plain:
        raise ModelLoadError(f"{name} predicts no energy.")
    if task in variants:
        return f"energy/{task}"
    if task is None and plain:
        return "energy"
    if task is None and len(variants) == 1:
        return f"energy/{variants[0]}"
    raise UnsupportedOptionError(
        f"{name} cannot use task {task!r}; its variants of the energy: "
        f"{', '.join(variants) or 'none'}."
    )


@contextmanager
def _able_to_compile() -> Iterator[None]:
    """Put back what TorchScript can compile, silence it, and undo what the vendor changes."""
    import torch

    replaced, handlers = torch.index_select, logging.root.handlers[:]
    original = torch._C._VariableFunctions.index_select
    torch.index_select = original
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated")
            warnings.filterwarnings("ignore", "PET assumes that Cartesian tensors", UserWarning)
            yield
    finally:
        logging.root.handlers[:] = handlers
        if torch.index_select is original:  # else PyTorch Geometric was imported just now
            torch.index_select = replaced


adapter = UPET()
