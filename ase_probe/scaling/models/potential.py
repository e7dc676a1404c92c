"""A trained network as an ASE calculator: energies and forces of many molecules at once.

`load` reads the file of a run; ``scaling:path/to/run.pt`` names it to `Probe` and `audit`, which
then ask in batches. Forces are the exact gradient of the energy. The network knows neither cells
nor charges: a periodic structure is refused, and the total charge is not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase.data import chemical_symbols

from ase_probe.batched import Batch, BatchCalculator
from ase_probe.errors import EvaluationError, ModelLoadError
from ase_probe.graphs import centred, check_structures, periodic, sizes
from ase_probe.scaling.models import LANGUAGE, UNIT, build
from ase_probe.scaling.training import store
from ase_probe.scaling.training.spec import RunSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["FORMAT", "Potential", "load", "save"]

FORMAT = "ase-probe/scaling-network/1"


class Potential(BatchCalculator):
    """ASE calculator over a network of the study.

    Parameters
    ----------
    model
        Called with numbers, positions and molecules; returns energies in units of `UNIT`.
    spec
        The run that trained it.
    elements
        Atomic numbers it was trained on.
    checkpoint
        The file it comes from.
    """

    implemented_properties = ["energy", "free_energy", "forces"]  # noqa: RUF012

    def __init__(
        self,
        model: torch.nn.Module,
        spec: RunSpec,
        elements: Sequence[int],
        checkpoint: str | None = None,
    ) -> None:
        super().__init__(checkpoint)
        self.model, self.spec = model.eval(), spec
        self.elements = tuple(chemical_symbols[number] for number in elements)

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate all in one pass.

        Raises
        ------
        EvaluationError
            A periodic structure, or one without atoms or with positions that are not finite.
        UnsupportedElementError
            An element that was not in the training set.
        """
        check_structures(structures, self.elements)
        if periodic(structures).any():
            raise EvaluationError(
                "The networks of the scaling study know molecules only; set pbc to False."
            )
        weight = next(self.model.parameters())
        counts = sizes(structures)
        positions = torch.tensor(
            centred(structures), dtype=weight.dtype, device=weight.device, requires_grad=True
        )
        numbers = np.concatenate([atoms.numbers for atoms in structures])
        owner = np.repeat(np.arange(len(counts)), counts)
        energies = self.model(
            torch.as_tensor(numbers, dtype=torch.int64, device=weight.device),
            positions,
            torch.as_tensor(owner, device=weight.device),
        )
        # Lone atoms have no pairs: their energies do not depend on the positions at all.
        slope = torch.autograd.grad(energies.sum(), positions, allow_unused=True)[0]
        forces = np.zeros(positions.shape) if slope is None else -_eV(slope)
        return Batch(_eV(energies), forces)


def _eV(values: torch.Tensor) -> np.ndarray:
    return np.asarray(values.detach().cpu().double().numpy() * UNIT)


def save(path: Path, model: torch.nn.Module, spec: RunSpec, facts: dict[str, Any]) -> None:
    """Write weights with what is needed to use them; no code is in the file."""
    content = {"format": FORMAT, "spec": asdict(spec), "facts": facts, "state": model.state_dict()}
    store.write(path, content)


def load(path: str | Path, *, device: str = "cpu", dtype: str = "float32") -> Potential:
    """Read the weights of a run.

    Parameters
    ----------
    path
        ``<key>.pt`` of a potential.
    device, dtype
        Where and in what precision it runs; it was trained in float32.

    Raises
    ------
    ModelLoadError
        The file is damaged, or no potential of the study.
    """
    content = store.read(path, device)
    if content.get("format") != FORMAT:
        raise ModelLoadError(
            f"{path} has format {content.get('format')!r}; expected weights that a run of the "
            f"scaling study wrote, {FORMAT!r}."
        )
    spec = RunSpec.from_dict(content["spec"])
    if spec.model in LANGUAGE:
        raise ModelLoadError(f"{path} is a {spec.model}, a language model without energies.")
    with torch.random.fork_rng(devices=[]):
        model = build(spec.model, spec.width, spec.layers)
    model.load_state_dict(content["state"])
    model.to(device=device, dtype=getattr(torch, dtype))
    return Potential(model, spec, content["facts"]["elements"], str(path))
