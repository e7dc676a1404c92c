"""One panel of a figure: the curves of one dimer, references, cutoff, trusted radius."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.curve import Audit, Curve, labels_of
from ase_probe.report.digest import zero
from ase_probe.report.numbers import NBSP, clean, quantity
from ase_probe.report.plot import well_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "labels"]

_LOWEST, _HIGHEST = -1e4, 1e3  # eV, frame of the wall; what leaves it is marked and said in words
# Okabe and Ito's colours, which colour-blind readers tell apart; black and grey are references.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_FORMULAS = {"analytic:zbl": ":", "analytic:nlh": "-.", "analytic:ion-pair": (0, (2, 1))}
_Range = tuple[float, float]


def labels(audits: Sequence[Audit]) -> list[str]:
    """Names of the models on one line each, numbered where several audits share one."""
    return [clean(label) for label in labels_of(audits)]


def _references(audits: Sequence[Audit], name: str) -> list[tuple[str, Curve, dict[str, Any]]]:
    """Label, curve and looks of the references of one dimer, each once: truth, own level, formulas.

    Formulas (ZBL and the like) are drawn only where no computed curve is true.
    """
    found: dict[str, Curve] = {}
    for audit in audits:
        for tier, curve in audit.references.get(name, {}).items():
            found.setdefault(clean(tier), curve)
    own = [tier for tier in found if tier.startswith("labels")]
    formulas = [tier for tier in found if tier.startswith("analytic:")]
    true = [
        tier
        for tier, curve in found.items()
        if curve.provenance.get("truth") and tier not in (*own, *formulas)
    ]
    shown: list[tuple[str, Curve, dict[str, Any]]] = [
        (f"truth: {tier}", found[tier], {"color": "black"}) for tier in true
    ]
    for i, tier in enumerate(own):
        dashes = ((0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1, 1, 1)))[i % 3]
        shown.append((tier, found[tier], {"color": "black", "ls": dashes}))
    for tier in [] if true else formulas:
        look: dict[str, Any] = {"color": "#888888", "ls": _FORMULAS.get(tier, "-")}
        shown.append((tier.removeprefix("analytic:"), found[tier], look))
    return shown


def draw(
    panel: Axes, audits: Sequence[Audit], name: str, title: str, *, wall: bool
) -> dict[str, Any]:
    """Draw one dimer; returns label -> what the legend shows."""
    models: dict[str, Any] = {}
    others: dict[str, Any] = {}
    zeros: set[str] = set()
    drawn = [
        (audit, label, _COLOURS[k % len(_COLOURS)], "-" if k < len(_COLOURS) else "--")
        for k, (audit, label) in enumerate(zip(audits, labels(audits), strict=True))
        if name in audit.curves
    ]
    (start, end), (low, high) = _frame([audit.curves[name] for audit, *_ in drawn], wall=wall)
    panel.axhline(0.0, color="#bbbbbb", lw=0.5, zorder=0)
    for tier, curve, look in _references(audits, name):
        inside = (curve.r >= start) & (curve.r <= end)
        if ((curve.energy >= low) & (curve.energy <= high) & inside).any():
            others[tier] = panel.plot(curve.r, curve.energy, lw=0.8, zorder=1, **look)[0]
    for audit, label, colour, style in drawn:
        curve = audit.curves[name]
        base, words = zero(curve)
        zeros.add(words)
        with np.errstate(over="ignore", invalid="ignore"):
            energy = curve.energy - base
        known = np.isfinite(energy)
        energy = np.where(known, energy, np.nan)
        models[label] = panel.plot(curve.r, energy, style, color=colour, zorder=3)[0]
        inside = (curve.r >= start) & (curve.r <= end)
        if (inside & ~known).any():
            key = f"{label}: no finite energy"
            others[key] = _at_edge(panel, curve.r[inside & ~known], "x", 0.03, colour)
        if wall:
            _say_what_leaves(panel, curve.r[inside & known], energy[inside & known], colour)
        cutoff = audit.card.cutoff
        if cutoff and start < cutoff < end:
            panel.axvline(cutoff, color=colour, lw=0.7, ls=":", zorder=1)
            others["cutoff"] = _key(ls=":")
        trusted = _trusted(audit, name)
        if trusted is not None and start <= trusted <= end:
            at = float(np.interp(trusted, curve.r, energy))
            if low <= at <= high:
                look = {"marker": "^", "ls": "none", "ms": 4, "mfc": "white", "mew": 0.8}
                panel.plot(trusted, at, color=colour, zorder=4, **look)
                others["trusted down to here"] = _key(**look)
    panel.set_xlim(start, end)
    if wall:
        panel.set_yscale("symlog", linthresh=1.0, linscale=0.6)
        panel.set_xscale("log")
        ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 3, 5, 10) if start * 0.999 <= t <= end * 1.001]
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.set_xticks([], minor=True)
        panel.set_yticks(*_energy_ticks(low, high))
    panel.set_ylim(low, high)
    panel.set_title(clean(title), loc="left")
    panel.set_xlabel("r / Å")
    atoms = zeros <= {"the isolated atoms"}
    panel.set_ylabel("E − E(atoms) / eV" if atoms else "E − E(far) / eV")
    return {**models, **others}


def _say_what_leaves(panel: Axes, r: np.ndarray, energy: np.ndarray, colour: str) -> None:
    """Mark where a curve leaves the frame of the wall farthest, and say how far."""
    for extreme, limit, height, marker in (
        (np.argmin, _LOWEST, 0.04, "v"),
        (np.argmax, _HIGHEST, 0.96, "^"),
    ):
        if len(energy) and abs(energy[i := int(extreme(energy))]) > abs(limit):
            if (energy[i] > 0) != (limit > 0):
                continue
            _at_edge(panel, r[i : i + 1], marker, height, colour)
            panel.annotate(
                quantity(float(energy[i]), "eV").replace(NBSP, " "), (r[i], height), color=colour,
                xycoords=panel.get_xaxis_transform(), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize=5.5,
            )  # fmt: skip


def _frame(curves: Sequence[Curve], *, wall: bool) -> tuple[_Range, _Range]:
    """Distances and energies that a panel shows."""
    bottoms, depths, lows, starts, highs = [], [], [], [], []
    for curve in curves:
        finite = np.isfinite(curve.energy)
        starts.append(float(curve.r[0]))
        if not finite.any():
            continue
        energy = curve.energy[finite] - zero(curve)[0]
        index = well_index(energy)
        bottoms.append(float(curve.r[finite][index]))
        depths.append(-float(energy[index]))
        lows.append(float(energy.min()))
        highs.append(float(energy.max()))
    bottom = max(bottoms, default=1.0)
    depth = max(depths, default=1.0)
    depth = depth if depth > 1e-4 else 0.1
    if not wall:
        return (0.6 * bottom, 3.2 * bottom), (-1.25 * depth, 0.75 * depth)
    last = max((float(curve.r[-1]) for curve in curves), default=10.0)
    end = min(last, max(6.5, 3.2 * bottom))
    top = min(max(max(highs, default=1.0) * 2, 10.0), _HIGHEST)
    low = max(1.5 * min(lows, default=-1.0), _LOWEST) - 0.5
    return (min(starts, default=0.1), end), (low, top)


def _energy_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    decades = [0.0, *(sign * 10.0**p for p in range(5) for sign in (-1, 1))]
    ticks = sorted(t for t in decades if low <= t <= high)
    shown = [f"{t:.0f}".replace("-", "−") if abs(t) < 1e4 else "−10⁴" for t in ticks]
    return ticks, shown


def _at_edge(panel: Axes, r: np.ndarray, marker: str, height: float, colour: str) -> Any:
    """Mark distances at a fraction of the frame's height."""
    return panel.plot(
        r, np.full(len(r), height), marker, ms=3, color=colour, mew=0.8, clip_on=False,
        transform=panel.get_xaxis_transform(), zorder=4,
    )[0]  # fmt: skip


def _key(**look: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], **{"color": "grey", "lw": 0.7, **look})


def _trusted(audit: Audit, name: str) -> float | None:
    for finding in audit.findings:
        if (finding.check, finding.dimer) == ("compression.r_trust", name):
            value = finding.value
            return value if value is not None and math.isfinite(value) else None
    return None
