"""`fit`: the one training loop, resumable at any step with the same numbers.

Nothing random happens in it: the order of the molecules is a function of the step, and the networks
have no dropout. So weights, optimiser, learning rate and losses are all of its state. On a CPU a
run that was killed and taken up again equals one that was not, bit by bit, given the same versions
and number of threads; a GPU adds up in no fixed order and promises less.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ase_probe.scaling.training import store
from ase_probe.scaling.training.plan import STOPPING, Plan
from ase_probe.scaling.training.task import Task

__all__ = ["History", "Progress", "fit"]

Progress = Callable[[int, int], None]
"""Called with (steps done, steps at most)."""


@dataclass
class History:
    """How a run went.

    Attributes
    ----------
    step
        Steps taken.
    train_losses, validation_losses
        Of every block, in the task's unit.
    best
        Lowest validation loss.
    since
        Blocks since then.
    running
        Sum of the training losses of the block that is not over.
    seconds
        CPU time, s.
    diverged
        Was the last loss no number?
    """

    step: int = 0
    train_losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best: float = math.inf
    since: int = 0
    running: float = 0.0
    seconds: float = 0.0
    diverged: bool = False


def fit(
    model: torch.nn.Module,
    task: Task,
    plan: Plan,
    *,
    weight_decay: float,
    clip: float,
    checkpoint: Path | None = None,
    checkpoint_every: float = 60.0,
    progress: Progress | None = None,
) -> History:
    """Train `model` in place; at the end it has the weights that `plan` keeps.

    Parameters
    ----------
    model, task, plan
        What learns, from what, and for how long.
    weight_decay, clip
        Of AdamW; the largest norm of the gradient.
    checkpoint
        File to go on from if it is there, and to write every `checkpoint_every` seconds.
    progress
        Called after every step.

    Raises
    ------
    ModelLoadError
        The checkpoint cannot be read.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), plan.learning_rate, weight_decay=weight_decay, fused=True
    )
    schedule = plan.schedule(optimiser)
    history, best = History(), None
    if checkpoint is not None and checkpoint.exists():
        device = str(next(model.parameters()).device)
        state = store.read(checkpoint, device)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        history, best = History(**state["history"]), state["best"]
    cpu, saved = time.process_time() - history.seconds, time.monotonic()
    running = torch.tensor(history.running, dtype=torch.float64)

    while history.step < plan.steps and not (plan.stops and history.since >= STOPPING):
        model.train()
        schedule.before_step(history.step)
        optimiser.zero_grad()
        loss = task.loss(model, history.step)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        running = running.to(loss.device) + loss.detach().double()  # no wait for a GPU
        history.step += 1
        if history.step % plan.block == 0 or history.step == plan.steps:
            length = history.step - plan.block * len(history.train_losses)
            _look(history, task, model, float(running) / length)
            running = torch.zeros_like(running)
            if history.since == 0 and plan.best:
                best = copy.deepcopy(model.state_dict())
            if history.diverged:
                break
            schedule.after_block(history.step, history.validation_losses[-1])
        if checkpoint is not None and time.monotonic() - saved >= checkpoint_every:
            history.running, history.seconds = float(running), time.process_time() - cpu
            store.write(checkpoint, _state(model, optimiser, schedule, history, best))
            saved = time.monotonic()
        if progress is not None:
            progress(history.step, plan.steps)

    if best is not None:
        model.load_state_dict(best)
    model.eval()
    history.seconds = time.process_time() - cpu
    return history


def _look(history: History, task: Task, model: torch.nn.Module, loss: float) -> None:
    """Close a block: keep its training loss, and the validation loss behind it."""
    model.eval()
    validation = task.validate(model)
    history.diverged = not (math.isfinite(loss) and math.isfinite(validation))
    history.train_losses.append(loss * task.scale)
    history.validation_losses.append(validation)
    history.since += 1
    if validation < history.best:
        history.best, history.since = validation, 0


def _state(
    model: torch.nn.Module, optimiser: Any, schedule: Any, history: History, best: Any
) -> dict[str, Any]:
    return {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "history": asdict(history),
        "best": best,
    }
