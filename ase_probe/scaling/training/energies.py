"""Learning energies from geometries: mean squared error in units of `UNIT`, 25 kcal/mol."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ase_probe.scaling.models import UNIT
from ase_probe.scaling.molecules import Molecules
from ase_probe.scaling.training.order import drawn
from ase_probe.scaling.training.spec import RunSpec
from ase_probe.scaling.training.task import Tested

__all__ = ["Energies"]

_CHUNK = 100  # molecules evaluated at once


class Batches:
    """Molecules as tensors, from which batches are cut."""

    def __init__(self, molecules: Molecules, device: str) -> None:
        self.size = len(molecules)
        self.numbers = torch.tensor(molecules.numbers, device=device)
        self.positions = torch.tensor(molecules.positions, dtype=torch.float32, device=device)
        self.targets = torch.tensor(molecules.energies / UNIT, dtype=torch.float32, device=device)
        self.counts = torch.tensor(molecules.counts, device=device)
        self.starts = torch.cumsum(self.counts, 0) - self.counts

    def errors(self, model: Any, which: np.ndarray) -> torch.Tensor:
        """Prediction minus target (len(which),), in units of `UNIT`."""
        chosen = torch.as_tensor(which, device=self.counts.device)
        counts = self.counts[chosen]
        batch = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        ahead = torch.cumsum(counts, 0) - counts
        within = torch.arange(len(batch), device=counts.device) - ahead[batch]
        atoms = self.starts[chosen][batch] + within
        predicted: torch.Tensor = model(self.numbers[atoms], self.positions[atoms], batch)
        return predicted - self.targets[chosen]

    def all_errors(self, model: Any) -> np.ndarray:
        """Prediction minus target of every molecule (size,), eV."""
        with torch.no_grad():
            parts = [
                self.errors(model, np.arange(start, min(start + _CHUNK, self.size)))
                for start in range(0, self.size, _CHUNK)
            ]
        return np.asarray(torch.cat(parts).double().cpu().numpy() * UNIT)


class Energies:
    """Molecules, and with `shots` as many geometries again.

    Fine-tuning mixes: half of every batch are training molecules (the replay, without which the
    network forgets them), the other half shots, and both halves count the same. Fewer shots than
    half a batch are all shown in every step. Without any (k = 0) the whole batch is replay.

    Attributes
    ----------
    unit
        eV²: mean squared error of a molecule's energy.
    """

    unit = "eV²"
    scale = UNIT**2

    def __init__(
        self,
        spec: RunSpec,
        training: Molecules,
        validation: Molecules,
        test: Molecules,
        shots: Molecules | None = None,
        device: str = "cpu",
    ) -> None:
        self.seed, self.batch = spec.seed, spec.batch
        self.training, self.validation, self.held_out = (
            Batches(part, device) for part in (training, validation, test)
        )
        self.shots = None if shots is None or not len(shots) else Batches(shots, device)
        taught = training if shots is None else training.join(shots)
        self.elements = sorted(set(taught.numbers.tolist()))

    def loss(self, model: Any, step: int) -> torch.Tensor:
        """Mean squared error of one batch."""
        taught = 0 if self.shots is None else min(self.batch // 2, self.shots.size)
        replay = self._mean_square(model, self.training, step, self.batch - taught, "molecules")
        if self.shots is None:
            return replay
        return (replay + self._mean_square(model, self.shots, step, taught, "shots")) / 2

    def _mean_square(
        self, model: Any, source: Batches, step: int, batch: int, what: str
    ) -> torch.Tensor:
        seed = (self.seed, ("molecules", "shots").index(what))
        which = drawn(step, size=source.size, batch=batch, seed=seed)
        return source.errors(model, which).square().mean()

    def validate(self, model: Any) -> float:
        """Mean squared error of the validation molecules, eV²."""
        return float(np.mean(self.validation.all_errors(model) ** 2))

    def test(self, model: Any) -> Tested:
        """Errors of the test molecules."""
        errors = self.held_out.all_errors(model)
        return Tested(float(np.mean(errors**2)), float(np.mean(np.abs(errors))))

    def facts(self) -> dict[str, Any]:
        """Elements that were learnt."""
        return {"elements": self.elements}
