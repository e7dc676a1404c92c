"""The same pair asked again in other ways: turned, moved, swapped, alone, boxed, twice.

Physics gives the same energy each time; a model may not. Three distances per dimer, on the wall, at
the minimum and on the tail, all in one flat batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.curve import Curve, Repeats

if TYPE_CHECKING:
    from ase import Atoms

    from ase_probe.dimer import Dimer
    from ase_probe.engine import Evaluator, Progress

__all__ = ["KINDS", "PER_DIMER", "PRECISION", "distances", "repeat"]

_AT = (0.6, 1.0, 2.0)  # of the minimum
_SHIFT = np.array([23.7, -31.3, 17.1])  # Å: float32 positions still resolve 4e-6 Å there
_MARGIN = 20.0  # Å of vacuum in the box, at least
_TURNS = tuple(np.linalg.qr(np.random.default_rng(s).standard_normal((3, 3)))[0] for s in (7, 11))
_SAME = np.eye(3)


@dataclass(frozen=True)
class _Variant:
    """One other way to ask: the change, and how its forces are turned and swapped back."""

    kind: str
    change: Callable[[Atoms], Atoms]
    turn: np.ndarray
    order: tuple[int, int] = (0, 1)


def _turned(turn: np.ndarray) -> Callable[[Atoms], Atoms]:
    def change(atoms: Atoms) -> Atoms:
        atoms.positions = atoms.positions @ turn.T
        return atoms

    return change


def _moved(atoms: Atoms) -> Atoms:
    atoms.positions += _SHIFT
    return atoms


def _swapped(atoms: Atoms) -> Atoms:
    other: Atoms = atoms[[1, 0]]
    other.info.update(atoms.info)
    return other


def _unchanged(atoms: Atoms) -> Atoms:
    return atoms


def _boxed(cutoff: float | None) -> Callable[[Atoms], Atoms]:
    """A periodic box whose images lie beyond the cutoff; 40 Å and the pair where it is unknown."""

    def change(atoms: Atoms) -> Atoms:
        length = float(np.ptp(atoms.positions[:, 2])) + max(_MARGIN, 2.0 * (cutoff or _MARGIN))
        atoms.set_cell([length, length, length])
        atoms.pbc = True
        atoms.positions += 0.5 * length - atoms.positions.mean(axis=0)
        return atoms

    return change


def _variants(cutoff: float | None) -> tuple[_Variant, ...]:
    # An odd number of calls after the plain pair, so that a state that alternates shows.
    return (
        _Variant("repeat", _unchanged, _SAME),
        *(_Variant("rotation", _turned(turn), turn) for turn in _TURNS),
        _Variant("translation", _moved, _SAME),
        _Variant("permutation", _swapped, _SAME, (1, 0)),
        _Variant("box", _boxed(cutoff), _SAME),
    )


PRECISION = "precision"
KINDS = ("rotation", "translation", "permutation", "box", "repeat", "batch")
"""What is compared; ``batch`` is the same structure alone."""


PER_DIMER = len(_AT) * (2 + len(_variants(None)))
"""Structures that `repeat` evaluates per dimer."""


def distances(dimer: Dimer, curve: Curve) -> np.ndarray:
    """Wall, minimum and tail (3,), Å: 0.6, 1 and 2 times the model's minimum.

    Parameters
    ----------
    dimer, curve
        The pair and the model's curve. Where that has no minimum between half and twice the sum of
        the covalent radii, the sum stands for it.
    """
    s = dimer.covalent_sum
    near = (curve.r > 0.5 * s) & (curve.r < 2.0 * s) & np.isfinite(curve.energy)
    centre = s
    if near.sum() > 2:
        r, energy = curve.r[near], curve.energy[near]
        lowest = int(np.argmin(energy))
        if 0 < lowest < len(r) - 1:
            centre = float(r[lowest])
    return np.array(_AT) * centre


def repeat(
    evaluator: Evaluator,
    dimers: Sequence[Dimer],
    curves: dict[str, Curve],
    progress: Progress | None = None,
    other: Evaluator | None = None,
) -> dict[str, Repeats]:
    """Ask for every dimer again, in every way of `KINDS`.

    Parameters
    ----------
    evaluator
        The loaded model.
    dimers
        Those of `curves` to ask for.
    curves
        Dimer name -> the model's curve; tells where its minimum is and which charge and spin the
        model was given.
    progress
        Called with (structures done, structures in all).
    other
        The same model in another floating-point type, if it has one: then `PRECISION` is compared
        as well, energies relative to the largest distance.

    Returns
    -------
    dict
        Dimer name -> `Repeats`; for a model that takes spin, with the multiplicities next to the
        dimer's.
    """
    variants = _variants(evaluator.card.cutoff)
    plan: list[tuple[Dimer, float]] = []
    structures: list[Atoms] = []
    for dimer in dimers:
        given = curves[dimer.name].provenance.get("given", {})
        for r in distances(dimer, curves[dimer.name]):
            plan.append((dimer, float(r)))
            ways = [_unchanged, *(v.change for v in variants)]
            structures += [
                way(dimer.atoms(r, charge="charge" in given, spin="spin" in given)) for way in ways
            ]
    size = 1 + len(variants)
    total = len(structures) + len(plan)

    def report(done: int) -> None:
        if progress is not None:
            progress(done, total)

    per_dimer = len(_AT)
    together = evaluator.evaluate(
        structures,
        lambda done, _: report(done),
        parts=[size * per_dimer] * len(dimers),
    )
    alone = evaluator.evaluate(
        structures[::size],
        lambda done, _: report(len(structures) + done),
        parts=[per_dimer] * len(dimers),
        alone=True,
    )
    found: dict[str, list[tuple[float, float, float, dict[str, tuple[float, float]]]]] = {}
    with np.errstate(invalid="ignore"):  # what is infinite both times has no difference
        for i, (dimer, r) in enumerate(plan):
            base = i * size
            energy, force = together.energy[base], together.forces[base]
            off: dict[str, tuple[float, float]] = {
                "batch": (
                    abs(float(alone.energy[i] - energy)),
                    float(np.abs(alone.forces[i] - force).max()),
                )
            }
            for j, variant in enumerate(variants, start=1):
                back = (together.forces[base + j] @ variant.turn)[list(variant.order)]
                de = abs(float(together.energy[base + j] - energy))
                df = float(np.abs(back - force).max())
                was = off.get(variant.kind, (0.0, 0.0))
                off[variant.kind] = (float(np.maximum(was[0], de)), float(np.maximum(was[1], df)))
            found.setdefault(dimer.name, []).append(
                (r, float(energy), float(np.abs(force).max()), off)
            )
    spins = _spins(evaluator, plan, curves, found)
    precise = {} if other is None else _precision(other, plan, curves, structures[::size], found)
    return {
        name: Repeats(
            r=[row[0] for row in rows],
            energy=[row[1] for row in rows],
            force=[row[2] for row in rows],
            energy_change={k: [row[3][k][0] for row in rows] for k in KINDS}
            | precise.get(name, {}),
            force_change={k: [row[3][k][1] for row in rows] for k in KINDS},
            has_forces=together.has_forces,
            spin_change=spins.get(name, {}),
        )
        for name, rows in found.items()
    }


def _spins(
    evaluator: Evaluator,
    plan: Sequence[tuple[Dimer, float]],
    curves: dict[str, Curve],
    found: Mapping[str, Sequence[tuple[float, float, float, object]]],
) -> dict[str, dict[int, float]]:
    """Change of the energy at the minimum with the multiplicities next to the dimer's, eV."""
    asked = []
    for dimer, r in plan[1 :: len(_AT)]:
        given = curves[dimer.name].provenance.get("given", {})
        others = (dimer.multiplicity - 2, dimer.multiplicity + 2)
        asked += [
            (replace(dimer, multiplicity=m), dimer.name, r, "charge" in given)
            for m in others
            if "spin" in given and 0 < m <= dimer.electrons + 1
        ]
    if not asked:
        return {}
    structures = [dimer.atoms(r, charge=charge) for dimer, _, r, charge in asked]
    answer = evaluator.evaluate(structures, parts=[1] * len(structures))
    changes: dict[str, dict[int, float]] = {}
    for (dimer, name, _, _), energy in zip(asked, answer.energy, strict=True):
        with np.errstate(invalid="ignore"):
            changes.setdefault(name, {})[dimer.multiplicity] = float(energy - found[name][1][1])
    return changes


def _precision(
    other: Evaluator,
    plan: Sequence[tuple[Dimer, float]],
    curves: dict[str, Curve],
    plain: Sequence[Atoms],
    found: Mapping[str, Sequence[tuple[float, float, float, object]]],
) -> dict[str, dict[str, list[float]]]:
    """Change of E(r) − E(r_max) between the two floating-point types, eV, per dimer."""
    ends = {dimer.name: float(curves[dimer.name].r[-1]) for dimer, _ in plan}
    first = {dimer.name: atoms for (dimer, _), atoms in reversed([*zip(plan, plain, strict=True)])}
    far = []
    for name, r in ends.items():
        atoms = first[name].copy()
        atoms.positions[1, 2] = r
        far.append(atoms)
    parts = [len(_AT)] * (len(plain) // len(_AT)) + [1] * len(far)
    answer = other.evaluate([*plain, *far], parts=parts)
    limits = dict(zip(ends, answer.energy[len(plain) :], strict=True))
    changes: dict[str, dict[str, list[float]]] = {}
    rows = {name: iter(entries) for name, entries in found.items()}
    for (dimer, _), energy in zip(plan, answer.energy[: len(plain)], strict=True):
        here = next(rows[dimer.name])[1] - float(curves[dimer.name].energy[-1])
        there = float(energy - limits[dimer.name])
        changes.setdefault(dimer.name, {PRECISION: []})[PRECISION].append(abs(there - here))
    return changes
