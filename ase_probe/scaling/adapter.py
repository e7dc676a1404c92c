"""The family ``scaling``: networks that the study trained, as ``scaling:path/to/run.pt``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ase_probe.batched import BatchAdapter
from ase_probe.errors import UnsupportedOptionError
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from ase_probe.scaling.models.potential import Potential

__all__ = ["Scaling", "adapter"]


class Scaling(BatchAdapter):
    """No names of its own: every network is a file."""

    family = "scaling"
    cards = ()
    environment = Environment(
        extra="scaling",
        modules=("torch", "torch_geometric"),
        distributions=("torch", "torch-geometric"),
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
    ) -> Potential:
        """Read the weights; they were trained, and run, in float32."""
        from ase_probe.scaling.models.potential import load

        if dtype not in (None, "float32"):
            raise UnsupportedOptionError(f"{card.name} runs in float32, not in {dtype!r}.")
        if task is not None:
            raise UnsupportedOptionError(f"{card.name} has no tasks; task {task!r} was given.")
        if checkpoint is None:
            raise UnsupportedOptionError(
                "The family scaling has no models of its own; name a file: scaling:path/to/run.pt."
            )
        return load(checkpoint, device=device)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """State what the run knows of itself."""
        from ase_probe.scaling.models import CUTOFF

        spec = calculator.spec
        shots = f", {spec.shots.k} geometries {spec.shots.kind}" if spec.shots is not None else ""
        return replace(
            card,
            level_of_theory="B3LYP/6-31G(2df,p)",
            training_data=f"QM9, {spec.molecules} molecules, energies only{shots}",
            elements=calculator.elements,
            uses_charge=False,
            uses_spin=False,
            cutoff=CUTOFF,
            conservative=True,
            energy_reference="atomization",
            parameters=sum(p.numel() for p in calculator.model.parameters() if p.requires_grad),
            lone_atoms="model",
            dtypes=("float32",),
        )


adapter = Scaling()
