"""How good are computed curves? Their D_e, r_e and ω_e beside experiment.

``python -m ase_probe.baselines.quantum.constants_table FOLDER [--tier wavefunction]`` prints one
row per curve in a folder and the mean absolute errors over the rows whose experiment is certain.
Experimental D_e are stripped of spin–orbit coupling first, which no tier contains.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ase_probe.baselines.bond import Bond, bond
from ase_probe.baselines.experiment import constants
from ase_probe.baselines.quantum.reference import Reference
from ase_probe.baselines.quantum.store import read
from ase_probe.baselines.tabulated import of_reference
from ase_probe.dimer import Dimer

__all__ = ["Row", "compared", "table"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One curve and its experiment.

    Attributes
    ----------
    dimer
        Its name.
    found, known
        D_e (eV, without spin–orbit coupling), r_e (Å), ω_e (cm⁻¹); NaN where unknown.
    certain
        Is D_e known well enough to judge?
    """

    dimer: str
    found: tuple[float, float, float]
    known: tuple[float, float, float]
    certain: bool


def compared(references: Iterable[Reference]) -> list[Row]:
    """Compare every default branch that has a minimum and an experiment."""
    rows = []
    for reference in references:
        dimer = Dimer.parse(reference.dimer)
        known = constants(dimer)
        found = bond(dimer, lambda _, r, made=reference: of_reference(made, r))  # type: ignore[misc]
        if known is None or not isinstance(found, Bond):
            continue
        omega = math.nan if known.omega_e is None else known.omega_e
        rows.append(
            Row(
                dimer=reference.dimer,
                found=(found.D_e, found.r_e, found.omega_e),
                known=(known.D_e_without_spin_orbit, known.r_e, omega),
                certain=not known.uncertain,
            )
        )
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a report: a row per curve, then mean absolute errors."""
    lines = [
        f"{'dimer':6} {'D_e/eV':>8} {'error':>8}  {'r_e/Å':>7} {'error':>8}  {'ω_e/cm⁻¹':>8} "
        f"{'error':>7}"
    ]
    for row in rows:
        off = np.subtract(row.found, row.known)
        doubt = "" if row.certain else "  D_e uncertain"
        lines.append(
            f"{row.dimer:6} {row.found[0]:8.4f} {off[0]:+8.4f}  {row.found[1]:7.4f} "
            f"{off[1]:+8.4f}  {row.found[2]:8.1f} {off[2]:+7.1f}{doubt}"
        )
    sure = [np.subtract(row.found, row.known) for row in rows if row.certain]
    if sure:
        mean = np.nanmean(np.abs(sure), axis=0)
        lines.append(
            f"mean absolute error over {len(sure)}: D_e {mean[0]:.3f} eV, r_e {mean[1]:.4f} Å, "
            f"ω_e {mean[2]:.1f} cm⁻¹"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of a folder."""
    parser = argparse.ArgumentParser(description="D_e, r_e and ω_e of curves beside experiment.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tier", default="wavefunction")
    options = parser.parse_args(arguments)
    files = sorted((options.folder / options.tier.replace(":", "-")).glob("*.json"))
    for line in table(compared(map(read, files))):
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
