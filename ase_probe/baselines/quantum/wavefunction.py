"""Tier ``wavefunction``: from a dimer to its units of work, and from their points to its curve.

Units: ``atoms`` (the zero, by exactly the same recipe), ``cluster`` (the single-reference
composite, from the minimum outward to the junction, then inward) and, for a bond, ``far`` (CASSCF
and NEVPT2 from two separated atoms inward, past the junction, so that the two can be compared).
Every finished point is a line on disk; see `ase_probe.baselines.quantum.checkpoint`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ase_probe import __version__
from ase_probe.baselines.quantum.atoms import ground_two_s
from ase_probe.baselines.quantum.checkpoint import (
    Densities,
    Unit,
    append,
    points,
    resumed,
)
from ase_probe.baselines.quantum.cluster import System, core_level, molecule_of, parts
from ase_probe.baselines.quantum.envelope import assembled
from ase_probe.baselines.quantum.honest import T1_LIMIT, T2_LIMIT, Case, case
from ase_probe.baselines.quantum.molecule import load, version
from ase_probe.baselines.quantum.multireference import multireference
from ase_probe.baselines.quantum.plan import midpoints, radii, well
from ase_probe.baselines.quantum.recipe import Recipe, recipe, total
from ase_probe.baselines.quantum.reference import Branch, Mask, Range, Reference
from ase_probe.baselines.quantum.splice import Splice, splice
from ase_probe.dimer import Dimer
from ase_probe.errors import EvaluationError, InputError
from ase_probe.units import HARTREE

__all__ = ["assemble", "energies", "run", "units"]

_CHECKS = 4
_SAME = 1e-5  # Eh
_STEADY = 0.010  # eV; by which a breaking bond may fall again
_APART = 50.0  # Å; NEVPT2's own zero
_OVERLAP = 0.8  # of r_e: from here outward both methods are run
_WALL = 0.6  # of r_e: inside, the error is stated relative to E
_HIGH = 50.0  # eV; above it a doubtful amplitude is no reason for a mask

NEAR_EV, WALL_RELATIVE, PAIR_EV, CLOSED_EV = 0.10, 0.01, 0.02, 0.002
"""Stated errors: of a bond up to the junction, eV; of any wall, relative; of a valence pair and of
a van der Waals pair, eV. Measured against experiment and against larger bases; see the docs."""


def units(
    dimer: Dimer, method: Recipe, *, points: int = 30, checks: int = _CHECKS
) -> tuple[Unit, ...]:
    """Everything to compute for one dimer.

    Parameters
    ----------
    dimer, method
        The dimer and the recipe.
    points
        Distances of the curve.
    checks
        Further distances at which the interpolation is tested.

    Raises
    ------
    InputError
        The tier has no honest curve of this dimer; the message says why.
    """
    found = case(dimer)
    if not found.kind:
        raise InputError(f"{dimer} has no wavefunction curve: {found.reason}.")
    r = _distances(dimer, points, checks)
    own = dimer.multiplicity - 1

    def unit(path: str, at: np.ndarray) -> Unit:
        return Unit(
            dimer=dimer.name, method=method, two_s=own, path=path, radii=tuple(at.tolist()),
            restricted=own == 0,
        )  # fmt: skip

    made = [unit("atoms", r[:0]), unit("cluster", r[r <= found.junction])]
    if found.kind == "bond":
        made.append(unit("far", np.append(r[r >= _OVERLAP * well(dimer)], _APART)))
    return tuple(made)


def _distances(dimer: Dimer, count: int, checks: int) -> np.ndarray:
    """Distances of the curve and of its checks, with one at the junction itself, Å."""
    r = radii(dimer, points=count)
    return np.sort(np.concatenate([r, midpoints(r, checks)]))


def run(unit: Unit, folder: Path, threads: int = 1) -> list[dict[str, Any]]:
    """Compute the unit, or what is missing of it; as `ase_probe.baselines.quantum.branch.run`."""
    load().lib.num_threads(threads)
    parts_of = {"atoms": _atoms, "cluster": _cluster, "far": _far}
    return resumed(unit, folder, lambda dimer, path, _: parts_of[unit.path](unit, dimer, path))


def _recipe(unit: Unit) -> Recipe:
    if not isinstance(unit.method, Recipe):
        raise InputError(f"{unit.name} is no unit of the wavefunction tier.")
    return unit.method


def _atoms(unit: Unit, dimer: Dimer, path: Path) -> None:
    """Energies of the two atoms by the recipe of the molecule."""
    started = time.process_time()
    plan, known = _recipe(unit), {x["symbol"]: x for x in points(path) if "symbol" in x}
    for symbol in dict.fromkeys(dimer.symbols):
        if symbol in known:
            continue
        system = System(symbols=(symbol,), two_s=ground_two_s(symbol))
        record, _ = parts(
            system, plan, base=plan.base_of(dimer.symbols, unit.two_s),
            core=core_level(dimer.numbers),
        )  # fmt: skip
        if not record["converged"]:
            raise EvaluationError(
                f"{symbol} did not converge ({', '.join(record['failed'])}): no zero of energy."
            )
        append(path, {"symbol": symbol, **record})
    known = {x["symbol"]: x for x in points(path) if "symbol" in x}
    pair = [known[s] for s in dimer.symbols]
    append(path, {
        "charges": [0, 0],
        "two_s": [ground_two_s(s) for s in dimer.symbols],
        "energies": [total(plan, x["parts"]) for x in pair],
        "spin_squared": [x["s2"] for x in pair],
        "parts": [x["parts"] for x in pair],
        "seconds": round(time.process_time() - started, 2),
    })  # fmt: skip


def _order(unit: Unit, dimer: Dimer) -> tuple[list[float], int]:
    """Distances from the minimum outward, then inward; and where it turns."""
    r = list(unit.radii)
    start = int(np.argmin(np.abs(np.array(r) - well(dimer))))
    return r[start:] + r[:start][::-1], len(r) - start


def _cluster(unit: Unit, dimer: Dimer, path: Path) -> None:
    """Compute and record the missing points of the composite."""
    plan, treatment = _recipe(unit), case(dimer)
    order, turn = _order(unit, dimer)
    finished = sum("r" in x for x in points(path))
    densities = Densities(path)
    kept = densities.load() if finished else None
    first, previous = (None, None) if kept is None else kept[1:]
    for index in range(finished, len(order)):
        started = time.process_time()
        if index == turn:
            previous = first
        system = System(symbols=dimer.symbols, r=order[index], two_s=unit.two_s)
        record, previous = parts(system, plan, pair=treatment.kind == "pair", previous=previous)
        if treatment.kind == "closed":
            _counterpoise(record, system, plan)
        first = previous if first is None else first
        densities.save(index, first, previous)
        seconds = round(time.process_time() - started, 2)
        append(path, {"r": order[index], **record, "seconds": seconds})


def _counterpoise(record: dict[str, Any], system: System, plan: Recipe) -> None:
    """Add the energies of the two atoms, each in the basis of the pair.

    The basis of one closed shell repairs that of the other by as much as a van der Waals bond is
    worth, so such a pair has its zero recomputed at every distance.
    """
    ghosts = [1] if system.symbols[0] == system.symbols[1] else [1, 0]
    found = [parts(replace(system, ghost=g), plan)[0] for g in ghosts]
    pair = found * 2 if len(found) == 1 else found
    record["ghosts"] = [x["parts"] for x in pair]
    record["converged"] = record["converged"] and all(x["converged"] for x in pair)


def _far(unit: Unit, dimer: Dimer, path: Path) -> None:
    """Compute and record the missing points of NEVPT2, from the outermost inward and back."""
    plan, order = _recipe(unit), unit.order
    found = [x for x in points(path) if "r" in x]
    finished = len(found)
    inward = {x["r"]: float(x["casscf"]) for x in found if x["converged"]}
    densities = Densities(path)
    kept = densities.load() if finished else None
    previous = None
    if kept is not None:
        at = System(symbols=dimer.symbols, r=float(kept[1][0]), two_s=unit.two_s)
        previous = molecule_of(at, plan.far, symmetry=False), kept[2]
    for index in range(finished, len(order)):
        started = time.process_time()
        system = System(symbols=dimer.symbols, r=order[index], two_s=unit.two_s)
        below = inward.get(order[index])
        record, previous = multireference(system, plan, previous, below=below)
        if record["converged"]:
            inward.setdefault(order[index], record["casscf"])
        densities.save(index, np.array([order[index]]), previous[1])
        seconds = round(time.process_time() - started, 2)
        append(path, {"r": order[index], **record, "seconds": seconds})


def lowest(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keep, at each distance, the CASSCF of lowest energy; of equal ones one that converged."""
    found: dict[float, dict[str, Any]] = {}
    for x in rows:
        if "r" not in x or x["nevpt2"] is None:
            continue
        known = found.get(x["r"])
        gain = np.inf if known is None else known["casscf"] - x["casscf"]
        if gain > _SAME or (abs(gain) <= _SAME and x["converged"]):
            found[x["r"]] = dict(x)
    return list(found.values())


def energies(plan: Recipe, zero: float, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Turn records of ``cluster`` into rows with one energy relative to the atoms, Eh."""
    made = []
    for x in rows:
        own = sum(total(plan, g) for g in x["ghosts"]) if "ghosts" in x else zero
        made.append({**x, "energy": total(plan, x["parts"]) - own, "stable": None})
    return sorted(made, key=lambda x: float(x["r"]))


def _outer(
    near: Sequence[Mapping[str, Any]], far: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], Splice]:
    """Rows beyond the junction on the scale of the rows inside it, and that scale."""
    apart = next(x for x in far if x["r"] == _APART)
    rows = [
        {**x, "energy": float(x["nevpt2"]) - float(apart["nevpt2"]), "stable": None}
        for x in far
        if x["r"] != _APART
    ]
    inner = {x["r"]: float(x["energy"]) for x in near if x["converged"]}
    common = [x for x in sorted(rows, key=lambda x: float(x["r"])) if x["r"] in inner]
    common = [x for x in common if x["converged"]]
    joined = splice(
        np.array([x["r"] for x in common]),
        np.array([inner[x["r"]] for x in common]),
        np.array([x["energy"] for x in common]),
    )
    beyond = [x for x in rows if x["r"] > joined.junction]
    for x in beyond:
        x["raw"] = x["energy"]
        x["energy"] *= float(joined.scale(np.array(x["r"])))
    return beyond, joined


_DEGENERATE = (("B1", "B2"), ("B2g", "B3g"), ("B2u", "B3u"))
"""The two components of a π shell in the Abelian subgroups C2v and D2h."""


def shells(occupation: Mapping[str, Any]) -> dict[str, Any]:
    """Occupation of the irreducible representations, whichever component of π is which."""
    found = {name: np.ravel(n).tolist() for name, n in occupation.items()}
    for pair in _DEGENERATE:
        both = sorted((found.pop(name) for name in pair if name in found), reverse=True)
        found |= dict(zip(pair, both, strict=False))
    return found


def _cuts(branch: Branch, rows: Mapping[float, Mapping[str, Any]]) -> dict[int, str]:
    """Intervals in which the reference determinant changes its occupation."""
    found = {}
    for i, (a, b) in enumerate(zip(branch.r, branch.r[1:], strict=False)):
        left, right = (rows[x].get("occupation") for x in (a, b))
        if left is not None and right is not None and shells(left) != shells(right):
            found[i] = "the reference determinant changes its occupation"
    return found


def _ranges(dimer: Dimer, treatment: Case, rows: Sequence[Mapping[str, Any]]) -> tuple[Range, ...]:
    """State the error of every part of the curve."""
    r_e, last = well(dimer), float(rows[-1]["r"])
    wall = _WALL * r_e
    near = {"pair": PAIR_EV, "closed": CLOSED_EV}.get(treatment.kind, NEAR_EV)
    end = last if treatment.kind != "bond" else treatment.junction
    found = [
        Range(r_min=0.0, r_max=wall, level="composite", error_eV=None,
              error_relative=WALL_RELATIVE),
        Range(r_min=wall, r_max=end, level="composite", error_eV=near),
    ]  # fmt: skip
    scaled = [abs(x["energy"] - x["raw"]) * HARTREE for x in rows if "raw" in x]
    if scaled:
        found.append(
            Range(
                r_min=end, r_max=last, level="NEVPT2 scaled to the composite",
                error_eV=round(near + max(scaled), 3),
            )
        )  # fmt: skip
    return tuple(found)


def _masks(
    treatment: Case, branch: Branch, rows: Mapping[float, Mapping[str, Any]]
) -> tuple[Mask, ...]:
    found = []
    r = branch.r
    for i, at in enumerate(r):
        row = rows[at]
        low, high = r[max(i - 1, 0)], r[min(i + 1, len(r) - 1)]
        t1, t2 = row.get("t1") or 0.0, row.get("t2") or 0.0
        if not row["converged"]:
            parts = ", ".join(row.get("failed", ())) or "CASSCF"
            found.append(
                Mask(r_min=low, r_max=high, reason=f"{parts} at {at:g} Å did not converge.")
            )
        elif (t1 > T1_LIMIT or t2 > T2_LIMIT) and row["energy"] * HARTREE < _HIGH:
            reason = (
                f"At {at:g} Å one determinant is no reference for CCSD(T): singles norm {t1:.3f}, "
                f"largest double {t2:.2f} (trusted to {T1_LIMIT} and {T2_LIMIT})."
            )
            found.append(Mask(r_min=low, r_max=high, reason=reason))
    if treatment.kind == "bond" and (start := _unsteady(branch, rows)) is not None:
        reason = (
            f"Beyond {start:g} Å the energy would fall again, for no reason but CASSCF's choice "
            "among the nearly degenerate states of two open shells."
        )
        found.append(Mask(r_min=start, r_max=r[-1], reason=reason))
    if treatment.kind == "ionic":
        # The range ends at the last point; the mask tells why.
        found.append(Mask(r_min=r[-1], r_max=r[-1] + 1e-3, reason=treatment.reason))
    return tuple(found)


def _unsteady(branch: Branch, rows: Mapping[float, Mapping[str, Any]]) -> float | None:
    """Where a bond that is breaking by NEVPT2 stops rising to its limit, Å; `None` if nowhere."""
    top: float | None = None
    for at in branch.r:
        if "raw" not in rows[at]:
            continue
        energy = rows[at]["energy"] * HARTREE
        highest = -np.inf if top is None else rows[top]["energy"] * HARTREE
        if energy > _STEADY or highest > energy + _STEADY:
            return at if top is None else top
        if energy > highest:
            top = at
    return None


def assemble(
    dimer: Dimer,
    method: Recipe,
    results: Mapping[Unit, Sequence[Mapping[str, Any]]],
    *,
    points: int = 30,
    checks: int = _CHECKS,
) -> Reference:
    """Put the finished units of one dimer together; parameters and errors as `dft.assemble`."""
    wanted = units(dimer, method, points=points, checks=checks)
    missing = [unit.name for unit in wanted if unit not in results]
    if missing:
        raise InputError(f"{dimer} is not finished: {', '.join(missing)} missing.")
    treatment = case(dimer)
    by_path = {unit.path: results[unit] for unit in wanted}
    atoms = dict(next(x for x in by_path["atoms"] if "energies" in x))
    near = energies(
        method, float(sum(atoms["energies"])), [x for x in by_path["cluster"] if "r" in x]
    )
    paths: dict[str, Sequence[Mapping[str, Any]]] = {"composite": near}
    joined = None
    if treatment.kind == "bond":
        beyond, joined = _outer(near, lowest(by_path["far"]))
        paths["nevpt2"] = beyond
    rows = {float(x["r"]): x for path in paths.values() for x in path}
    for x in rows.values():
        if not np.isfinite(x["energy"]):
            raise EvaluationError(f"{dimer} has no energy at {x['r']:g} Å.")
    grid = set(radii(dimer, points=points).tolist())
    own = dimer.multiplicity - 1
    branch = assembled(own, paths, 0.0, grid)
    cuts = _cuts(branch, rows)
    branch = replace(
        branch,
        cuts=cuts,
        bends=tuple(i for i in branch.bends if not any(abs(i - c) <= 3 for c in cuts)),
        state=tuple("nevpt2" if "raw" in rows[x] else "composite" for x in branch.r),
        t1=tuple(rows[x].get("t1") for x in branch.r),
        t2=tuple(rows[x].get("t2") for x in branch.r),
    )
    ordered = [rows[x] for x in sorted(rows)]
    splicing = None if joined is None else {
        "junction": joined.junction, "factor": joined.factor, "slope": joined.slope
    }  # fmt: skip
    ranges = _ranges(dimer, treatment, ordered)
    return Reference(
        dimer=dimer.name,
        tier=method.tier,
        level=method.label,
        method=method.settings,
        versions={"pyscf": version(), "ase-probe": __version__},
        date=datetime.now(UTC).date().isoformat(),
        zero={**atoms, "symbols": list(dimer.symbols), "kind": treatment.kind, "splice": splicing},
        branches={"unrestricted": branch},
        default="unrestricted",
        masks=_masks(treatment, branch, rows),
        truth=True,
        uncertainty_eV=ranges[1].error_eV,
        ranges=ranges,
        source=f"computed with ase-probe {__version__} and PySCF {version()}",
    )


def setup(tier: str, *, basis: str | None = None, grid: int | None = None) -> Recipe:
    """Return the recipe; there is no integration grid.

    Raises
    ------
    InputError
        A grid is asked for.
    """
    if grid is not None:
        raise InputError("The wavefunction tier has no integration grid; leave `grid` out.")
    return recipe(tier, basis=basis)
