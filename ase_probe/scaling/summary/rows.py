"""One finished run as a row: its sizes, its losses, what its curves say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ase_probe.scaling.analysis.table import h2_outcomes
from ase_probe.scaling.outcomes import MEASURES, Outcomes
from ase_probe.scaling.summary.controls import control_outcomes
from ase_probe.scaling.training.result import RunResult
from ase_probe.scaling.training.spec import RunSpec

__all__ = ["REPELS", "SHAPE", "Row", "accurate", "recipe", "row", "shape"]

REPELS = 1.0 - MEASURES["repulsive"].margin
"""Share of the wall that must repel for the curve to have the shape of a bond."""

SHAPE = (
    "a minimum between 0.5 and 1.2 Å, more than 0.5 eV deep, with at least "
    f"{100 * REPELS:.0f} % of the way from 0.2 Å to the labels' r_e repelling"
)
"""What "qualitatively right" means here, in words."""


def shape(found: Outcomes) -> bool:
    """Has a curve the shape of a bond: a well, and a wall that repels?"""
    return found.well and found.repulsive >= REPELS


def accurate(found: Outcomes) -> bool:
    """Has it the shape, with r_e and D_e (from the largest distance) within their margins?"""
    errors = ("r_e_error", "D_e_error_r_max")
    values = [getattr(found, name) for name in errors]
    return shape(found) and all(
        value is not None and value <= MEASURES[name].margin
        for name, value in zip(errors, values, strict=True)
    )


def recipe(spec: RunSpec) -> RunSpec:
    """Return a spec without what a scaling study varies: runs of one recipe obey one law."""
    return replace(spec, width=1, molecules=1, seed=0, shots=None)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A finished run.

    Attributes
    ----------
    result
        Everything about it.
    h2
        Outcomes of its H2 curve; `None` of a language model.
    controls
        Outcomes by control bond.
    """

    result: RunResult
    h2: Outcomes | None
    controls: Mapping[str, Outcomes]

    @property
    def spec(self) -> RunSpec:
        """What was asked."""
        return self.result.spec

    def json(self) -> dict[str, Any]:
        """Return the numbers of the row, without curves and histories."""
        spec, result = self.spec, self.result
        return {
            "key": spec.key(),
            "model": spec.model,
            "layers": spec.layers,
            "width": spec.width,
            "parameters": result.parameters,
            "molecules": spec.molecules,
            "seed": spec.seed,
            "shots": None if spec.shots is None else {"kind": spec.shots.kind, "k": spec.shots.k},
            "test_loss": result.test_loss,
            "loss_unit": result.loss_unit,
            "test_mae": result.test_mae,
            "seconds": result.seconds,
            "H2": None if self.h2 is None else _outcomes(self.h2),
            "controls": {name: _outcomes(found) for name, found in self.controls.items()},
        }


def _outcomes(found: Outcomes) -> dict[str, Any]:
    return {**vars(found), "shape": shape(found), "accurate": accurate(found)}


def row(result: RunResult, kind: str) -> Row:
    """Return the row of a run; its curves are held against the labels' curves of one kind."""
    h2 = h2_outcomes(result, kind) if "H2" in result.curves else None
    return Row(result=result, h2=h2, controls=control_outcomes(result.curves, kind))
