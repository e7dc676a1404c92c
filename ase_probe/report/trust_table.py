"""How far down each pair can be trusted, as a table: CSV or JSON, one row per pair and model."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase_probe.curve import Audit, Finding
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.serialize import write_atomic

__all__ = ["COLUMNS", "trust_rows", "write_trust_table"]

COLUMNS = (
    "model",
    "profile",
    "cap_eV",
    "dimer",
    "element_1",
    "element_2",
    "charge",
    "multiplicity",
    "status",
    "r_trust_A",
    "E_trust_eV",
    "censored",
    "stopped_by",
    "reference",
    "E_b_eV",
    "r_b_A",
    "depth_eV",
)
"""The columns, in this order.

``r_trust_A`` and ``E_trust_eV``: how far in no defect was found, and the energy of a head-on
collision that gets there; ``censored``: it ended at the cap or at the end of the grid and not at a
defect; ``E_b_eV``, ``r_b_A``, ``depth_eV``: the outermost hole, empty where there is none.
"""


def trust_rows(audits: Sequence[Audit]) -> list[dict[str, Any]]:
    """One row per model and pair that was asked for, in the order of the audits.

    A pair without a result keeps its row, with ``status`` ``not-run`` and empty numbers.
    """
    return [row for audit in audits for row in _rows(audit)]


def _rows(audit: Audit) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Finding]] = {}
    for finding in audit.findings:
        if finding.check in ("compression.r_trust", "compression.barrier"):
            found.setdefault(finding.dimer, {})[finding.check] = finding
    names = audit.environment.get("dimers") or sorted(found)
    return [_row(audit, str(name), found.get(str(name), {})) for name in names]


def _row(audit: Audit, name: str, found: dict[str, Finding]) -> dict[str, Any]:
    dimer = Dimer.parse(name)
    trust, barrier = found.get("compression.r_trust"), found.get("compression.barrier")
    details = {} if trust is None else trust.details
    hole = barrier is not None and "r_b" in barrier.details
    return {
        "model": audit.card.name,
        "profile": audit.environment.get("profile"),
        "cap_eV": audit.environment.get("cap_eV"),
        "dimer": name,
        "element_1": dimer.symbols[0],
        "element_2": dimer.symbols[1],
        "charge": dimer.charge,
        "multiplicity": dimer.multiplicity,
        "status": "not-run" if trust is None else trust.status,
        "r_trust_A": None if trust is None else trust.value,
        "E_trust_eV": details.get("E_trust"),
        "censored": details.get("censored"),
        "stopped_by": details.get("reason", None if trust is None else trust.reason),
        "reference": details.get("reference"),
        "E_b_eV": barrier.value if barrier is not None and hole else None,
        "r_b_A": barrier.details["r_b"] if barrier is not None and hole else None,
        "depth_eV": barrier.details["depth"] if barrier is not None and hole else None,
    }


def write_trust_table(audits: Sequence[Audit], path: str | Path) -> Path:
    """Write the table.

    Parameters
    ----------
    audits
        Audits, of one model or several.
    path
        ``….csv`` or ``….json``.

    Raises
    ------
    InputError
        Another ending.
    """
    path = Path(path)
    rows = trust_rows(audits)
    if path.suffix == ".json":
        text = json.dumps(rows, indent=1) + "\n"
    elif path.suffix == ".csv":
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text = buffer.getvalue()
    else:
        raise InputError(f"A trust table is written as .csv or .json, not {path.name!r}.")
    return write_atomic(path, text)
