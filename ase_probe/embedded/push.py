"""The embedded test: pairs pushed together inside a material, where a vacuum dimer is no guide.

A structure, a model -> for each combination of elements the closest pair is pushed together along
its line, everything else fixed, down to the shortest distance of the standard grid. What it costs
to reach a hole there differs from the vacuum dimer's barrier, because the neighbours push back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.checks.shape import noise
from ase_probe.checks.walk import walk_inward
from ase_probe.curve import Curve
from ase_probe.dimer import Dimer
from ase_probe.embedded.geometry import (
    Pair,
    closest_pairs,
    distances,
    places_of,
    pushed,
    repeats_for,
    supercell,
)
from ase_probe.engine import Evaluation, Evaluator, Progress
from ase_probe.errors import UnsupportedElementError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Embedded", "embed"]

_CUTOFF = 6.0  # Å, where the card states none: the largest of common local models
_DEEPEST_BOND = 15.0  # eV, as for dimers: what lies deeper is no bond but a hole
_SHORTEST_BOND = 0.6  # of Σr_cov, likewise


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedded:
    """One pair of a structure, pushed together.

    Attributes
    ----------
    dimer
        The two elements, as a neutral dimer: the vacuum test to compare with.
    indices
        The two atoms in the structure given; the same one twice for an atom and its own image.
    image
        Cell in which the second atom lies, whole numbers (3,).
    distance
        Their distance in the structure, Å.
    repeats
        The supercell that was used: the structure repeated so often along its cell vectors.
    curve
        Distances (n,), Å, up to `distance`; energies (n,) of the whole supercell relative to the
        undistorted one, eV, so that the last is 0; as `axial_force` what drives the two apart,
        f = (F₂ − F₁)·n/2 = −dE/dr, eV/Å, n being the unit vector from the first to the second.
    E_b, r_b
        The barrier in front of the outermost hole, eV above the undistorted structure, and where
        it stands, Å. Without a hole `r_b` is `None` and `E_b` the top of the wall; both are `None`
        where there is no wall.
    depth, r_depth
        Bottom of that hole, eV above (mostly below) the undistorted structure, and where, Å.
    complete
        Does the wall reach the shortest distance?
    reason
        One sentence for the reader.
    """

    dimer: Dimer
    indices: tuple[int, int]
    image: tuple[int, int, int]
    distance: float
    repeats: tuple[int, int, int]
    curve: Curve
    E_b: float | None
    r_b: float | None = None
    depth: float | None = None
    r_depth: float | None = None
    complete: bool
    reason: str


def embed(
    evaluator: Evaluator,
    atoms: Atoms,
    *,
    elements: Sequence[str] | None = None,
    more: Callable[[Dimer, Curve], np.ndarray] | None = None,
    progress: Progress | None = None,
) -> dict[str, Embedded]:
    """Push the closest pair of each combination of elements in a structure together.

    The two atoms move symmetrically about their midpoint; all others stay where they are. Distances
    fall by at most 5 % from one to the next, from the one in the structure to 0.1 Å, as on the wall
    of the standard grid. The images of the two atoms move with them, so the cell is repeated until
    every other image of either atom stays farther from both than the model's cutoff (6 Å where its
    card states none) all the way. All structures are evaluated in one list.

    Parameters
    ----------
    evaluator
        The loaded model.
    atoms
        Molecule, slab or crystal; never changed. Its constraints and calculator play no part.
    elements
        Only pairs of these; all elements of the structure when `None`.
    more
        Says, from a pair and its curve, at which further distances (n,), Å, to look.
    progress
        Called with (structures done, structures in all).

    Returns
    -------
    dict
        Formula of the pair (``NaCl``, ``Na2``) -> `Embedded`. A combination that has no pair (the
        only atom of an element in a molecule) is left out.

    Raises
    ------
    InputError
        `elements` names one that is not there, there is no pair at all, two atoms coincide or are
        already closer than 0.1 Å, or a cell with charge or spin would have to be repeated.
    UnsupportedElementError
        The model does not know an element of the structure.

    Notes
    -----
    The walk inward is that of ``compression.barrier``. It starts at the structure as given, or,
    where pushing first gains energy (the pair is farther apart than the model wants it), at the
    bottom of that descent. Energies count from the structure as given in either case. A hole
    narrower than the steps, or than those of `more`, is not seen. A model that passes messages on
    still lets the pair and its images share neighbours: give a larger cell to see what that
    changes.
    """
    unknown = evaluator.unknown_elements(atoms)
    if unknown:
        raise UnsupportedElementError(
            f"{evaluator.card.name} does not know {', '.join(unknown)}; take a structure without."
        )
    pairs = closest_pairs(atoms, elements)
    cutoff = _CUTOFF if evaluator.card.cutoff is None else evaluator.card.cutoff
    plans = {}
    for name, pair in pairs.items():
        repeats = repeats_for(atoms, cutoff + pair.distance)
        first, second = pair.indices
        plans[name] = _Plan(
            dimer=Dimer((atoms.symbols[first], atoms.symbols[second])),
            pair=pair,
            repeats=repeats,
            cell=supercell(atoms, repeats, evaluator),
            moved=places_of(pair, repeats, len(atoms)),
        )
    radii = {name: distances(plan.pair.distance) for name, plan in plans.items()}
    first_pass = sum(map(len, radii.values()))

    def again(done: int, total: int) -> None:
        if progress is not None:
            progress(first_pass + done, first_pass + total)

    curves = _curves(evaluator, plans, radii, progress)
    if more is not None:
        radii = {n: more(plans[n].dimer, curve) for n, curve in curves.items()}
        for name, part in _curves(evaluator, plans, radii, again).items():
            curves[name] = curves[name].extended(part)
    return {name: _judged(curves[name], plan) for name, plan in plans.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """One pair, the supercell it is pushed together in, and its places there."""

    dimer: Dimer
    pair: Pair
    repeats: tuple[int, int, int]
    cell: Atoms
    moved: tuple[int, int]


def _curves(
    evaluator: Evaluator,
    plans: Mapping[str, _Plan],
    radii: Mapping[str, np.ndarray],
    progress: Progress | None,
) -> dict[str, Curve]:
    """Curves of the supercells' total energies; pairs without distances are left out."""
    structures: list[Atoms] = []
    places: dict[str, slice] = {}
    for name, r in radii.items():
        plan = plans[name]
        start = len(structures)
        structures += [pushed(plan.cell, plan.moved, plan.pair, x) for x in r]
        if len(r):
            places[name] = slice(start, len(structures))
    runs = [place.stop - place.start for place in places.values()]
    answer = evaluator.evaluate(structures, progress, parts=runs)
    provenance = {
        "model": evaluator.card.name,
        "level": evaluator.card.level_of_theory,
        "grid": "embedded",
        "dtype": evaluator.environment.get("dtype"),
    }
    return {
        name: _total(
            radii[name],
            plans[name],
            answer,
            here,
            {**provenance, "atoms": len(plans[name].cell)},
        )
        for name, here in places.items()
    }


def _total(
    r: np.ndarray,
    plan: _Plan,
    answer: Evaluation,
    here: slice,
    provenance: Mapping[str, Any],
) -> Curve:
    """Curve of the supercell's total energy."""
    forces = None
    if answer.has_forces:
        on_first, on_second = (np.array([f[i] for f in answer.forces[here]]) for i in plan.moved)
        forces = np.zeros((len(r), 2, 3))
        forces[:, 1, 2] = (on_second - on_first) @ plan.pair.vector / (2 * plan.pair.distance)
        forces[:, 0, 2] = -forces[:, 1, 2]
    return Curve(
        r=r,
        energy=answer.energy[here],
        forces=forces,
        failures={
            i - here.start: message
            for i, message in answer.failures.items()
            if here.start <= i < here.stop
        },
        provenance=provenance,
    )


def _judged(total: Curve, plan: _Plan) -> Embedded:
    zero = float(total.energy[-1])
    curve = replace(
        total,
        energy=total.energy - zero,
        provenance={**total.provenance, "undistorted_eV": zero},
    )
    return Embedded(
        dimer=plan.dimer,
        indices=plan.pair.indices,
        image=plan.pair.image,
        distance=plan.pair.distance,
        repeats=plan.repeats,
        curve=curve,
        **_barrier(curve, noise(total), _SHORTEST_BOND * plan.dimer.covalent_sum),
    )


def _barrier(curve: Curve, spread: float, shortest: float) -> dict[str, Any]:
    """Walk inward as ``compression.barrier`` does; the fields of `Embedded` it leads to."""
    if not math.isfinite(curve.energy[-1]):
        why = curve.failures.get(len(curve) - 1, "not a finite number")
        reason = f"the model gave no energy for the undistorted structure: {why}"
        return {"E_b": None, "complete": False, "reason": reason}
    walk = walk_inward(curve, 0.0, _start(curve, shortest), spread)
    if walk is None:
        reason = "there is no repulsive wall: the energy never rises 50 meV above the structure's"
        return {"E_b": None, "complete": bool(np.isfinite(curve.energy[0])), "reason": reason}
    if walk.holes:
        top, bottom = walk.holes[0]
        E_b, r_b = float(walk.energy[top]), float(walk.r[top])
        depth, r_depth = float(walk.energy[bottom]), float(walk.r[bottom])
        reason = (
            f"inside {r_b:.2f} Å the energy falls to {depth:.4g} eV at {r_depth:.2f} Å, "
            f"behind a barrier of {E_b:.3g} eV"
        )
        return {
            **{"E_b": E_b, "r_b": r_b, "depth": depth, "r_depth": r_depth},
            **{"complete": walk.complete, "reason": reason},
        }
    height, end = float(walk.energy.max()), float(walk.r[-1])
    if walk.complete:
        reason = f"no hole down to {end:.2f} Å, {height:.3g} eV up the wall"
    else:
        reason = f"the wall breaks off at {end:.2f} Å and {height:.3g} eV: no energies inside"
    return {"E_b": height, "complete": walk.complete, "reason": reason}


def _start(curve: Curve, shortest: float) -> float:
    """Where to begin the walk, Å: at the bottom of the descent from the structure as given.

    A descent that leads deeper, or farther in, than a bond can is none: the walk then begins at
    the structure and meets it as a hole.
    """
    inward = np.flatnonzero(np.isfinite(curve.energy))[::-1]
    r, energy = curve.r[inward], curve.energy[inward]
    rises = np.flatnonzero(np.diff(energy) >= 0)
    bottom = int(rises[0]) if rises.size else len(r) - 1
    bond = energy[bottom] >= -_DEEPEST_BOND and r[bottom] >= shortest
    return float(r[bottom] if bond else r[0])
