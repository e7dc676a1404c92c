"""`RunResult`: what came out of a run, as JSON beside the weights.

``<key>.json`` holds the numbers, ``<key>.pt`` the weights, ``<key>.part`` a run that is not over.
Numbers that are not finite are kept by name (``"nan"``, ``"inf"``), since JSON knows none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ase_probe.errors import InputError
from ase_probe.scaling.training.spec import RunSpec
from ase_probe.serialize import write_atomic

__all__ = ["RunResult", "paths"]

_SCHEMA = "ase-probe/scaling-run/1"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """One trained network.

    Attributes
    ----------
    spec
        What was asked.
    parameters
        Trainable parameters; of a language model without its embeddings.
    test_loss, validation_loss
        Of the weights kept, in `loss_unit`.
    loss_unit
        ``eV²`` (mean squared error of the energy of a molecule) or ``nats`` (per token).
    test_mae
        Mean absolute error of the energy of a test molecule, eV; `None` of a language model.
    train_losses, validation_losses
        Mean training loss of every block of `block` steps, and the validation loss behind it. A
        block is an epoch of a run that is counted in epochs, and a sixtieth of any other, because
        epochs of 100 and of 3000 molecules are not comparable after as many steps.
    block, steps
        Steps of a block; steps taken in all.
    seconds
        CPU time, s.
    curves
        Name -> ``r`` (Å), ``energy`` (eV), ``force`` (−dE/dr, eV/Å), each (n,); and ``atoms``:
        symbol -> energy of a lone atom, eV. Empty of a language model.
    environment
        Versions, device, threads.
    """

    spec: RunSpec
    parameters: int
    test_loss: float
    validation_loss: float
    loss_unit: str
    test_mae: float | None
    train_losses: list[float]
    validation_losses: list[float]
    block: int
    steps: int
    seconds: float
    curves: Mapping[str, Mapping[str, Any]]
    environment: Mapping[str, Any]

    def save(self, folder: Path) -> Path:
        """Write ``<key>.json`` into `folder`, atomically."""
        path = paths(folder, self.spec)["result"]
        write_atomic(path, json.dumps({"schema": _SCHEMA, **_named(asdict(self))}, indent=1))
        return path

    @classmethod
    def load(cls, path: Path) -> RunResult:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            The file is no result of a run, or one of another version.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            schema = data.pop("schema")
        except (ValueError, KeyError, AttributeError) as wrong:
            raise InputError(f"{path} is no result of a run; remove it and run again.") from wrong
        if schema != _SCHEMA:
            raise InputError(f"{path} has schema {schema!r}, this version reads {_SCHEMA!r}.")
        spec = RunSpec.from_dict(data.pop("spec"))
        return cls(spec=spec, **_numbers(data))


def paths(folder: Path, spec: RunSpec) -> dict[str, Path]:
    """Where a run keeps its ``result``, ``weights`` and ``checkpoint``."""
    endings = {"result": "json", "weights": "pt", "checkpoint": "part"}
    return {name: Path(folder) / f"{spec.key()}.{ending}" for name, ending in endings.items()}


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if value in ("nan", "inf", "-inf") else value
