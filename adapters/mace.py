"""MACE (`mace-torch`, https://github.com/ACEsuit/mace): higher-order equivariant message passing.

The vendor's loaders bring the model (`return_raw_model=True`); it is called on graphs built here,
for single points and batches alike. The vendor's calculator is not used: it adds to the list of
properties that all ASE calculators share, only logs that a head is unknown and takes the last one,
and gives molecules a stress. Known traps:

- The import sets ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` for the whole process. It is put back: it
  would make every later ``torch.load`` run what a file holds.
- Checkpoints are whole pickled models: open only files you trust. Their compiled parts load onto
  the device they were saved on, so that MACE-ANI-CC, saved on a GPU, needs one. Here it does not.
- The vendor's neighbour list overlooks an atom at NaN, gives a periodic structure without a cell
  one of 1 Å, and lays a box around what is not periodic that grows with the distance from the
  origin until memory ends (1000 Å). The first two are refused here, molecules get no such box. For
  slabs and wires that box is also the volume that the vendor divides the stress by.
- PolarMACE fills that box with reciprocal vectors that molecules do not need (4 GB for atoms 40 Å
  apart), takes another road for molecules when anything in the batch is periodic, fails when a lone
  atom is the last of a batch, and is given a negative volume for a left-handed cell. Here molecules
  get a box of 1 Å, no batch holds both kinds, lone atoms come first, and volumes are positive.
- The stress of PolarMACE and MACELES lacks the electrostatics. Here these models have none.
- A charge outside the model's table is an index error, on a GPU one that kills the CUDA context.

Isolated atoms: the model's own value, which a pair beyond the cutoff tends to. In most models it is
the reference energy E0 that the model adds to every atom.
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import EvaluationError, ModelLoadError, UnsupportedOptionError
from ase_probe.graphs import centred, check_structures, find_pairs, periodic, sizes
from ase_probe.model import Environment, ModelCard

from ._mace_products import rearrange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MACE", "MACECalculator", "adapter"]

FORCE_UNPICKLING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
STATE = {"charge": ("total_charge", 0), "spin": ("total_spin", 1)}  # the vendor's name and default
POLAR, LES = "fukui_source_map", "les"  # attributes of PolarMACE and MACELES models only
POLAR_PBC = {(False, False, False), (True, True, False), (True, True, True)}
SINGLE_FIRST, DOUBLE_FIRST = ("float32", "float64"), ("float64", "float32")
ORGANIC = ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
PBE_U = "PBE(+U), VASP PAW"
HEADS = ("matpes_r2scan", "mp_pbe_refit_add", "spice_wB97M", "oc20_usemppbe", "omol", "omat_pbe")
HEAD_LEVELS = (
    "by task: PBE(+U) (omat_pbe, mp_pbe_refit_add), PBE (oc20_usemppbe), r2SCAN (matpes_r2scan), "
    "ωB97M-D3(BJ) (spice_wB97M), ωB97M-V (omol)"
)
MP = "https://github.com/ACEsuit/mace-mp/releases/download/"
FOUNDATIONS = "https://github.com/ACEsuit/mace-foundations/releases/download/"

# Hashes that the vendor's tests and several users give for the published files. Two files of mh-1
# are in use, so it has none.
SHA256 = {
    "mp-0-small": "2ddb079cee0e131eaaf6912ba581b394551ead283e95c99cfe78c605d10b5736",
    "mp-0-medium": "01bfe22100139f424713cf921144e5509cbe353d67aa9fa1be9c6e1e0ed35845",
    "mp-0b-small": "7e3a0abcaf41e03a80e69f778e1b11b29de1cca704783dc25917a736392f8cf0",
    "mp-0b-medium": "ab8baff639a8f295f3eccad3d3ccf574efb6fb63220bd52cd88664211569e521",
    "mp-0b2-small": "d5773bf9440e96d6eb8c598f84bd0e6369fcfa432f626a87f890e07da3c651c9",
    "mp-0b2-medium": "a90be07c8aa6623c390fcc4653d3e319c4a356f8b4a53d323f96b2012d375caf",
    "mp-0b2-large": "348390e758e1c90011c7675e864850f8e9c5b3e7c217f79a2b4bad1baaa657ad",
    "mp-0b3-medium": "2f2be696351ac9e94fbe01cdfb6f017679acdbd2db7645209ef55fec9826b012",
    "mpa-0-medium": "75428afe3a1d7d8062e19bcaabd5c433623cabf308242ec9fb493e38604fb638",
    "omat-0-small": "0abfde07862cf1e93b8b4d03cb702f29ce9c344ff2fc4de2ec0d7166d6c113a5",
    "omat-0-medium": "d4b14be9afa294eebdbe31a0280b26a0fa29715771e978cbfd3ca24e0d90307a",
    "matpes-pbe-0": "e618ad582b84239905b9c3b77ce6e9ce111b0ecd1533223a1a6aac7a696b8aa0",
    "matpes-r2scan-0": "8f147ecffa1d06a696e5648b13b81abda9c96fda9d0fb3faba3cd3fb27d9bba9",
    "mh-0": "d62ff8f293664e6556cfa49364b28ee72a70cf1e6150f3c111a578397fed609d",
    "off23-small": "165cce4cfec5a34b9c64d4ebf95de15d71106bb584b7291c8470f0749977c46f",
    "off23-medium": "4842c52ad210d6e1f84d6cf1ffa70fae25a7e0d755ed55cf223f43913f587db7",
    "off23-large": "a29e397dbf3e7a24ac50a9b0dfc919bd5a62efa346f5895a6237b0950c1d76f4",
    "omol-0": "9b64b4fd5153ca578c694abc57806d8111050de6ff652e695c9b525bc4d36469",
    "polar-1-m": "fab8b8713c832f31a2a853aaa22fd638be8a369cbf5095e6b3e982a18d10e93a",
    "polar-1-l": "9f65f8dc6ddaff1d631e299cb531376a7da5e68d1bef04f34a2d5073d5ef114b",
}

# What cards share. `checkpoint`: the vendor's function; `source`: the address above the files.
# Names and addresses: `foundations_models`. Levels, data and licences: the vendor's READMEs.
# Cutoffs and elements: its training scripts.
COMMON = ModelCard(
    name="",
    family="mace",
    elements=(*chemical_symbols[1:84], *chemical_symbols[89:95]),  # H-Bi, Ac-Pu: 89
    uses_charge=False,
    uses_spin=False,
    cutoff=6.0,
    conservative=True,
    energy_reference="total",
    licence="ASL (academic, non-commercial)",
    dtypes=SINGLE_FIRST,
    lone_atoms="model",
)
MATERIALS = replace(COMMON, checkpoint="mace_mp", source=MP, doi="10.48550/arXiv.2401.00096")
MPTRJ = replace(MATERIALS, licence="MIT", level_of_theory=f"{PBE_U} (MPtrj)", training_data="MPtrj")
MPTRJ_0B = replace(MPTRJ, training_data="MPtrj, a few high-pressure structures")
MATPES = replace(MATERIALS, source=FOUNDATIONS + "mace_matpes_0/MACE-matpes-")
MULTIHEAD = replace(MATERIALS, source=FOUNDATIONS + "mace_mh_1/", doi="10.48550/arXiv.2510.25380")
OFF = replace(
    COMMON,
    checkpoint="mace_off",
    source="https://raw.githubusercontent.com/ACEsuit/mace-off/main/mace_off23/",
    elements=ORGANIC,
    cutoff=5.0,
    level_of_theory="ωB97M-D3(BJ)/def2-TZVPPD (SPICE)",
    training_data="SPICE 1",
    doi="10.48550/arXiv.2312.15211",
    dtypes=DOUBLE_FIRST,
)
OMOL = replace(
    COMMON,
    checkpoint="mace_omol",
    source=FOUNDATIONS,
    level_of_theory="ωB97M-V/def2-TZVPD (OMol25)",
    training_data="OMol25",
    uses_charge=True,
    uses_spin=True,
)


def _cards(shared: ModelCard, *rows: tuple[str, str, str], **facts: Any) -> Iterator[ModelCard]:
    """Rows: name without ``mace-``, the vendor's name, file."""
    for name, model, file in rows:
        card = replace(shared, name=f"mace-{name}", sha256=SHA256.get(name), **facts)
        alias = (model,) if "-" in model and model != card.name else ()
        yield replace(
            card,
            checkpoint=f"{shared.checkpoint}:{model}",
            aliases=card.aliases + alias,
            source=f"{shared.source}{file}",
        )


CARDS = (
    *_cards(
        MPTRJ,
        ("mp-0-small", "small", "mace_mp_0/2023-12-10-mace-128-L0_energy_epoch-249.model"),
        ("mp-0-medium", "medium", "mace_mp_0/2023-12-03-mace-128-L1_epoch-199.model"),
    ),
    *_cards(MPTRJ, ("mp-0-large", "large", "mace_mp_0/MACE_MPtrj_2022.9.model"), cutoff=None),
    *_cards(
        MPTRJ_0B,
        ("mp-0b-small", "small-0b", "mace_mp_0b/mace_agnesi_small.model"),
        ("mp-0b-medium", "medium-0b", "mace_mp_0b/mace_agnesi_medium.model"),
    ),
    *_cards(
        MPTRJ_0B,
        ("mp-0b2-small", "small-0b2", "mace_mp_0b2/mace-small-density-agnesi-stress.model"),
        ("mp-0b2-medium", "medium-0b2", "mace_mp_0b2/mace-medium-density-agnesi-stress.model"),
        ("mp-0b2-large", "large-0b2", "mace_mp_0b2/mace-large-density-agnesi-stress.model"),
        cutoff=5.0,
    ),
    *_cards(MPTRJ_0B, ("mp-0b3-medium", "medium-0b3", "mace_mp_0b3/mace-mp-0b3-medium.model")),
    *_cards(
        MPTRJ,
        ("mpa-0-medium", "medium-mpa-0", "mace_mpa_0/mace-mpa-0-medium.model"),
        level_of_theory=f"{PBE_U} (MPtrj, Alexandria)",
        training_data="MPtrj, sAlex",
    ),
    *_cards(
        MATERIALS,
        ("omat-0-small", "small-omat-0", "mace_omat_0/mace-omat-0-small.model"),
        ("omat-0-medium", "medium-omat-0", "mace_omat_0/mace-omat-0-medium.model"),
        level_of_theory=f"{PBE_U} 54 (OMat24)",
        training_data="OMat24",
    ),
    *_cards(
        MATPES,
        ("matpes-pbe-0", "mace-matpes-pbe-0", "pbe-omat-ft.model"),
        level_of_theory="PBE without +U, VASP PAW (MatPES)",
        training_data="OMat24, then MatPES-PBE",
    ),
    *_cards(
        MATPES,
        ("matpes-r2scan-0", "mace-matpes-r2scan-0", "r2scan-omat-ft.model"),
        level_of_theory="r2SCAN, VASP PAW (MatPES)",
        training_data="OMat24, then MatPES-r2SCAN",
    ),
    *_cards(
        MULTIHEAD,
        ("mh-0", "mh-0", "mace-mh-0.model"),
        tasks=("rgd1_b3lyp", *HEADS),
        level_of_theory=f"{HEAD_LEVELS}, B3LYP (rgd1_b3lyp)",
        training_data="OMat24, then by task: MPtrj, MatPES, OC20, OMol25, SPICE, RGD1",
    ),
    *_cards(
        MULTIHEAD,
        ("mh-1", "mh-1", "mace-mh-1.model"),
        tasks=HEADS,
        level_of_theory=HEAD_LEVELS,
        training_data="OMat24, then by task: MPtrj, MatPES, OC20, OMol25, SPICE",
    ),
    *_cards(OFF, ("off23-small", "small", "MACE-OFF23_small.model"), cutoff=4.5),
    *_cards(
        OFF,
        ("off23-medium", "medium", "MACE-OFF23_medium.model"),
        ("off23-large", "large", "MACE-OFF23_large.model"),
    ),
    *_cards(
        OMOL,
        ("omol-0", "extra_large", "mace_omol_0/MACE-omol-0-extra-large-1024.model"),
        dtypes=DOUBLE_FIRST,
        aliases=("mace-omol-0-extra-large",),
    ),
    *_cards(
        replace(
            COMMON, checkpoint="mace_anicc", source="https://github.com/ACEsuit/mace/raw/main/"
        ),
        ("anicc", "", "mace/calculators/foundations_models/ani500k_large_CC.model"),
        elements=ORGANIC[:4],
        cutoff=None,
        level_of_theory="CCSD(T)*/CBS (ANI-1ccx)",
        training_data="ANI-1ccx",
        licence="MIT",
        doi="10.1063/5.0155322",
        dtypes=DOUBLE_FIRST,
    ),
    *_cards(
        replace(OMOL, checkpoint="mace_polar"),
        ("polar-1-s", "polar-1-s", "mace_polar_1/MACE-POLAR-1-S.model"),
        ("polar-1-m", "polar-1-m", "mace_polar_1/MACE-POLAR-1-M.model"),
        ("polar-1-l", "polar-1-l", "mace_polar_1/MACE-POLAR-1-L.model"),
        elements=tuple(chemical_symbols[1:84]),
        doi="10.48550/arXiv.2602.19411",
    ),
)


class MACE(BatchAdapter):
    """The family; weights are downloaded by `mace-torch` itself."""

    family = "mace"
    cards = CARDS
    environment = Environment(
        extra="mace",
        modules=("mace",),
        distributions=("mace-torch", "torch", "e3nn", "graph-longrange"),
    )
    devices = ("cpu", "cuda")
    unpickles = True
    batch_size = 128

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> MACECalculator:
        """Load by the vendor's name or from a file; `task` is what the vendor calls head."""
        with _contained(device):
            import torch

            model = self._model(card, device, checkpoint)
            from mace.modules import MACE as Vendor

            if not isinstance(model, Vendor):
                raise ModelLoadError(
                    f"{checkpoint or card.name} holds a {type(model).__name__}, not a MACE model "
                    "with energies. Give the .model file that training wrote, not the one compiled "
                    "for LAMMPS."
                )
        heads = tuple(getattr(model, "heads", None) or ("Default",))
        if task is None and len(heads) == 1:
            task = heads[0]
        elif task is None and checkpoint is None and card.checkpoint.startswith("mace_omol"):
            task = "omol"  # as the vendor's loader has it
        if task is None or task not in heads:
            raise UnsupportedOptionError(
                f"{card.name} cannot use task {task!r}; choose one of: {', '.join(heads)}."
            )
        stored = str(next(model.parameters()).dtype).removeprefix("torch.")
        dtype = dtype or (card.dtypes[0] if checkpoint is None else stored)
        model = model.to(device, getattr(torch, dtype)).eval().requires_grad_(False)
        rearrange(model)
        calculator = MACECalculator(model, heads, task, stored, checkpoint)
        if calculator.polar:
            try:
                calculator.forward([Atoms(calculator.elements[:1])])
            except TypeError as error:  # other versions have other arguments than mace-torch gives
                raise ModelLoadError(
                    f"The installed graph-longrange does not fit this mace-torch ({error}). The "
                    "one that does comes with: pip install 'ase-probe[mace]'"
                ) from error
        return calculator

    def _model(self, card: ModelCard, device: str, checkpoint: str | None) -> Any:
        """Call the vendor's loader; it talks only where it downloads, on stderr."""
        present = self.checkpoint_file(card, checkpoint)
        with redirect_stdout(io.StringIO() if present else sys.stderr):
            from mace.calculators import foundations_models

            loader, _, name = card.checkpoint.partition(":")
            model = {"model": name} if name else {}
            if checkpoint is not None:  # a path as it is: "small" would be a download
                loader, model = "mace_mp", {"model": os.path.abspath(checkpoint)}
            load = getattr(foundations_models, loader)
            try:
                return load(**model, device=device, return_raw_model=True)
            except ModuleNotFoundError as error:
                raise ModelLoadError(
                    f"{card.name} needs the Python module {error.name}, which mace-torch does not "
                    "bring. What PolarMACE needs comes with: pip install 'ase-probe[mace]'"
                ) from error
            except RuntimeError as error:
                cause = error.__cause__  # the vendor's words are the same for whatever went wrong
                if cause is None:
                    raise
                advice = (
                    "" if checkpoint else f" Or fetch {card.source} and name it as checkpoint=."
                )
                raise ModelLoadError(f"{card.name}: {cause}.{advice}") from error

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements, heads, size and the use of charge and spin from the model."""
        model, heads = calculator.model, calculator.heads
        if calculator.checkpoint is not None:
            dtypes = tuple(dict.fromkeys((calculator.stored, *SINGLE_FIRST)))
            card = replace(card.of_unknown_training(calculator.checkpoint), dtypes=dtypes)
        return replace(
            card,
            cutoff=float(model.r_max),
            elements=calculator.elements,
            tasks=heads if len(heads) > 1 else (),
            parameters=sum(p.numel() for p in model.parameters()),
            uses_charge="charge" in calculator.state,
            uses_spin="spin" in calculator.state,
            conservative=True,
            energy_reference="total",
            lone_atoms="model",
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or where the vendor keeps the card's file; `None` if nowhere."""
        if checkpoint is not None:
            return checkpoint
        file = cached = (card.source or "").rpartition("/")[2]
        if card.checkpoint.startswith(("mace_mp", "mace_polar")):
            cached = "".join(c for c in file if c.isalnum() or c == "_")
        spec = importlib.util.find_spec("mace")
        packages = (spec.submodule_search_locations if spec else None) or ()
        places = [Path(p) / "calculators" / "foundations_models" / file for p in packages]
        cache = os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")
        places.append(Path(cache) / "mace" / cached)
        return next((str(path) for path in places if path.is_file()), None)

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, Sequence[np.ndarray | None]]:
        """Two forward passes at most, as PolarMACE needs them: molecules, and what is periodic."""
        energies = np.zeros(len(structures))
        forces: list[np.ndarray | None] = [None] * len(structures)
        boxed, counts = periodic(structures), sizes(structures)
        for kind in (False, True):
            alike = np.flatnonzero(boxed == kind)
            chosen = alike[np.argsort(counts[alike], kind="stable")].tolist()  # lone atoms first
            answer = super().evaluate(calculator, [structures[i] for i in chosen])
            for i, energy, force in zip(chosen, *answer, strict=True):
                energies[i], forces[i] = energy, force
        return energies, forces


class MACECalculator(BatchCalculator):
    """ASE calculator over the vendor's model.

    Attributes
    ----------
    heads, head
        What the model was trained for, and the one it answers for.
    stored
        The floating-point type that its file holds.
    state
        ``charge``, ``spin`` (multiplicity): those the model uses -> lowest and highest value it has
        an embedding for. The vendor's defaults are 0 and 1.
    """

    watched = tuple(STATE)

    def __init__(
        self, model: Any, heads: tuple[str, ...], head: str, stored: str, checkpoint: str | None
    ) -> None:
        super().__init__(checkpoint)
        self.model, self.heads, self.head, self.stored = model, heads, head, stored
        self.polar = hasattr(model, POLAR)
        if self.polar or hasattr(model, LES):
            self.implemented_properties.remove("stress")
        self.elements = tuple(chemical_symbols[z] for z in model.atomic_numbers.tolist())
        self.state: dict[str, tuple[float, float]] = {}
        embedded = getattr(model, "embedding_specs", None) or {}
        for key, (feature, _) in STATE.items():
            spec = embedded.get(feature)
            if spec is not None and spec["type"] == "categorical":
                lowest = -spec.get("offset", 0)
                self.state[key] = (lowest, lowest + spec["num_classes"] - 1)
            elif spec is not None or self.polar:
                self.state[key] = (-np.inf, np.inf)

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Call the model on one graph of all structures, each around the origin."""
        import torch

        check_structures(structures, self.elements)
        if self.polar and not {tuple(atoms.pbc) for atoms in structures} <= POLAR_PBC:
            raise EvaluationError(
                "PolarMACE knows molecules, crystals, and slabs along the first two vectors."
            )
        weight, cutoff = next(self.model.parameters()), float(self.model.r_max)
        n, counts = len(structures), sizes(structures)
        pairs = find_pairs(structures, cutoff, _neighborhood)
        numbers = np.concatenate([atoms.numbers for atoms in structures])
        cells = np.tile(np.eye(3), (n, 1, 1))  # 1 Å for molecules
        for i in np.flatnonzero(periodic(structures)).tolist():
            cells[i] = _box(structures[i], cutoff)
        floats = {
            "positions": centred(structures),
            "node_attrs": np.equal.outer(numbers, self.model.atomic_numbers.cpu().numpy()),
            "unit_shifts": pairs.images,
            "shifts": np.einsum("mi,mij->mj", pairs.images, np.repeat(cells, pairs.counts, axis=0)),
            "cell": cells.reshape(-1, 3),
            "rcell": 2 * np.pi * np.linalg.inv(cells).transpose(0, 2, 1).reshape(-1, 3),
            "volume": abs(np.linalg.det(cells)),
            **{feature: self._state(key, structures) for key, (feature, _) in STATE.items()},
            "elec_temp": np.zeros(n),  # these three: the vendor's defaults
            "fermi_level": np.zeros(n),
            "external_field": np.zeros((n, 3)),
        }
        others = {
            "edge_index": np.stack([pairs.first, pairs.second]),
            "batch": np.repeat(np.arange(n), counts),
            "ptr": np.cumsum([0, *counts]),
            "head": np.full(n, self.heads.index(self.head)),
            "pbc": np.stack([atoms.pbc for atoms in structures]),
        }
        batch = {key: torch.as_tensor(a, dtype=weight.dtype) for key, a in floats.items()}
        batch |= {key: torch.as_tensor(a) for key, a in others.items()}
        default = torch.get_default_dtype()
        torch.set_default_dtype(weight.dtype)  # graph-longrange makes tensors of it
        try:
            batch = {key: tensor.to(weight.device) for key, tensor in batch.items()}
            answer = self.model(batch, compute_virials=stress)
        finally:
            torch.set_default_dtype(default)
        keys = ("energy", "forces", "virials")[: 2 + stress]
        found = [answer[key].detach().cpu().double().numpy() for key in keys]
        if stress:
            volumes = np.array([[[atoms.get_volume()]] for atoms in structures])  # (n, 1, 1)
            found[2] = full_3x3_to_voigt_6_stress(-found[2] / volumes)
        return Batch(*found)

    def _state(self, key: str, structures: Sequence[Atoms]) -> np.ndarray:
        """Charges or multiplicities (n,)."""
        values = np.full(len(structures), float(STATE[key][1]))
        for i, atoms in enumerate(structures):
            value = atoms.info.get(key)
            if value is None or key not in self.state:
                continue
            lowest, highest = self.state[key]
            if not (lowest <= value <= highest and float(value).is_integer()):
                raise UnsupportedOptionError(
                    f"The model does not take {key} {value!r}; it takes whole numbers from "
                    f"{lowest} to {highest}."
                )
            values[i] = value
        return values


def _box(atoms: Atoms, cutoff: float) -> np.ndarray:
    """Return the cell (3, 3) of a periodic structure as the vendor completes it."""
    length = 5 * cutoff * (abs(centred([atoms])).max() + 1)
    return np.asarray(np.where(atoms.pbc[:, None], atoms.cell.array, length * np.eye(3)))


def _neighborhood(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The vendor's pairs; it changes the cell it is given."""
    from mace.data.neighborhood import get_neighborhood

    pbc, cell = tuple(atoms.pbc.tolist()), atoms.cell.array.copy()
    (first, second), _, images, _ = get_neighborhood(centred([atoms]), cutoff, pbc, cell)
    return first, second, images


@contextmanager
def _contained(device: str) -> Iterator[None]:
    """Keep what the vendor does to the process in here, and silence what nobody can act on."""
    import torch

    before, load = os.environ.get(FORCE_UNPICKLING), torch.jit.load
    os.environ[FORCE_UNPICKLING] = "1"
    torch.jit.load = partial(load, map_location=device)  # e3nn names no device
    try:
        with warnings.catch_warnings():
            for message, category in (
                (r"`torch\.jit\.\w+` is deprecated", DeprecationWarning),  # e3nn scripts its layers
                (f"Environment variable {FORCE_UNPICKLING} detected", UserWarning),
                ("'?torch.load' received a zip file that looks like a TorchScript", UserWarning),
            ):
                warnings.filterwarnings("ignore", message, category)
            yield
    finally:
        torch.jit.load = load
        os.environ.pop(FORCE_UNPICKLING)
        if before is not None:
            os.environ[FORCE_UNPICKLING] = before


adapter = MACE()
