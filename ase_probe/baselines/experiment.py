"""Tier ``experiment``: spectroscopic constants of the minimum, not a curve.

The table is bundled with its sources and checked when it is read. Dissociation energies lead to
neutral ground-state atoms (H2+ to H + H⁺, HeH+ to He + H⁺) in their lowest fine-structure level, so
they contain the atoms' spin–orbit coupling, which most calculations leave out, and, in ²Π states
(CH, OH, SiH, SH, NO), the molecule's own. Such a calculation compares with
``D_e + spin_orbit_atoms − spin_orbit_molecule``, and never more closely than `D_e_uncertainty`.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from ase_probe.curve import Constants
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COLUMNS", "Constants", "constants", "parse", "table"]

COLUMNS = [
    "symbol1", "symbol2", "charge", "multiplicity", "term", "re_A", "we_cm", "wexe_cm",
    "D0_eV", "De_eV", "De_uncertainty_eV", "so_atoms_eV", "so_molecule_eV", "source", "flag",
    "note",
]  # fmt: skip
"""The columns of the table, in this order."""

_FLAGS = {"": False, "uncertain": True}


def _number(row: Mapping[str, str], column: str) -> float | None:
    text = row[column]
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{column} is {text}")
    return value


def _needed(row: Mapping[str, str], column: str) -> float:
    value = _number(row, column)
    if not value:
        raise ValueError(f"{column} must be a positive number, got {row[column]!r}")
    return value


def _entry(row: Mapping[str, str]) -> tuple[Dimer, Constants]:
    symbols = (row["symbol1"], row["symbol2"])
    dimer = Dimer(symbols, int(row["charge"]), int(row["multiplicity"]))
    if not row["term"].startswith(row["multiplicity"]):
        raise ValueError(f"term {row['term']} has not multiplicity {row['multiplicity']}")
    if row["flag"] not in _FLAGS:
        raise ValueError(f"unknown flag {row['flag']!r}")
    if not row["source"]:
        raise ValueError("no source")
    depth, uncertainty = _needed(row, "De_eV"), _number(row, "De_uncertainty_eV")
    if uncertainty is not None and not 0 < uncertainty < depth:
        raise ValueError(f"De_uncertainty_eV is {uncertainty}, not between 0 and De_eV")
    molecule = _number(row, "so_molecule_eV")
    if molecule and "Sigma" in row["term"]:
        raise ValueError(f"a {row['term']} state has no first-order spin–orbit coupling")
    return dimer, Constants(
        r_e=_needed(row, "re_A"),
        omega_e=_number(row, "we_cm"),
        omega_e_x_e=_number(row, "wexe_cm"),
        D_0=_needed(row, "D0_eV"),
        D_e=depth,
        D_e_uncertainty=uncertainty,
        spin_orbit_atoms=_number(row, "so_atoms_eV"),
        spin_orbit_molecule=molecule,
        term=row["term"],
        source=row["source"],
        note=row["note"],
        uncertain=_FLAGS[row["flag"]],
    )


def parse(text: str) -> dict[Dimer, Constants]:
    """Read and check the table.

    Parameters
    ----------
    text
        Comment lines, the header `COLUMNS`, then one row per dimer.

    Returns
    -------
    dict
        Dimer -> constants.

    Raises
    ------
    InputError
        Wrong columns, a bad or missing number, an impossible dimer, or one that appears twice; the
        message names the row.
    """
    header, *rows = csv.reader(
        line for line in text.splitlines() if line and not line.startswith("#")
    )
    if header != COLUMNS:
        raise InputError(f"The table of constants has columns {header}, expected {COLUMNS}.")
    found: dict[Dimer, Constants] = {}
    for cells in rows:
        try:
            dimer, entry = _entry(dict(zip(COLUMNS, cells, strict=True)))
        except ValueError as error:  # an impossible dimer is one too
            raise InputError(f"Bad row {','.join(cells)!r} in the constants: {error}.") from error
        if dimer in found:
            raise InputError(f"{dimer} appears twice in the table of constants.")
        found[dimer] = entry
    return found


@cache
def table() -> Mapping[Dimer, Constants]:
    """Return the bundled table, read once."""
    path = files("ase_probe.baselines") / "data" / "diatomic_constants.csv"
    return MappingProxyType(parse(path.read_text(encoding="utf-8")))


def constants(dimer: Dimer) -> Constants | None:
    """Experimental constants of a dimer in its electronic ground state; `None` where unknown.

    Parameters
    ----------
    dimer
        The dimer; charge and multiplicity count.
    """
    return table().get(dimer)
