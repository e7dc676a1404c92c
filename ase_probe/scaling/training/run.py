"""`train`: one run from its spec to its files."""

from __future__ import annotations

import importlib.metadata
import math
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase_probe
from ase_probe.errors import InputError
from ase_probe.scaling.models import LANGUAGE, build, require
from ase_probe.scaling.training.plan import Plan
from ase_probe.scaling.training.result import RunResult, paths
from ase_probe.scaling.training.spec import RunSpec
from ase_probe.scaling.training.task import Tested

if TYPE_CHECKING:
    import torch

    from ase_probe.scaling.training.loop import Progress
    from ase_probe.scaling.training.task import Task

__all__ = ["train"]

TaskOf = Callable[[RunSpec, str], "Task"]
"""(spec, device) -> what the network learns from."""


def train(
    spec: RunSpec,
    out: str | Path,
    *,
    task: TaskOf | None = None,
    device: str = "auto",
    checkpoint_every: float = 60.0,
    progress: Progress | None = None,
) -> RunResult:
    """Train one network, or read its result if it is there.

    A training that diverged is a result as well: its losses are NaN, and there are no weights and
    no curves.

    Parameters
    ----------
    spec
        What to train.
    out
        Folder of results, weights and checkpoints; a run that was killed goes on from its last
        checkpoint.
    task
        Returns what to learn from; the study's own data when `None`.
    device
        ``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    checkpoint_every
        Seconds.
    progress
        Called with (steps done, steps at most).

    Raises
    ------
    InputError
        Shots for a network that is not there yet.
    ModelNotInstalledError
        A package of the extra ``scaling`` is missing.
    DeviceError
        The device is not there.
    """
    files = paths(Path(out), spec)
    if files["result"].exists():
        return RunResult.load(files["result"])
    torch = require("torch")
    from ase_probe.engine.device import resolve_device
    from ase_probe.scaling.models import potential
    from ase_probe.scaling.training.loop import fit
    from ase_probe.scaling.training.sources import task_of

    device = resolve_device(device, ("cpu", "cuda"), spec.label)
    made = (task or task_of)(spec, device)
    model = _model(spec, made, Path(out)).to(device)
    plan = Plan.of(spec)
    history = fit(
        model,
        made,
        plan,
        weight_decay=spec.weight_decay,
        clip=spec.clip,
        checkpoint=files["checkpoint"],
        checkpoint_every=checkpoint_every,
        progress=progress,
    )
    tested, validation, found = Tested(math.nan), math.nan, {}
    if not history.diverged:
        tested, validation = made.test(model), made.validate(model)
        potential.save(files["weights"], model, spec, made.facts())
        found = _curves(spec, files["weights"], device)
    result = RunResult(
        spec=spec,
        parameters=_size(spec, model),
        test_loss=tested.loss,
        validation_loss=validation,
        loss_unit=made.unit,
        test_mae=tested.mae,
        train_losses=history.train_losses,
        validation_losses=history.validation_losses,
        block=plan.block,
        steps=history.step,
        seconds=history.seconds,
        curves=found,
        environment=_environment(device, torch.get_num_threads()),
    )
    result.save(Path(out))
    files["checkpoint"].unlink(missing_ok=True)
    return result


def _model(spec: RunSpec, task: Any, out: Path) -> torch.nn.Module:
    """A network at its start: random weights by the seed, or those of the run it fine-tunes."""
    import torch

    from ase_probe.scaling.models.potential import load

    if spec.base is not None:
        weights = paths(out, spec.base)["weights"]
        if not weights.exists():
            raise InputError(
                f"{spec.label} fine-tunes {spec.base.label}, whose weights {out} does not hold; "
                "train that one first, unless it diverged."
            )
        return load(weights).model
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        torch.manual_seed(spec.start)
        if spec.model in LANGUAGE:
            from ase_probe.scaling.models import chemgpt

            return chemgpt.build(
                spec.width, spec.layers, vocabulary=len(task.vocabulary), length=task.length
            )
        return build(spec.model, spec.width, spec.layers)


def _size(spec: RunSpec, model: Any) -> int:
    if spec.model in LANGUAGE:
        from ase_probe.scaling.models.chemgpt import non_embedding

        return non_embedding(model)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def _curves(spec: RunSpec, weights: Path, device: str) -> dict[str, Any]:
    if spec.model in LANGUAGE:
        return {}
    from ase_probe.scaling.models.potential import load
    from ase_probe.scaling.training.curves import evaluate

    return evaluate(load(weights, device=device))


def _environment(device: str, threads: int) -> dict[str, Any]:
    packages = ("torch", "torch-geometric", "transformers", "numpy")
    versions = {"ase-probe": ase_probe.__version__, "python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {"versions": versions, "device": device, "threads": threads}
