"""MatterSim (`mattersim`, https://github.com/microsoft/mattersim): M3GNet networks, PBE(+U).

The vendor's `Potential` runs on one graph of all structures built here, with float64 geometry and
no box. Its own calculator is not used: it gives molecules a stress, that of a box it puts them
into; it wraps atoms along directions that are not periodic, so that a slab with an atom below the
cell falls apart; it flips the sign of the stress in left-handed cells; and it answers as if an atom
at NaN were alone.

The vendor's loader reads weights with ``strict=False``: a checkpoint without a single weight loads,
and gives the energies of a random network. Here the keys are compared first. The published weights
lack ``sbf.coef``, tables of the spherical basis that the constructor fills in.

Isolated atoms: an atom without neighbours gets no message; its energy is the network's readout of
its element alone, which is what the energy of a pair tends to at the cutoff.

The vendor downloads to ``~/.local/mattersim`` and creates that folder on every load. What its
import and loader change for the whole process (warning filters, loguru's handlers, TF32) is undone.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import GPa

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import ModelLoadError
from ase_probe.graphs import centred, check_structures, complete_cells, find_pairs, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["MatterSim", "MatterSimCalculator", "adapter"]

ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
ARCHITECTURE: dict[str, Any] = {
    "uses_charge": False,
    "uses_spin": False,
    "conservative": True,
    "lone_atoms": "model",
}
REBUILT = {"sbf.coef"}
"""Buffers that do not depend on training and that older checkpoints do not hold."""
URL = "https://raw.githubusercontent.com/microsoft/mattersim/main/pretrained_models/"


def _card(size: str, structures: str, parameters: int) -> ModelCard:
    checkpoint = f"mattersim-v1.0.0-{size}"
    return ModelCard(
        name=f"mattersim-v1-{size.lower()}",
        family="mattersim",
        checkpoint=checkpoint,
        aliases=(checkpoint, f"{checkpoint}.pth"),
        level_of_theory="PBE(+U), VASP PAW",
        training_data=f"MatterSim (not published), {structures} structures",
        elements=ELEMENTS,
        cutoff=5.0,
        energy_reference="total",
        parameters=parameters,
        licence="MIT",
        source=f"{URL}{checkpoint}.pth",
        doi="10.48550/arXiv.2405.04967",
        dtypes=("float32", "float64"),
        **ARCHITECTURE,
    )


# The vendor's MODEL_CARD states data and licence, the paper 89 elements: those of the Materials
# Project and Alexandria. The networks also have rows for Po, At, Rn, Fr and Ra.
CARDS = (_card("1M", "3 million", 890_034), _card("5M", "6 million", 4_548_930))


class MatterSim(BatchAdapter):
    """The family; weights are downloaded by `mattersim` itself."""

    family = "mattersim"
    cards = CARDS
    environment = Environment(
        extra="mattersim",
        modules=("mattersim",),
        distributions=("mattersim", "torch", "torch-geometric", "e3nn"),
        exclude=("torchvision", "torchaudio"),
    )
    devices = ("cpu", "cuda")
    batch_size = 256

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> MatterSimCalculator:
        """Load weights by the vendor's name or from a file of the vendor's trainer."""
        path = Path(checkpoint or _downloaded(card)).absolute()
        with _without_side_effects():
            from mattersim.forcefield.potential import Potential

            if checkpoint is None and not path.is_file():
                _download(card)
            weights = _weights(path)
            # Absolute, since a bare file name that the vendor knows would mean its own file.
            potential: Any = Potential.from_checkpoint(
                str(path), device=device, load_training_state=False
            )
        expected = set(potential.model.state_dict())
        missing = sorted(expected - set(weights) - REBUILT)
        unexpected = sorted(set(weights) - expected)
        if missing or unexpected:
            raise ModelLoadError(
                f"The weights in {path} are not those of the network they describe. "
                f"Missing: {_shown(missing)}. Unexpected: {_shown(unexpected)}."
            )
        if dtype == "float64":
            potential.double()
        return MatterSimCalculator(potential, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements and size from the model."""
        model = calculator.potential.model
        if calculator.checkpoint is not None:
            card = card.of_unknown_training(calculator.checkpoint)
        return replace(
            card,
            **ARCHITECTURE,
            elements=calculator.elements,
            cutoff=float(model.model_args["cutoff"]),
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or where the vendor keeps the card's file; `None` if nowhere."""
        if checkpoint is not None:
            return checkpoint
        return str(_downloaded(card)) if _downloaded(card).is_file() else None


class MatterSimCalculator(BatchCalculator):
    """The vendor's `Potential` on graphs of ours."""

    def __init__(self, potential: Any, *, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.potential = potential
        embedded = tuple(chemical_symbols[1 : potential.model.max_z + 1])
        self.elements = ELEMENTS if checkpoint is None else embedded

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate one graph of all."""
        import torch

        parameter = next(self.potential.model.parameters())
        kinds = {"f": parameter.dtype, "i": torch.int64}
        graph = {
            name: torch.as_tensor(array, dtype=kinds[array.dtype.kind]).to(parameter.device)
            for name, array in self._graph(structures).items()
        }
        sizes = {
            "num_graphs": len(structures),
            "total_num_atoms": len(graph["batch"]),
            "total_num_bonds": len(graph["pbc_offsets"]),
        }
        double = parameter.dtype == torch.float64
        with _float_means_double() if double else nullcontext():
            answer = self.potential(graph | sizes, include_stresses=stress)
        numbers = {key: value.detach().cpu().double().numpy() for key, value in answer.items()}
        tensors = None
        if stress:
            # The vendor divides by the determinant of the cell, negative in a left-handed one.
            signs = np.sign([np.linalg.det(atoms.cell.array) for atoms in structures])
            tensors = full_3x3_to_voigt_6_stress(numbers["stresses"] * signs[:, None, None]) * GPa
        return Batch(numbers["total_energy"], numbers["forces"], tensors)

    def _graph(self, structures: Sequence[Atoms]) -> dict[str, np.ndarray]:
        """Return the vendor's input: one graph of all structures, three-body terms included."""
        from mattersim.datasets.utils.convertor import compute_threebody_indices

        check_structures(structures, self.elements)
        arguments = self.potential.model.model_args
        pairs = find_pairs(structures, arguments["cutoff"])
        counts = sizes(structures)
        numbers = np.concatenate([atoms.numbers for atoms in structures])
        triples, per_bond, _, _ = compute_threebody_indices(  # it needs `first` in order
            np.stack([pairs.first, pairs.second], axis=1),
            pairs.distances,
            len(numbers),
            numbers,
            threebody_cutoff=arguments["threebody_cutoff"],
        )
        return {
            "atom_pos": centred(structures),
            "cell": complete_cells(structures),
            "pbc_offsets": pairs.images.astype(float),
            "atom_attr": numbers[:, None],
            "edge_index": np.stack([pairs.first, pairs.second]),
            "three_body_indices": triples,
            "num_bonds": pairs.counts,
            "num_triple_ij": per_bond[:, None],
            "num_atoms": counts,
            "batch": np.repeat(np.arange(len(counts)), counts),
            "bond_index_bias": np.zeros((1, 1), dtype=int),  # the indices count all bonds already
            "three_body_edge_map": np.repeat(np.arange(len(per_bond)), per_bond),
        }


def _downloaded(card: ModelCard) -> Path:
    folder = Path.home() / ".local" / "mattersim" / "pretrained_models"
    return folder / f"{card.checkpoint}.pth"


def _download(card: ModelCard) -> None:
    from mattersim.utils.download_utils import download_checkpoint

    try:
        download_checkpoint(f"{card.checkpoint}.pth")
    except OSError as error:  # what `requests` raises is one
        raise ModelLoadError(
            f"{card.name} needs {card.source}, which could not be downloaded "
            f"({type(error).__name__}). Fetch it elsewhere and put it at {_downloaded(card)}, or "
            "name it as checkpoint=."
        ) from error


def _weights(path: Path) -> dict[str, Any]:
    """Read the network's weights without running what the file may hold.

    Once this succeeds the vendor's own load is harmless too, even where another package has
    switched torch's safe loading off for the whole process (``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD``).
    """
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or not {"model", "model_args", "model_name"} <= set(content):
        raise ModelLoadError(f"{path} is not a checkpoint that MatterSim's `Potential.save` wrote.")
    return dict(content["model"])


def _shown(keys: Sequence[str], most: int = 5) -> str:
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more or "none"


@contextmanager
def _float_means_double() -> Iterator[None]:
    """Run the network in double precision: its code casts image offsets and one-hots to float."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Double(TorchFunctionMode):
        def __torch_function__(  # type: ignore[no-untyped-def]
            self, func, types, args=(), kwargs=None
        ):
            func = torch.Tensor.double if func is torch.Tensor.float else func
            return func(*args, **(kwargs or {}))

    with Double():
        yield


@contextmanager
def _without_side_effects() -> Iterator[None]:
    """Undo what import and loader of the vendor change; silence what nobody can act on."""
    import torch
    from loguru import logger
    from mattersim.utils.logger_utils import handlers

    handlers.setdefault("console", None)  # else its import removes all handlers of the process
    logger.disable("mattersim")  # "Loading the model from …"
    tf32 = torch.backends.cuda.matmul.allow_tf32
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", r"`torch_geometric\.distributed` has been deprecated", DeprecationWarning
            )
            warnings.filterwarnings(
                "ignore", r"`torch\.jit\.script` is deprecated", DeprecationWarning
            )
            yield
    finally:
        logger.enable("mattersim")
        torch.backends.cuda.matmul.allow_tf32 = tf32


adapter = MatterSim()
