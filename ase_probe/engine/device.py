"""Which device a model runs on: ``auto`` is turned into a real one, a missing one is refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from ase_probe.errors import DeviceError, UnsupportedOptionError

__all__ = ["resolve_device"]


def _cuda_count() -> int:
    if importlib.util.find_spec("torch") is None:
        return 0
    import torch

    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def resolve_device(asked: str, allowed: Sequence[str], model: str) -> str:
    """Return a concrete device name.

    Parameters
    ----------
    asked
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    allowed
        Kinds of device the family runs on, such as ``("cpu", "cuda")``.
    model
        Name for the error messages.

    Raises
    ------
    UnsupportedOptionError
        The family does not run on this kind of device.
    DeviceError
        The device is not there, or is not a device name.
    """
    if asked == "auto":
        return "cuda" if "cuda" in allowed and _cuda_count() else "cpu"
    kind, _, index = asked.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise DeviceError(f"Unknown device {asked!r}; allowed: auto, cpu, cuda, cuda:N.")
    if kind not in allowed:
        raise UnsupportedOptionError(
            f"{model} does not run on {kind!r}; allowed: {', '.join(allowed)}."
        )
    if kind == "cuda":
        count = _cuda_count()
        if count <= int(index or 0):
            raise DeviceError(
                f"Device {asked!r} is not there: PyTorch sees {count} CUDA device(s). "
                "Use --device cpu (device='cpu') or auto."
            )
    return asked
