"""Answers on disk: a second audit of the same model loads neither the model nor its vendor.

One folder per fingerprint. In it ``model.json`` (the completed card and the environment) and files
of answers, one for each time the model was asked: a JSON line with what it holds and its SHA-256,
then raw float64 numbers. Files are written under another name and moved into place, so any number
of processes may share a folder; one that is damaged is left aside and asked for again. Only
complete answers are kept: a failure may have been the machine's. Models not used for longest go
when all takes more than 2 GB.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.engine.answers_folder import answers_folder, prune, read_facts
from ase_probe.engine.evaluator import Evaluation, Evaluator, Progress
from ase_probe.engine.guard import Raised, attempt
from ase_probe.model import ModelCard
from ase_probe.serialize import write_atomic

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["CachedEvaluator", "remembered"]

_SCHEMA = "ase-probe/answers/1"


def _key(structures: Sequence[Atoms], alone: bool) -> str:
    """Hash of everything a model is told about the structures, and how."""
    found = hashlib.sha256(b"alone" if alone else b"")
    for atoms in structures:
        found.update(struct.pack("<q", len(atoms)))
        found.update(np.ascontiguousarray(atoms.numbers, dtype="<i4").tobytes())
        found.update(np.ascontiguousarray(atoms.positions, dtype="<f8").tobytes())
        for name in sorted(atoms.arrays.keys() - {"numbers", "positions"}):  # magnetic moments, …
            found.update(name.encode() + np.ascontiguousarray(atoms.arrays[name]).tobytes())
        if atoms.pbc.any() or atoms.cell.any():
            found.update(np.ascontiguousarray(atoms.cell.array, dtype="<f8").tobytes())
            found.update(atoms.pbc.tobytes())
        if atoms.info:
            found.update(repr(sorted(atoms.info.items())).encode())
    return found.hexdigest()


class _Answers:
    """The answers of one model: key of a part -> energies, forces, whether it has any."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, tuple[np.ndarray, np.ndarray, bool]] = {}
        for path in sorted(folder.glob("*.answers")):
            self.known |= _read(path)

    def add(self, parts: dict[str, tuple[np.ndarray, np.ndarray, bool]]) -> None:
        """Keep further answers; a disk that cannot be written to costs nothing but the cache."""
        self.known |= parts
        blob = b"".join(a.astype("<f8").tobytes() for e, f, _ in parts.values() for a in (e, f))
        sizes = [[key, len(e), len(f), has] for key, (e, f, has) in parts.items()]
        header: dict[str, Any] = {"schema": _SCHEMA, "parts": sizes}
        header["sha256"] = _sha256(header, blob)
        place = self.folder / f"{secrets.token_hex(8)}.answers"
        temporary = place.with_suffix(".part")
        try:
            temporary.write_bytes(json.dumps(header).encode() + b"\n" + blob)
            os.replace(temporary, place)
        except OSError:
            temporary.unlink(missing_ok=True)


def _sha256(header: dict[str, Any], blob: bytes) -> str:
    content = json.dumps([header["schema"], header["parts"]]).encode() + b"\n" + blob
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray, bool]]:
    """Read one file of answers; nothing where it is damaged or gone."""

    def read() -> dict[str, tuple[np.ndarray, np.ndarray, bool]]:
        line, _, blob = path.read_bytes().partition(b"\n")
        header = json.loads(line)
        if header["schema"] != _SCHEMA or header["sha256"] != _sha256(header, blob):
            raise ValueError("damaged")
        numbers = np.frombuffer(blob, dtype="<f8").astype(float)
        found, start = {}, 0
        for key, n_energies, n_forces, has in header["parts"]:
            middle, stop = start + n_energies, start + n_energies + n_forces
            found[key] = numbers[start:middle], numbers[middle:stop], bool(has)
            start = stop
        return found

    answer = attempt(read)
    return {} if isinstance(answer, Raised) else answer


class CachedEvaluator(Evaluator):
    """An `Evaluator` that opens its model only for what it has not been asked before."""

    def __init__(self, folder: Path, opening: Callable[[], Evaluator]) -> None:
        self._opening = opening
        self._opened: Evaluator | None = None
        self.asked = self.remembered = 0
        facts = read_facts(folder / "model.json")
        if facts is None:
            opened = self._open()
            self.card, self.environment = opened.card, opened.environment
            facts = {"card": asdict(self.card), "environment": dict(self.environment)}
            attempt(lambda: write_atomic(folder / "model.json", json.dumps(facts)))
        self.card = ModelCard.from_dict(facts["card"])
        self.environment = facts["environment"]
        self._answers = _Answers(folder)

    def _open(self) -> Evaluator:
        if self._opened is None:
            self._opened = self._opening()
        return self._opened

    def evaluate(
        self,
        structures: Sequence[Atoms],
        progress: Progress | None = None,
        *,
        parts: Sequence[int] | None = None,
        alone: bool = False,
    ) -> Evaluation:
        """Evaluate what is new; the rest is read."""
        total = len(structures)
        ends = np.cumsum([0, *(parts or [total])])
        slices = [slice(int(a), int(b)) for a, b in pairwise(ends) if b > a]
        keys = [_key(structures[part], alone) for part in slices]
        known = self._answers.known
        unknown = [key not in known for key in keys]
        new = [part for part, is_new in zip(slices, unknown, strict=True) if is_new]
        missing = [atoms for part in new for atoms in structures[part]]
        self.asked += total
        self.remembered += total - len(missing)
        result = Evaluation(
            energy=np.full(total, np.nan),
            forces=[np.full((len(atoms), 3), np.nan) for atoms in structures],
        )
        if missing:
            before = total - len(missing)

            def report(done: int, _: int) -> None:
                if progress is not None:
                    progress(before + done, total)

            answer = self._open().evaluate(missing, report, alone=alone)
            new_keys = [key for key, is_new in zip(keys, unknown, strict=True) if is_new]
            self._keep(answer, new, new_keys, result)
        elif progress is not None:
            progress(total, total)
        for part, key, is_new in zip(slices, keys, unknown, strict=True):
            if not is_new:
                _fill(result, part, *known[key])
        return result

    def _keep(
        self, answer: Evaluation, new: Sequence[slice], keys: Sequence[str], result: Evaluation
    ) -> None:
        """Put the new answers into the result, and the complete ones on disk."""
        complete: dict[str, tuple[np.ndarray, np.ndarray, bool]] = {}
        start = 0
        for part, key in zip(new, keys, strict=True):
            here = slice(start, start + part.stop - part.start)
            start = here.stop
            result.energy[part] = answer.energy[here]
            result.forces[part] = answer.forces[here]
            failed = {i: why for i, why in answer.failures.items() if here.start <= i < here.stop}
            result.failures |= {part.start + i - here.start: why for i, why in failed.items()}
            if not failed:
                forces = [f.ravel() for f in answer.forces[here]]
                complete[key] = answer.energy[here], np.concatenate(forces), answer.has_forces
        result.has_forces |= answer.has_forces
        if complete:
            self._answers.add(complete)


def _fill(
    result: Evaluation, part: slice, energy: np.ndarray, forces: np.ndarray, has: bool
) -> None:
    result.energy[part] = energy
    start = 0
    for index in range(part.start, part.stop):
        stop = start + result.forces[index].size
        result.forces[index] = forces[start:stop].reshape(-1, 3)
        start = stop
    result.has_forces |= has


def remembered(key: str | None, opening: Callable[[], Evaluator]) -> Evaluator:
    """Return the model, with the answers it gave before where there is a key and a folder.

    Parameters
    ----------
    key
        From `ase_probe.engine.fingerprint.fingerprint`.
    opening
        Loads the model.
    """
    folder = answers_folder()
    if key is None or folder is None:
        return opening()
    folder /= key[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except OSError:
        return opening()
    prune(keep=folder)
    return CachedEvaluator(folder, opening)
