"""SevenNet (`sevenn`, https://github.com/MDIL-SNU/SevenNet): equivariant graph networks, PBE(+U).

The vendor's model runs on graphs of many structures built here, with float64 geometry. Its own
calculator is not used: it is float32 only, gives molecules a stress by dividing through a volume
of 0.001 Å³, drops the edges of an atom at NaN and answers as if it were alone, and can be switched
to other kernels by environment variables. Its neighbour list takes 20 s for a molecule that lies
1000 Å from the origin, so only periodic structures get their pairs from it.

Local checkpoints are unpickled by the vendor: open only files you trust.
"""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import UnsupportedOptionError
from ase_probe.graphs import check_structures, find_pairs, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["SevenNet", "SevenNetCalculator", "adapter"]

ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
ARCHITECTURE: dict[str, Any] = {
    "uses_charge": False,
    "uses_spin": False,
    "conservative": True,
    "lone_atoms": "model",
}
JACS, JCTC = "10.1021/jacs.4c14455", "10.1021/acs.jctc.4c00190"
OMNI_LEVELS = (
    "by task: PBE(+U) (mpa, omat24, oc22), PBE (matpes_pbe), PBE-D3 (odac23), RPBE (oc20), "
    "PBEsol (pet_mad), PBE0 (qcml), r2SCAN (mp_r2scan, matpes_r2scan), ωB97M (spice), "
    "ωB97M-V (omol25_low; omol25_high: high-spin only)"
)
OMNI_TASKS = (
    *("mpa", "omat24", "matpes_pbe", "matpes_r2scan", "mp_r2scan", "oc20", "oc22"),
    *("odac23", "omol25_low", "omol25_high", "spice", "qcml", "pet_mad"),
)
FILES = {  # below the package's pretrained_potentials, or below ~/.cache/sevennet
    "7net-0": "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
    "7net-0_22may2024": "SevenNet_0__22May2024/checkpoint_sevennet_0.pth",
    "7net-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth",
    "7net-mf-0": "SevenNet_MF_0/checkpoint_sevennet_mf_0.pth",
    "7net-mf-ompa": "SevenNet_MF_ompa/checkpoint_sevennet_mf_ompa.pth",
    "7net-omat": "SevenNet_omat/checkpoint_sevennet_omat.pth",
    "7net-omni": "SevenNet_omni/checkpoint_sevennet_omni.pth",
    "7net-omni-i8": "SevenNet_omni_i8/checkpoint_sevennet_omni_i8.pth",
    "7net-omni-i12": "SevenNet_omni_i12/checkpoint_sevennet_omni_i12.pth",
}


def _card(checkpoint: str, *aliases: str, **facts: Any) -> ModelCard:
    return ModelCard(
        name=checkpoint.replace("_", "-"),
        family="sevennet",
        checkpoint=checkpoint,
        aliases=(*aliases, checkpoint.replace("7net", "sevennet")),
        energy_reference="total",
        dtypes=("float32", "float64"),
        **ARCHITECTURE,
        **facts,
    )


def _bundled(checkpoint: str, *aliases: str, **facts: Any) -> ModelCard:
    source = f"sevenn/pretrained_potentials/{FILES[checkpoint]} in the wheel of sevenn 0.13"
    known = {"elements": ELEMENTS, "cutoff": 5.0, "licence": "MIT", "source": source}
    return _card(checkpoint, *aliases, **known, **facts)


def _download(checkpoint: str, release: str, **facts: Any) -> ModelCard:
    url = f"https://github.com/MDIL-SNU/SevenNet/releases/download/{release}/"
    return _card(checkpoint, source=url + FILES[checkpoint].rpartition("/")[2], **facts)


# Cutoffs, elements and parameter counts were read from the bundled checkpoints; all else is stated
# in the vendor's READMEs, documentation (user_guide/pretrained) and `SevenNetCalculator`.
CARDS = (
    _bundled(
        *("7net-0", "7net-0_11jul2024", "7net-0_11july2024"),
        *("sevennet-0_11jul2024", "sevennet-0_11july2024"),
        level_of_theory="PBE(+U), VASP PAW (MPtrj)",
        training_data="MPtrj",
        parameters=842_440,
        sha256="7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36",
        doi=JCTC,
    ),
    _bundled(
        *("7net-0_22may2024", "7net-0_22may2024"),
        level_of_theory="PBE(+U), VASP PAW (MPF.2021.2.8)",
        training_data="MPF.2021.2.8 (M3GNet)",
        parameters=842_440,
        sha256="5d389fafd512e6ae2830d74d0b66ffc49a55d3832653ff8e7bf7f1343013c1d1",
        doi=JCTC,
    ),
    _bundled(
        "7net-l3i5",
        level_of_theory="PBE(+U), VASP PAW (MPtrj)",
        training_data="MPtrj",
        parameters=1_171_144,
        sha256="a7ff190d41efe5b8317a03d20a468e4036a1a3e64e0b14fdbab64ac3f4bfc09d",
        doi=JCTC,
    ),
    _bundled(
        "7net-mf-0",
        tasks=("R2SCAN", "PBE"),
        level_of_theory="by task: PBE(+U) (PBE), r2SCAN (R2SCAN); VASP PAW (Materials Project)",
        training_data="Materials Project relaxation trajectories, PBE(+U) and r2SCAN",
        parameters=845_896,
        sha256="81791329b37d445f46b531578c182c41792d98c7814222c9e5dde276402225fd",
        doi=JACS,
    ),
    _download(
        *("7net-mf-ompa", "v0.11.0.cp"),
        tasks=("mpa", "omat24"),
        level_of_theory="PBE(+U)",
        training_data="MPtrj, sAlex (mpa), OMat24 (omat24)",
        doi=JACS,
    ),
    _download(
        *("7net-omat", "v0.11.0.cp"),
        level_of_theory="PBE(+U)",
        training_data="OMat24",
        doi=JCTC,
    ),
    *(
        _download(
            *(name, release),
            tasks=OMNI_TASKS,
            level_of_theory=OMNI_LEVELS,
            training_data="15 open ab initio datasets",
            doi="10.1038/s41467-026-70195-8",
        )
        for name, release in (
            ("7net-omni", "v0.12.0.cp"),
            ("7net-omni-i8", "v0.12.1.cp"),
            ("7net-omni-i12", "v0.12.1.cp"),
        )
    ),
)


class SevenNet(BatchAdapter):
    """The family; weights that are not bundled are downloaded by `sevenn` itself."""

    family = "sevennet"
    cards = CARDS
    environment = Environment(
        extra="sevennet", modules=("sevenn",), distributions=("sevenn", "torch", "e3nn")
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
    ) -> SevenNetCalculator:
        """Build the model in plain e3nn; `task` is what the vendor calls modal."""
        with _quiet():
            from sevenn.util import load_checkpoint, pretrained_name_to_path

            path = self.checkpoint_file(card, checkpoint)
            model = load_checkpoint(path or pretrained_name_to_path(card.checkpoint)).build_model()
        tasks = tuple(model.modal_map or ())
        if task not in (tasks or (None,)):
            allowed = f"choose one of: {', '.join(tasks)}" if tasks else "it has none to choose"
            raise UnsupportedOptionError(f"{card.name} cannot use task {task!r}; {allowed}.")
        if dtype == "float64":
            _to_double(model)
        return SevenNetCalculator(model.to(device).eval(), task=task, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements, tasks and size from the model."""
        model = calculator.model
        if calculator.checkpoint is not None:
            card = card.of_unknown_training(calculator.checkpoint)
        return replace(
            card,
            **ARCHITECTURE,
            cutoff=float(model.cutoff),
            elements=calculator.elements,
            tasks=tuple(model.modal_map or ()),
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or where the vendor keeps the card's file; `None` if nowhere."""
        if checkpoint is not None:
            return checkpoint
        spec = importlib.util.find_spec("sevenn")
        packages = (spec.submodule_search_locations if spec else None) or ()
        folders = [Path(package) / "pretrained_potentials" for package in packages]
        folders.append(Path.home() / ".cache" / "sevennet")
        files = (folder / FILES[card.checkpoint] for folder in folders)
        return next((str(file) for file in files if file.is_file()), None)


class SevenNetCalculator(BatchCalculator):
    """The vendor's model on graphs of ours."""

    def __init__(self, model: Any, *, task: str | None, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.model, self.task = model, task
        self.elements = tuple(chemical_symbols[z] for z in sorted(model.type_map))

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate one graph of all; energies are float64 sums of the atomic energies."""
        import torch

        check_structures(structures, self.elements)  # the vendor would index with -1
        pairs = find_pairs(structures, float(self.model.cutoff), _pairs)
        counts = sizes(structures)
        owner = np.repeat(np.arange(len(counts)), counts)
        numbers = np.concatenate([atoms.numbers for atoms in structures])
        graph = {
            "x": numbers,  # the model replaces it
            "atomic_numbers": numbers,
            "pos": np.concatenate([atoms.positions for atoms in structures]),
            "edge_index": np.stack([pairs.first, pairs.second]),
            "edge_vec": pairs.vectors,
            "cell_volume": abs(np.linalg.det([atoms.cell.array for atoms in structures])),
            "num_atoms": counts,
            "batch": owner,
        }
        parameter = next(self.model.parameters())
        kinds = {"f": parameter.dtype, "i": torch.int64}
        data: Any = {
            name: torch.as_tensor(array, dtype=kinds[array.dtype.kind]).to(parameter.device)
            for name, array in graph.items()
        }
        if self.task is not None:  # here a dictionary will not do, and the import takes seconds
            with _quiet():
                from sevenn.atom_graph_data import AtomGraphData

            data = AtomGraphData(**data)
            data["data_modality"] = [self.task] * len(structures)
        answer = self.network(data)
        energies, forces, tensor = (
            answer[key].detach().cpu().double().numpy()
            for key in ("atomic_energy", "inferred_force", "inferred_stress")
        )
        return Batch(
            np.bincount(owner, weights=energies.ravel()),
            forces,
            # A pressure tensor in the order xx, yy, zz, xy, yz, zx.
            -tensor[:, [0, 1, 2, 4, 5, 3]] if stress else None,
        )

    def network(self, graph: Any) -> Any:
        """Call the vendor's model on a graph of several structures."""
        self.model.set_is_batch_data(True)
        try:
            return self.model(graph)
        finally:
            self.model.set_is_batch_data(False)  # what everybody else's single points expect


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what e3nn and sevenn warn of on import: they script their layers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.script` is deprecated", DeprecationWarning)
        yield


def _pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the vendor takes its pairs from, without the packages that its graphs import."""
    from matscipy.neighbours import neighbour_list

    whole = atoms.copy()
    whole.cell = atoms.cell.complete()  # a cell of no volume is refused
    i, j, images = neighbour_list("ijS", whole, cutoff)
    return i, j, images


def _to_double(model: Any) -> None:
    """Run the whole model in double precision: the one-hot encoding is float32 by decree.

    The weights and the Wigner 3j symbols keep the float32 values they were stored with, so the
    answers are smooth to 1e-10 but rotate only to about 1e-8.
    """
    from sevenn.nn.node_embedding import OnehotEmbedding

    def promote(module: Any, args: Any, data: Any) -> Any:
        for key, value in data.items():
            if hasattr(value, "is_floating_point") and value.is_floating_point():
                data[key] = value.double()
        return data

    model.double()
    for module in model.modules():
        if isinstance(module, OnehotEmbedding):
            module.register_forward_hook(promote)


adapter = SevenNet()
