"""The tables of a summary: header and rows of text, for a terminal or a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ase_probe.scaling.analysis.interval import Interval
from ase_probe.scaling.outcomes import Outcomes
from ase_probe.scaling.summary.families import Family
from ase_probe.scaling.summary.rows import accurate, shape
from ase_probe.scaling.summary.shots import ShotTable

__all__ = [
    "LEGEND", "Table", "cells_table", "loss", "number", "percent", "plain", "runs_table",
    "shots_table", "signed", "span",
]  # fmt: skip

Table = tuple[list[str], list[list[str]]]
"""Header and rows."""

LEGEND = (
    "well: a minimum between 0.5 and 1.2 Å, more than 0.5 eV below the largest distance; shape: a "
    "well, and at least 90 % of the wall inside it repels; right: r_e and D_e within 0.03 Å and "
    "0.3 eV, too; lg RMSE: log10 of the error over 0.4 to 3 Å, eV. – does not exist."
)

_JUDGED = ["well", "shape", "Δr_e/Å", "ΔD_e/eV", "from atoms", "repels", "lg RMSE"]


def runs_table(family: Family) -> Table:
    """One row a run."""
    head = ["width", "N", "D", "seed", f"loss/{family.unit}"]
    head += ["MAE/eV", *_JUDGED] if family.judged else []
    rows = []
    for row in family.rows:
        result, spec = row.result, row.spec
        line = [*map(str, (spec.width, result.parameters, spec.molecules, spec.seed))]
        line.append(loss(result.test_loss))
        if family.judged:
            line += [number(result.test_mae, 3), *_judged(row.h2)]
        rows.append(line)
    return head, rows


def _judged(found: Outcomes | None) -> list[str]:
    if found is None:
        return ["–"] * len(_JUDGED)
    return [
        "yes" if found.well else "no",
        "right" if accurate(found) else "yes" if shape(found) else "no",
        number(found.r_e_error, 3),
        number(found.D_e_error_r_max, 2),
        number(found.D_e_error_atoms, 2),
        percent(found.repulsive),
        number(found.log10_rmse, 2),
    ]


def cells_table(family: Family) -> Table:
    """One row a cell: numbers of runs, and means over its seeds."""
    head = ["width", "N", "D", "runs", f"loss/{family.unit}"]
    controls = list(family.judged[0].controls) if family.judged else []
    if family.judged:
        head += ["well", "shape", "repels", "lg RMSE", *(f"{name}: shape" for name in controls)]
    cells: dict[tuple[int, int, int], list[int]] = {}
    for i, row in enumerate(family.rows):
        key = (row.spec.width, row.result.parameters, row.spec.molecules)
        cells.setdefault(key, []).append(i)
    rows = []
    for key, which in cells.items():
        chosen = [family.rows[i] for i in which]
        line = [*map(str, key), str(len(chosen))]
        line.append(loss(_mean([row.result.test_loss for row in chosen])))
        judged = [row.h2 for row in chosen if row.h2]
        if judged:
            line += [
                str(sum(found.well for found in judged)),
                str(sum(map(shape, judged))),
                percent(_mean([found.repulsive for found in judged])),
                number(_mean([found.log10_rmse for found in judged]), 2),
                *(str(sum(shape(row.controls[name]) for row in chosen)) for name in controls),
            ]
        rows.append(line)
    return head, rows


def shots_table(table: ShotTable) -> Table:
    """One row a kind and k: numbers of runs, means over the seeds ± their standard deviation."""
    controls = list(table.before[0].controls) if table.before else []
    head = ["shots", "k", "runs", "well", "shape", "right", "repels", "lg RMSE", "Δr_e/Å", "MAE/eV"]
    rows = []
    for shots in table.table:
        done = str(len(shots.rows)) + ("" if shots.planned is None else f" of {shots.planned}")
        done += f", {shots.diverged} diverged" if shots.diverged else ""
        line = [shots.kind, str(shots.k), done]
        line += ["–"] * 3 if not shots.rows else [
            *map(str, (shots.wells, shots.shapes, shots.accurate))
        ]  # fmt: skip
        repels, spread = shots.mean("repulsive"), shots.spread("log10_rmse")
        line.append("–" if repels is None else percent(repels))
        line.append(
            number(shots.mean("log10_rmse"), 2) + ("" if spread is None else f" ± {spread:.2f}")
        )
        line += [number(shots.mean("r_e_error"), 3), number(shots.mean("test_mae"), 3)]
        line += [number(shots.mean(name), 2) for name in controls]
        rows.append(line)
    return [*head, *(f"{name}: lg RMSE" for name in controls)], rows


def plain(table: Table) -> list[str]:
    """Return a table as lines, right-aligned."""
    head, rows = table
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
        for row in [head, *rows]
    ]


def number(value: float | None, digits: int) -> str:
    """Return a number, or – for none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def percent(share: float) -> str:
    """Return a share in per cent."""
    return f"{100 * share:.0f} %"


def signed(value: float) -> str:
    """Return a number with two digits and its sign."""
    return f"{value:+.2f}".replace("-", "−")


def loss(value: float) -> str:
    """Return a loss; a run that diverged has none."""
    return f"{value:.4g}" if math.isfinite(value) else "diverged"


def span(interval: Interval) -> str:
    """Return the ends of an interval."""
    return f"{number(interval.low, 2)} to {number(interval.high, 2)}"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
