"""The lower envelope of several scans, where it switches between them, and how well it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

import numpy as np

from ase_probe.baselines.quantum.interpolation import Interpolant, bends
from ase_probe.baselines.quantum.reference import Branch
from ase_probe.units import HARTREE

__all__ = ["assembled"]

_SAME = 1e-5  # Eh; scans that agree this well found the same state
_CLEARLY = 1e-4  # Eh; by how much each of two crossing states must be the lower one
_RESTRICTED = "R"  # the scan of the closed shell
_WALL = 5.0  # eV; above, the interpolation error is stated relative to E

Row = Mapping[str, Any]


def _lowest(rows: Mapping[str, Row]) -> tuple[Row, str]:
    """Pick the lowest converged row, and say which scans agree on it."""
    order = sorted(rows, key=lambda path: (not rows[path]["converged"], rows[path]["energy"]))
    best = rows[order[0]]
    near = [
        path
        for path in order
        if rows[path]["converged"] == best["converged"]
        and rows[path]["energy"] - best["energy"] < _SAME
    ]
    return best, "=" if len(near) == len(rows) else "/".join(sorted(near))


def _stand_ins(by_r: Mapping[float, Mapping[str, Row]]) -> list[float]:
    """Distances at which a higher state alone converged and must not stand in for the lowest.

    The restricted state is one wherever electrons have unpaired at a shorter distance; any other
    is one where on both sides another scan lies below it. A peak between two changes of state is
    one where both scans missed the lowest.
    """
    order, found, broken = sorted(by_r), [], False
    cuts = _switches(order, by_r)

    def undercut(r: float, path: str) -> bool:
        rows = {p: x["energy"] for p, x in by_r[r].items() if x["converged"]}
        return path in rows and rows[path] - min(rows.values()) > _CLEARLY

    for i, r in enumerate(order):
        alone = [path for path, row in by_r[r].items() if row["converged"]]
        sides = order[max(i - 1, 0) : i] + order[i + 1 : i + 2]
        if len(alone) == 1 < len(by_r[r]) and (
            (alone == [_RESTRICTED] and broken)
            or (len(sides) == 2 and all(undercut(side, alone[0]) for side in sides))
        ):
            found.append(r)
        elif i in cuts and i - 1 in cuts and len(sides) == 2:
            here, *beside = (_lowest(by_r[x])[0]["energy"] for x in (r, *sides))
            found += [r] * bool(here - max(beside) > _CLEARLY)
        broken = broken or undercut(r, _RESTRICTED)
    return found


def _switches(r: Sequence[float], by_r: Mapping[float, Mapping[str, Row]]) -> dict[int, str]:
    """Intervals in which the lowest state of one scan gives way to another scan's.

    Where a scan joins or leaves the others, the curve goes on with those it joins and is smooth.
    Two states cross only if on both sides the lower one is clearly below the other.
    """

    def above(at: float, path: str, lowest: str) -> bool:
        rows = by_r[at]
        if path not in rows or not rows[path]["converged"]:
            return False
        return bool(rows[path]["energy"] - rows[lowest]["energy"] > _CLEARLY)

    def best(at: float) -> str:
        rows = by_r[at]
        return min(rows, key=lambda path: (not rows[path]["converged"], rows[path]["energy"]))

    found = {}
    for i, (left, right) in enumerate(pairwise(r)):
        a, b = best(left), best(right)
        if a != b and above(left, b, a) and above(right, a, b):
            found[i] = f"from {a} to {b}"
    return found


def _error(
    r: np.ndarray, energy: np.ndarray, cuts: Mapping[int, str], check: Sequence[tuple[float, float]]
) -> tuple[float | None, float | None]:
    """Largest deviation at the check points: below `_WALL`, eV, and above it, relative."""
    if not check or len(r) < 2:
        return None, None
    at, truth = np.array(check).T
    truth = truth * HARTREE
    inside = (at >= r[0]) & (at <= r[-1])
    if not inside.any():
        return None, None
    off = np.abs(Interpolant(r, energy * HARTREE, list(cuts))(at[inside])[0] - truth[inside])
    wall = truth[inside] > _WALL
    absolute = float(off[~wall].max()) if (~wall).any() else None
    relative = float((off[wall] / truth[inside][wall]).max()) if wall.any() else None
    return (
        None if absolute is None else float(f"{absolute:.3g}"),
        None if relative is None else float(f"{relative:.3g}"),
    )


def assembled(
    two_s: int, paths: Mapping[str, Sequence[Row]], zero: float, grid: Set[float]
) -> Branch:
    """Make one curve of the scans of one 2S.

    Parameters
    ----------
    two_s
        2S.
    paths
        Scan -> its rows, in any order.
    zero
        Sum of the atoms' energies, Eh.
    grid
        Distances of the curve, Å; the others check the interpolation.
    """
    by_r: dict[float, dict[str, Row]] = {}
    for path, rows in paths.items():
        for row in rows:
            by_r.setdefault(float(row["r"]), {})[path] = row
    picked = {r: _lowest(by_r[r]) for r in sorted(by_r)}
    for x in _stand_ins(by_r):
        row, state = picked[x]
        picked[x] = {**row, "converged": False}, state
    r = [x for x in picked if x in grid]
    rows = [picked[x][0] for x in r]
    states = [picked[x][1] for x in r]
    check = [
        (x, float(row["energy"]) - zero)
        for x, (row, _) in picked.items()
        if x not in grid and row["converged"]
    ]
    good = [i for i, row in enumerate(rows) if row["converged"] and np.isfinite(row["energy"])]
    radii = np.array([r[i] for i in good])
    energy = np.array([float(rows[i]["energy"]) - zero for i in good])
    cuts = _switches(r, by_r)
    bent = [good[i] for i in bends(radii, energy * HARTREE)]
    kept = {good.index(c): why for c, why in cuts.items() if c in good and c + 1 in good}
    absolute, relative = _error(radii, energy, kept, check)
    return Branch(
        two_s=two_s,
        r=tuple(r),
        energy=tuple(float(row["energy"]) - zero for row in rows),
        converged=tuple(bool(row["converged"]) for row in rows),
        stable=tuple(row["stable"] for row in rows),
        s2=tuple(round(float(row["s2"]), 3) + 0.0 for row in rows),
        state=tuple(states),
        seconds=tuple(round(sum(float(x["seconds"]) for x in by_r[x].values()), 1) for x in r),
        cuts=cuts,
        bends=tuple(i for i in bent if not any(abs(i - c) <= 3 for c in cuts)),
        check_r=tuple(x for x, _ in check),
        check_energy=tuple(e for _, e in check),
        error_eV=absolute,
        error_relative=relative,
    )
