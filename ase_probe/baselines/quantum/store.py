"""Reference curves on disk: one compact JSON file per dimer and tier, checked when it is read.

A file carries everything it takes to doubt it: method, versions, date, the atoms' energies, every
computed point with its flags, the ranges in which the curve means nothing and why, the measured
interpolation error, and the SHA-256 of all that. Reading needs no PySCF.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from ase_probe.baselines.quantum.reference import Branch, Mask, Range, Reference
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError

__all__ = ["SCHEMA", "file_name", "loads", "read", "write"]

SCHEMA = "ase-probe/reference/1"

_DIGITS = 9  # of an energy in Eh: a thirtieth of a µeV
_COLUMNS = ("energy", "converged", "stable", "s2", "state", "seconds", "t1", "t2")


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return round(value, _DIGITS) + 0.0


def _encoded(reference: Reference) -> dict[str, Any]:
    data: dict[str, Any] = {"schema": SCHEMA, **asdict(reference)}
    for branch in data["branches"].values():
        for column in ("energy", "check_energy"):
            branch[column] = [_rounded(x) for x in branch[column]]
    return data


def _digest(data: Mapping[str, Any]) -> str:
    content = {key: value for key, value in data.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_name(dimer: str, tier: str) -> str:
    """Path of a curve inside the folder of curves: ``dft-pbe/N2.json``."""
    return f"{tier.replace(':', '-')}/{dimer}.json"


def write(reference: Reference, folder: Path) -> Path:
    """Write a file, whole or not at all, and return its path.

    Raises
    ------
    InputError
        The reference would not be readable again.
    """
    data = json.loads(json.dumps(_encoded(reference), allow_nan=False))
    data["sha256"] = _digest(data)
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False) + "\n"
    path = folder / file_name(reference.dimer, reference.tier)
    loads(text, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
    return path


def read(path: Path) -> Reference:
    """Read and check a file; errors as `loads`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The reference {path} cannot be read: {error}.") from error
    return loads(text, str(path))


def loads(text: str, name: str = "the reference") -> Reference:
    """Read and check the text of a file.

    Raises
    ------
    InputError
        No JSON, another schema, a checksum that does not fit, or columns that cannot be a curve;
        the message names the file and says what to do.
    """
    again = "Build it again with `ase-probe baseline build`, or install ase-probe again."
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InputError(f"{name} is no JSON ({error}). {again}") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise InputError(f"{name} has schema {found!r}, expected {SCHEMA!r}. {again}")
    if data.get("sha256") != _digest(data):
        raise InputError(f"{name} was changed or damaged: its checksum does not fit. {again}")
    try:
        reference = _decoded(data)
        _check(reference)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name} is not a reference curve: {error}. {again}") from error
    return reference


def _decoded(data: dict[str, Any]) -> Reference:
    fields = {key: value for key, value in data.items() if key not in ("schema", "sha256")}
    branches = {}
    for key, value in fields.pop("branches").items():
        columns: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in value.items()
        }
        columns["cuts"] = {int(i): str(why) for i, why in value["cuts"].items()}
        branches[key] = Branch(**columns)
    masks = tuple(Mask(**{**m, "branches": tuple(m["branches"])}) for m in fields.pop("masks"))
    ranges = tuple(Range(**x) for x in fields.pop("ranges", ()))
    return Reference(
        **{**fields, "envelope": tuple(fields["envelope"])},
        branches=branches, masks=masks, ranges=ranges,
    )  # fmt: skip


def _check(reference: Reference) -> None:
    if Dimer.parse(reference.dimer).name != reference.dimer:
        raise ValueError(f"{reference.dimer!r} is not the canonical name")
    if reference.default not in reference.branches:
        raise ValueError(f"default branch {reference.default!r} is missing")
    if not set(reference.envelope) <= set(reference.branches):
        raise ValueError(f"the envelope names missing branches: {reference.envelope}")
    for name, branch in reference.branches.items():
        n = len(branch.r)
        if n < 2 or any(not math.isfinite(x) or x <= 0 for x in branch.r):
            raise ValueError(f"branch {name!r} needs two positive distances")
        if any(a >= b for a, b in pairwise(branch.r)):
            raise ValueError(f"distances of branch {name!r} do not increase")
        for column in _COLUMNS:
            values = getattr(branch, column)
            if len(values) != n and (values or column in ("energy", "converged")):
                raise ValueError(f"column {column!r} of branch {name!r} has not {n} entries")
        if any(e is None and ok for e, ok in zip(branch.energy, branch.converged, strict=True)):
            raise ValueError(f"branch {name!r} has converged points without energy")
        if any(not 0 <= i < n - 1 for i in (*branch.cuts, *branch.bends)):
            raise ValueError(f"a cut or bend of branch {name!r} is no interval")
    if any(not m.r_min < m.r_max or not m.reason for m in reference.masks):
        raise ValueError("a mask needs r_min < r_max and a reason")
