"""Audits as versioned JSON. Floats survive to the last bit; NaN and infinity survive by name.

The file is strict JSON (RFC 8259), so any language can read it. Files are written atomically: a
reader sees the old file or the new one, never half of one.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ase_probe.curve import Audit, Curve, Finding
from ase_probe.errors import AuditFileError, InputError
from ase_probe.model import ModelCard

__all__ = [
    "SCHEMA",
    "audit_from_dict",
    "audit_schema",
    "audit_to_dict",
    "load_audit",
    "save_audit",
    "write_atomic",
]

SCHEMA = "ase-probe/audit/1"
"""Written into every file; a reader refuses any other."""

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _spell(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _encode(value: Any) -> Any:
    """Return JSON-able data; NaN is "NaN" in arrays and {"float": "NaN"} beside strings."""
    if isinstance(value, np.ndarray):
        return _encode_array(value.tolist())
    if isinstance(value, np.generic):
        return _encode(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": _spell(value)}
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    return value


def _encode_array(values: Any) -> Any:
    if isinstance(values, list):
        return [_encode_array(value) for value in values]
    return values if math.isfinite(values) else _spell(values)


def _number(value: Any) -> float:
    if isinstance(value, dict):
        value = value["float"]
    return _NON_FINITE[value] if isinstance(value, str) else float(value)


def _array(value: Any) -> np.ndarray:
    items = [_array(item) if isinstance(item, list) else _number(item) for item in value]
    return np.array(items, dtype=float)


def _optional_array(value: Any) -> np.ndarray | None:
    return None if value is None else _array(value)


def _decode(value: Any) -> Any:
    """Undo `_encode` in free-form data (provenance, details), where any value can stand."""
    if isinstance(value, dict) and list(value) == ["float"]:
        return _number(value)
    if isinstance(value, dict):
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value


def _curve_to_dict(curve: Curve) -> dict[str, Any]:
    return {f.name: getattr(curve, f.name) for f in fields(curve)}


def _curve_from_dict(data: dict[str, Any]) -> Curve:
    return Curve(
        r=_array(data["r"]),
        energy=_array(data["energy"]),
        forces=_optional_array(data["forces"]),
        atom_energies=_optional_array(data["atom_energies"]),
        failures={int(index): message for index, message in data["failures"].items()},
        provenance=_decode(data["provenance"]),
    )


def _finding_from_dict(data: dict[str, Any]) -> Finding:
    data = dict(data)
    for name in ("value", "reference", "score"):
        data[name] = None if data[name] is None else _number(data[name])
    if data["threshold"] is not None:
        low, high = data["threshold"]
        data["threshold"] = (_number(low), _number(high))
    data["details"] = _decode(data["details"])
    return Finding(**data)


def audit_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of the files that `save_audit` writes."""
    name = f"audit-{SCHEMA.rpartition('/')[2]}.json"
    return (files("ase_probe") / "schema" / name).read_text(encoding="utf-8")


def audit_to_dict(audit: Audit) -> dict[str, Any]:
    """Return the audit as JSON-able data."""
    encoded: dict[str, Any] = _encode(
        {
            "schema": SCHEMA,
            "score": audit.score,
            "coverage": audit.coverage,
            "group_scores": audit.group_scores,
            "card": asdict(audit.card),
            "environment": audit.environment,
            "findings": [
                {f.name: getattr(finding, f.name) for f in fields(finding)}
                for finding in audit.findings
            ],
            "curves": {name: _curve_to_dict(curve) for name, curve in audit.curves.items()},
            "references": {
                name: {tier: _curve_to_dict(curve) for tier, curve in tiers.items()}
                for name, tiers in audit.references.items()
            },
            "metrics": audit.metrics,
        }
    )
    return encoded


def audit_from_dict(data: Mapping[str, Any]) -> Audit:
    """Rebuild an audit from `audit_to_dict`'s data.

    Raises
    ------
    AuditFileError
        Another schema, or a field is missing or of the wrong kind.
    """
    schema = data.get("schema")
    if schema != SCHEMA:
        raise AuditFileError(
            f"This is not an audit of this version: schema {schema!r}, expected {SCHEMA!r}. "
            "Run the audit again with this version of ase-probe."
        )
    try:
        return Audit(
            card=ModelCard.from_dict(data["card"]),
            environment=_decode(data["environment"]),
            curves={name: _curve_from_dict(curve) for name, curve in data["curves"].items()},
            references={
                name: {tier: _curve_from_dict(curve) for tier, curve in tiers.items()}
                for name, tiers in data["references"].items()
            },
            findings=tuple(_finding_from_dict(finding) for finding in data["findings"]),
            score=_number(data["score"]),
            group_scores={group: _number(score) for group, score in data["group_scores"].items()},
            coverage=_number(data["coverage"]),
            metrics=_decode(data.get("metrics", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AuditFileError(f"The audit is damaged: {type(error).__name__}: {error}.") from error


def write_atomic(path: str | Path, text: str) -> Path:
    """Write `text` to `path` so that nobody ever sees half of it.

    Raises
    ------
    InputError
        The folder does not exist or cannot be written to.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            if target.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            target.write_text(text, encoding="utf-8")  # a pipe or a device cannot be replaced
            return target
        place = target.resolve()  # a link stays a link
        temporary = place.with_name(f".{place.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with open(temporary, "x", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot write {str(target)!r}: {error.strerror}. Give a file in a folder that exists "
            "and that you may write to."
        ) from error
    return target


def save_audit(audit: Audit, path: str | Path) -> Path:
    """Write the audit to `path` as JSON, atomically."""
    return write_atomic(path, json.dumps(audit_to_dict(audit), allow_nan=False) + "\n")


def load_audit(path: str | Path) -> Audit:
    """Read an audit from `path`.

    Raises
    ------
    AuditFileError
        The file is missing, unreadable, truncated or of another version.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise AuditFileError(f"Cannot read {str(path)!r}: {error.strerror}.") from error
    except ValueError as error:
        raise AuditFileError(
            f"{str(path)!r} is not valid JSON ({error}); it may be truncated. Run the audit again."
        ) from error
    if not isinstance(data, dict):
        raise AuditFileError(f"{str(path)!r} holds no audit: its top level is not an object.")
    try:
        return audit_from_dict(data)
    except AuditFileError as error:
        raise AuditFileError(f"{str(path)!r}: {error}") from error.__cause__
