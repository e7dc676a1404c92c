"""ANI (`torchani`, https://github.com/aiqm/torchani): networks on atomic environments, H to Cl.

The vendor's models are ensembles, and the mean of all members is what is evaluated. Molecules of
different sizes share a batch, padded; the vendor takes one cell per batch, so periodic structures
are evaluated one by one. The energies of the separated atoms are added here in float64: in the
vendor's float32 a molecule with two Cl atoms moves in steps of 2 meV. ANI knows no charge and no
spin.

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
from ase.calculators.calculator import Calculator, all_changes
from ase.units import Hartree

from ase_probe.errors import EvaluationError, UnsupportedElementError, UnsupportedOptionError
from ase_probe.model import AdapterBase, Environment, ModelCard

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


class TorchANI(AdapterBase):
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
        if dtype not in (None, "float32", "float64"):
            raise UnsupportedOptionError(
                f"{card.name} cannot use dtype {dtype!r}; allowed: float32, float64."
            )
        if task is not None:
            raise UnsupportedOptionError(f"{card.name} cannot use task {task!r}; it has none.")
        import torch

        with _vendor(checkpoint) as models:
            kind = getattr(torch, dtype or "float32")
            model = getattr(models, card.checkpoint)(device=device, dtype=kind)
        return ANICalculator(model.eval(), checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read elements, cutoff and size from the model.

        Of weights that the user brought along, training and provenance are not known.
        """
        model = calculator.model
        if calculator.checkpoint is not None:
            card = replace(card, level_of_theory=None, training_data=None, licence=None)
            card = replace(card, source=calculator.checkpoint, sha256=None, doi=None)
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

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """One forward pass for all molecules and one for each periodic structure."""
        energies, forces = np.zeros(len(structures)), [np.zeros(0)] * len(structures)
        periodic = [i for i, atoms in enumerate(structures) if atoms.pbc.any()]
        molecules = [i for i, atoms in enumerate(structures) if not atoms.pbc.any()]
        for chosen in filter(None, [molecules, *([i] for i in periodic)]):
            answer = calculator.forward([structures[i] for i in chosen])
            for i, energy, force in zip(chosen, *answer, strict=True):
                energies[i], forces[i] = energy, force
        return energies, forces


class ANICalculator(Calculator):
    """ASE calculator over the vendor's model; a single point is a batch of one.

    Properties: energy, free_energy (equal to energy), forces (eV/Å) and, for periodic structures,
    stress (eV/Å³, Voigt order).
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, model: Any, *, checkpoint: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.checkpoint = model, checkpoint
        model.set_enabled("energy_shifter", False)
        shifts = model.energy_shifter.self_energies.tolist()
        self.atoms_apart = dict(zip(model.symbols, shifts, strict=True))  # symbol -> Hartree

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
        (energy,), (forces,) = self.forward([self.atoms])
        self.results = {"energy": float(energy), "free_energy": float(energy), "forces": forces}
        if "stress" in properties and self.atoms.pbc.any():
            stress = self.model.ase().get_property("stress", self.atoms.copy())  # (3, 3)
            self.results["stress"] = np.asarray(stress, dtype=float).flat[[0, 4, 8, 5, 2, 1]]

    def forward(self, structures: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return energies (n,) and forces of molecules, or of one periodic structure."""
        import torch

        for atoms in structures:
            self._check(atoms)
        parameter = next(self.model.parameters())
        shape = len(structures), max(len(atoms) for atoms in structures)
        species, positions = np.full(shape, -1), np.zeros((*shape, 3))
        for i, atoms in enumerate(structures):
            species[i, : len(atoms)] = atoms.numbers
            # Around its own centre: float32 loses what is far from the origin.
            positions[i, : len(atoms)] = atoms.positions - atoms.positions.mean(axis=0)

        def tensor(values: np.ndarray, dtype: Any = parameter.dtype) -> Any:
            return torch.as_tensor(values, dtype=dtype, device=parameter.device)

        coordinates = tensor(positions).requires_grad_()
        first = structures[0]
        periodic = {
            "cell": tensor(first.cell.complete().array),
            "pbc": tensor(first.pbc, dtype=torch.bool),
        }
        answer = self.model(
            (tensor(species, dtype=torch.int64), coordinates),
            **(periodic if first.pbc.any() else {}),
        ).energies
        (gradient,) = torch.autograd.grad(answer.sum(), coordinates)
        energies = answer.detach().cpu().double().numpy()
        energies += [sum(self.atoms_apart[s] for s in atoms.symbols) for atoms in structures]
        forces = -gradient.cpu().double().numpy()
        return energies * Hartree, [
            force[: len(atoms)] * Hartree for force, atoms in zip(forces, structures, strict=True)
        ]

    def _check(self, atoms: Atoms) -> None:
        unknown = sorted(set(atoms.symbols) - set(self.atoms_apart))
        if unknown:
            raise UnsupportedElementError(
                f"The model does not know {', '.join(unknown)}; it knows: "
                f"{' '.join(self.atoms_apart)}."
            )
        if not len(atoms):
            raise EvaluationError("A structure without atoms has no energy.")
        if not np.isfinite(atoms.positions).all():  # no pair would be found, as if it were alone
            raise EvaluationError("A position is not a finite number.")
        if atoms.pbc.any() and not np.isfinite(self.model.cutoff):
            raise EvaluationError("The model's repulsion has no cutoff: it cannot be periodic.")


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
