"""MACE (`mace-torch`, https://github.com/ACEsuit/mace): higher-order equivariant message passing.

The vendor's loaders bring the model (`return_raw_model=True`), its graphs and its collation make
one batch of all structures, and its model is called once, for single points and batches alike. Its
own calculator is not used: it adds to the list of properties that all ASE calculators share, only
logs that a head is unknown and takes the last one, and gives molecules a stress. Known traps:

- The import sets ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` for the whole process. It is put back: it
  would make every later ``torch.load`` run what a file holds.
- Checkpoints are whole pickled models: open only files you trust. Their compiled parts load onto
  the device they were saved on, so that MACE-ANI-CC, saved on a GPU, needs one. Here it does not.
- An atom at NaN has no neighbours and is answered as if it were alone; a periodic structure without
  a cell gets one of 1 Å. Both are refused here.
- The box around a molecule grows with its distance from the origin until memory ends (1000 Å).
  Structures are centred first. For slabs and wires that box is also the volume that the vendor
  divides the stress by.
- PolarMACE fills that box with reciprocal vectors that molecules do not need (4 GB for atoms 40 Å
  apart), takes another road for molecules when anything in the batch is periodic, and fails when a
  lone atom is the last of a batch. Here molecules get a box of 1 Å after their pairs were found, no
  batch holds both kinds, and lone atoms come first.
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

__all__ = ["MACE", "MACECalculator", "adapter"]

FORCE_UNPICKLING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
STATE = {"charge": "total_charge", "spin": "total_spin"}  # both call a singlet 1
POLAR_ONLY = "fukui_source_map"  # an attribute of PolarMACE models
POLAR_PBC = {(False, False, False), (True, True, False), (True, True, True)}
ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
ORGANIC = ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
SINGLE_FIRST, DOUBLE_FIRST = ("float32", "float64"), ("float64", "float32")
MIT, ASL = "MIT", "ASL (academic, non-commercial)"
PBE_U = "PBE(+U), VASP PAW"
FOUNDATION, CROSS = "10.48550/arXiv.2401.00096", "10.48550/arXiv.2510.25380"
OFF, POLAR = "10.48550/arXiv.2312.15211", "10.48550/arXiv.2602.19411"
HEADS = ("matpes_r2scan", "mp_pbe_refit_add", "spice_wB97M", "oc20_usemppbe", "omol", "omat_pbe")
HEAD_LEVELS = (
    "by task: PBE(+U) (omat_pbe, mp_pbe_refit_add), PBE (oc20_usemppbe), r2SCAN (matpes_r2scan), "
    "ωB97M-D3(BJ) (spice_wB97M), ωB97M-V (omol)"
)
RELEASES = "https://github.com/ACEsuit/{}/releases/download/"
MP, FOUNDATIONS = RELEASES.format("mace-mp"), RELEASES.format("mace-foundations")
OFF_FILES = "https://raw.githubusercontent.com/ACEsuit/mace-off/main/mace_off23/"
ANICC_FILE = "mace/calculators/foundations_models/ani500k_large_CC.model"


def _card(name: str, checkpoint: str, source: str, sha256: str | None, **facts: Any) -> ModelCard:
    alias = checkpoint.partition(":")[2]
    return ModelCard(
        **{
            "name": f"mace-{name}",
            "family": "mace",
            "checkpoint": checkpoint,  # the vendor's function and what to ask it for
            "aliases": (alias,) if "-" in alias and alias != f"mace-{name}" else (),
            "source": source,
            "sha256": sha256,
            "elements": ELEMENTS,
            "uses_charge": False,
            "uses_spin": False,
            "cutoff": 6.0,
            "conservative": True,
            "energy_reference": "total",
            "dtypes": SINGLE_FIRST,
            "lone_atoms": "model",
            **facts,
        }
    )


def _mptrj(name: str, model: str, file: str, sha256: str | None, **facts: Any) -> ModelCard:
    data = "MPtrj" if name.startswith("mp-0-") else "MPtrj, a few high-pressure structures"
    known = {"level_of_theory": f"{PBE_U} (MPtrj)", "training_data": data, "licence": MIT}
    known["doi"] = FOUNDATION
    return _card(name, f"mace_mp:{model}", MP + file, sha256, **{**known, **facts})


def _later(name: str, model: str, source: str, sha256: str | None, **facts: Any) -> ModelCard:
    known = {"licence": ASL, "doi": FOUNDATION}
    return _card(name, f"mace_mp:{model}", source, sha256, **{**known, **facts})


# Names and addresses: `foundations_models`. Levels, data and licences: the vendor's READMEs.
# Cutoffs and elements: its training scripts. Hashes: those that its own tests and several users
# give for the published files; two files of mh-1 are in use, so it has none.
CARDS = (
    _mptrj(
        *("mp-0-small", "small", "mace_mp_0/2023-12-10-mace-128-L0_energy_epoch-249.model"),
        "2ddb079cee0e131eaaf6912ba581b394551ead283e95c99cfe78c605d10b5736",
    ),
    _mptrj(
        *("mp-0-medium", "medium", "mace_mp_0/2023-12-03-mace-128-L1_epoch-199.model"),
        "01bfe22100139f424713cf921144e5509cbe353d67aa9fa1be9c6e1e0ed35845",
    ),
    _mptrj("mp-0-large", "large", "mace_mp_0/MACE_MPtrj_2022.9.model", None, cutoff=None),
    _mptrj(
        *("mp-0b-small", "small-0b", "mace_mp_0b/mace_agnesi_small.model"),
        "7e3a0abcaf41e03a80e69f778e1b11b29de1cca704783dc25917a736392f8cf0",
    ),
    _mptrj(
        *("mp-0b-medium", "medium-0b", "mace_mp_0b/mace_agnesi_medium.model"),
        "ab8baff639a8f295f3eccad3d3ccf574efb6fb63220bd52cd88664211569e521",
    ),
    _mptrj(
        *("mp-0b2-small", "small-0b2", "mace_mp_0b2/mace-small-density-agnesi-stress.model"),
        "d5773bf9440e96d6eb8c598f84bd0e6369fcfa432f626a87f890e07da3c651c9",
        cutoff=5.0,
    ),
    _mptrj(
        *("mp-0b2-medium", "medium-0b2", "mace_mp_0b2/mace-medium-density-agnesi-stress.model"),
        "a90be07c8aa6623c390fcc4653d3e319c4a356f8b4a53d323f96b2012d375caf",
        cutoff=5.0,
    ),
    _mptrj(
        *("mp-0b2-large", "large-0b2", "mace_mp_0b2/mace-large-density-agnesi-stress.model"),
        "348390e758e1c90011c7675e864850f8e9c5b3e7c217f79a2b4bad1baaa657ad",
        cutoff=5.0,
    ),
    _mptrj(
        *("mp-0b3-medium", "medium-0b3", "mace_mp_0b3/mace-mp-0b3-medium.model"),
        "2f2be696351ac9e94fbe01cdfb6f017679acdbd2db7645209ef55fec9826b012",
    ),
    _mptrj(
        *("mpa-0-medium", "medium-mpa-0", "mace_mpa_0/mace-mpa-0-medium.model"),
        "75428afe3a1d7d8062e19bcaabd5c433623cabf308242ec9fb493e38604fb638",
        level_of_theory=f"{PBE_U} (MPtrj, Alexandria)",
        training_data="MPtrj, sAlex",
    ),
    _later(
        *("omat-0-small", "small-omat-0", MP + "mace_omat_0/mace-omat-0-small.model"),
        "0abfde07862cf1e93b8b4d03cb702f29ce9c344ff2fc4de2ec0d7166d6c113a5",
        level_of_theory=f"{PBE_U} 54 (OMat24)",
        training_data="OMat24",
    ),
    _later(
        *("omat-0-medium", "medium-omat-0", MP + "mace_omat_0/mace-omat-0-medium.model"),
        "d4b14be9afa294eebdbe31a0280b26a0fa29715771e978cbfd3ca24e0d90307a",
        level_of_theory=f"{PBE_U} 54 (OMat24)",
        training_data="OMat24",
    ),
    _later(
        *("matpes-pbe-0", "mace-matpes-pbe-0"),
        FOUNDATIONS + "mace_matpes_0/MACE-matpes-pbe-omat-ft.model",
        "e618ad582b84239905b9c3b77ce6e9ce111b0ecd1533223a1a6aac7a696b8aa0",
        level_of_theory="PBE without +U, VASP PAW (MatPES)",
        training_data="OMat24, then MatPES-PBE",
    ),
    _later(
        *("matpes-r2scan-0", "mace-matpes-r2scan-0"),
        FOUNDATIONS + "mace_matpes_0/MACE-matpes-r2scan-omat-ft.model",
        "8f147ecffa1d06a696e5648b13b81abda9c96fda9d0fb3faba3cd3fb27d9bba9",
        level_of_theory="r2SCAN, VASP PAW (MatPES)",
        training_data="OMat24, then MatPES-r2SCAN",
    ),
    _later(
        *("mh-0", "mh-0", FOUNDATIONS + "mace_mh_1/mace-mh-0.model"),
        "d62ff8f293664e6556cfa49364b28ee72a70cf1e6150f3c111a578397fed609d",
        tasks=("rgd1_b3lyp", *HEADS),
        level_of_theory=f"{HEAD_LEVELS}, B3LYP (rgd1_b3lyp)",
        training_data="OMat24, then by task: MPtrj, MatPES, OC20, OMol25, SPICE, RGD1",
        doi=CROSS,
    ),
    _later(
        *("mh-1", "mh-1", FOUNDATIONS + "mace_mh_1/mace-mh-1.model", None),
        tasks=HEADS,
        level_of_theory=HEAD_LEVELS,
        training_data="OMat24, then by task: MPtrj, MatPES, OC20, OMol25, SPICE",
        doi=CROSS,
    ),
    *(
        _card(
            *(f"off23-{size}", f"mace_off:{size}", f"{OFF_FILES}MACE-OFF23_{size}.model", sha256),
            elements=ORGANIC,
            cutoff=cutoff,
            level_of_theory="ωB97M-D3(BJ)/def2-TZVPPD (SPICE)",
            training_data="SPICE 1",
            licence=ASL,
            doi=OFF,
            dtypes=DOUBLE_FIRST,
        )
        for size, cutoff, sha256 in (
            ("small", 4.5, "165cce4cfec5a34b9c64d4ebf95de15d71106bb584b7291c8470f0749977c46f"),
            ("medium", 5.0, "4842c52ad210d6e1f84d6cf1ffa70fae25a7e0d755ed55cf223f43913f587db7"),
            ("large", 5.0, "a29e397dbf3e7a24ac50a9b0dfc919bd5a62efa346f5895a6237b0950c1d76f4"),
        )
    ),
    _card(
        *("omol-0", "mace_omol:extra_large"),
        FOUNDATIONS + "mace_omol_0/MACE-omol-0-extra-large-1024.model",
        "9b64b4fd5153ca578c694abc57806d8111050de6ff652e695c9b525bc4d36469",
        level_of_theory="ωB97M-V/def2-TZVPD (OMol25)",
        training_data="OMol25",
        uses_charge=True,
        uses_spin=True,
        licence=ASL,
        dtypes=DOUBLE_FIRST,
        aliases=("mace-omol-0-extra-large",),
    ),
    _card(
        *("anicc", "mace_anicc:", f"https://github.com/ACEsuit/mace/raw/main/{ANICC_FILE}", None),
        elements=ORGANIC[:4],
        cutoff=None,
        level_of_theory="CCSD(T)*/CBS (ANI-1ccx)",
        training_data="ANI-1ccx",
        licence=MIT,
        doi="10.1063/5.0155322",
        dtypes=DOUBLE_FIRST,
    ),
    *(
        _card(
            *(f"polar-1-{size}", f"mace_polar:polar-1-{size}"),
            *(f"{FOUNDATIONS}mace_polar_1/MACE-POLAR-1-{size.upper()}.model", sha256),
            elements=tuple(chemical_symbols[1:84]),
            level_of_theory="ωB97M-V/def2-TZVPD (OMol25)",
            training_data="OMol25",
            uses_charge=True,
            uses_spin=True,
            licence=ASL,
            doi=POLAR,
        )
        for size, sha256 in (
            ("s", None),
            ("m", "fab8b8713c832f31a2a853aaa22fd638be8a369cbf5095e6b3e982a18d10e93a"),
            ("l", "9f65f8dc6ddaff1d631e299cb531376a7da5e68d1bef04f34a2d5073d5ef114b"),
        )
    ),
)


class MACE(AdapterBase):
    """The family; weights are downloaded by `mace-torch` itself."""

    family = "mace"
    cards = CARDS
    environment = Environment(
        extra="mace", modules=("mace",), distributions=("mace-torch", "torch", "e3nn")
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
    ) -> MACECalculator:
        """Load by the vendor's name or from a file; `task` is what the vendor calls head."""
        dtype = dtype or (card.dtypes or SINGLE_FIRST)[0]
        if dtype not in SINGLE_FIRST:
            raise UnsupportedOptionError(
                f"{card.name} cannot use dtype {dtype!r}; allowed: {', '.join(SINGLE_FIRST)}."
            )
        with _contained(device):
            model = self._model(card, device, checkpoint)
            from mace.modules import MACE as Vendor

            if not isinstance(model, Vendor):
                raise ModelLoadError(
                    f"{checkpoint or card.name} holds a {type(model).__name__}, not a MACE model "
                    "with energies. Give the .model file that training wrote, not the one compiled "
                    "for LAMMPS."
                )
        heads = tuple(getattr(model, "heads", None) or ("Default",))
        head = heads[0] if task is None and len(heads) == 1 else task
        if head is None and checkpoint is None and card.checkpoint.startswith("mace_omol"):
            head = "omol"  # as the vendor's loader has it
        if head is None or head not in heads:
            raise UnsupportedOptionError(
                f"{card.name} cannot use task {task!r}; choose one of: {', '.join(heads)}."
            )
        calculator = MACECalculator(_precise(model, dtype).to(device), heads, head, checkpoint)
        if hasattr(model, POLAR_ONLY):
            _check_polar(calculator)
        return calculator

    def _model(self, card: ModelCard, device: str, checkpoint: str | None) -> Any:
        """Call the vendor's loader; it talks only where it downloads, on stderr."""
        present = self.checkpoint_file(card, checkpoint)
        with redirect_stdout(io.StringIO() if present else sys.stderr):
            from mace.calculators import foundations_models

            options: dict[str, Any] = {"device": device, "return_raw_model": True}
            loader, _, name = card.checkpoint.partition(":")
            try:
                if checkpoint is not None:  # a path as it is: "small" would be a download
                    return foundations_models.mace_mp(os.path.abspath(checkpoint), **options)
                if name:
                    options["model"] = name
                return getattr(foundations_models, loader)(**options)
            except ModuleNotFoundError as error:
                raise ModelLoadError(
                    f"{card.name} needs the Python module {error.name}, which mace-torch does not "
                    "bring. PolarMACE models need: pip install graph-longrange==0.4.0"
                ) from error
            except RuntimeError as error:
                cause = error.__cause__  # the vendor's words are the same for whatever went wrong
                if cause is None:
                    raise
                raise ModelLoadError(
                    f"{card.name} could not be loaded: {cause}."
                    if checkpoint is not None
                    else f"{card.name} could not be downloaded ({cause}). Fetch {card.source} "
                    "elsewhere and give the file as checkpoint."
                ) from error

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements, heads, size and the use of charge and spin from the model.

        Of weights that the user brought along, training and provenance are not known.
        """
        model, heads = calculator.model, calculator.heads
        if calculator.checkpoint is not None:
            card = replace(card, level_of_theory=None, training_data=None, licence=None)
            card = replace(card, source=calculator.checkpoint, sha256=None, doi=None)
        return replace(
            card,
            cutoff=float(model.r_max),
            elements=tuple(chemical_symbols[z] for z in model.atomic_numbers.tolist()),
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
        spec = importlib.util.find_spec("mace")
        packages = (spec.submodule_search_locations if spec else None) or ()
        file = (card.source or "").rpartition("/")[2]
        cached = file
        if card.checkpoint.startswith(("mace_mp", "mace_polar")):
            cached = "".join(c for c in file if c.isalnum() or c == "_")
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mace"
        bundled = (Path(p) / "calculators" / "foundations_models" / file for p in packages)
        return next((str(path) for path in (*bundled, cache / cached) if path.is_file()), None)

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Two forward passes at most: molecules, and what is periodic."""
        energies, forces = np.zeros(len(structures)), [np.zeros(0)] * len(structures)
        for periodic in (False, True):
            chosen = [i for i, atoms in enumerate(structures) if atoms.pbc.any() == periodic]
            chosen.sort(key=lambda i: len(structures[i]))  # lone atoms first: see PolarMACE
            if not chosen:
                continue
            energies[chosen], together, _ = calculator.forward([structures[i] for i in chosen])
            ends = np.cumsum([len(structures[i]) for i in chosen])
            for i, array in zip(chosen, np.split(together, ends[:-1]), strict=True):
                forces[i] = array
        return energies, forces


class MACECalculator(Calculator):
    """ASE calculator over the vendor's model; a single point is a batch of one.

    ``atoms.info["charge"]`` and ``["spin"]`` (multiplicity) are used by models that have them; the
    vendor's defaults are 0 and 1. Properties: energy, free_energy (equal to energy, eV), forces
    (eV/Å) and, for periodic structures with a cell of three vectors, stress (eV/Å³, Voigt order).

    Attributes
    ----------
    heads, head
        What the model was trained for, and the one it answers for.
    state
        ``charge``, ``spin``: those the model uses -> lowest and highest value it has an embedding
        for.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(
        self, model: Any, heads: tuple[str, ...], head: str, checkpoint: str | None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.heads, self.head, self.checkpoint = model, heads, head, checkpoint
        self.state: dict[str, tuple[float, float]] = {}
        embedded = getattr(model, "embedding_specs", None) or {}
        for key, feature in STATE.items():
            spec = embedded.get(feature)
            if spec is not None and spec["type"] == "categorical":
                lowest = -spec.get("offset", 0)
                self.state[key] = (lowest, lowest + spec["num_classes"] - 1)
            elif spec is not None or hasattr(model, POLAR_ONLY):
                self.state[key] = (-np.inf, np.inf)

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
        periodic = self.atoms.cell.rank == 3 and bool(self.atoms.pbc.any())
        energies, forces, virials = self.forward([self.atoms], virials=periodic)
        energy = float(energies[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        if virials is not None:
            stress = -virials[0] / self.atoms.get_volume()
            self.results["stress"] = stress.flat[[0, 4, 8, 5, 2, 1]]

    def forward(
        self, structures: Sequence[Atoms], *, virials: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return energies (n,), forces (N, 3) of all atoms and, if asked, virials (n, 3, 3)."""
        import torch
        from mace.data import AtomicData
        from mace.tools import AtomicNumberTable, torch_geometric

        parameter = next(self.model.parameters())
        table = AtomicNumberTable(self.model.atomic_numbers.tolist())
        configurations = [self._configuration(atoms) for atoms in structures]
        default = torch.get_default_dtype()
        torch.set_default_dtype(parameter.dtype)  # the vendor's graphs have it
        try:
            graphs = [
                AtomicData.from_config(
                    configuration,
                    z_table=table,
                    cutoff=float(self.model.r_max),
                    heads=list(self.heads),
                )
                for configuration in configurations
            ]
            for graph in graphs:
                if not graph.pbc.any():
                    graph.cell, graph.rcell = torch.eye(3), 2 * torch.pi * torch.eye(3)
                    graph.volume = torch.ones(())
            batch = torch_geometric.Batch.from_data_list(graphs).to(parameter.device)
            answer = self.model(batch.to_dict(), compute_virials=virials)
        finally:
            torch.set_default_dtype(default)

        def numbers(key: str) -> np.ndarray:
            return np.asarray(answer[key].detach().cpu().double().numpy())

        return numbers("energy"), numbers("forces"), numbers("virials") if virials else None

    def _configuration(self, atoms: Atoms) -> Any:
        """Return the vendor's form of a structure, around the origin."""
        from mace.data import Configuration

        unknown = sorted(set(atoms.numbers.tolist()) - set(self.model.atomic_numbers.tolist()))
        if unknown:
            raise UnsupportedElementError(
                f"The model does not know {', '.join(chemical_symbols[z] for z in unknown)}; it "
                f"knows {len(self.model.atomic_numbers)} elements, see its card."
            )
        if not len(atoms):
            raise EvaluationError("A structure without atoms has no energy.")
        cell = atoms.cell.array
        if not (np.isfinite(atoms.positions).all() and np.isfinite(cell).all()):
            raise EvaluationError("A position or cell vector is not a finite number.")
        if np.linalg.matrix_rank(cell[atoms.pbc]) < atoms.pbc.sum():
            raise EvaluationError("The structure is periodic along a direction without a cell.")
        if hasattr(self.model, POLAR_ONLY) and tuple(atoms.pbc) not in POLAR_PBC:
            raise EvaluationError(
                "PolarMACE knows molecules, crystals, and slabs along the first two vectors."
            )
        return Configuration(
            atomic_numbers=atoms.numbers,
            positions=atoms.positions - atoms.positions.mean(axis=0),
            properties=self._properties(atoms),
            property_weights={},
            cell=cell,
            pbc=tuple(atoms.pbc.tolist()),
            head=self.head,
        )

    def _properties(self, atoms: Atoms) -> dict[str, float]:
        properties = {}
        for key, (lowest, highest) in self.state.items():
            value = atoms.info.get(key)
            if value is None:
                continue
            if not (lowest <= value <= highest and float(value).is_integer()):
                raise UnsupportedOptionError(
                    f"The model does not take {key} {value!r}; it takes whole numbers from "
                    f"{lowest} to {highest}."
                )
            properties[STATE[key]] = float(value)
        return properties


def _check_polar(calculator: MACECalculator) -> None:
    """Evaluate one atom: versions of graph-longrange have other arguments than mace-torch gives."""
    from ase import Atoms

    try:
        calculator.forward([Atoms([int(calculator.model.atomic_numbers[0])], [(0, 0, 0)])])
    except TypeError as error:
        raise ModelLoadError(
            f"The installed graph-longrange does not fit this mace-torch ({error}): pip install "
            "graph-longrange==0.4.0"
        ) from error


def _precise(model: Any, dtype: str) -> Any:
    """Convert weights, buffers and reference energies; gradients are for positions only."""
    model = model.double() if dtype == "float64" else model.float()
    return model.eval().requires_grad_(False)


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
