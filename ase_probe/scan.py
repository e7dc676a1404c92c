"""Dimers x `Evaluator` -> `Curve`s: one flat list of structures, evaluated in batches, split again.

Charge and spin are written into the structures only for models that take them (or may take them),
and never change along a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.curve import Curve
from ase_probe.dimer import Dimer, atom_multiplicity
from ase_probe.engine import Evaluator, Progress
from ase_probe.grids import grid

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["scan"]


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
        Dimer name -> `Curve`. ``provenance["charge_response_eV"]`` of a charged dimer is what its
        charge changes in the energy at one distance; 0 betrays a model that ignores charge.
    """
    card = evaluator.card
    given = {"charge": card.uses_charge is not False, "spin": card.uses_spin is not False}
    structures: list[Atoms] = []
    places: dict[Any, slice] = {}

    def put(key: Any, atoms: list[Atoms]) -> None:
        if key not in places:
            places[key] = slice(len(structures), len(structures) + len(atoms))
            structures.extend(atoms)

    radii = {dimer: grid(grid_name, dimer, card.cutoff) for dimer in dimers}
    for dimer, r in radii.items():
        put(dimer, [dimer.atoms(x, **given) for x in r])
        if dimer.charge:
            put((dimer, "neutral"), [_without_charge(dimer, _middle(dimer, r))])
        else:
            for symbol in dimer.symbols:
                put(symbol, [_atom(symbol, **given)])
    answer = evaluator.evaluate(structures, progress)

    curves = {}
    for dimer, r in radii.items():
        here = places[dimer]
        provenance: dict[str, Any] = {
            "model": card.name,
            "level": card.level_of_theory,
            "grid": grid_name if isinstance(grid_name, str) else "custom",
            "dtype": evaluator.environment["dtype"],
            "given": {key: value for key, value in _info(dimer).items() if given[key]},
        }
        atom_energies = None
        if dimer.charge:
            middle = here.start + int(np.searchsorted(r, _middle(dimer, r)))
            twin = places[dimer, "neutral"].start
            provenance["charge_response_eV"] = float(answer.energy[middle] - answer.energy[twin])
        else:
            lone = [places[symbol].start for symbol in dimer.symbols]
            atom_energies = answer.energy[lone]
            provenance["atom_failures"] = {
                symbol: answer.failures[i]
                for symbol, i in zip(dimer.symbols, lone, strict=True)
                if i in answer.failures
            }
        curves[dimer.name] = Curve(
            r=r,
            energy=answer.energy[here],
            forces=np.stack(answer.forces[here]),
            atom_energies=atom_energies,
            failures={
                i - here.start: message
                for i, message in answer.failures.items()
                if here.start <= i < here.stop
            },
            provenance=provenance,
        )
    return curves


def _info(dimer: Dimer) -> dict[str, int]:
    return {"charge": dimer.charge, "spin": dimer.multiplicity}


def _middle(dimer: Dimer, r: np.ndarray) -> float:
    """The grid point nearest to the sum of the covalent radii, Å."""
    return float(r[np.argmin(np.abs(r - dimer.covalent_sum))])


def _without_charge(dimer: Dimer, r: float) -> Atoms:
    return dimer.atoms(r, charge=False, spin=False)


def _atom(symbol: str, *, charge: bool, spin: bool) -> Atoms:
    from ase import Atoms

    atoms = Atoms(symbol, positions=[(0.0, 0.0, 0.0)])
    if charge:
        atoms.info["charge"] = 0
    if spin:
        atoms.info["spin"] = atom_multiplicity(symbol)
    return atoms
