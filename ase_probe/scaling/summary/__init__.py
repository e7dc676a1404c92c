"""The summary of a study: everything that its runs say, and what they cannot say.

`summarise` takes finished runs and the plan they belong to; it needs no torch. `text.lines` writes
the summary for people, `Summary.json` for programs. How much of the plan ran stands beside every
number, and the verdicts on the study's claims (`claims`) follow rules fixed in the code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

import ase_probe
from ase_probe.baselines import Unavailable, reference
from ase_probe.curve import Curve
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.scaling.analysis.power import PowerLaw
from ase_probe.scaling.analysis.report import Report
from ase_probe.scaling.analysis.table import labels_curve
from ase_probe.scaling.data.level import LEVEL
from ase_probe.scaling.models import POTENTIALS
from ase_probe.scaling.outcomes import CRITERIA, MEASURES, Outcomes, outcomes
from ase_probe.scaling.summary.claims import Statement, after_shots, conclusion, stable_only
from ase_probe.scaling.summary.families import Family, family
from ase_probe.scaling.summary.plan import Count
from ase_probe.scaling.summary.rows import Row, recipe, row
from ase_probe.scaling.summary.shots import ShotTable, shot_table
from ase_probe.scaling.training.result import RunResult
from ase_probe.scaling.training.spec import KINDS, RunSpec

__all__ = ["Summary", "exact_curve", "parts", "summarise"]

_SCHEMA = "ase-probe/scaling-summary/1"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the runs of a study say.

    Attributes
    ----------
    count
        How much of the plan is done.
    kind
        Curve of the labels that outcomes are counted from, ``unrestricted`` or ``restricted``.
    yardsticks
        Name -> outcomes of a curve that is no network's: the labels' other branch, the exact one.
    families
        Runs on stable molecules only, by recipe.
    shots
        Fine-tuned cells.
    statements
        Verdicts on the claims.
    conclusions
        Fine-tuned cell -> what all verdicts on it and its kind of model say together.
    others
        Runs in the folder that the plan does not have; they are left out.
    """

    count: Count
    kind: str
    yardsticks: Mapping[str, Outcomes]
    families: tuple[Family, ...]
    shots: tuple[ShotTable, ...]
    statements: tuple[Statement, ...]
    conclusions: Mapping[str, str]
    others: int

    def json(self) -> dict[str, Any]:
        """Return the summary as JSON-able data; numbers that do not exist are ``null``."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        head = {
            "schema": _SCHEMA,
            "ase-probe": ase_probe.__version__,
            "labels": f"{LEVEL}, {self.kind}",
            "criteria": CRITERIA,
            "measures": MEASURES,
        }
        found: dict[str, Any] = _plain({**head, **content})
        return found


def summarise(
    results: Sequence[RunResult],
    plan: Sequence[RunSpec] | None = None,
    *,
    kind: str = "unrestricted",
    repeats: int = 999,
) -> Summary:
    """Summarise a study.

    Parameters
    ----------
    results
        Finished runs, of any number of recipes.
    plan
        Every run that the study has; `None` where that is not known, which the summary says.
    kind
        Curve of the labels to compare with: ``unrestricted`` comes apart into atoms, ``restricted``
        is how QM9's molecules were computed. They differ beyond about 1.2 Å only.
    repeats
        Of the bootstraps.

    Raises
    ------
    InputError
        There is no run at all, or no such kind of curve.
    """
    wanted = None if plan is None else set(plan)
    chosen = [r for r in results if wanted is None or r.spec in wanted]
    if not chosen:
        raise InputError("There is no finished run to report on; start or go on with the study.")
    rows = [row(result, kind) for result in chosen]
    specs = list(plan) if plan is not None else [each.spec for each in rows]
    names = _names(specs)
    families = tuple(
        family(
            name,
            shared,
            [r for r in rows if r.spec.shots is None and recipe(r.spec) == shared],
            Count.of(
                (r.spec for r in rows if r.spec.shots is None and recipe(r.spec) == shared),
                None if plan is None else _stable(plan, shared),
            ),
            kind=kind,
            repeats=repeats,
        )
        for shared, name in names.items()
    )
    tables = tuple(_shots(rows, specs, names, known=plan is not None))
    statements = (
        *(stable_only(each) for each in families if each.recipe.model in POTENTIALS),
        *(after_shots(table, shots) for table in tables for shots in KINDS),
    )
    return Summary(
        count=Count.of([r.spec for r in rows], plan),
        kind=kind,
        yardsticks=_yardsticks(kind),
        families=families,
        shots=tables,
        statements=statements,
        conclusions={
            table.name: conclusion(
                [s for s in statements if s.subject in (table.family, table.name)]
            )
            for table in tables
        },
        others=len(results) - len(chosen),
    )


def parts(
    done: Sequence[RunSpec], plan: Sequence[RunSpec] | None = None
) -> list[tuple[str, Count]]:
    """Count a study part by part: every recipe, every fine-tuned cell, then what is of neither.

    Parameters
    ----------
    done, plan
        Specs of the finished runs, and of all runs; `None` where that is not known.
    """
    specs = list(done) if plan is None else list(plan)
    names = _names(specs)

    def part(spec: RunSpec) -> str:
        name = names.get(recipe(spec), "not of this study")
        return name if spec.shots is None else f"{name} w{spec.width} D{spec.molecules} with shots"

    have, wanted = {spec: part(spec) for spec in done}, {spec: part(spec) for spec in specs}
    strangers = [spec for spec in done if spec not in wanted]
    found = [
        (
            name,
            Count.of(
                (spec for spec, of in have.items() if of == name and spec in wanted),
                None if plan is None else [spec for spec, of in wanted.items() if of == name],
            ),
        )
        for name in dict.fromkeys(wanted.values())
    ]
    if strangers:
        found.append(("not of this study", Count.of(strangers, None)))
    return found


def exact_curve() -> Curve:
    """Return the exact H2 curve on the labels' distances."""
    found = reference(Dimer.parse("H2"), "exact", labels_curve().r)
    if isinstance(found, Unavailable):
        raise InputError(f"There is no exact curve of H2: {found.reason}")
    return found


def _yardsticks(kind: str) -> dict[str, Outcomes]:
    labels = labels_curve(kind)
    other = "restricted" if kind == "unrestricted" else "unrestricted"
    curves = {f"labels' level, {other}": labels_curve(other), "exact": exact_curve()}
    return {name: outcomes(curve, labels) for name, curve in curves.items()}


def _stable(plan: Sequence[RunSpec], shared: RunSpec) -> list[RunSpec]:
    return [spec for spec in plan if spec.shots is None and recipe(spec) == shared]


def _names(specs: Sequence[RunSpec]) -> dict[RunSpec, str]:
    """Name every recipe by its model, and with a number where a model has several."""
    recipes = list(dict.fromkeys(recipe(spec) for spec in specs))
    models = [each.model for each in recipes]
    return {
        each: each.model
        if models.count(each.model) == 1
        else f"{each.model} {models[: i + 1].count(each.model)}"
        for i, each in enumerate(recipes)
    }


def _shots(
    rows: Sequence[Row], specs: Sequence[RunSpec], names: Mapping[RunSpec, str], *, known: bool
) -> list[ShotTable]:
    """Group fine-tuned runs by the cell they start from, all seeds together."""
    cells: dict[RunSpec, list[RunSpec]] = {}
    for spec in specs:
        if spec.base is not None:
            cells.setdefault(replace(spec.base, seed=0), []).append(spec)
    return [
        shot_table(
            names[recipe(cell)],
            cell,
            [r for r in rows if replace(r.spec, seed=0) == cell],
            [r for r in rows if r.spec.base is not None and replace(r.spec.base, seed=0) == cell],
            planned if known else None,
        )
        for cell, planned in cells.items()
    ]


def _plain(value: Any) -> Any:
    """Turn what a summary holds into what JSON knows."""
    if isinstance(value, Row):
        return _plain(value.json())
    if isinstance(value, Report):
        return _report(value)
    if isinstance(value, PowerLaw) and value.unidentified:
        return {"variable": value.variable, "exponent": None, "unidentified": value.unidentified}
    if is_dataclass(value) and not isinstance(value, type):
        skipped = ("rows",) if isinstance(value, Family) else ()
        found = {
            f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in skipped
        }
        if isinstance(value, Family):
            found["runs"] = _plain(value.rows)
        if isinstance(value, Statement):
            found["headline"] = value.headline
        return found
    if isinstance(value, Mapping):
        return {
            " ".join(key) if isinstance(key, tuple) else str(key): _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _report(report: Report) -> dict[str, Any]:
    cells = report.fit.cells
    return {
        "law": list(report.fit.law.terms),
        "middles": {term: cells.middle(term) for term in report.fit.law.terms},
        "cells": len(cells),
        "runs": int(cells.count.sum()),
        "noise": report.fit.noise,
        "lack_of_fit": _plain(report.fit.lack_of_fit),
        "parameters": _plain(report.parameters),
        "changes": _plain(report.changes),
    }
