"""`Plan`: how long a run is, how its learning rate moves, when it is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ase_probe.scaling.training.spec import RunSpec

if TYPE_CHECKING:
    import torch

__all__ = ["BLOCKS", "Cosine", "Plan", "Plateau"]

BLOCKS = 60
"""Blocks of a run that is counted in steps."""

FACTOR, PATIENCE, STOPPING = 0.5, 20, 50
"""Of the study (Lee and Dieng): ReduceLROnPlateau(0.5, patience 20), early stopping after 50."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run in steps.

    Attributes
    ----------
    steps
        Steps; the largest number when the run stops by itself.
    block
        Steps between two looks at the validation set.
    warmup
        Steps in which the learning rate rises.
    learning_rate
        The largest.
    stops
        Does the validation loss decide on learning rate and end?
    best
        Keep the weights with the lowest validation loss, not the last?
    """

    steps: int
    block: int
    warmup: int
    learning_rate: float
    stops: bool
    best: bool

    @classmethod
    def of(cls, spec: RunSpec) -> Plan:
        """Translate a spec."""
        if spec.shots is not None:
            # The validation set holds no stretched bond: it would choose the weights least changed.
            steps = spec.shots.steps
            rate = spec.shots.learning_rate
            return cls(steps=steps, warmup=0, learning_rate=rate, best=False, **_counted(steps))
        rate = spec.learning_rate
        if spec.steps is not None:
            warmup, counted = spec.warmup, _counted(spec.steps)
            return cls(steps=spec.steps, warmup=warmup, learning_rate=rate, best=True, **counted)
        assert spec.epochs is not None
        epoch = math.ceil(spec.molecules / spec.batch)
        return cls(
            steps=spec.epochs * epoch,
            block=epoch,
            warmup=spec.warmup * epoch,
            learning_rate=rate,
            stops=True,
            best=True,
        )

    def schedule(self, optimiser: torch.optim.Optimizer) -> Cosine | Plateau:
        """Return what moves the learning rate."""
        return Plateau(self, optimiser) if self.stops else Cosine(self, optimiser)


def _counted(steps: int) -> dict[str, Any]:
    return {"block": math.ceil(steps / BLOCKS), "stops": False}


class Cosine:
    """Linear rise, then half a cosine down to zero at the last step."""

    def __init__(self, plan: Plan, optimiser: torch.optim.Optimizer) -> None:
        self.plan, self.optimiser = plan, optimiser

    def before_step(self, step: int) -> None:
        """Set the learning rate of step number `step`, counted from zero."""
        plan = self.plan
        if step < plan.warmup:
            share = (step + 1) / plan.warmup
        else:
            share = (1 + math.cos(math.pi * (step - plan.warmup) / (plan.steps - plan.warmup))) / 2
        _set(self.optimiser, share * plan.learning_rate)

    def after_block(self, step: int, loss: float) -> None:
        """Nothing: the validation loss has no say."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the step says all."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""


class Plateau:
    """Linear rise, then torch's ReduceLROnPlateau on the validation loss."""

    def __init__(self, plan: Plan, optimiser: torch.optim.Optimizer) -> None:
        from torch.optim.lr_scheduler import ReduceLROnPlateau

        self.plan, self.optimiser = plan, optimiser
        _set(optimiser, plan.learning_rate)
        self.plateau = ReduceLROnPlateau(optimiser, factor=FACTOR, patience=PATIENCE)

    def before_step(self, step: int) -> None:
        """Set the learning rate while it rises; later it is the plateau's."""
        if step < self.plan.warmup:
            _set(self.optimiser, (step + 1) / self.plan.warmup * self.plan.learning_rate)

    def after_block(self, step: int, loss: float) -> None:
        """Tell the plateau, once the rise is over."""
        if step >= self.plan.warmup:
            self.plateau.step(loss)

    def state_dict(self) -> dict[str, Any]:
        """Return what the plateau remembers."""
        state: dict[str, Any] = self.plateau.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what the plateau remembered."""
        self.plateau.load_state_dict(state)


def _set(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
