"""A model in a process of its own: another interpreter, other packages, the same numbers.

`open_isolated` gives an `Evaluator` like any other. Behind it, one persistent worker per model
answers over a socket (`wire`). A worker that dies, hangs past its time-out or is interrupted is
killed and started afresh before the next question, so a late answer can never be taken for the next
one; the `Evaluator` halves the batch until the guilty structure is found.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from ase_probe import errors
from ase_probe.engine.evaluator import Evaluator
from ase_probe.engine.wire import Arrays, forces_of, pack, pack_structures, unpack
from ase_probe.errors import EvaluationError, WorkerError
from ase_probe.model import Adapter, ModelCard

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["TIMEOUT", "IsolatedBatch", "IsolatedCalculator", "Worker", "open_isolated"]

TIMEOUT = 600.0
"""Seconds that one batch may take."""
_OPENING = 3600.0  # seconds; the vendor may download weights
_LOG_LIMIT = 1_000_000  # bytes kept of what the worker prints
_LOSSES = 20
"""Losses in a row before giving up; halving a full batch down to the guilty one takes about ten."""
_HEARTBEAT = 0.2  # seconds between looks at a silent worker: a forked child may hold the line open


def open_isolated(
    adapter: Adapter,
    card: ModelCard,
    target: str,
    *,
    interpreter: str,
    timeout: float | None = None,
    **options: Any,
) -> Evaluator:
    """Open a model in a worker.

    Parameters
    ----------
    adapter, card
        From the registry.
    target
        ``module:attribute`` or ``path/file.py:attribute`` of the adapter or factory.
    interpreter
        Path of the Python that has the vendor's package.
    timeout
        Seconds that one batch may take; `TIMEOUT` when `None`.
    options
        As for `open_model`, which runs in the worker.

    Raises
    ------
    WorkerError
        The worker could not start or died.
    ModelError
        As `open_model`.
    """
    request = {"do": "open", "target": target, "card": asdict(card), "options": options}
    worker = Worker(card.name, interpreter, request, TIMEOUT if timeout is None else timeout)
    opened = worker.start()
    calculator = IsolatedCalculator(worker, opened["properties"])
    environment = {**opened["environment"], "isolated": interpreter}
    card = ModelCard.from_dict(opened["card"])
    return Evaluator(IsolatedBatch(adapter.batch_size), card, calculator, environment)


class IsolatedBatch:
    """Sends batches to the worker whole."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """Let the worker evaluate one batch."""
        header, arrays = pack_structures(structures)
        answer, numbers = calculator.worker.ask({"do": "evaluate", **header}, arrays)
        return numbers["energies"], forces_of(answer, numbers)


class IsolatedCalculator(Calculator):
    """ASE calculator of a model in a worker; offers what the vendor's calculator there offers."""

    def __init__(self, worker: Worker, properties: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.worker = worker
        self.implemented_properties = list(properties)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results`."""
        super().calculate(  # type: ignore[no-untyped-call]
            atoms, list(properties), list(system_changes)
        )
        assert self.atoms is not None
        header, arrays = pack_structures([self.atoms])
        request = {"do": "calculate", "properties": list(properties), **header}
        _, numbers = self.worker.ask(request, arrays)
        self.results = {k: v.item() if v.ndim == 0 else v.copy() for k, v in numbers.items()}


class Worker:
    """One worker process and the line to it; starts again by itself after its process is lost.

    Parameters
    ----------
    name
        The model, for messages.
    interpreter
        The Python to run.
    opening
        The request that opens the model.
    timeout
        Seconds that an answer may take.
    """

    def __init__(
        self, name: str, interpreter: str, opening: dict[str, Any], timeout: float
    ) -> None:
        self.name, self.interpreter, self.opening = name, interpreter, opening
        self.timeout = timeout
        self._line: _Line | None = None
        self._count = self._losses = 0
        self._opened: tuple[Any, ...] | None = None
        self._patience = _OPENING
        self._one_at_a_time = threading.Lock()

    def start(self) -> dict[str, Any]:
        """Start the process and open the model there; returns what the worker says about it."""
        self.stop()
        began = time.monotonic()
        self._line = _Line(self.interpreter, self.timeout)
        # Killed when this object is collected and when Python ends.
        self._kill = weakref.finalize(self, self._line.close)
        limit = _OPENING if self._opened is None else self._patience
        try:
            answer, _ = self._exchange(self.opening, {}, limit)
            if "error" in answer:
                raise _error(answer["error"]["type"], answer["error"]["message"])
        except BaseException:  # an interrupt, too: no worker stays that is open by half
            self.stop()
            raise
        if self._opened is None:
            self._opened = _identity(answer)
            self._patience = max(self.timeout, 60 + 3 * (time.monotonic() - began))
        elif _identity(answer) != self._opened:
            self.stop()
            raise WorkerError(
                f"The files of {self.name} changed while it ran: a worker that had to be started "
                "again would be another model. Open it anew."
            )
        return answer

    def ask(self, request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        """Send one request, return its answer.

        Raises
        ------
        WorkerError
            The worker died or did not answer in time; after `_LOSSES` in a row, at once.
        EvaluationError
            What the model raised there, under its own name.
        """
        with self._one_at_a_time:
            if self._losses >= _LOSSES:
                raise WorkerError(
                    f"The worker of {self.name} was lost {_LOSSES} times in a row and is not "
                    "started again. Open the model anew to try once more."
                )
            if self._line is not None and self._line.owner != os.getpid():
                self._line = None  # after a fork the line belongs to the parent
            self._losses += 1
            if self._line is None:
                self.start()
            answer = self._exchange(request, arrays, self.timeout)
            self._losses = 0
        if "error" in answer[0]:
            raise _error(answer[0]["error"]["type"], answer[0]["error"]["message"])
        return answer

    def stop(self) -> None:
        """Kill the process; the next question starts another."""
        if self._line is not None:
            self._kill()
            self._line = None

    def _exchange(
        self, request: dict[str, Any], arrays: Arrays, timeout: float
    ) -> tuple[dict[str, Any], Arrays]:
        assert self._line is not None
        self._count += 1
        try:
            self._line.send(pack({"id": self._count, **request}, arrays))
            answer, numbers = unpack(self._line.receive(timeout))
            if answer["id"] != self._count:
                raise _Lost("answered another question")
        except _Lost as lost:
            said = self._line.log_tail()
            self.stop()
            raise WorkerError(
                f"The worker of {self.name} {lost}." + (f" It last printed: {said}" if said else "")
            ) from None
        except BaseException:  # an interrupt: the answer on its way must not meet the next question
            self.stop()
            raise
        return answer, numbers


def _identity(opened: dict[str, Any]) -> tuple[Any, ...]:
    """What must be the same after a restart: weights and the factory's file."""
    return opened["environment"]["weights"], opened["source"]


class _Lost(Exception):
    """The worker will not answer; says why."""


class _Line:
    """A worker process, its socket and its log."""

    def __init__(self, interpreter: str, timeout: float) -> None:
        ours, theirs = socket.socketpair()
        limit = struct.pack("ll", int(timeout) + 1, 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)  # for one that stands still
        self.owner = os.getpid()
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as this
        fcntl.fcntl(self.log, fcntl.F_SETFL, os.O_APPEND)  # so that it can be cut while it grows
        # The adapters stand above this floor; only their place is asked for.
        homes = map(importlib.import_module, ("ase_probe", "ase_probe.adapters"))
        package, adapters = (str(home.__path__[0]) for home in homes)
        boot = str(Path(__file__).with_name("boot.py"))
        # The same Python sees what we see; another must not see our packages.
        paths = json.dumps(sys.path if interpreter == sys.executable else [])
        with theirs:
            try:
                self.process = subprocess.Popen(
                    [interpreter, "-I", boot, str(theirs.fileno()), package, adapters, paths],
                    stdin=subprocess.DEVNULL,
                    stdout=self.log,
                    stderr=self.log,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                self.log.close()
                raise WorkerError(f"Cannot start {interpreter!r}: {error}.") from error
        self.connection = Connection(ours.detach())

    def send(self, message: bytes) -> None:
        self._shorten_log()
        try:
            self.connection.send_bytes(message)
        except BlockingIOError:
            raise _Lost("took no request and was killed") from None
        except OSError:
            raise _Lost(self._end()) from None

    def receive(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while not self.connection.poll(min(_HEARTBEAT, max(0.0, deadline - time.monotonic()))):
            if self.process.poll() is not None and not self.connection.poll():
                raise _Lost(self._end())
            if time.monotonic() > deadline:
                raise _Lost(f"gave no answer within {timeout:g} s and was killed")
            self._shorten_log()
        try:
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            raise _Lost(self._end()) from None

    def _shorten_log(self) -> None:
        if os.fstat(self.log.fileno()).st_size > _LOG_LIMIT:
            self.log.truncate(0)

    def _end(self) -> str:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed the line"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"died ({how})"

    def log_tail(self) -> str:
        """The last lines that the worker printed, in one line."""
        size = os.fstat(self.log.fileno()).st_size
        text = os.pread(self.log.fileno(), 2000, max(0, size - 2000)).decode(errors="replace")
        return " | ".join(line.strip() for line in text.splitlines()[-3:] if line.strip())

    def close(self) -> None:
        if self.owner != os.getpid() or self.log.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()
        self.log.close()


def _error(name: str, message: str) -> Exception:
    """What the worker raised, under its own name, so that messages are those of this process."""
    if name in errors.__all__:
        kind: type[Exception] = getattr(errors, name)
    else:
        known = (MemoryError, PropertyNotImplementedError)
        kind = next((k for k in known if k.__name__ == name), type(name, (EvaluationError,), {}))
    return kind(message)
