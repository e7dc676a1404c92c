"""SO3LR (`so3krates-torch`): an equivariant transformer with charges and dispersion, PBE0+MBD.

The vendor's model runs on batched graphs built here, for single points and batches alike. Its own
calculator answers for elements it was never trained on, gives no stress unless told so beforehand,
takes NaN positions as separated atoms, and answers with the old energy when only the charge
changed. Energies are float64 sums over atoms: each holds a shift of -163.6 eV, too much for one
float32. The model was not trained on energies, so they compare between structures of the same
atoms, and lone atoms say little.

Long-range terms end at 12 Å, as in the vendor's calculator. Inside, Coulomb's law is damped by
erf(r / 4 Å): bare charges do not repel as k/r. The spin enters as the number of unpaired electrons;
a structure that states none has none.

Loading changes torch's default dtype and the root logger, which is undone here; every forward pass
sets torch's print precision to 8 digits, which is not. Checkpoints are pickles: open only files
you trust.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import ModelLoadError
from ase_probe.graphs import centred, check_structures, find_pairs, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["SO3LR", "SO3LRCalculator", "adapter"]

FILE = "pretrained/so3lr/so3lr.model"
EMBEDDED = tuple(chemical_symbols[1:100])
"""The vendor's charges and Hirshfeld ratios have rows for these elements, trained or not."""

# Cutoff and size were read from the checkpoint; level, data and elements stand in the paper.
CARDS = (
    ModelCard(
        name="so3lr",
        family="so3lr",
        checkpoint="so3lr",
        level_of_theory="PBE0+MBD",
        training_data="4 million molecular fragments (10.5281/zenodo.14779793)",
        elements=("H", "C", "N", "O", "F", "P", "S", "Cl"),
        uses_charge=True,
        uses_spin=True,
        cutoff=4.5,
        conservative=True,
        licence="MIT",
        source=f"so3krates_torch/{FILE} in the wheel of so3krates-torch 0.2",
        sha256="b5145564911ff983ed076ccb2bca5ce63454b74c9c8291092695463f1e6732be",
        doi="10.1021/jacs.5c09558",
        dtypes=("float32", "float64"),
        lone_atoms="model",
    ),
)


class SO3LR(BatchAdapter):
    """The family; the weights come with the package."""

    family = "so3lr"
    cards = CARDS
    environment = Environment(
        extra="so3lr",
        modules=("so3krates_torch",),
        distributions=("so3krates-torch", "torch", "matscipy"),
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
    ) -> SO3LRCalculator:
        """Load the bundled weights, or a model saved by ``torchkrates-train``."""
        with _contained():
            from so3krates_torch.calculator import so3
            from so3krates_torch.modules import models

            options = {"device": device, "default_dtype": dtype or "float32"}
            if checkpoint is None:
                vendor = so3.SO3LRCalculator(**options)
            else:  # a list, since a single name would be taken as a pattern
                vendor = so3.TorchkratesCalculator(model_paths=[checkpoint], **options)
        model = vendor.models[0].eval()
        if type(model) is not models.SO3LR:
            raise ModelLoadError(
                f"{checkpoint} is a {type(model).__name__}, not an SO3LR with a single output head."
            )
        elements = card.elements if checkpoint is None else EMBEDDED
        return SO3LRCalculator(model, elements or EMBEDDED, checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read charge, spin, cutoff and size from the model."""
        model = calculator.model
        if calculator.checkpoint is not None:
            card = card.of_unknown_training(calculator.checkpoint)
        return replace(
            card,
            elements=calculator.elements,
            uses_charge=model.use_charge_embed or model.electrostatic_energy_bool,
            uses_spin=model.use_spin_embed,
            cutoff=float(model.r_max),
            conservative=True,
            parameters=sum(p.numel() for p in model.parameters()),
            lone_atoms="model",
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the bundled file; `None` where the vendor is not installed."""
        if checkpoint is not None:
            return checkpoint
        spec = importlib.util.find_spec("so3krates_torch")
        packages = (spec.submodule_search_locations if spec else None) or ()
        files = (Path(package) / FILE for package in packages)
        return next((str(file) for file in files if file.is_file()), None)


class SO3LRCalculator(BatchCalculator):
    """Calculator that reads ``info["charge"]`` (e) and ``info["spin"]`` (multiplicity)."""

    watched = ("charge", "spin")

    def __init__(self, model: Any, elements: tuple[str, ...], checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.model, self.elements = model, elements

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """One pass; energies are float64 sums of the atomic energies."""
        import torch

        check_structures(structures, self.elements)
        graph = self._graph(structures)
        parameter = next(self.model.parameters())
        kinds = {"f": parameter.dtype, "i": torch.int64}
        data = {
            name: torch.as_tensor(array, dtype=kinds[array.dtype.kind]).to(parameter.device)
            for name, array in graph.items()
        }
        answer = self.model(data, compute_stress=stress)

        def numbers(key: str) -> np.ndarray:
            return np.asarray(answer[key].detach().cpu().double().numpy())

        return Batch(
            np.add.reduceat(numbers("node_energy").ravel(), graph["ptr"][:-1]),
            numbers("forces"),
            full_3x3_to_voigt_6_stress(numbers("stress")) if stress else None,
        )

    def _graph(self, structures: Sequence[Atoms]) -> dict[str, np.ndarray]:
        """Return one graph of all structures, with edges of short and of long range."""
        counts = sizes(structures)
        owners = np.repeat(np.arange(len(counts)), counts)
        numbers = np.concatenate([atoms.numbers for atoms in structures])
        cells = np.stack([atoms.cell.array for atoms in structures])
        graph = {
            "positions": centred(structures),
            "node_attrs": np.eye(self.model.num_elements)[numbers - 1],
            "atomic_numbers": numbers,
            "cell": cells.reshape(-1, 3),
            "batch": owners,
            "ptr": np.append(0, np.cumsum(counts)),
            "head": np.zeros(len(counts), dtype=int),
            "total_charge": np.array([float(a.info.get("charge") or 0) for a in structures]),
            "total_spin": np.array([(float(a.info.get("spin") or 1) - 1) / 2 for a in structures]),
        }
        pairs = find_pairs(structures, float(self.model.r_max_lr or np.inf), _vendors_pairs)
        index = np.stack([pairs.first, pairs.second])
        shifts = np.einsum("pi,pij->pj", pairs.images, cells[owners[pairs.first]])
        short = pairs.distances < float(self.model.r_max)
        for suffix, near in (("", short), ("_lr", slice(None))):
            graph["edge_index" + suffix] = index[:, near]
            graph["unit_shifts" + suffix] = pairs.images[near].astype(float)
            graph["shifts" + suffix] = shifts[near]
        return graph


def _vendors_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from so3krates_torch.data.neighborhood import get_neighborhood

    cell = atoms.cell.complete().array.copy()  # which the vendor changes
    (i, j), _, images, *_ = get_neighborhood(
        atoms.positions, cutoff, pbc=tuple(atoms.pbc), cell=cell
    )
    return i, j, images


@contextmanager
def _contained() -> Iterator[None]:
    """Undo what the vendor's loading does to the process, and silence what nobody can act on."""
    import torch

    default = torch.get_default_dtype()
    root = logging.getLogger()
    handlers = root.handlers[:]  # its ``logging.info`` adds one where there is none
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.filterwarnings("ignore", "path is deprecated", DeprecationWarning)
            warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
            yield
    finally:
        torch.set_default_dtype(default)
        root.handlers[:] = handlers


adapter = SO3LR()
