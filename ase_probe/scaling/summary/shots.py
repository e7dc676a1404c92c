"""Fine-tuning on k labelled geometries: with H2 among them, without, and not at all.

The control (k = 0) is trained as long on molecules only, so what differs are the shots.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from ase_probe.scaling.analysis.equivalence import Change
from ase_probe.scaling.outcomes import MEASURES
from ase_probe.scaling.summary.plan import Count
from ase_probe.scaling.summary.rows import Row, accurate, shape
from ase_probe.scaling.training.spec import KINDS, RunSpec

__all__ = ["ShotTable", "Shots", "shot_table"]

CONTROL = "none"


@dataclass(frozen=True, kw_only=True)
class Shots:
    """All seeds of one kind and one k.

    Attributes
    ----------
    kind, k
        ``with-h2``, ``without-h2`` or ``none``; number of geometries.
    rows
        The runs.
    planned
        Seeds planned; `None` where that is not known.
    """

    kind: str
    k: int
    rows: tuple[Row, ...]
    planned: int | None

    @property
    def diverged(self) -> int:
        """Runs without curves, because their training diverged."""
        return sum(row.h2 is None for row in self.rows)

    @property
    def wells(self) -> int:
        """Runs with a well."""
        return sum(row.h2.well for row in self.rows if row.h2)

    @property
    def shapes(self) -> int:
        """Runs with the shape of a bond."""
        return sum(shape(row.h2) for row in self.rows if row.h2)

    @property
    def accurate(self) -> int:
        """Runs with the shape, r_e and D_e within their margins."""
        return sum(accurate(row.h2) for row in self.rows if row.h2)

    def values(self, name: str) -> list[float]:
        """One outcome of every run that has it; `test_mae` and a control's name work, too."""
        found = []
        for row in self.rows:
            if name == "test_mae":
                value = row.result.test_mae
            elif name in row.controls:
                value = row.controls[name].log10_rmse
            else:
                value = getattr(row.h2, name, None)
            found.append(value)
        return [value for value in found if value is not None]

    def mean(self, name: str) -> float | None:
        """Mean over the seeds."""
        values = self.values(name)
        return statistics.fmean(values) if values else None

    def spread(self, name: str) -> float | None:
        """Standard deviation over the seeds."""
        values = self.values(name)
        return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True, kw_only=True)
class ShotTable:
    """Fine-tuning of one cell.

    Attributes
    ----------
    family
        Name of the kind of model.
    cell
        The spec of the cell, seed 0.
    count
        How much of the plan is done.
    before
        The runs of the cell that were fine-tuned.
    table
        Control first, then by kind and k.
    changes
        Kind -> change of log10 RMSE from the control to the largest k, paired by seed; a sentence
        where there is none.
    """

    family: str
    cell: RunSpec
    count: Count
    before: tuple[Row, ...]
    table: tuple[Shots, ...]
    changes: Mapping[str, Change | str]

    @property
    def name(self) -> str:
        """Such as ``schnet w100 D3000``."""
        return f"{self.family} w{self.cell.width} D{self.cell.molecules}"

    def of(self, kind: str) -> list[Shots]:
        """Rows of one kind, by k."""
        return [shots for shots in self.table if shots.kind == kind]


def shot_table(
    family: str,
    cell: RunSpec,
    before: Sequence[Row],
    rows: Sequence[Row],
    plan: Sequence[RunSpec] | None,
) -> ShotTable:
    """Arrange the fine-tuned runs of one cell.

    Parameters
    ----------
    family, cell, before
        As in `ShotTable`.
    rows
        Its fine-tuned runs.
    plan
        Specs of the fine-tuned runs that were planned; `None` where that is not known.
    """
    have: dict[tuple[str, int], list[Row]] = {}
    wanted: dict[tuple[str, int], int] = {}
    for spec in plan or ():
        assert spec.shots is not None
        key = (spec.shots.kind, spec.shots.k)
        wanted[key] = wanted.get(key, 0) + 1
        have.setdefault(key, [])
    for row in rows:
        assert row.spec.shots is not None
        have.setdefault((row.spec.shots.kind, row.spec.shots.k), []).append(row)
    order = (CONTROL, *KINDS)
    table = tuple(
        Shots(
            kind=kind,
            k=k,
            rows=tuple(sorted(have[kind, k], key=lambda row: row.spec.seed)),
            planned=None if plan is None else wanted.get((kind, k), 0),
        )
        for kind, k in sorted(have, key=lambda key: (order.index(key[0]), key[1]))
    )
    return ShotTable(
        family=family,
        cell=cell,
        count=Count.of([row.spec for row in rows], plan),
        before=tuple(before),
        table=table,
        changes={kind: _change(table, kind) for kind in KINDS},
    )


def _change(table: Sequence[Shots], kind: str) -> Change | str:
    """Change of log10 RMSE by the largest k against the control of the same seed.

    Student's interval of the mean difference, 90 % for equivalence and 95 % for a change.
    """
    control = {row.spec.seed: row for s in table if s.kind == CONTROL for row in s.rows}
    largest = max((s for s in table if s.kind == kind), key=lambda s: s.k, default=None)
    if largest is None:
        return f"no runs {kind} were planned"
    pairs = [
        (control[row.spec.seed].h2, row.h2) for row in largest.rows if row.spec.seed in control
    ]
    differences = [
        after.log10_rmse - before.log10_rmse for before, after in pairs if before and after
    ]
    n = len(differences)
    if n < 2 or not np.all(np.isfinite(differences)):
        return f"{n} seeds have both k = {largest.k} and the control; two are needed"
    mean, error = statistics.fmean(differences), statistics.stdev(differences) / math.sqrt(n)
    low, high = (mean + side * error * float(t.ppf(0.95, n - 1)) for side in (-1, 1))
    sure = error * float(t.ppf(0.975, n - 1))
    margin = MEASURES["log10_rmse"].margin
    if -margin < low and high < margin:
        verdict = "none"
    elif mean + sure < 0:
        verdict = "falls"
    elif mean - sure > 0:
        verdict = "rises"
    else:
        verdict = "undecided"
    reason = f"{n} seeds, k = {largest.k} against the control"
    return Change("log10_rmse", "k", mean, low, high, margin, verdict, reason)
