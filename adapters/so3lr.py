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
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols

from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedElementError,
    UnsupportedOptionError,
)
from ase_probe.model import AdapterBase, Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["SO3LR", "SO3LRCalculator", "adapter"]

FILE = "pretrained/so3lr/so3lr.model"
EMBEDDED = tuple(chemical_symbols[1:100])
"""The vendor's charges and Hirshfeld ratios have rows for these elements, trained or not."""
DIRECT_PAIRS = 1000
"""Non-periodic structures of up to this many atoms get their pairs from one distance matrix."""

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


class SO3LR(AdapterBase):
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
        if dtype not in (None, "float32", "float64"):
            raise UnsupportedOptionError(
                f"{card.name} cannot use dtype {dtype!r}; allowed: float32, float64."
            )
        if task is not None:
            raise UnsupportedOptionError(f"{card.name} cannot use task {task!r}; it has none.")
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
        return SO3LRCalculator(model, elements=elements or EMBEDDED, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read charge, spin, cutoff and size from the model.

        Of weights that the user brought along, training and provenance are not known.
        """
        model = calculator.model
        if calculator.checkpoint is not None:
            card = replace(card, level_of_theory=None, training_data=None, licence=None)
            card = replace(card, source=calculator.checkpoint, sha256=None, doi=None)
            card = replace(card, dtypes=CARDS[0].dtypes, conservative=True)
        return replace(
            card,
            elements=calculator.elements,
            uses_charge=model.use_charge_embed or model.electrostatic_energy_bool,
            uses_spin=model.use_spin_embed,
            cutoff=float(model.r_max),
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

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """One forward pass for all."""
        if not structures:
            return np.zeros(0), []
        ends = np.cumsum([len(atoms) for atoms in structures])
        answer = calculator.forward(structures)
        starts = ends - np.diff(ends, prepend=0)
        energies = np.add.reduceat(answer["node_energy"].ravel(), starts)
        return energies, np.split(answer["forces"], ends[:-1])


class SO3LRCalculator(Calculator):
    """ASE calculator that reads ``info["charge"]`` (e) and ``info["spin"]`` (multiplicity).

    Properties: energy, free_energy (equal to energy), energies (eV), forces (eV/Å), charges (e) of
    models that have them and, for periodic structures, stress (eV/Å³, Voigt order).
    """

    implemented_properties = [  # noqa: RUF012  ASE's own attribute
        *("energy", "free_energy", "energies", "forces", "charges", "stress")
    ]

    def __init__(self, model: Any, *, elements: tuple[str, ...], checkpoint: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.elements, self.checkpoint = model, elements, checkpoint

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """List what changed since the last call, charge and spin included."""
        changes: list[str] = super().check_state(atoms, tol=tol)  # type: ignore[no-untyped-call]
        before = self.atoms.info if self.atoms is not None else {}
        return changes + [k for k in ("charge", "spin") if before.get(k) != atoms.info.get(k)]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results`."""
        self.results = {}
        super().calculate(  # type: ignore[no-untyped-call]
            atoms, list(properties), list(system_changes)
        )
        assert self.atoms is not None
        periodic = bool(self.atoms.pbc.any()) and self.atoms.cell.rank == 3
        answer = self.forward([self.atoms], stress=periodic)
        energy = float(answer["node_energy"].sum())
        self.results = {"energy": energy, "free_energy": energy}
        self.results |= {"energies": answer["node_energy"].ravel(), "forces": answer["forces"]}
        if "partial_charges" in answer:
            self.results["charges"] = answer["partial_charges"]
        if periodic:
            self.results["stress"] = answer["stress"].flat[[0, 4, 8, 5, 2, 1]]

    def forward(
        self, structures: Sequence[Atoms], *, stress: bool = False
    ) -> dict[str, np.ndarray]:
        """Return node_energy (N, 1), forces (N, 3), partial_charges (N,) and stress (n, 3, 3)."""
        import torch

        for atoms in structures:
            self._check(atoms)
        parameter = next(self.model.parameters())
        kinds = {"f": parameter.dtype, "i": torch.int64}
        data = {
            name: torch.as_tensor(array, dtype=kinds[array.dtype.kind]).to(parameter.device)
            for name, array in self._graph(structures).items()
        }
        answer = self.model(data, compute_stress=stress)
        keys = ("node_energy", "forces", "partial_charges", *(["stress"] if stress else []))
        found = {key: answer[key] for key in keys if answer.get(key) is not None}
        return {key: value.detach().cpu().double().numpy() for key, value in found.items()}

    def _check(self, atoms: Atoms) -> None:
        unknown = sorted(set(atoms.symbols) - set(self.elements))
        if unknown:
            raise UnsupportedElementError(
                f"The model does not know {', '.join(unknown)}; it knows: "
                f"{' '.join(self.elements)}."
            )
        if not len(atoms):
            raise EvaluationError("A structure without atoms has no energy.")
        if not np.isfinite(atoms.positions).all():  # no pair would be found, as if it were alone
            raise EvaluationError("A position is not a finite number.")

    def _graph(self, structures: Sequence[Atoms]) -> dict[str, np.ndarray]:
        """Return one graph of all structures, with edges of short and of long range."""
        short = float(self.model.r_max)
        long = float(self.model.r_max_lr or np.inf)
        counts = np.array([len(atoms) for atoms in structures])
        starts = np.cumsum(counts) - counts
        numbers = np.concatenate([atoms.numbers for atoms in structures])
        # Each structure around its own centre: float32 loses what is far from the origin.
        centred = [atoms.positions - atoms.positions.mean(axis=0) for atoms in structures]
        graph = {
            "positions": np.concatenate(centred),
            "node_attrs": np.eye(self.model.num_elements)[numbers - 1],
            "atomic_numbers": numbers,
            "cell": np.concatenate([atoms.cell.array for atoms in structures]),
            "batch": np.repeat(np.arange(len(counts)), counts),
            "ptr": np.append(starts, len(numbers)),
            "head": np.zeros(len(counts), dtype=int),
            "total_charge": np.array([float(a.info.get("charge") or 0) for a in structures]),
            "total_spin": np.array([(float(a.info.get("spin") or 1) - 1) / 2 for a in structures]),
        }
        edges = [_edges(atoms, long) for atoms in structures]
        for suffix, cutoff in (("", short), ("_lr", long)):
            near = [distances <= cutoff for *_, distances in edges]
            index = [e[0][:, m] + s for e, m, s in zip(edges, near, starts, strict=True)]
            graph["edge_index" + suffix] = np.concatenate(index, axis=1)
            for name, k in (("unit_shifts", 1), ("shifts", 2)):
                arrays = [e[k][m] for e, m in zip(edges, near, strict=True)]
                graph[name + suffix] = np.concatenate(arrays)
        return graph


def _edges(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, ...]:
    """Return index (2, m), unit shifts (m, 3), shifts (m, 3) and distances (m,)."""
    if atoms.pbc.any() or len(atoms) > DIRECT_PAIRS:
        from so3krates_torch.data.neighborhood import get_neighborhood

        index, shifts, images, *_ = get_neighborhood(
            atoms.positions, cutoff, pbc=tuple(atoms.pbc), cell=atoms.cell.complete().array.copy()
        )
        vectors = atoms.positions[index[1]] - atoms.positions[index[0]] + shifts
        return index, images.astype(float), shifts, np.linalg.norm(vectors, axis=1)
    distances = np.linalg.norm(atoms.positions[None] - atoms.positions[:, None], axis=2)
    near = distances <= cutoff
    np.fill_diagonal(near, False)
    index = np.array(near.nonzero())
    none = np.zeros((index.shape[1], 3))
    return index, none, none, distances[near]


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
