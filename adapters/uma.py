"""UMA, eSEN and AllScAIP (`fairchem-core`, https://fair-chem.github.io): FAIR Chemistry's models.

One set of weights answers for several levels of theory; the task chooses. The vendor's predict unit
runs unmerged and uncompiled, as its own setting "batch" does: merged experts need one composition,
charge and spin for all structures. Its calculator is not used, for these traps:

- It writes default charge and spin into the caller's ``atoms.info``.
- Only ``omol`` was trained on charge and spin. Under other tasks both still move the energy, by
  embeddings that no data have shaped. Here these tasks always get the vendor's defaults (0 and 0)
  and refuse all but a neutral singlet. ``omol`` without a spin is a singlet to the vendor, whatever
  the number of electrons.
- Lone atoms: models up to UMA 1.1 look up DFT energies (rounded to float32, without regard to spin
  and, where the table holds one number per element, to charge; 0 where it holds none), and refuse
  the batch that an atom is in. Here such atoms are answered one by one, and refused where the table
  knows nothing. Weights from a path have no table. UMA 1.2 and later answer by the network. The
  completed card says which.
- Atoms at one point lose their edge and get the energy of atoms far apart. So do atoms that are
  all at NaN.
- Along a periodic direction without a cell vector there would be images 1 Å apart.
- Molecules get a stress, by a volume of 1 Å³.

Experts are mixed for every structure of a batch and held until the forces are done: up to 26 MB a
structure for UMA-S, 200 MB for UMA-M (active parameters in float32). That bounds the batch size.

Import and loading print, warn, log and seed every random number generator; what they change is put
back. Checkpoints are unpickled by the vendor: open only files you trust.

AllScAIP casts to float32 within, so that it has no float64. It is not equivariant by construction,
its energy jumps where the k nearest neighbours of an atom change, and it leaves torch's logging of
recompilations switched on.
"""

from __future__ import annotations

import io
import logging
import os
import random
import warnings
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.geometry import wrap_positions

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import EvaluationError, ModelLoadError, UnsupportedOptionError
from ase_probe.graphs import centred, check_structures, complete_cells, periodic, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["UMA", "UMACalculator", "adapter"]

MOLECULAR = tuple(chemical_symbols[1:84])  # H-Bi: the 83 elements of OMol25
ALL = (*MOLECULAR, *chemical_symbols[89:95])  # and Ac-Pu: the 89 of OMat24
LEVELS = {
    "omol": "ωB97M-V/def2-TZVPD, ORCA 6 (OMol25)",
    "omat": "PBE(+U), VASP 54 PAW (OMat24)",
    "oc20": "RPBE, VASP 5.4 PAW (OC20, total energies)",
    "oc22": "PBE+U, VASP (OC22)",
    "oc25": "RPBE-D3(zero), VASP (OC25)",
    "odac": "PBE-D3, VASP 5.4 PAW (ODAC23)",
    "omc": "PBE-D3, VASP (OMC25)",
}


def _card(name: str, repository: str, file: str, level: str, **facts: Any) -> ModelCard:
    return ModelCard(
        **{
            "name": name,
            "family": "uma",
            "checkpoint": f"{repository}/checkpoints/{file}",
            "level_of_theory": level,
            "training_data": repository,
            "uses_charge": True,
            "uses_spin": True,
            "conservative": True,
            "energy_reference": "total",
            "licence": "FAIR Chemistry License",
            "gated": True,
            "source": f"https://huggingface.co/facebook/{repository}",
            "doi": PAPERS[repository],
            "dtypes": ("float32", "float64"),
            **facts,
        }
    )


def _by_task(*tasks: str) -> dict[str, Any]:
    levels = "; ".join(f"{task}: {LEVELS[task]}" for task in tasks)
    return {"level": f"by task: {levels}", "tasks": tasks, "elements": ALL}


# Names and files are those of the vendor's pretrained_models.json; levels, tasks, data, rounded
# sizes and licence are stated in its documentation (uma, uma_changelog, models), in the papers and
# on the pages of the repositories; the cutoff of UMA-S in its training configuration.
PAPERS = {
    "UMA": "10.48550/arXiv.2506.23971",
    "OMol25": "10.48550/arXiv.2505.08762",
    "OC25": "10.48550/arXiv.2509.17862",
    "ODAC25": "10.48550/arXiv.2508.03162",
}
DATA_1P1 = "OMol25, OMat24, OC20, ODAC23, OMC25"
DATA_1P2 = f"{DATA_1P1}, OC22, OC25, OPoly26, dimers and lone atoms"
UMA_1P1 = {**_by_task("omol", "omat", "oc20", "odac", "omc"), "training_data": DATA_1P1}
UMA_1P1 |= {"lone_atoms": "table"}
UMA_1P2 = {**_by_task(*LEVELS), "training_data": DATA_1P2, "lone_atoms": "model", "cutoff": 6.0}
TUNED = {"training_data": None, "cutoff": 6.0}
R2SCAN = "r2SCAN, not spin-polarized (MAD-1.6)"
OMOL = {"level": LEVELS["omol"], "elements": MOLECULAR}
ALLSCAIP = {**OMOL, "doi": None, "dtypes": ("float32",)}
NEUTRAL = {"uses_charge": False, "uses_spin": False}
TABLE, DIRECT = {"lone_atoms": "table"}, {"conservative": False}
ODAC = {"level": "PBE-D3, VASP (ODAC25)", "conservative": None, **NEUTRAL, **TABLE}
OC25 = {"level": LEVELS["oc25"], **NEUTRAL, **TABLE}
ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("uma-s-1p2p1", "UMA", "uma-s-1p2p1.pt", {**UMA_1P2, "parameters": 290_000_000}),
    ("uma-s-1p2", "UMA", "uma-s-1p2.pt", UMA_1P2),
    ("uma-s-1p1", "UMA", "uma-s-1p1.pt", {**UMA_1P1, "cutoff": 6.0}),
    ("uma-m-1p1", "UMA", "uma-m-1p1.pt", {**UMA_1P1, "parameters": 1_400_000_000}),
    (
        *("uma-s-1p2p1-ft-d4rev", "UMA", "uma-s-1p2p1-ft-d4rev.pt"),
        {"level": "ωB97M-D4rev", "elements": MOLECULAR, **TUNED},
    ),
    (
        *("uma-s-1p2p1-ft-r2scan", "UMA", "uma-s-1p2p1-ft-r2scan.pt"),
        {"level": R2SCAN, "elements": ALL, **NEUTRAL, **TUNED},
    ),
    ("esen-md-direct-all-omol", "OMol25", "esen_md_direct_all.pt", {**OMOL, **TABLE, **DIRECT}),
    ("esen-sm-conserving-all-omol", "OMol25", "esen_sm_conserving_all.pt", {**OMOL, **TABLE}),
    ("esen-sm-direct-all-omol", "OMol25", "esen_sm_direct_all.pt", {**OMOL, **TABLE, **DIRECT}),
    (
        *("allscaip-md-conserving-all-omol", "OMol25", "AllScAIP/AllScAIP-OMol102M-md-cons.pt"),
        ALLSCAIP,
    ),
    (
        *("allscaip-md-direct-all-omol", "OMol25", "AllScAIP/AllScAIP-OMol102M-md-d.pt"),
        {**ALLSCAIP, **DIRECT},
    ),
    ("esen-sm-conserving-all-oc25", "OC25", "esen_sm_conserve.pt", OC25),
    ("esen-md-direct-all-oc25", "OC25", "esen_md_direct.pt", {**OC25, **DIRECT}),
    ("esen-sm-filtered-odac25", "ODAC25", "esen_sm_odac25_filtered.pt", ODAC),
    ("esen-sm-full-odac25", "ODAC25", "esen_sm_odac25_full.pt", ODAC),
)
CARDS = tuple(_card(name, repository, file, **facts) for name, repository, file, facts in ROWS)


class UMA(BatchAdapter):
    """The family; weights are downloaded by `fairchem-core` once access has been granted."""

    family = "uma"
    cards = CARDS
    environment = Environment(
        extra="uma", modules=("fairchem.core",), distributions=("fairchem-core", "torch")
    )
    devices = ("cpu", "cuda")
    unpickles = True
    batch_size = 32

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> UMACalculator:
        """Load by the vendor's name or from a file; `task` is what the vendor calls a dataset."""
        unit = _predict_unit(card, checkpoint, device, dtype or "float32")
        if dtype not in (None, *_dtypes(unit)):
            raise UnsupportedOptionError(f"{card.name} cannot use dtype {dtype!r}, only float32.")
        tasks = tuple(unit.dataset_to_tasks)
        if task is None and len(tasks) == 1:
            task = tasks[0]
        if task is None or task not in tasks:
            raise UnsupportedOptionError(
                f"{card.name} cannot use task {task!r}; choose one of: {', '.join(tasks)}."
            )
        elements = _referenced(unit, task)
        if checkpoint is None and card.elements is not None:
            elements = MOLECULAR if task == "omol" else card.elements
        return UMACalculator(unit, task, elements, checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Narrow the card to the task and read the rest from the model."""
        unit, model = calculator.unit, calculator.unit.model.module
        uses = calculator.uses_charge
        if calculator.checkpoint is not None:
            tasks = tuple(unit.dataset_to_tasks)
            card = replace(
                card.of_unknown_training(calculator.checkpoint),
                gated=False,
                tasks=tasks if len(tasks) > 1 else (),
                energy_reference=None,
            )
        elif card.tasks:
            card = replace(card, level_of_theory=LEVELS[calculator.task])
        elif card.uses_charge is False:
            uses = False
        lone_atoms = "table" if calculator.task in unit.atom_refs else "refused"
        return replace(
            card,
            elements=calculator.elements,
            uses_charge=uses,
            uses_spin=uses,
            cutoff=float(model.backbone.cutoff),
            conservative=not model.backbone.regress_config.direct_forces,
            parameters=sum(p.numel() for p in model.parameters()),
            dtypes=_dtypes(unit),
            lone_atoms="model" if model.supports_single_atoms else lone_atoms,
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the card's file in the vendor's cache; `None` if not there."""
        if checkpoint is not None:
            return checkpoint
        cache = Path(os.environ.get("FAIRCHEM_CACHE_DIR", Path.home() / ".cache" / "fairchem"))
        repository, _, file = card.checkpoint.partition("/")
        folder = cache / f"models--facebook--{repository}"
        main = folder / "refs" / "main"  # the name of the snapshot that the vendor would take
        path = folder / "snapshots" / (main.read_text().strip() if main.is_file() else "") / file
        return str(path) if path.is_file() else None


class UMACalculator(BatchCalculator):
    """Calculator over the vendor's predict unit.

    Reads ``info["charge"]`` (e) and ``info["spin"]`` (multiplicity).
    """

    watched = ("charge", "spin")

    def __init__(
        self, unit: Any, task: str, elements: tuple[str, ...], checkpoint: str | None
    ) -> None:
        super().__init__(checkpoint)
        self.unit, self.task, self.elements = unit, task, elements
        # How a dataset we have never heard of was trained, nobody knows.
        self.uses_charge = True if task == "omol" else False if task in LEVELS else None
        offered = {"free_energy", *(entry.property for entry in unit.dataset_to_tasks[task])}
        self.implemented_properties = [p for p in self.implemented_properties if p in offered]

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """One pass for all but lone atoms from a table."""
        check_structures(structures, self.elements)
        states = self._states(structures)
        native, counts = self.unit.model.module.supports_single_atoms, sizes(structures)
        alone = (counts == 1) & ~periodic(structures) & (not native)
        owned = np.repeat(~alone, counts)
        energies, forces = np.empty(len(counts)), np.zeros((len(owned), 3))
        for i in alone.nonzero()[0]:
            energies[i] = self._look_up(structures[i], states[i])
        answer = {}
        if not alone.all():
            answer = self._predict([structures[i] for i in (~alone).nonzero()[0]], states[~alone])
            energies[~alone], forces[owned] = answer["energy"], answer.get("forces", np.nan)
        # Asked for of crystals only, which are not `alone`.
        voigt = answer["stress"].reshape(-1, 9)[:, [0, 4, 8, 5, 2, 1]] if stress else None
        has_forces = "forces" in self.implemented_properties
        return Batch(energies, forces if has_forces else None, voigt)

    def _states(self, structures: Sequence[Atoms]) -> np.ndarray:
        """Charges and spins to use (n, 2)."""
        known: dict[Any, tuple[int, int]] = {}
        states = []
        for atoms in structures:
            charge, spin = atoms.info.get("charge"), atoms.info.get("spin")
            key = (type(charge), charge, type(spin), spin)  # 1.0 is no charge
            if key not in known:
                known[key] = self._state(atoms)
            states.append(known[key])
        return np.array(states)

    def _state(self, atoms: Atoms) -> tuple[int, int]:
        charge, spin = atoms.info.get("charge"), atoms.info.get("spin")
        if self.uses_charge is False:
            if charge or spin not in (None, 0, 1):
                raise UnsupportedOptionError(
                    f"Task {self.task} was trained on neutral structures without a spin: it cannot "
                    f"give {atoms.symbols} charge {charge}, multiplicity {spin}. Leave them out."
                )
            charge = spin = None
        default = 1 if self.task == "omol" else 0
        copy = Atoms(atoms.numbers, atoms.positions)
        copy.info["charge"] = 0 if charge is None else charge
        copy.info["spin"] = default if spin is None else spin
        try:
            self.unit.validate_atoms_data(copy, self.task)
        except (TypeError, ValueError) as error:  # not an integer, or out of range
            raise UnsupportedOptionError(str(error)) from error
        return copy.info["charge"], copy.info["spin"]

    def _predict(self, structures: Sequence[Atoms], states: np.ndarray) -> dict[str, np.ndarray]:
        """Return energy (n,), forces (N, 3) and stress (n, 9), as far as the model has them.

        The batch is what the vendor's ``AtomicData.from_ase`` and ``atomicdata_list_to_batch``
        make, without their objects and loops: these cost as much as a small network.
        """
        import torch
        from fairchem.core.datasets.atomic_data import AtomicData

        dtype = self.unit.inference_settings.base_precision_dtype
        n, counts = len(structures), sizes(structures)
        owner = np.repeat(np.arange(n), counts)
        cells, positions = complete_cells(structures), centred(structures)
        for i in np.flatnonzero(periodic(structures)).tolist():
            atoms = structures[i]
            positions[owner == i] = wrap_positions(atoms.positions, cells[i], atoms.pbc, eps=0)
        place = torch.as_tensor(positions, dtype=dtype)
        if len(np.unique(np.column_stack([owner, place.numpy()]), axis=0)) < len(owner):
            self._blame(structures, place.numpy())
        whole = torch.zeros(len(owner), dtype=torch.long)
        batch = AtomicData(
            pos=place,
            atomic_numbers=torch.as_tensor(np.concatenate([a.numbers for a in structures])).long(),
            cell=torch.as_tensor(cells, dtype=dtype),
            pbc=torch.as_tensor(np.stack([atoms.pbc for atoms in structures])),
            natoms=torch.as_tensor(counts),
            edge_index=torch.empty((2, 0), dtype=torch.long),  # the network finds them
            cell_offsets=torch.empty((0, 3), dtype=dtype),
            nedges=torch.zeros(n, dtype=torch.long),
            charge=torch.as_tensor(states[:, 0]).long(),
            spin=torch.as_tensor(states[:, 1]).long(),
            fixed=whole,
            tags=whole.clone(),
            batch=torch.as_tensor(owner),
            sid=[""] * n,
            dataset=[self.task] * n,
        )
        ends = [0, *np.cumsum(counts).tolist()]
        batch.assign_batch_stats(  # without them AllScAIP takes all for one structure
            dict.fromkeys(("pos", "atomic_numbers", "fixed", "tags"), ends),
            {},
            {},
            counts.tolist(),
        )
        with _without_noise():
            answer = self.unit.predict(batch)
        return {
            key: np.asarray(answer[key].detach().cpu().double().numpy())
            for key in ("energy", "forces", "stress")
            if key in answer
        }

    def _blame(self, structures: Sequence[Atoms], positions: np.ndarray) -> None:
        parts = np.split(positions, np.cumsum(sizes(structures))[:-1])
        for atoms, part in zip(structures, parts, strict=True):
            if len(np.unique(part, axis=0)) < len(atoms):
                raise EvaluationError(
                    f"Two atoms of {atoms.symbols} lie at one point: the model would drop their "
                    "edge and answer as if they were far apart."
                )

    def _look_up(self, atom: Atoms, state: np.ndarray) -> float:
        """Return what the vendor's table holds for a lone atom; raise where it holds nothing."""
        charge, spin = state
        if self.task in self.unit.atom_refs:
            energy = float(self._predict([atom], state[None])["energy"][0])
            neutral = np.array([[0, spin]])
            same = charge and energy == self._predict([atom], neutral)["energy"][0]
            if energy != 0.0 and not same:
                return energy
        raise EvaluationError(
            f"The model cannot answer for a lone atom, and there is no table with an entry for "
            f"{atom.symbols} of charge {charge} under task {self.task}."
        )


def _predict_unit(card: ModelCard, checkpoint: str | None, device: str, dtype: str) -> Any:
    with _contained(device):
        from fairchem.core.calculate.pretrained_mlip import get_predict_unit
        from fairchem.core.units.mlip_unit import InferenceSettings, load_predict_unit

        options: dict[str, Any] = {
            "inference_settings": InferenceSettings(
                activation_checkpointing=False,  # twice as fast; batches are small
                execution_mode="general",
                base_precision_dtype=dtype,
            ),
            "device": device.partition(":")[0],
        }
        if checkpoint is not None:
            return load_predict_unit(checkpoint, **options)
        try:
            return get_predict_unit(card.name, **options)
        except OSError as error:
            raise ModelLoadError(
                f"{card.name} could not be downloaded: {error} Its weights are gated: ask for "
                f"access at {card.source}, log in (`hf auth login`) and try again, or pass a file "
                "that you have as checkpoint=."
            ) from error


def _dtypes(unit: Any) -> tuple[str, ...]:
    """AllScAIP casts to float32 on the way."""
    name = type(unit.model.module.backbone).__name__
    return ("float32",) if name.startswith("AllScAIP") else ("float32", "float64")


def _referenced(unit: Any, task: str) -> tuple[str, ...]:
    """Return the elements with a reference energy: a fit leaves those it has not seen at 0."""
    symbols = chemical_symbols[: int(unit.model.module.backbone.max_num_elements)]
    for entry in unit.dataset_to_tasks[task]:
        if entry.property == "energy" and entry.element_references is not None:
            references = entry.element_references.element_references.abs().tolist()
            pairs = zip(symbols[1:], references[1:], strict=False)
            return tuple(symbol for symbol, reference in pairs if reference > 1e-9)
    return tuple(symbols[1:])


@contextmanager
def _contained(device: str) -> Iterator[None]:
    """Keep the first import from printing (`warp`: version, devices), and loading from seeding.

    The vendor seeds all generators with 41 and notes the device in the environment.
    """
    import torch

    environment, state = set(os.environ), (random.getstate(), np.random.get_state())  # noqa: NPY002
    cuda = device.startswith("cuda")  # to the vendor the current one
    with (
        torch.random.fork_rng([torch.device(device)] if cuda else []),
        torch.cuda.device(device) if cuda else nullcontext(),
        _without_noise(),
    ):
        with redirect_stdout(io.StringIO()):
            import fairchem.core  # noqa: F401
        try:
            yield
        finally:
            random.setstate(state[0])
            np.random.set_state(state[1])  # noqa: NPY002
            for key in set(os.environ) - environment:
                del os.environ[key]


@contextmanager
def _without_noise() -> Iterator[None]:
    """Drop two warnings about the vendor's use of torch, and those it writes to the root logger.

    It would configure that logger by the way.
    """
    root, placeholder = logging.getLogger(), logging.NullHandler()

    def keep(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING or "fairchem" not in Path(record.pathname).parts

    root.addHandler(placeholder)
    root.addFilter(keep)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
            warnings.filterwarnings("ignore", r"index_reduce\(\) is in beta", UserWarning)
            yield
    finally:
        root.removeFilter(keep)
        root.removeHandler(placeholder)


adapter = UMA()
