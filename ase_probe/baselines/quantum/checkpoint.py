"""A unit of work, and its checkpoint on disk.

Every finished point is one JSON line; beside it lies the density the next point starts from. A line
torn by a kill is cut off, and a lock that dies with its owner keeps two processes from one unit.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ase_probe.baselines.quantum.plan import well
from ase_probe.dimer import Dimer

__all__ = [
    "PROTOCOL", "Densities", "Setup", "Unit", "append", "checkpoint", "locked", "points", "repair",
    "resumed",
]  # fmt: skip

PROTOCOL = 1
"""Raised whenever the same settings would give other numbers; old checkpoints are then left."""


class Setup(Protocol):
    """What stands behind a tier: a functional, or a recipe of several methods."""

    @property
    def tier(self) -> str:
        """Id of the tier."""

    @property
    def label(self) -> str:
        """The level of theory, for the reader."""

    @property
    def settings(self) -> dict[str, Any]:
        """What the result depends on, JSON-able."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What one worker computes.

    Attributes
    ----------
    dimer
        Name of the dimer.
    method
        Functional, basis, grid; or another `Setup`.
    two_s
        2S of the determinant.
    path
        ``atoms`` (zero and tests, no points), ``in``, ``out`` or ``ionic``; the wavefunction tier
        has ``cluster`` and ``far``.
    restricted
        Same orbitals for both spins?
    radii
        Distances, Å, increasing.
    """

    dimer: str
    method: Any
    two_s: int
    path: str
    radii: tuple[float, ...]
    restricted: bool = False

    @property
    def name(self) -> str:
        """File name of its checkpoint: readable, with a hash of everything it depends on."""
        content = json.dumps(
            [PROTOCOL, self.dimer, self.method.settings, self.two_s, self.path, self.restricted,
             self.radii]
        )  # fmt: skip
        kind = "R" if self.restricted else "U"
        digest = hashlib.sha256(content.encode()).hexdigest()[:12]
        tier = self.method.tier.replace(":", "-")
        return f"{self.dimer}-{tier}-{kind}{self.two_s}-{self.path}-{digest}"

    @property
    def order(self) -> tuple[float, ...]:
        """Distances in the order in which they are computed."""
        if self.path == "in":
            return self.radii[::-1]
        if self.path == "out":
            r_e = well(Dimer.parse(self.dimer))
            start = int(np.argmin(np.abs(np.array(self.radii) - r_e)))
            return self.radii[start:] + self.radii[:start][::-1]
        if self.path == "far":
            return self.radii[::-1] + self.radii[1:-1]
        if self.path == "cluster":
            return self.radii
        return ()  # decided when the atoms are known


def checkpoint(unit: Unit, folder: Path) -> Path:
    """Path of the unit's points."""
    return folder / f"{unit.name}.jsonl"


def points(path: Path) -> list[dict[str, Any]]:
    """Read the finished lines; the torn end of a line in flight is no line."""
    if not path.exists():
        return []
    whole = path.read_bytes()
    return [json.loads(line) for line in whole[: whole.rfind(b"\n") + 1].splitlines()]


def repair(path: Path) -> None:
    """Cut off a line that a kill has torn, so that the next one starts on a line of its own."""
    if path.exists():
        whole = path.read_bytes()
        os.truncate(path, whole.rfind(b"\n") + 1)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process works on this unit; the lock dies with its owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append(path: Path, record: dict[str, Any]) -> None:
    """Write one line and wait until it is on disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())


class Densities:
    """The densities a resumed branch needs: its first and its last; replaced as one."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_suffix(".npz")

    def save(self, index: int, first: np.ndarray, last: np.ndarray) -> None:
        """Keep the densities after the point `index`."""
        partial = self.path.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, index=index, first=first, last=last)
        os.replace(partial, self.path)

    def load(self) -> tuple[int, np.ndarray, np.ndarray] | None:
        """Return index, first and last density; `None` where nothing is kept."""
        if not self.path.exists():
            return None
        with np.load(self.path) as data:
            return int(data["index"]), data["first"], data["last"]


def resumed(
    unit: Unit, folder: Path, work: Callable[[Dimer, Path, int], None]
) -> list[dict[str, Any]]:
    """Do what is missing of a unit, alone, and return its records.

    Parameters
    ----------
    unit
        What to compute.
    folder
        Where checkpoints live.
    work
        Appends the missing records; called with the dimer, the path of the checkpoint, and how many
        points it holds already.

    Returns
    -------
    list of dict
        The records in the order computed; the last one is ``{"done": …}``.
    """
    path = checkpoint(unit, folder)
    with locked(path):
        repair(path)
        records = points(path)
        if records and "done" in records[-1]:
            return records
        work(Dimer.parse(unit.dimer), path, sum("r" in x for x in records))
        append(path, {"done": True})
        Densities(path).path.unlink(missing_ok=True)
        return points(path)
