"""MatGL (`matgl`, https://matgl.ai): M3GNet, CHGNet, TensorNet, SO3Net, QET; MatPES, MatQ, ANI-1x.

The vendor's `Potential` runs on one graph of all structures built here, with float64 geometry, for
single points and batches alike. Its own calculator is not used: it gives molecules a stress (by
dividing through 1 Å³), fails for structures that are periodic in one or two directions or takes
them for molecules (it depends on whether `nvalchemi-toolkit-ops` is installed), rounds positions to
float32 in double precision, and leaves the network in training mode, with its dropout.

A model is a folder (``model.json``, ``model.pt``, ``state.pt``); ``checkpoint`` is the folder or a
file of it. The vendor's loader imports any module and calls any class that these files name, and
only logs weights that the network has no place for; here both are refused. It warns of weights
saved by an older version of the network: then message passing may have changed under them.

Where `nvalchemi-toolkit-ops` is installed, TensorNet and QET run on its Warp kernels, compiled at
the first evaluation; what Warp says of that is silenced for the process. Importing the vendor
creates ``~/.cache/matgl``.

QET spreads the total charge over the atoms of a structure, near or far, and sums their Coulomb
potential inside the cutoff only; its training data are neutral. The ANI-1x models predict total
energies of all electrons: in float32 a benzene molecule is rounded to 5e-4 eV.

Isolated atoms: an atom without neighbours gets no message; its energy is the network's readout plus
the reference energy of its element, an offset that every structure gets. In TensorNet and QET even
the element reaches the readout through messages only, so that the readout is the same for all.
"""

from __future__ import annotations

import importlib.util
import json
import re
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import GPa

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import ModelLoadError
from ase_probe.graphs import check_structures, complete_cells, find_pairs, fractional, places, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["MatGL", "MatGLCalculator", "adapter"]

ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
DTYPES = ("float32", "float64")
FILES = ("model.json", "model.pt", "state.pt")
NETWORKS = ("CHGNet", "M3GNet", "QET", "SO3Net", "TensorNet")
OWNER = "materialyze"
"""Owner of the published models on the Hugging Face Hub."""
MATPES = "10.48550/arXiv.2503.04070"
MATGL = "10.1038/s41524-025-01742-y"
QET = "10.48550/arXiv.2511.07249"


def _card(name: str, checkpoint: str, **facts: Any) -> ModelCard:
    functional = "r2SCAN" if "r2SCAN" in checkpoint else "PBE"
    return ModelCard(
        **{
            "name": name,
            "family": "matgl",
            "checkpoint": checkpoint,
            "aliases": (checkpoint,),
            "level_of_theory": f"{functional} (MatPES)",
            "training_data": f"MatPES-{functional}-2025.2",
            "elements": ELEMENTS,
            "uses_charge": checkpoint.startswith("QET"),
            "uses_spin": False,
            "conservative": True,
            "energy_reference": "total",
            "licence": "BSD-3-Clause (of the package; none is stated for the weights)",
            "source": f"https://huggingface.co/{OWNER}/{checkpoint}",
            "doi": MATPES,
            "dtypes": DTYPES,
            "lone_atoms": "model",
            **facts,
        }
    )


def _ani(name: str, checkpoint: str) -> ModelCard:
    return _card(
        name,
        checkpoint,
        level_of_theory="ωB97X/6-31G(d) (ANI-1x)",
        training_data="ANI-1x, a subset of 991 735 structures",
        elements=("H", "C", "N", "O"),
        cutoff=5.0,
        doi=MATGL,
    )


# The vendor lists what its organisation on the Hugging Face Hub holds. Facts from the model cards
# and model.json there; elements of MatQ without He, Ne and Ar, whose reference energies are zero.
CARDS = (
    _card("tensornet-matpes-pbe", "TensorNet-PES-MatPES-PBE-2025.2"),
    _card("tensornet-matpes-r2scan", "TensorNet-PES-MatPES-r2SCAN-2025.2"),
    _card("tensornet-matpes-pbe-m", "TensorNet-PES-MatPES-PBE-2025.2-m", parameters=1_067_906),
    _card(
        "tensornet-matpes-r2scan-m", "TensorNet-PES-MatPES-r2SCAN-2025.2-m", parameters=1_067_906
    ),
    _card("m3gnet-matpes-pbe", "M3GNet-PES-MatPES-PBE-2025.2"),
    _card("m3gnet-matpes-r2scan", "M3GNet-PES-MatPES-r2SCAN-2025.2"),
    _card(
        "chgnet-matpes-pbe",
        "CHGNet-PES-MatPES-PBE-2025.2.10",
        training_data="MatPES-PBE-2024.11, 391 241 structures",
        cutoff=6.0,
        licence="BSD-3-Clause",
    ),
    _card(
        "chgnet-matpes-r2scan",
        "CHGNet-PES-MatPES-r2SCAN-2025.2.10",
        training_data="MatPES-r2SCAN-2024.11, 349 107 structures",
        cutoff=6.0,
    ),
    _card("qet-matpes-pbe", "QET-PES-MatPES-PBE-2025.2", parameters=905_492, doi=QET),
    _card("qet-matpes-r2scan", "QET-PES-MatPES-r2SCAN-2025.2", parameters=905_492, doi=QET),
    _card(
        "qet-matq",
        "QET-PES-MatQ",
        level_of_theory="PBE (MatQ)",
        training_data="MatQ, 114 445 structures",
        elements=tuple(symbol for symbol in ELEMENTS if symbol not in ("He", "Ne", "Ar")),
        cutoff=5.0,
        doi=QET,
    ),
    _ani("m3gnet-ani-1x", "M3GNet-PES-ANI-1x-Subset"),
    _ani("so3net-ani-1x", "SO3Net-PES-ANI-1x-Subset"),
    _ani("tensornet-ani-1x", "TensorNet-PES-ANI-1x-Subset"),
)


class MatGL(BatchAdapter):
    """The family; weights are downloaded by `matgl` itself."""

    family = "matgl"
    cards = CARDS
    environment = Environment(
        extra="matgl",
        modules=("matgl",),
        distributions=("matgl", "torch", "torch-geometric", "nvalchemi-toolkit-ops"),
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
    ) -> MatGLCalculator:
        """Load weights by the vendor's name, or a folder that the vendor's `save` wrote."""
        with _without_vendor_noise():
            import matgl
        source: Any = f"{OWNER}/{card.checkpoint}"
        if checkpoint is not None:
            file = Path(str(self.checkpoint_file(card, checkpoint)))
            if file.name not in FILES:
                raise ModelLoadError(
                    f"{checkpoint!r} is not a model of MatGL: name a folder with "
                    f"{', '.join(FILES)}, or one of these files in it."
                )
            source = file.parent
            _check_harmless(source)
        try:
            potential: Any = matgl.load_model(source)
        except (RuntimeError, ValueError) as error:
            cause = error.__cause__ or error  # the vendor's own message is "Unknown error"
            if not isinstance(cause, Exception):
                raise cause from None  # it wraps an interrupt, too
            advice = "" if checkpoint else f" Or fetch {card.source} and name it as checkpoint=."
            raise ModelLoadError(f"{source}: {type(cause).__name__}: {cause}{advice}") from cause
        _check_complete(potential, self.checkpoint_file(card, checkpoint))
        potential.calc_forces, potential.calc_hessian, potential.debug_mode = True, False, False
        potential.calc_charge = hasattr(potential.model, "qeq")
        potential.to(device).eval()
        if dtype == "float64":
            potential.double()
        return MatGLCalculator(potential, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements and size from the model."""
        potential = calculator.potential
        if calculator.checkpoint is not None:
            card = replace(card.of_unknown_training(calculator.checkpoint), elements=None)
        return replace(
            card,
            elements=card.elements or calculator.elements,
            uses_charge=potential.calc_charge,
            uses_spin=False,
            cutoff=float(potential.model.cutoff),
            conservative=True,
            parameters=sum(p.numel() for p in potential.parameters() if p.requires_grad),
            dtypes=DTYPES,
            lone_atoms="model",
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return the file of the weights; `None` where the vendor's cache has not got it."""
        if checkpoint is not None:
            path = Path(checkpoint)
            path = path / "state.pt" if path.is_dir() else path
            return str(path.with_name("state.pt") if path.name in FILES else path)
        folder = Path.home() / ".cache" / "matgl" / f"models--{OWNER}--{card.checkpoint}"
        revision = folder / "refs" / "main"
        if not revision.is_file():
            return None
        file = folder / "snapshots" / revision.read_text().strip() / "state.pt"
        return str(file) if file.is_file() else None


class MatGLCalculator(BatchCalculator):
    """The vendor's `Potential` on graphs of ours.

    QET takes the total charge from ``atoms.info["charge"]``, 0 when absent.
    """

    watched = ("charge",)

    def __init__(self, potential: Any, *, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.potential = potential
        self.elements = tuple(potential.model.element_types)

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate one graph of all."""
        import torch
        from torch_geometric.data import Batch as Graphs

        like = self.potential.data_mean
        kinds = {"f": like.dtype, "i": torch.int64}
        graph = {
            name: torch.as_tensor(array, dtype=kinds[array.dtype.kind]).to(like.device)
            for name, array in self._graph(structures).items()
        }
        lattice, charge = graph.pop("lattice"), graph.pop("charge")
        self.potential.calc_stresses = stress
        answer = self.potential(
            Graphs(**graph, num_nodes=len(graph["batch"])),
            lattice,
            total_charge=charge if self.potential.calc_charge else None,
        )
        energies, forces, stresses = (x.detach().cpu().double().numpy() for x in answer[:3])
        tensors = None
        if stress:  # one below the other
            tensors = full_3x3_to_voigt_6_stress(stresses.reshape(-1, 3, 3)) * GPa
        return Batch(np.atleast_1d(energies), forces, tensors)

    def _graph(self, structures: Sequence[Atoms]) -> dict[str, np.ndarray]:
        """Return the vendor's input: one graph of all structures."""
        check_structures(structures, self.elements)
        # By first atom within a structure: M3GNet finds triplets by their place in the list.
        pairs = find_pairs(structures, float(self.potential.model.cutoff))
        counts = sizes(structures)
        return {
            "edge_index": np.stack([pairs.first, pairs.second]),
            "node_type": places(structures, self.elements),
            "frac_coords": fractional(structures),
            "pbc_offset": pairs.images.astype(float),
            "lattice": complete_cells(structures),
            "charge": np.array([float(atoms.info.get("charge") or 0) for atoms in structures]),
            "batch": np.repeat(np.arange(len(counts)), counts),
            "ptr": np.append(0, np.cumsum(counts)),
        }


def _check_harmless(folder: Path) -> None:
    """Refuse a model whose loading would import and call what its files name."""
    import torch

    described = json.loads((folder / "model.json").read_text())
    arguments = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
    parts = {key: value for key, value in arguments.items() if isinstance(value, dict)}
    network = parts.pop("model", {})
    if (
        parts
        or described.get("@class") != "Potential"
        or not re.fullmatch(r"matgl\.apps\._?pes\w*", str(described.get("@module")))
        or network.get("@class") not in NETWORKS
        or not re.fullmatch(r"matgl\.models(\._\w+)?", str(network.get("@module")))
    ):
        raise ModelLoadError(
            f"{folder} holds no interatomic potential of MatGL over one of {', '.join(NETWORKS)}: "
            f"it is a {described.get('@class')} over {network.get('@class')}."
        )


def _check_complete(potential: Any, file: str | None) -> None:
    """Refuse weights that the network has no place for, and networks that need more than atoms."""
    import torch

    model = potential.model
    if model.is_intensive or getattr(model, "include_state", getattr(model, "include_states", 0)):
        raise ModelLoadError(
            "The model gives no total energies of structures alone: it predicts an intensive "
            "property, or takes state features."
        )
    state = torch.load(file, map_location="cpu", weights_only=True) if file else {}
    # Warp kernels join the three layers distance_proj1 to 3 of a TensorNet into one.
    unused = [
        key
        for key in sorted(set(state) - set(potential.state_dict()))
        if key.endswith((".weight", ".bias")) and ".distance_proj" not in key
    ]
    if unused:
        raise ModelLoadError(
            f"The weights in {file} are not those of the network beside them: it has no place for "
            f"{', '.join(unused[:5])}{' and more' if len(unused) > 5 else ''}."
        )


@contextmanager
def _without_vendor_noise() -> Iterator[None]:
    """Silence what the import of the vendor says of its own dependencies."""
    if importlib.util.find_spec("warp"):
        import warp

        warp.config.log_level = max(warp.config.log_level, warp.LOG_WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"`torch_geometric\.distributed` has been deprecated", DeprecationWarning
        )
        warnings.filterwarnings("ignore", r"`torch\.jit\.script` is deprecated", DeprecationWarning)
        yield


adapter = MatGL()
