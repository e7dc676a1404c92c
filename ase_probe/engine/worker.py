"""The worker's side of isolation: open one model, answer numbered requests until the line is cut.

Standard output and error of this process go to a log that the other side quotes from.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ase_probe.engine.evaluator import Evaluator
from ase_probe.engine.guard import Raised, attempt
from ase_probe.engine.opening import open_model
from ase_probe.engine.target import load_target
from ase_probe.engine.wire import Arrays, pack, pack_forces, structures_of, unpack
from ase_probe.model import Adapter, CalculatorAdapter, ModelCard

__all__ = ["serve"]

Reply = tuple[dict[str, Any], Arrays]


def serve(descriptor: int) -> None:
    """Answer requests on a socket until the other side closes it."""
    connection = Connection(descriptor)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    model: Evaluator | None = None
    while True:
        try:
            request, arrays = unpack(connection.recv_bytes())
        except (EOFError, ConnectionResetError):
            return
        if request["do"] == "open":
            opened = attempt(lambda request=request: _open(request))  # type: ignore[misc]
            if isinstance(opened, Evaluator):
                model = opened
                answer: Reply | Raised = _opened(model, request["target"])
            else:
                answer = opened
        else:
            assert model is not None
            action = {"evaluate": _evaluate, "calculate": _calculate}[request["do"]]
            answer = attempt(lambda a=action, m=model, r=request, x=arrays: a(m, r, x))  # type: ignore[misc]
        if isinstance(answer, Raised):
            error = {"type": type(answer.error).__name__, "message": str(answer.error)}
            connection.send_bytes(pack({"id": request["id"], "error": error}))
        else:
            header, numbers = answer
            connection.send_bytes(pack({"id": request["id"], **header}, numbers))


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _open(request: dict[str, Any]) -> Evaluator:
    found = load_target(request["target"])
    adapter = found if isinstance(found, Adapter) else CalculatorAdapter(found)
    return open_model(adapter, ModelCard.from_dict(request["card"]), **request["options"])


def _source(target: str) -> str | None:
    """SHA-256 of the file a factory stands in; `None` for a module."""
    path = Path(target.rpartition(":")[0])
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".py" else None


def _opened(model: Evaluator, target: str) -> Reply:
    offered = getattr(model.calculator, "implemented_properties", ("energy", "forces"))
    header = {
        "card": asdict(model.card),
        "environment": dict(model.environment),
        "properties": list(offered),
        "source": _source(target),
    }
    return header, {}


def _evaluate(model: Evaluator, request: dict[str, Any], arrays: Arrays) -> Reply:
    structures = structures_of(request, arrays)
    energies, forces = model.adapter.evaluate(model.calculator, structures)
    header, numbers = pack_forces(forces)
    return header, {"energies": np.asarray(energies, dtype=float), **numbers}


def _calculate(model: Evaluator, request: dict[str, Any], arrays: Arrays) -> Reply:
    (atoms,) = structures_of(request, arrays)
    calculator: Any = model.calculator
    if hasattr(calculator, "reset"):
        calculator.reset()
    asked = {name: calculator.get_property(name, atoms) for name in request["properties"]}
    results = {**getattr(calculator, "results", {}), **asked}
    given = {name: value for name, value in results.items() if value is not None}
    numbers = {name: attempt(lambda v=v: np.asarray(v, dtype=float)) for name, v in given.items()}  # type: ignore[misc]
    return {}, {k: v for k, v in numbers.items() if isinstance(v, np.ndarray)}
