"""The curves of a trained network: H2, bonds that its training set knows, and lone atoms.

Evaluated right after training, so that a result holds all that the outcomes need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.dimer import Dimer

if TYPE_CHECKING:
    from ase import Atoms

    from ase_probe.scaling.models.potential import Potential

__all__ = ["H2_RADII", "evaluate", "stretch"]

H2_RADII = np.unique(
    np.round(
        np.concatenate(
            [np.geomspace(0.1, 0.4, 40), np.linspace(0.4, 3.0, 261), np.linspace(3.0, 10.0, 71)]
        ),
        6,
    )
)
"""Å: 0.1 to 10, every 0.01 from 0.4 to 3."""

_BATCH = 100  # structures at once


def evaluate(potential: Potential) -> dict[str, dict[str, Any]]:
    """Return the curves by name, as in `RunResult.curves`."""
    from ase import Atoms

    from ase_probe.scaling.data.shots import controls

    h2 = Dimer.parse("H2")
    curves = {"H2": stretch(potential, H2_RADII, [h2.atoms(r) for r in H2_RADII])}
    for name, (radii, structures) in controls().items():
        curves[name] = stretch(potential, radii, structures)
    atoms = potential.forward([Atoms(symbol) for symbol in potential.elements])
    lone = dict(zip(potential.elements, atoms.energies.tolist(), strict=True))
    return {**curves, "atoms": lone}


def stretch(
    potential: Potential, radii: Sequence[float] | np.ndarray, structures: Sequence[Atoms]
) -> dict[str, Any]:
    """Evaluate a molecule along one coordinate.

    Parameters
    ----------
    radii
        (n,) Å, increasing.
    structures
        The molecule at each; its atoms move along straight lines, at the same speed all the way.

    Returns
    -------
    ``r`` (Å), ``energy`` (eV) and ``force`` (eV/Å), each (n,). The force is −dE/dr = Σ F·dx/dr.
    """
    radii = np.asarray(radii, dtype=float)
    parts = [
        potential.forward(structures[start : start + _BATCH])
        for start in range(0, len(structures), _BATCH)
    ]
    energies = np.concatenate([part.energies for part in parts])
    forces = np.concatenate([part.forces for part in parts if part.forces is not None])
    positions = np.array([atoms.positions for atoms in structures])
    velocity = np.gradient(positions, radii, axis=0)  # exact on straight lines
    along = np.einsum("nij,nij->n", forces.reshape(positions.shape), velocity)
    return {"r": radii.tolist(), "energy": energies.tolist(), "force": along.tolist()}
