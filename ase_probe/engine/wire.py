"""What passes between this process and an isolated worker: a JSON header and raw float64 numbers.

Nothing is pickled, and no number is rounded: both sides see the same bits. Of a structure the
numbers, positions, cell, periodicity, charge and spin are sent: what a model may depend on.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "Arrays",
    "forces_of",
    "pack",
    "pack_forces",
    "pack_structures",
    "structures_of",
    "unpack",
]

Arrays = dict[str, np.ndarray]
_LENGTH = struct.Struct("<Q")
_INFO = ("charge", "spin")


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> bytes:
    """Return one message; `unpack` gives both parts back."""
    whole = {k: np.asarray(a, dtype=np.float64, order="C") for k, a in (arrays or {}).items()}
    shapes = {name: array.shape for name, array in whole.items()}
    head = json.dumps({"header": header, "shapes": shapes}).encode()
    return b"".join((_LENGTH.pack(len(head)), head, *(a.tobytes() for a in whole.values())))


def unpack(message: bytes) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of a message."""
    (length,) = _LENGTH.unpack_from(message)
    place = _LENGTH.size + length
    head = json.loads(message[_LENGTH.size : place])
    arrays = {}
    for name, shape in head["shapes"].items():
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(message, np.float64, count, place).reshape(shape)
        place += 8 * count
    return head["header"], arrays


def pack_structures(structures: Sequence[Atoms]) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of a list of structures; `structures_of` builds them again."""
    frames = np.empty((len(structures), 13))  # atoms, cell, pbc
    for frame, atoms in zip(frames, structures, strict=True):
        frame[0], frame[1:10], frame[10:] = len(atoms), atoms.cell.array.ravel(), atoms.pbc
    info = [{key: _whole(a.info[key]) for key in _INFO if key in a.info} for a in structures]
    numbers = np.concatenate([np.empty(0), *(atoms.numbers for atoms in structures)])
    positions = np.concatenate([np.empty((0, 3)), *(atoms.positions for atoms in structures)])
    return {"info": info}, {"frames": frames, "numbers": numbers, "positions": positions}


def structures_of(header: Mapping[str, Any], arrays: Arrays) -> list[Atoms]:
    """Build the structures of `pack_structures`."""
    from ase import Atoms

    structures = []
    start = 0
    for frame, info in zip(arrays["frames"], header["info"], strict=True):
        part = slice(start, start + int(frame[0]))
        start = part.stop
        structures.append(
            Atoms(
                numbers=arrays["numbers"][part].astype(int),
                positions=arrays["positions"][part],
                cell=frame[1:10].reshape(3, 3),
                pbc=frame[10:].astype(bool),
                info=info,
            )
        )
    return structures


def pack_forces(forces: Sequence[np.ndarray | None]) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of one force array per structure, `None` where there is none."""
    whole = [None if f is None else np.asarray(f, dtype=np.float64) for f in forces]
    there = [f.ravel() for f in whole if f is not None]
    shapes = [None if f is None else f.shape for f in whole]
    return {"forces": shapes}, {"forces": np.concatenate([np.empty(0), *there])}


def forces_of(header: Mapping[str, Any], arrays: Arrays) -> list[np.ndarray | None]:
    """Return what `pack_forces` was given."""
    forces: list[np.ndarray | None] = []
    start = 0
    for shape in header["forces"]:
        count = 0 if shape is None else int(np.prod(shape))
        part = arrays["forces"][start : start + count]
        forces.append(None if shape is None else part.reshape(shape))
        start += count
    return forces


def _whole(value: Any) -> Any:
    """Numpy's numbers as Python's, which JSON knows; anything else is left to fail there."""
    return value.item() if isinstance(value, np.generic) else value
