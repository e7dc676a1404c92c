"""From finished runs to the table that the statistics take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.curve import Curve
from ase_probe.errors import InputError
from ase_probe.scaling.analysis.runs import Runs
from ase_probe.scaling.data.level import LEVEL, own_curve
from ase_probe.scaling.outcomes import MEASURES, Outcomes, outcomes

if TYPE_CHECKING:
    from ase_probe.scaling.training.result import RunResult

__all__ = ["h2_curve", "h2_outcomes", "labels_curve", "table"]

_DENSE = np.geomspace(0.1, 10.0, 600)  # Å, as in an audit


def labels_curve(kind: str = "unrestricted", name: str = "H2") -> Curve:
    """Return the curve of the labels' own level, counted from its separate atoms.

    Parameters
    ----------
    kind
        ``restricted``, as QM9's molecules were computed, or ``unrestricted``, which dissociates
        into atoms. The two are the same around the minimum.
    name
        ``H2`` or a control bond, as `ase_probe.scaling.data.level.own_curve` knows it.
    """
    curves = own_curve(name)
    if kind not in curves:
        raise InputError(f"Unknown kind of curve {kind!r}; allowed: {', '.join(curves)}.")
    r = curves[kind].r
    r = _DENSE[(r[0] <= _DENSE) & (r[-1] >= _DENSE)]
    return Curve(
        r=r,
        energy=own_curve(name, r)[kind].energy,
        atom_energies=np.zeros(2) if name == "H2" else None,
        provenance={"level": f"{LEVEL}, {kind}", "dtype": "float64"},
    )


def h2_curve(curves: Mapping[str, Mapping[str, Any]]) -> Curve:
    """Return a trained network's H2 curve, from ``RunResult.curves``."""
    h2, hydrogen = curves["H2"], float(curves["atoms"]["H"])
    forces = np.zeros((len(h2["r"]), 2, 3))
    forces[:, 1, 2] = h2["force"]
    forces[:, 0, 2] = -forces[:, 1, 2]
    return Curve(
        r=np.asarray(h2["r"]),
        energy=np.asarray(h2["energy"]),
        forces=forces,
        atom_energies=np.full(2, hydrogen),
        provenance={"dtype": "float32"},
    )


def h2_outcomes(result: RunResult, kind: str = "unrestricted") -> Outcomes:
    """Return the outcomes of one run, against the labels' own level."""
    return outcomes(h2_curve(result.curves), labels_curve(kind))


def table(results: Iterable[RunResult], kind: str = "unrestricted") -> Runs:
    """Return runs of one kind of model as a table.

    Parameters
    ----------
    results
        Finished runs of one model, without or with one and the same set of shots. Language models
        have no curves and get no outcomes; runs that diverged get NaN.
    kind
        Curve of the labels to compare with.

    Raises
    ------
    InputError
        Runs of several models or sets of shots: their losses obey no common law.
    """
    chosen = list(results)
    kinds = {(r.spec.model, r.spec.layers, r.spec.shots) for r in chosen}
    if len(kinds) != 1:
        raise InputError(
            f"A table holds runs of one model with one set of shots; got {len(kinds)} kinds. "
            "Choose by result.spec.model, .layers and .shots."
        )
    none = dict.fromkeys(MEASURES, math.nan)
    rows = [h2_outcomes(r, kind).row() if "H2" in r.curves else none for r in chosen]
    if not any("H2" in result.curves for result in chosen):
        rows = []
    return Runs(
        N=np.array([result.parameters for result in chosen]),
        D=np.array([result.spec.molecules for result in chosen]),
        seed=np.array([result.spec.seed for result in chosen]),
        loss=np.array([result.test_loss for result in chosen]),
        outcomes={name: np.array([row[name] for row in rows]) for name in MEASURES if rows},
    )
