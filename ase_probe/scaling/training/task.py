"""`Task`: what a network learns from. The loop knows nothing else about molecules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

__all__ = ["Task", "Tested"]


@dataclass(frozen=True)
class Tested:
    """Losses of a network that is done.

    Attributes
    ----------
    loss
        In the task's unit.
    mae
        Mean absolute error, eV, where the task is an energy.
    """

    loss: float
    mae: float | None = None


class Task(Protocol):
    """Molecules to learn from, to choose the weights by, and to test on.

    Attributes
    ----------
    unit
        Of every loss that is reported.
    scale
        What a loss of the optimiser is multiplied by to be in that unit.
    """

    unit: str
    scale: float

    def loss(self, model: Any, step: int) -> torch.Tensor:
        """Return the loss of one step, to be differentiated."""
        ...

    def validate(self, model: Any) -> float:
        """Return the validation loss, in `unit`."""
        ...

    def test(self, model: Any) -> Tested:
        """Return the test loss, in `unit`."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what must be kept with the weights to use them again."""
        ...
