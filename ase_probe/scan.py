"""Dimers x `Evaluator` -> `Curve`s: flat lists of structures, evaluated in batches, split again.

Charge and spin are written into the structures only for models that take them (or may take them),
and never change along a curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.curve import Curve
from ase_probe.dimer import Dimer, atom_multiplicity
from ase_probe.engine import Evaluation, Evaluator, Progress
from ase_probe.grids import grid

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["extend", "scan"]

_AT_ONCE = 4_000  # structures in memory


def scan(
    evaluator: Evaluator,
    dimers: Sequence[Dimer],
    grid_name: str | Sequence[float] = "standard",
    progress: Progress | None = None,
) -> dict[str, Curve]:
    """Evaluate every dimer on its grid, and the isolated atoms.

    Parameters
    ----------
    evaluator
        The loaded model.
    dimers
        Pairs the model can be asked for.
    grid_name
        One of `ase_probe.grids.GRIDS`, or distances in Å.
    progress
        Called with (structures done, structures in all).

    Returns
    -------
    dict
        Dimer name -> `Curve`. ``provenance["charge_response_eV"]`` of a charged dimer is the most
        that leaving out its charge (but not its spin) changes the energy at four distances; next to
        nothing betrays a model that ignores charge, `None` says that the model gave no answer.
    """
    given = _given(evaluator)
    radii = {dimer: grid(grid_name, dimer, evaluator.card.cutoff) for dimer in dimers}
    symbols = sorted({s for dimer in dimers if not dimer.charge for s in dimer.symbols})
    ions = sorted({ion for dimer in dimers for pair in _partitions(dimer) for ion in pair})
    if not given["charge"]:
        ions = []
    total = (
        len(symbols) + len(ions) + sum(len(r) + len(_twins(dimer, r)) for dimer, r in radii.items())
    )
    done = 0

    def report(part: int, _: int) -> None:
        if progress is not None:
            progress(done + part, total)

    report(0, 0)
    atoms = [_atom(symbol, 0, **given) for symbol in symbols]
    atoms += [_atom(symbol, charge, **given) for symbol, charge in ions]
    lone = evaluator.evaluate(atoms, report, parts=[1] * len(atoms))
    done += len(atoms)
    curves = {}
    for group in _groups(radii):
        places, structures = _structures(group, radii, given)
        runs = [place.stop - place.start for place in places.values()]
        answer = evaluator.evaluate(structures, report, parts=runs)
        done += len(structures)
        for dimer in group:
            provenance = {
                "model": evaluator.card.name,
                "level": evaluator.card.level_of_theory,
                "grid": grid_name if isinstance(grid_name, str) else "custom",
                "dtype": evaluator.environment["dtype"],
                "lone_atoms": evaluator.card.lone_atoms,
                "given": {key: value for key, value in _info(dimer).items() if given[key]},
            }
            curves[dimer.name] = _curve(dimer, radii[dimer], places, answer, provenance)
    energies = dict(zip(symbols, lone.energy[: len(symbols)], strict=True))
    charged = dict(zip(ions, lone.energy[len(symbols) :], strict=True))
    failures = {symbols[i]: message for i, message in lone.failures.items() if i < len(symbols)}
    return {
        name: _with_ions(curve, dimer, charged)
        if dimer.charge
        else _with_atoms(curve, dimer, energies, failures)
        for (name, curve), dimer in zip(curves.items(), radii, strict=True)
    }


def extend(
    evaluator: Evaluator,
    dimers: Sequence[Dimer],
    curves: Mapping[str, Curve],
    radii: Mapping[Dimer, np.ndarray],
    progress: Progress | None = None,
) -> dict[str, Curve]:
    """Evaluate further distances and return the curves with them.

    Parameters
    ----------
    evaluator
        The loaded model.
    dimers
        Those of `curves`, in order.
    curves
        Dimer name -> the curve so far.
    radii
        Dimer -> further distances (n,), Å, none of them in its curve; dimers without any are kept.
    progress
        Called with (structures done, structures in all).

    Returns
    -------
    dict
        Dimer name -> curve; ``provenance["refined"]`` counts the points added.
    """
    given = _given(evaluator)
    wanted = {dimer: r for dimer, r in radii.items() if len(r)}
    total, done = sum(map(len, wanted.values())), 0
    found = dict(curves)
    for group in _groups(wanted):
        structures = [dimer.atoms(x, **given) for dimer in group for x in wanted[dimer]]
        before = done

        def report(part: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + part, total)

        answer = evaluator.evaluate(structures, report, parts=[len(wanted[d]) for d in group])
        done += len(structures)
        start = 0
        for dimer in group:
            here = slice(start, start + len(wanted[dimer]))
            start = here.stop
            found[dimer.name] = found[dimer.name].extended(_part(wanted[dimer], answer, here))
    return {dimer.name: found[dimer.name] for dimer in dimers}


def _part(
    r: np.ndarray,
    answer: Evaluation,
    here: slice,
    provenance: Mapping[str, Any] | None = None,
) -> Curve:
    """The curve of a part of the answers."""
    return Curve(
        r=r,
        energy=answer.energy[here],
        forces=np.stack(answer.forces[here]) if answer.has_forces else None,
        failures={
            i - here.start: message
            for i, message in answer.failures.items()
            if here.start <= i < here.stop
        },
        provenance=provenance or {},
    )


def _given(evaluator: Evaluator) -> dict[str, bool]:
    """Which of charge and spin the model is told."""
    return {
        "charge": evaluator.card.uses_charge is not False,
        "spin": evaluator.card.uses_spin is not False,
    }


def _groups(radii: Mapping[Dimer, np.ndarray]) -> Iterator[list[Dimer]]:
    """Dimers in groups of about `_AT_ONCE` structures: memory does not grow with the suite."""
    group: list[Dimer] = []
    size = 0
    for dimer, r in radii.items():
        group.append(dimer)
        size += len(r)
        if size >= _AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group


def _structures(
    group: Sequence[Dimer], radii: Mapping[Dimer, np.ndarray], given: Mapping[str, bool]
) -> tuple[dict[tuple[Dimer, str], slice], list[Atoms]]:
    """One flat list of structures, and where each dimer's curve and neutral twins stand in it."""
    structures: list[Atoms] = []
    places: dict[tuple[Dimer, str], slice] = {}
    for dimer in group:
        for kind, part in (
            ("curve", [dimer.atoms(x, **given) for x in radii[dimer]]),
            (
                "twins",
                [
                    dimer.atoms(x, charge=False, spin=given["spin"])
                    for x in _twins(dimer, radii[dimer])
                ],
            ),
        ):
            places[dimer, kind] = slice(len(structures), len(structures) + len(part))
            structures += part
    return places, structures


def _curve(
    dimer: Dimer,
    r: np.ndarray,
    places: Mapping[tuple[Dimer, str], slice],
    answer: Evaluation,
    provenance: dict[str, Any],
) -> Curve:
    here, twins = places[dimer, "curve"], places[dimer, "twins"]
    if dimer.charge:
        at = here.start + np.searchsorted(r, _twins(dimer, r))
        response = np.abs(answer.energy[at] - answer.energy[twins])
        finite = response[np.isfinite(response)]
        provenance["charge_response_eV"] = float(finite.max()) if finite.size else None
    return _part(r, answer, here, provenance)


def _partitions(dimer: Dimer) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """Ways to divide the charge of a dimer between its atoms: pairs of (symbol, charge)."""
    if not dimer.charge or not dimer.electrons:
        return []
    low, high = min(0, dimer.charge), max(0, dimer.charge)
    first, second = dimer.symbols
    return [
        ((first, q), (second, dimer.charge - q))
        for q in range(low, high + 1)
        if q <= dimer.numbers[0] and dimer.charge - q <= dimer.numbers[1]
    ]


def _with_ions(curve: Curve, dimer: Dimer, energies: Mapping[tuple[str, int], float]) -> Curve:
    """Add the energies of the fragments for every partition of the charge; NaN where refused."""
    partitions = [
        {
            "charges": [first[1], second[1]],
            "energy": float(energies[first] + energies[second]),
        }
        for first, second in _partitions(dimer)
        if first in energies and second in energies
    ]
    return replace(curve, provenance={**curve.provenance, "partitions": partitions})


def _with_atoms(
    curve: Curve, dimer: Dimer, energies: Mapping[str, float], failures: Mapping[str, str]
) -> Curve:
    failed = {symbol: failures[symbol] for symbol in dimer.symbols if symbol in failures}
    return replace(
        curve,
        atom_energies=np.array([energies[symbol] for symbol in dimer.symbols]),
        provenance={**curve.provenance, "atom_failures": failed},
    )


def _info(dimer: Dimer) -> dict[str, int]:
    return {"charge": dimer.charge, "spin": dimer.multiplicity}


def _twins(dimer: Dimer, r: np.ndarray) -> np.ndarray:
    """Distances at which a charged dimer is evaluated without its charge as well, Å."""
    if not dimer.charge:
        return np.empty(0)
    wanted = dimer.covalent_sum * np.array([0.8, 1.0, 1.5, 2.0])
    return np.unique([r[np.argmin(np.abs(r - x))] for x in wanted])


def _atom(symbol: str, q: int, *, charge: bool, spin: bool) -> Atoms:
    """One atom or ion, with the multiplicity of the neutral atom of as many electrons."""
    from ase import Atoms
    from ase.data import atomic_numbers, chemical_symbols

    atoms = Atoms(symbol, positions=[(0.0, 0.0, 0.0)])
    if charge:
        atoms.info["charge"] = q
    if spin:
        electrons = atomic_numbers[symbol] - q
        like = chemical_symbols[electrons]
        atoms.info["spin"] = atom_multiplicity(like) if electrons else 1
    return atoms
