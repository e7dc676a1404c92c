"""Tensors on disk: weights and checkpoints, without code in them.

Written under another name and moved into place: a killed run leaves the old file or the new one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ase_probe.engine import Raised, attempt
from ase_probe.errors import ModelLoadError

__all__ = ["read", "write"]


def write(path: Path, content: dict[str, Any]) -> None:
    """Write tensors, numbers and text, atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(content, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: str | Path, device: str = "cpu") -> dict[str, Any]:
    """Read what `write` wrote; a file that holds code is refused.

    Raises
    ------
    ModelLoadError
        There is no such file, or it is something else.
    """
    content = attempt(lambda: torch.load(path, map_location=device, weights_only=True))
    if isinstance(content, Raised):
        raise ModelLoadError(
            f"{path} is no file of weights or no longer whole ({content.message}); remove it and "
            "run its command again."
        ) from content.error
    if not isinstance(content, dict):
        raise ModelLoadError(f"{path} holds {type(content).__name__}, not a network of the study.")
    return content
