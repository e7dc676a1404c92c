"""Where answers are kept: which models have some, how much room they take, and what goes first."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase_probe.engine.guard import Raised, attempt

__all__ = ["LIMIT", "Entry", "answers_folder", "contents", "prune", "read_facts", "remove"]

LIMIT = 2_000_000_000
"""Bytes. An all-pairs audit keeps about 100 MB."""


def answers_folder() -> Path | None:
    """Where answers are kept: ``$ASE_PROBE_CACHE`` or the user's cache, ``answers``.

    `None` where ``$ASE_PROBE_NO_CACHE`` is set.
    """
    import platformdirs

    if os.environ.get("ASE_PROBE_NO_CACHE"):
        return None
    base = os.environ.get("ASE_PROBE_CACHE") or platformdirs.user_cache_dir("ase-probe")
    return Path(base) / "answers"


def read_facts(path: Path) -> dict[str, Any] | None:
    """Read the card and environment of a model; `None` where there are none to read."""
    found = attempt(lambda: json.loads(path.read_text("utf-8")))
    if isinstance(found, Raised) or set(found) != {"card", "environment"}:
        return None
    return dict(found)


@dataclass(frozen=True)
class Entry:
    """One model's answers on disk; `used` is when they last were, in seconds since 1970."""

    folder: Path
    model: str
    device: str | None
    dtype: str | None
    task: str | None
    bytes: int
    used: float


def contents() -> list[Entry]:
    """Models with answers on disk."""
    base = answers_folder()
    found = []
    for folder in sorted(base.iterdir()) if base is not None and base.is_dir() else ():
        facts = read_facts(folder / "model.json")
        try:  # another process may be removing it
            size = sum(path.stat().st_size for path in folder.iterdir())
            used = folder.stat().st_mtime
        except OSError:
            continue
        if facts is None:
            continue
        environment = facts["environment"]
        device, dtype, task = (environment.get(key) for key in ("device", "dtype", "task"))
        found.append(Entry(folder, facts["card"]["name"], device, dtype, task, size, used))
    return sorted(found, key=lambda entry: entry.model)


def remove(entry: Entry) -> None:
    """Delete a model's answers; an audit that is running keeps what it has read."""
    shutil.rmtree(entry.folder, ignore_errors=True)


def prune(keep: Path, limit: int = LIMIT) -> None:
    """Remove what was not used for longest until all takes at most `limit` bytes; never `keep`."""
    found = sorted(contents(), key=lambda entry: entry.used)
    total = sum(entry.bytes for entry in found)
    for entry in found:
        if total <= limit:
            return
        if entry.folder != keep:
            remove(entry)
            total -= entry.bytes
