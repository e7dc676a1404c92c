"""`open_model`: options are checked, the model is loaded, its environment is recorded."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import platform
import threading
from typing import TYPE_CHECKING, Any

import ase_probe
from ase_probe.engine.device import resolve_device
from ase_probe.engine.evaluator import Evaluator
from ase_probe.engine.guard import Raised, attempt
from ase_probe.errors import (
    AseProbeError,
    ModelLoadError,
    ModelNotInstalledError,
    UnsupportedOptionError,
    UntrustedCheckpointError,
)
from ase_probe.model import Adapter, ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["install_command", "is_installed", "open_model"]


_ONE_AT_A_TIME = threading.RLock()
"""Vendors' loaders change the process (default dtype, stdout, warnings): never two at once."""


def is_installed(adapter: Adapter) -> bool:
    """Are the family's vendor modules importable here? Nothing is imported to find out."""
    return all(map(_is_there, adapter.environment.modules))


def _is_there(module: str) -> bool:
    parent, _, _ = module.rpartition(".")  # of a namespace package, which may hold others' parts
    return (not parent or _is_there(parent)) and importlib.util.find_spec(module) is not None


def install_command(adapter: Adapter) -> str:
    """Return the command that installs the family."""
    entries = importlib.metadata.entry_points(group="ase_probe.adapters")
    brought = (entry.dist for entry in entries if entry.name == adapter.family)
    name = next((dist.name for dist in brought if dist), "ase-probe")
    extra = adapter.environment.extra
    return f"pip install '{name}[{extra}]'" if extra else f"pip install {name}"


def _check_choice(kind: str, asked: str | None, allowed: tuple[str, ...], model: str) -> None:
    if asked is None or asked in allowed:
        return
    choice = f"allowed: {', '.join(allowed)}" if allowed else f"it has no {kind} to choose"
    raise UnsupportedOptionError(f"{model} cannot use {kind} {asked!r}; {choice}.")


def _sha256(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _versions(adapter: Adapter) -> dict[str, str]:
    versions = {"ase-probe": ase_probe.__version__, "python": platform.python_version()}
    for name in ("ase", "numpy", "scipy", *adapter.environment.distributions):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def open_model(
    adapter: Adapter,
    card: ModelCard,
    *,
    device: str = "auto",
    dtype: str | None = None,
    task: str | None = None,
    checkpoint: str | None = None,
    trust_checkpoint: bool = False,
) -> Evaluator:
    """Load a model.

    Parameters
    ----------
    adapter, card
        From the registry.
    device
        ``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    dtype
        ``float32`` or ``float64``; the vendor's default when `None`.
    task
        Task, head or modal for models that have several.
    checkpoint
        Path of other weights for the same architecture.
    trust_checkpoint
        Load `checkpoint` even if that can run code it holds.

    Raises
    ------
    UntrustedCheckpointError
        Loading the checkpoint can run code, it is not one that a card of the family vouches for by
        its SHA-256, and `trust_checkpoint` is not set.
    ModelNotInstalledError
        The vendor package is missing.
    DeviceError
        The device is not there.
    UnsupportedOptionError
        The model cannot honour an option.
    ModelLoadError
        The vendor's loader failed, or the weights are not the ones the card names.
    """
    if not is_installed(adapter):
        isolated = " Or let it run in an environment of its own: --isolate (isolate=True)."
        raise ModelNotInstalledError(
            f"{card.name} needs {', '.join(adapter.environment.modules)}, which is not installed "
            f"here. Install it with: {install_command(adapter)}."
            + (isolated if adapter.environment.extra else "")
        )
    if card.local:
        if checkpoint is not None:
            raise UnsupportedOptionError(f"{card.name} is a checkpoint already: name only one.")
        checkpoint = card.checkpoint
    _check_choice("dtype", dtype, card.dtypes, card.name)
    has_tasks = any(known.tasks for known in adapter.cards)
    if checkpoint is None or not has_tasks:  # else the weights decide: the adapter judges
        _check_choice("task", task, card.tasks, card.name)
    if card.tasks and task is None and checkpoint is None:
        raise UnsupportedOptionError(
            f"{card.name} has several tasks; choose one of: {', '.join(card.tasks)} "
            "(--task or task=)."
        )
    if adapter.devices:
        device = resolve_device(device, adapter.devices, card.name)
    elif device != "auto" or checkpoint is not None:
        what = "device" if device != "auto" else "checkpoint"
        raise UnsupportedOptionError(
            f"{card.name} is an ASE calculator that is already built: its {what} cannot be chosen "
            "here. Build the calculator the way you want it."
        )
    else:
        device = "as built"

    if checkpoint is not None and adapter.unpickles and not trust_checkpoint:
        _refuse_unknown(adapter, card, checkpoint)

    def load() -> tuple[BaseCalculator, dict[str, str] | None]:
        _weights(adapter, card, checkpoint)  # damaged weights are refused before they are opened
        loaded = adapter.load(card, device=device, dtype=dtype, task=task, checkpoint=checkpoint)
        return loaded, _weights(adapter, card, checkpoint)  # the loader may have downloaded them

    with _ONE_AT_A_TIME:
        answer = attempt(load)
    if isinstance(answer, Raised):
        if isinstance(answer.error, AseProbeError):
            raise answer.error
        where = f" from {checkpoint}" if checkpoint else ""
        message = f"{card.name} could not be loaded{where}: {answer.message}"
        raise ModelLoadError(message) from answer.error
    calculator, weights = answer
    card = adapter.describe(card, calculator)
    environment: dict[str, Any] = {
        "device": device,
        "dtype": dtype or (card.dtypes[0] if card.dtypes else None),
        "task": task,
        "weights": weights,
        "versions": _versions(adapter),
        "platform": platform.platform(),
    }
    return Evaluator(adapter, card, calculator, environment)


def _refuse_unknown(adapter: Adapter, card: ModelCard, checkpoint: str) -> None:
    found = attempt(lambda: _sha256(checkpoint))
    if isinstance(found, Raised):
        raise ModelLoadError(f"Cannot read {checkpoint!r}: {found.message}") from found.error
    if found not in {known.sha256 for known in adapter.cards}:
        raise UntrustedCheckpointError(
            f"{checkpoint!r} is a Python pickle to {card.name}'s loader: opening it runs whatever "
            f"code it holds, and its SHA-256 ({found}) is none that ase-probe knows. If you trust "
            "where it comes from, say so: --trust-checkpoint (trust_checkpoint=True)."
        )


def _weights(adapter: Adapter, card: ModelCard, checkpoint: str | None) -> dict[str, str] | None:
    """Path and SHA-256 of the weights; the card's own hash must match when it states one."""
    path = adapter.checkpoint_file(card, checkpoint)
    if path is None:
        return None
    found = _sha256(path)
    if checkpoint is None and card.sha256 not in (None, found):
        raise ModelLoadError(
            f"The weights of {card.name} at {path} have SHA-256 {found}, its card says "
            f"{card.sha256}: they are damaged or not the ones published. Reinstall the vendor "
            "package, or pass the file as checkpoint= to use it knowingly."
        )
    return {"path": path, "sha256": found}
