"""One branch of one dimer: SCFs from distance to distance, each starting from the last density.

The unit of work of the builder. Every finished point is on disk before the next begins: one JSON
line per point, and beside it the density the next point starts from. Killed at any moment, a branch
loses the point in flight; run again, it goes on behind the last line.

Branches: ``in`` starts from two separated atoms and comes inward; ``out`` starts near the minimum
from the best of several guesses, goes outward, then from the same start inward, unless ``in``
came through that start as well; ``ionic`` starts from two ions inside the distance where they
become cheaper than atoms. None of them alone is the ground state everywhere; the lower envelope is.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ase_probe.baselines.quantum import guess as guesses
from ase_probe.baselines.quantum.atoms import atom, fragments
from ase_probe.baselines.quantum.checkpoint import (
    Densities,
    Unit,
    append,
    checkpoint,
    points,
    resumed,
)
from ase_probe.baselines.quantum.molecule import core_range, load, molecule
from ase_probe.baselines.quantum.plan import well
from ase_probe.baselines.quantum.scf import Solution, solve
from ase_probe.baselines.quantum.transfer import ionic_crossing, transfer
from ase_probe.dimer import Dimer
from ase_probe.units import HARTREE

__all__ = ["run"]

_SAME_START = 1e-6  # Eh
_JUMP = 2.0  # Eh per unit of ln r
_SEED = 1.6  # of r_e: where the open shells' directions are chosen
_IONIC = (1.2, 2.0)  # of r_e: an ionic branch ends there, and is run if the crossing lies beyond


def _start(
    unit: Unit, dimer: Dimer, charges: tuple[int, int], r: float
) -> tuple[np.ndarray | None, str]:
    """Choose the density a branch starts from, by energy, and say which."""
    options: dict[str, np.ndarray | None] = {}
    for axes in guesses.orientations(dimer, unit.method, unit.two_s, charges):
        options["atoms " + "".join(axes)] = guesses.block(
            dimer, unit.method, unit.two_s, axes=axes, charges=charges
        )
    if unit.path == "out":
        options["default"] = None
    if len(options) == 1:
        name, density = next(iter(options.items()))
        return density, name
    where = r if unit.path == "out" else _SEED * well(dimer)
    mol = molecule(dimer.symbols, unit.method, r=where, charge=dimer.charge, two_s=unit.two_s)
    found: dict[str, Solution] = {
        name: solve(mol, unit.method, density, restricted=unit.restricted, follow=0)
        for name, density in options.items()
    }
    best = min(found, key=lambda name: (not found[name].converged, found[name].energy))
    return (found[best].density if unit.path == "out" else options[best]), best


def _record(r: float, found: Solution, seconds: float) -> dict[str, Any]:
    return {
        "r": r,
        "energy": found.energy,
        "converged": found.converged,
        "stable": found.stable,
        "s2": round(found.spin_squared, 6),
        "charge": round(found.charge, 4),
        "followed": found.followed,
        "dependent": found.dependent,
        "seconds": round(seconds, 2),
    }


def _atoms(unit: Unit, dimer: Dimer) -> dict[str, Any]:
    """Return the zero of energy and everything that isolated atoms tell about the dimer."""
    started = time.process_time()
    charges = fragments(dimer, unit.method)
    pair = [atom(s, unit.method, charge=q) for s, q in zip(dimer.symbols, charges, strict=True)]
    moved = transfer(dimer, unit.method, charges)
    crossing, ions = ionic_crossing(dimer, unit.method)
    mol = molecule(
        dimer.symbols, unit.method, r=1.0, charge=dimer.charge, two_s=dimer.multiplicity - 1
    )
    return {
        "charges": charges,
        "two_s": [a.two_s for a in pair],
        "energies": [a.energy for a in pair],
        "spin_squared": [round(a.spin_squared, 6) for a in pair],
        "homo_eV": [_electronvolt(a.homo) for a in pair],
        "hole_eV": [_electronvolt(a.hole) for a in pair],
        "transfer": None if moved is None else {
            "r_full": moved.r_full, "spurious_eV": moved.spurious, "reason": moved.reason
        },
        "ionic_crossing": crossing if np.isfinite(crossing) else None,
        "ions": ions,
        "core": core_range(mol),
        "seconds": round(time.process_time() - started, 2),
    }  # fmt: skip


def _electronvolt(value: float) -> float | None:
    return None if np.isnan(value) else round(value * HARTREE, 4)


def _plan(unit: Unit, dimer: Dimer) -> tuple[tuple[float, ...], tuple[int, int]]:
    """Distances in order, and the charges of the fragments the first guess is made of."""
    if unit.path != "ionic":
        return unit.order, fragments(dimer, unit.method)
    crossing, ions = ionic_crossing(dimer, unit.method)
    low, needed = (x * well(dimer) for x in _IONIC)
    if crossing < needed:
        return (), ions
    return tuple(r for r in unit.radii if low <= r <= crossing)[::-1], ions


def run(unit: Unit, folder: Path, threads: int = 1) -> list[dict[str, Any]]:
    """Compute the unit, or what is missing of it.

    Parameters
    ----------
    unit
        What to compute.
    folder
        Where checkpoints live; shared by all workers.
    threads
        OpenMP threads of PySCF.

    Returns
    -------
    list of dict
        Its records in the order computed; the last one is ``{"done": …}``.
    """
    load().lib.num_threads(threads)

    def work(dimer: Dimer, path: Path, finished: int) -> None:
        if unit.path == "atoms":
            append(path, _atoms(unit, dimer))
        else:
            _scan(unit, dimer, path, finished)

    return resumed(unit, folder, work)


def _suspect(unit: Unit, dimer: Dimer, found: Solution, r: float, path: Path) -> bool:
    """Unconverged, or a stretched restricted energy that jumps from its neighbour's."""
    if not found.converged:
        return True
    if not unit.restricted or r < well(dimer):
        return False
    last = [x for x in points(path) if "r" in x][-1:]
    return not last or found.energy - last[0]["energy"] > _JUMP * np.log(r / last[0]["r"])


def _repeats(unit: Unit, folder: Path, r: float, path: Path) -> bool:
    """Does the scan ``in``, if it is finished, pass through the solution this one starts from?

    Both go inward from there in the same steps, so they would find the same energies.
    """
    if unit.restricted:
        return False
    other = points(checkpoint(replace(unit, path="in"), folder))
    if not other or "done" not in other[-1]:
        return False
    ends = [x for rows in (other, points(path)) for x in rows if x.get("r") == r]
    return (
        len(ends) == 2
        and all(x["converged"] for x in ends)
        and abs(ends[0]["energy"] - ends[1]["energy"]) < _SAME_START
    )


def _scan(unit: Unit, dimer: Dimer, path: Path, finished: int) -> None:
    """Compute and record the points that are missing."""
    order, charges = _plan(unit, dimer)
    turn = order.index(unit.radii[-1]) + 1 if unit.path == "out" else len(order)
    moved = transfer(dimer, unit.method, fragments(dimer, unit.method))
    hopeless = np.inf if moved is None else moved.start(well(dimer))
    densities = Densities(path)
    kept = densities.load() if finished else None
    first: np.ndarray | None
    if kept is not None:
        index, first, last = kept
        density: np.ndarray | None = last
        if index < finished - 1:  # the file system lost the newest one
            kept = None
    if kept is None and order:
        density, name = _start(unit, dimer, charges, order[0])
        first = density
        if not finished:
            append(path, {"start": name})
        else:  # only the guess is computed again
            mol = molecule(
                dimer.symbols, unit.method, r=order[finished - 1], charge=dimer.charge,
                two_s=unit.two_s,
            )  # fmt: skip
            density = solve(mol, unit.method, density, restricted=unit.restricted).density
    for index in range(finished, len(order)):
        r = order[index]
        if index == turn:
            if _repeats(unit, path.parent, order[0], path):
                return
            density = first
        started = time.process_time()
        mol = molecule(dimer.symbols, unit.method, r=r, charge=dimer.charge, two_s=unit.two_s)
        patient = r < hopeless
        found = solve(mol, unit.method, density, restricted=unit.restricted, patient=patient)
        if patient and _suspect(unit, dimer, found, r, path):
            # A stretched restricted pair slips into an ion pair, eV higher and "converged" too.
            fresh = solve(mol, unit.method, None, restricted=unit.restricted, patient=patient)
            found = min(found, fresh, key=lambda x: (not x.converged, x.energy))
        if found.converged or density is None:
            density = found.density
        if first is None or index == 0:
            first = density
        densities.save(index, first, density)
        append(path, _record(r, found, time.process_time() - started))
