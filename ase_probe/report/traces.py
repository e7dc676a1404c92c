"""What the page's script draws: curves, marks and views as JSON that no text can break out of.

Arrays travel as base64 float32 (little-endian, NaN allowed); distances are stored once per grid.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ase_probe.curve import Audit, Curve, Finding
from ase_probe.report import digest
from ase_probe.report.numbers import NBSP, clean, quantity
from ase_probe.report.overview import listed_holes
from ase_probe.report.plot import well_index

__all__ = ["finite", "plots", "to_json"]


def _base64(values: np.ndarray) -> str:
    with np.errstate(over="ignore", under="ignore"):
        return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def to_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def finite(value: object) -> float | None:
    """Return the number if it is one and finite, else `None`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


class _Grids:
    """Distances, each distinct grid once."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def index(self, r: np.ndarray) -> int:
        return self.found.setdefault(_base64(r), len(self.found))


def _trace(curve: Curve, base: float, grids: _Grids, **more: Any) -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        energy = curve.energy - base
    messages = list(dict.fromkeys(curve.failures.values()))
    return {
        "grid": grids.index(curve.r),
        "energy": _base64(energy),
        "force": None if curve.axial_force is None else _base64(curve.axial_force),
        "messages": [clean(message) for message in messages],
        "failures": {str(i): messages.index(message) for i, message in curve.failures.items()},
        **more,
    }


def _marks(audit: Audit, rows: Sequence[Finding], index: int) -> list[dict[str, Any]]:
    """Cutoff, and from a dimer's findings the trust radius and the barrier in front of a hole."""
    marks: list[dict[str, Any]] = []
    cutoff = finite(audit.card.cutoff)
    if cutoff:
        marks.append({"kind": "cutoff", "r": cutoff, "label": f"cutoff {cutoff:.3g}{NBSP}Å"})
    for row in rows:
        if row.check == "compression.r_trust" and (r := finite(row.value)):
            marks.append({"kind": "trust", "r": r, "label": f"r_trust {quantity(r, 'Å')}"})
        for hole in listed_holes(row)[:1]:
            label = f"barrier {quantity(hole.barrier, 'eV')}"
            hover = hole.sentence()
            marks.append({"kind": "barrier", "r": hole.edge, "label": label, "hover": hover})
    return [{**mark, "audit": index} for mark in marks]


def _same(curve: Curve, other: Curve) -> bool:
    """Is it one reference, if on the distances of another audit? It is drawn once."""
    if curve is other or curve == other:
        return True
    keys = ("level", "branch", "source", "two_s")
    one, two = ([c.provenance.get(key) for key in keys] for c in (curve, other))
    return one == two and one[0] is not None


def _view(curves: Sequence[tuple[Curve, float]], cutoffs: Sequence[float | None]) -> dict[str, Any]:
    """Frame of the plot: the distances shown, and the energies shown around the well."""
    starts, wells, depths, ends = [0.5], [1.0], [0.0], []
    for curve, base in curves:
        starts.append(float(curve.r[0]) if len(curve) else 0.5)
        with np.errstate(over="ignore", invalid="ignore"):
            energy = curve.energy - base
        finite = np.isfinite(energy)
        if finite.any():
            ends.append(float(curve.r[finite][-1]))
            bottom = well_index(energy[finite])
            if bottom < int(finite.sum()) - 1:
                wells.append(float(curve.r[finite][bottom]))
                depths.append(-float(energy[finite][bottom]))
    depth = max(depths)
    depth = depth if 1e-4 < depth < 100.0 else 5.0
    reach = max([3.0 * max(wells), *(1.15 * cutoff for cutoff in cutoffs if cutoff)])
    last = max(ends or [float(curve.r[-1]) for curve, _ in curves if len(curve)] or [reach])
    start = min(starts)
    return {
        "r": [start, max(min(last, reach), 1.5 * start)],
        "well": [-1.3 * depth, 0.9 * depth],
    }


def plots(
    audits: Sequence[Audit],
    labels: Sequence[str],
    names: Sequence[str],
    findings: Sequence[Mapping[str, Sequence[Finding]]],
    anchors: Mapping[str, str],
) -> dict[str, Any]:
    """Return what the script draws: ``grids``, and ``plots`` by the id of the dimer's card.

    Parameters
    ----------
    audits, labels
        The audits and the names they go by.
    names
        Dimers to draw; one without any curve gets no plot.
    findings
        Per audit: dimer -> its findings.
    anchors
        Dimer -> id of its card.
    """
    grids = _Grids()
    plots: dict[str, Any] = {}
    cutoffs = [finite(audit.card.cutoff) for audit in audits]
    for name in names:
        traces: list[dict[str, Any]] = []
        framed: list[tuple[Curve, float]] = []
        marks: list[dict[str, Any]] = []
        seen: list[tuple[str, Curve]] = []
        for index, (audit, label) in enumerate(zip(audits, labels, strict=True)):
            if name in audit.curves:
                curve = audit.curves[name]
                base, zero = digest.zero(curve)
                framed.append((curve, base))
                traces.append(
                    _trace(curve, base, grids, name=label, kind="model", audit=index, zero=zero)
                )
                marks += _marks(audit, findings[index].get(name, ()), index)
            for tier, curve in audit.references.get(name, {}).items():
                if any(tier == t and _same(curve, c) for t, c in seen):
                    continue
                seen.append((tier, curve))
                framed.append((curve, 0.0))
                traces.append(_trace(curve, 0.0, grids, name=clean(tier), kind="reference"))
        if traces:
            traces.sort(key=lambda trace: trace["kind"] == "model")  # models on top
            view = _view(framed, cutoffs)
            plots[anchors[name]] = {"traces": traces, "marks": marks, "view": view}
    return {"grids": list(grids.found), "plots": plots, "several": len(audits) > 1}
