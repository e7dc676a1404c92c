"""SevenNet (`sevenn`, https://github.com/MDIL-SNU/SevenNet): equivariant graph networks, PBE(+U).

The vendor's model runs on batched graphs built here, with float64 geometry, for single points and
batches alike. Its own calculator is not used: it is float32 only, gives molecules a stress by
dividing through a volume of 0.001 Å³, drops the edges of an atom at NaN and answers as if it were
alone, and can be switched to other kernels by environment variables. Its neighbour list takes
20 s for a molecule that lies 1000 Å from the origin, so molecules get their pairs directly.

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
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols

from ase_probe.errors import EvaluationError, UnsupportedElementError, UnsupportedOptionError
from ase_probe.model import AdapterBase, Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["SevenNet", "SevenNetCalculator", "adapter"]

ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
DIRECT_PAIRS = 1000
"""Non-periodic structures of up to this many atoms get their pairs from one distance matrix."""
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
        uses_charge=False,
        uses_spin=False,
        conservative=True,
        energy_reference="total",
        dtypes=("float32", "float64"),
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


class SevenNet(AdapterBase):
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
        if dtype not in (None, *card.dtypes):
            raise UnsupportedOptionError(
                f"{card.name} cannot use dtype {dtype!r}; allowed: {', '.join(card.dtypes)}."
            )
        with _without_vendor_noise():
            import sevenn.train.dataload  # noqa: F401  `forward` needs it; as noisy as the rest
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
        """Read cutoff, elements, tasks and size from the model.

        Of weights that the user brought along, training and provenance are not known.
        """
        model = calculator.model
        if calculator.checkpoint is not None:
            card = replace(card, level_of_theory=None, training_data=None, licence=None)
            card = replace(card, source=calculator.checkpoint, sha256=None, doi=None)
        return replace(
            card,
            cutoff=float(model.cutoff),
            elements=tuple(chemical_symbols[z] for z in sorted(model.type_map)),
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

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """One forward pass for all; energies are float64 sums of the atomic energies."""
        if not structures:
            return np.zeros(0), []
        ends = np.cumsum([len(atoms) for atoms in structures])
        atomic_energies, forces, _ = calculator.forward(structures)
        starts = ends - np.diff(ends, prepend=0)
        return np.add.reduceat(atomic_energies, starts), np.split(forces, ends[:-1])


class SevenNetCalculator(Calculator):
    """ASE calculator over the vendor's model; a single point is a batch of one.

    Properties: energy, free_energy (equal to energy), energies (eV), forces (eV/Å) and, for
    structures with a cell of three vectors, stress (eV/Å³, Voigt order).
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012

    def __init__(self, model: Any, *, task: str | None, checkpoint: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.task, self.checkpoint = model, task, checkpoint

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results`."""
        super().calculate(  # type: ignore[no-untyped-call]
            atoms, list(properties), list(system_changes)
        )
        assert self.atoms is not None
        energies, forces, stress = self.forward([self.atoms])
        energy = float(energies.sum())
        self.results = {"energy": energy, "free_energy": energy, "energies": energies}
        self.results["forces"] = forces
        if self.atoms.cell.rank == 3:
            self.results["stress"] = stress[0]

    def forward(self, structures: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return atomic energies (N,) and forces (N, 3) of all atoms, stress (n, 6)."""
        import torch
        from sevenn.atom_graph_data import AtomGraphData

        graph = _graph(structures, float(self.model.cutoff), self.model.type_map)
        parameter = next(self.model.parameters())
        kinds = {"f": parameter.dtype, "i": torch.int64}
        data = AtomGraphData(
            **{
                name: torch.as_tensor(array, dtype=kinds[array.dtype.kind]).to(parameter.device)
                for name, array in graph.items()
            }
        )
        if self.task is not None:
            data["data_modality"] = [self.task] * len(structures)
        self.model.set_is_batch_data(True)
        try:
            answer = self.model(data)
        finally:
            self.model.set_is_batch_data(False)  # what everybody else's single points expect

        def numbers(key: str) -> np.ndarray:
            return np.asarray(answer[key].detach().cpu().double().numpy())

        # The vendor's stress is a pressure tensor in the order xx, yy, zz, xy, yz, zx.
        stress = -numbers("inferred_stress")[:, [0, 1, 2, 4, 5, 3]]
        return numbers("atomic_energy").ravel(), numbers("inferred_force"), stress


def _graph(
    structures: Sequence[Atoms], cutoff: float, type_map: dict[int, int]
) -> dict[str, np.ndarray]:
    """Return one graph of all structures; edges point from i to j, both ways."""
    counts = np.array([len(atoms) for atoms in structures])
    numbers = np.concatenate([atoms.numbers for atoms in structures])
    positions = np.concatenate([atoms.positions for atoms in structures])
    unknown = set(numbers.tolist()) - set(type_map)
    if unknown:  # the vendor would index with -1
        symbols = ", ".join(chemical_symbols[z] for z in sorted(unknown))
        raise UnsupportedElementError(
            f"The model does not know {symbols}; it knows {len(type_map)} elements, see its card."
        )
    if not (counts > 0).all():
        raise EvaluationError("A structure without atoms has no energy.")
    if not np.isfinite(positions).all():  # no edge would be found, as if the atom were alone
        raise EvaluationError("A position is not a finite number.")
    pairs = [_edges(atoms, cutoff) for atoms in structures]
    shifts = np.repeat(np.cumsum(counts) - counts, [len(vectors) for _, vectors in pairs])
    return {
        "x": numbers,  # the model replaces it
        "atomic_numbers": numbers,
        "pos": positions,
        "edge_index": np.concatenate([index for index, _ in pairs], axis=1) + shifts,
        "edge_vec": np.concatenate([vectors for _, vectors in pairs]),
        "cell_volume": np.array([abs(float(np.linalg.det(a.cell.array))) for a in structures]),
        "num_atoms": counts,
        "batch": np.repeat(np.arange(len(counts)), counts),
    }


def _edges(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Return edge indices (2, m) and vectors (m, 3) r_j - r_i of one structure."""
    if atoms.pbc.any() or len(atoms) > DIRECT_PAIRS:
        from sevenn.train.dataload import unlabeled_atoms_to_graph

        graph = unlabeled_atoms_to_graph(atoms, cutoff)
        return graph["edge_index"], graph["edge_vec"]
    vectors = atoms.positions[None] - atoms.positions[:, None]  # (n, n, 3)
    near = np.einsum("ijk,ijk->ij", vectors, vectors) < cutoff**2
    np.fill_diagonal(near, False)
    return np.array(near.nonzero()), vectors[near]


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


@contextmanager
def _without_vendor_noise() -> Iterator[None]:
    """Silence one warning: e3nn and sevenn script their layers, which torch 2.13 deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"`torch\.jit\.script` is deprecated", category=DeprecationWarning
        )
        yield


adapter = SevenNet()
