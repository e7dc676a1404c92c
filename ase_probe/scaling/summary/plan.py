"""What a folder of runs was meant to hold, and how much of it is there.

A sweep keeps its specs beside its results, in ``plan.jsonl``, so that a report can say what is
missing. A folder is of one study; the study may grow, never shrink.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ase_probe.errors import InputError
from ase_probe.scaling.study.preset import read_study
from ase_probe.scaling.training.spec import RunSpec
from ase_probe.serialize import write_atomic

__all__ = ["PLAN", "Count", "keep", "planned"]

PLAN = "plan.jsonl"


@dataclass(frozen=True)
class Count:
    """How much of what was planned is done.

    Attributes
    ----------
    runs, cells
        Runs that are done; cells (runs that differ in their seed only) with all their runs.
    planned_runs, planned_cells
        What was planned; `None` where that is not known.
    empty
        Planned cells without any run.
    """

    runs: int
    cells: int
    planned_runs: int | None
    planned_cells: int | None
    empty: int

    @property
    def complete(self) -> bool:
        """Is everything there that is known to have been planned?"""
        return self.planned_runs is not None and self.runs == self.planned_runs

    def __str__(self) -> str:
        if self.planned_runs is None or self.planned_cells is None:
            return f"{self.runs} runs in {self.cells} cells, what was planned is not known"
        done = (
            f"{self.runs} of {self.planned_runs} runs, {self.cells} of {self.planned_cells} cells "
            "done"
        )
        return done if self.complete else f"INCOMPLETE: {done}"

    @classmethod
    def of(cls, done: Iterable[RunSpec], plan: Iterable[RunSpec] | None) -> Count:
        """Count runs; without a plan every cell counts as it is."""
        have = _by_cell(done)
        runs = sum(map(len, have.values()))
        if plan is None:
            return cls(runs, len(have), None, None, 0)
        wanted = _by_cell(plan)
        return cls(
            runs=runs,
            cells=sum(specs <= have.get(cell, set()) for cell, specs in wanted.items()),
            planned_runs=sum(map(len, wanted.values())),
            planned_cells=len(wanted),
            empty=sum(cell not in have for cell in wanted),
        )


def _by_cell(specs: Iterable[RunSpec]) -> dict[RunSpec, set[RunSpec]]:
    cells: dict[RunSpec, set[RunSpec]] = {}
    for spec in specs:
        cells.setdefault(replace(spec, seed=0), set()).add(spec)
    return cells


def keep(specs: Sequence[RunSpec], folder: str | Path) -> None:
    """Write the plan of a folder.

    Raises
    ------
    InputError
        The folder is of another study: its plan has runs that this one lacks.
    """
    path = Path(folder) / PLAN
    if path.exists():
        lost = set(_read(path)) - set(specs)
        if lost:
            raise InputError(
                f"{folder} belongs to another study: {len(lost)} of its runs, such as "
                f"{min(spec.label for spec in lost)}, are not in this one. Give another folder."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(json.dumps(asdict(spec)) + "\n" for spec in specs))


def planned(folder: str | Path, study: str | Path | None = None) -> list[RunSpec] | None:
    """Return the runs of a folder's study; `None` where nothing says which they are.

    Parameters
    ----------
    folder
        Folder of results.
    study
        Preset or TOML file, for a folder that holds no plan.
    """
    path = Path(folder) / PLAN
    if study is not None:
        return read_study(study)
    return _read(path) if path.exists() else None


def _read(path: Path) -> list[RunSpec]:
    try:
        return [
            RunSpec.from_dict(json.loads(line)) for line in path.read_text("utf-8").splitlines()
        ]
    except ValueError as wrong:  # also InputError
        raise InputError(
            f"{path} is no plan of a study ({wrong}); remove it and name the study with --study."
        ) from wrong
