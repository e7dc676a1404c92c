"""The bonds that QM9 is full of, C–H and C–C: what a network does with a bond it was taught.

Judged like H2, with H2's own lengths in proportion to the bond: the window of the minimum, where
the wall begins and the span of the error are those of `CRITERIA` times r_e/r_e(H2), as far as the
control was computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ase_probe.curve import Curve
from ase_probe.scaling.analysis.table import labels_curve
from ase_probe.scaling.data.bonds import BONDS, CONTROLS, H2
from ase_probe.scaling.outcomes import CRITERIA, Criteria, Outcomes, outcomes

__all__ = ["CONTROL_NAMES", "control_curve", "control_criteria", "control_outcomes"]

CONTROL_NAMES = tuple(bond.name for bond in CONTROLS)


def control_criteria(name: str, labels: Curve) -> Criteria:
    """Return what a control is measured by.

    Parameters
    ----------
    name
        Such as ``"CH4 C-H"``.
    labels
        Its curve at the labels' level: its ends bound the lengths.
    """
    factor = BONDS[name].length / H2.length
    first, last = float(labels.r[0]), float(labels.r[-1])
    low, high = (factor * end for end in CRITERIA.span)
    left, right = (factor * end for end in CRITERIA.window)
    return replace(
        CRITERIA,
        window=(left, right),
        wall_from=max(factor * CRITERIA.wall_from, first),
        span=(max(low, first), min(high, last)),
    )


def control_curve(curves: Mapping[str, Mapping[str, Any]], name: str) -> Curve:
    """Return a trained network's curve of a control, from ``RunResult.curves``.

    It has no lone atoms: what the bond breaks into are radicals, not atoms.
    """
    stored = curves[name]
    forces = np.zeros((len(stored["r"]), 2, 3))
    forces[:, 1, 2] = stored["force"]
    forces[:, 0, 2] = -forces[:, 1, 2]
    return Curve(
        r=np.asarray(stored["r"]),
        energy=np.asarray(stored["energy"]),
        forces=forces,
        provenance={"dtype": "float32"},
    )


def control_outcomes(curves: Mapping[str, Mapping[str, Any]], kind: str) -> dict[str, Outcomes]:
    """Return the outcomes of every control that a run has, by name."""
    found = {}
    for name in CONTROL_NAMES:
        if name in curves:
            labels = labels_curve(kind, name)
            found[name] = outcomes(
                control_curve(curves, name), labels, control_criteria(name, labels)
            )
    return found
