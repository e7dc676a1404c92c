"""ANI (`torchani`, https://github.com/aiqm/torchani): networks on atomic environments, H to Cl.

The vendor's models are ensembles, and the mean of all members is what is evaluated. Molecules of
different sizes share a batch, padded; the vendor takes one cell per batch, so periodic structures
are evaluated one by one. Slabs and wires go in as crystals with vacuum: in a skewed or rotated cell
the vendor would move atoms that lie outside it to wrong places (2 eV for four cells of graphene).
The energies of the separated atoms are added here in float64: in the vendor's float32 a molecule
with two Cl atoms moves in steps of 2 meV. ANI knows no charge and no spin.

The vendor's factories know the architectures, but load nothing except their own files: they answer
a damaged file in the cache by downloading another, and, offline, by unpickling it. So the adapter
hands them the weights, read without running code, and leaves only the download to them.

ANI-mbis has the energies of ANI-2x, and charges beside them. The r2s models repel at every
distance, so they cannot be periodic; the vendor calls them experimental.
"""

from __future__ import annotations

import io
import os
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import Hartree

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import EvaluationError, UnsupportedOptionError
from ase_probe.graphs import centred, check_structures, periodic, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["ANICalculator", "TorchANI", "adapter"]

HCNO = ("H", "C", "N", "O")
HCNOFSCL = (*HCNO, "F", "S", "Cl")
FILES = {  # in the vendor's cache; the name in its repositories is the first word
    "ANI1x": ("ani1x_state_dict.pt",),
    "ANI1ccx": ("ani1ccx_state_dict.pt",),
    "ANI1xnr": ("ani1xnr.pt",),
    "ANI2x": ("ani2x_state_dict.pt",),
    "ANImbis": ("ani2x_state_dict.pt", "charge_nn_state_dict.pt"),
    "ANI2xr": ("ani2xr.pt",),
    "ANI2dr": ("ani2dr.pt",),
    "SnnANI2xr": ("snn-ani2xr.pt",),
    "ANIr2s": ("anir2s_state_dict.pt",),
    "ANIr2s_water": ("anir2s_water_state_dict.pt",),
    "ANIr2s_chcl3": ("anir2s_chcl3_state_dict.pt",),
    "ANIr2s_ch3cn": ("anir2s_ch3cn_state_dict.pt",),
}
WB97X, R2SCAN = "ωB97X/6-31G(d)", "r2SCAN-3c/def2-mTZVPP"
TORCHANI2 = "10.1021/acs.jcim.5c01853"


def _card(checkpoint: str, name: str, level: str, data: str, **facts: Any) -> ModelCard:
    return ModelCard(
        **{
            "name": name,
            "family": "torchani",
            "checkpoint": checkpoint,
            "aliases": (checkpoint,),
            "level_of_theory": level,
            "training_data": data,
            "elements": HCNOFSCL,
            "uses_charge": False,
            "uses_spin": False,
            "cutoff": 5.2,
            "conservative": True,
            "energy_reference": "total",
            "licence": "MIT (of the package)",
            "source": f"https://huggingface.co/roitberg-group: {FILES[checkpoint][-1]}",
            "dtypes": ("float32", "float64"),
            "lone_atoms": "model",
            **facts,
        }
    )


# Levels, data and elements stand in the docstrings of `torchani.models`, cutoffs in its code.
CARDS = (
    _card("ANI2x", "ani-2x", WB97X, "ANI-2x", cutoff=5.1, doi="10.1021/acs.jctc.0c00121"),
    _card("ANI1x", "ani-1x", WB97X, "ANI-1x", elements=HCNO, doi="10.1063/1.5023802"),
    _card(
        *("ANI1ccx", "ani-1ccx", "CCSD(T)*/CBS", "ANI-1ccx, after ANI-1x"),
        elements=HCNO,
        doi="10.1038/s41467-019-10827-4",
    ),
    _card(
        *("ANI1xnr", "ani-1xnr", "BLYP/TZV2P", "ANI-1xnr"),
        elements=HCNO,
        doi="10.1038/s41557-023-01427-3",
    ),
    _card("ANImbis", "ani-mbis", WB97X, "ANI-2x", cutoff=5.1),
    _card("ANI2xr", "ani-2xr", WB97X, "ANI-2x", doi=TORCHANI2),
    _card("SnnANI2xr", "snn-ani-2xr", WB97X, "ANI-2x", doi=TORCHANI2),
    _card("ANI2dr", "ani-2dr", "B97-3c/def2-mTZVP", "ANI-2x", doi=TORCHANI2),
    _card("ANIr2s", "ani-r2s", R2SCAN, "ANI-2x-R2SCAN", cutoff=5.1),
    *(
        _card(
            *(f"ANIr2s_{solvent}", f"ani-r2s-{solvent}", f"{R2SCAN}, SMD ({solvent})"),
            "ANI-2x-R2SCAN",
            cutoff=5.1,
        )
        for solvent in ("water", "chcl3", "ch3cn")
    ),
)


class TorchANI(BatchAdapter):
    """The family; `torchani` downloads the weights."""

    family = "torchani"
    cards = CARDS
    environment = Environment(
        extra="torchani", modules=("torchani",), distributions=("torchani", "torch")
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
    ) -> ANICalculator:
        """Build the named model; its weights come from `checkpoint`, the cache or the network."""
        if card.checkpoint not in FILES:
            raise UnsupportedOptionError(
                f"{checkpoint} holds weights without their architecture. Name the model they "
                "belong to and give the file as its checkpoint: ani-2x --checkpoint weights.pt."
            )
        if checkpoint is not None and len(FILES[card.checkpoint]) > 1:
            raise UnsupportedOptionError(
                f"{card.name} has its weights in {len(FILES[card.checkpoint])} files and cannot "
                "take another one. Its energies are those of ani-2x, which can."
            )
        import torch

        with _vendor(checkpoint) as models:
            kind = getattr(torch, dtype or "float32")
            model = getattr(models, card.checkpoint)(device=device, dtype=kind)
        return ANICalculator(model.eval(), checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read elements, cutoff and size from the model."""
        model = calculator.model
        if calculator.checkpoint is not None:
            card = card.of_unknown_training(calculator.checkpoint)
        return replace(
            card,
            elements=tuple(model.symbols),
            cutoff=float(model.aev_computer.radial.cutoff),
            parameters=sum(p.numel() for p in model.parameters()),
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the file in the vendor's cache; `None` if it is not there."""
        if checkpoint is not None or card.checkpoint not in FILES:
            return checkpoint
        files = [_cached(name) for name in FILES[card.checkpoint]]
        return str(files[-1]) if all(file.is_file() for file in files) else None


class ANICalculator(BatchCalculator):
    """Calculator over the vendor's model."""

    def __init__(self, model: Any, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.model = model
        model.set_enabled("energy_shifter", False)
        shifts = model.energy_shifter.self_energies.tolist()
        self.atoms_apart = dict(zip(model.symbols, shifts, strict=True))  # symbol -> Hartree

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """One pass for all molecules and one for each periodic structure."""
        check_structures(structures, self.atoms_apart)
        boxed = periodic(structures)
        if boxed.any() and not np.isfinite(self.model.cutoff):
            raise EvaluationError("The model's repulsion has no cutoff: it cannot be periodic.")
        passes = np.where(boxed, np.arange(1, len(boxed) + 1), 0)
        owners = np.repeat(passes, sizes(structures))
        energies, forces = np.empty(len(passes)), np.empty((len(owners), 3))
        stresses = np.empty((len(passes), 6)) if stress else None
        for number in set(passes):
            chosen = passes == number
            part = self._pass([structures[i] for i in chosen.nonzero()[0]], stress)
            energies[chosen], forces[owners == number] = part.energies, part.forces
            if stresses is not None:
                stresses[chosen] = part.stress
        return Batch(energies, forces, stresses)

    def _pass(self, structures: Sequence[Atoms], stress: bool) -> Batch:
        """Evaluate molecules, padded to the size of the largest, or one periodic structure."""
        import torch

        parameter = next(self.model.parameters())

        def tensor(values: np.ndarray, dtype: Any = parameter.dtype) -> Any:
            return torch.as_tensor(values, dtype=dtype, device=parameter.device)

        counts = sizes(structures)
        there = np.arange(counts.max()) < counts[:, None]
        species, positions = np.full(there.shape, -1), np.zeros((*there.shape, 3))
        species[there] = np.concatenate([atoms.numbers for atoms in structures])
        positions[there] = centred(structures)
        coordinates, box = tensor(positions).requires_grad_(), {}
        inputs, moved = [coordinates], coordinates
        if structures[0].pbc.any():
            cell = tensor(_box(structures[0], self.model.cutoff))
            if stress:
                strain = torch.zeros_like(cell).requires_grad_()
                inputs.append(strain)
                moved, cell = (x + x @ (strain + strain.T) / 2 for x in (coordinates, cell))
            box = {"cell": cell, "pbc": torch.ones(3, dtype=torch.bool, device=cell.device)}
        answer = self.model((tensor(species, dtype=torch.int64), moved), **box).energies
        energies = answer.detach().cpu().double().numpy()
        energies += [sum(self.atoms_apart[s] for s in atoms.symbols) for atoms in structures]
        gradient, *virial = (
            array.cpu().double().numpy() * Hartree
            for array in torch.autograd.grad(answer.sum(), inputs)
        )
        stresses = [full_3x3_to_voigt_6_stress(v / structures[0].cell.volume) for v in virial]
        return Batch(energies * Hartree, -gradient[there], np.array(stresses) if stress else None)


def _box(atoms: Atoms, cutoff: float) -> np.ndarray:
    """Return a cell that is periodic in all directions, with vacuum where `atoms` is not."""
    cell = atoms.cell.copy()
    cell[~atoms.pbc] = 0
    cell = cell.complete().array  # unit vectors at right angles to the periodic ones
    extent = np.ptp(atoms.positions @ cell[~atoms.pbc].T, axis=0)
    cell[~atoms.pbc] *= extent[:, None] + cutoff + 1
    return np.asarray(cell)


def _cached(name: str) -> Path:
    """Return where the vendor keeps a file."""
    root = os.environ.get("TORCHANI_DATA_DIR") or Path.home() / ".local" / "share" / "Torchani"
    return Path(root) / "StateDicts" / name


@contextmanager
def _vendor(checkpoint: str | None) -> Iterator[Any]:
    """Return `torchani.models`, which finds weights in `checkpoint` or its cache, read safely."""
    import torch

    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", "The extensions: .* are not installed", UserWarning)
        warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
        warnings.filterwarnings("ignore", "ANIr2s is experimental", UserWarning)
        from torchani import models

        download = models._fetch_state_dict

        def fetch(name: str, *args: Any, **options: Any) -> Any:
            file = checkpoint or _cached(name)
            if checkpoint is None and not Path(file).is_file():
                return download(name, *args, **options)
            return torch.load(file, map_location="cpu", weights_only=True)

        models._fetch_state_dict = fetch
        try:
            yield models
        finally:
            models._fetch_state_dict = download


adapter = TorchANI()
