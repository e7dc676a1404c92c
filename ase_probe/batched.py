"""What the adapters of batched models share: a single point is a batch of one.

A family writes one function, `BatchCalculator.forward`; the ASE calculator and the engine's batch
both go through it, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from ase_probe.graphs import sizes
from ase_probe.model import AdapterBase

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Batch", "BatchAdapter", "BatchCalculator", "is_crystal"]


@dataclass(frozen=True)
class Batch:
    """Answers for n structures of N atoms in all.

    Attributes
    ----------
    energies
        (n,), eV.
    forces
        (N, 3), eV/Å; `None` from a model that has none.
    stress
        (n, 6), eV/Å³, Voigt order xx, yy, zz, yz, xz, xy; `None` where not asked for.
    """

    energies: np.ndarray
    forces: np.ndarray | None
    stress: np.ndarray | None = None


class BatchCalculator(Calculator):
    """ASE calculator over a batch function.

    Properties: energy, free_energy (equal to energy) in eV, forces (eV/Å) and, for periodic
    structures with a cell of three vectors, stress (eV/Å³, Voigt order).

    Parameters
    ----------
    checkpoint
        Path of the weights that the user brought along.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012
    watched: ClassVar[tuple[str, ...]] = ()
    """Keys of ``atoms.info`` that the energy depends on; ASE does not watch them."""

    def __init__(self, checkpoint: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.implemented_properties = list(type(self).implemented_properties)
        self.checkpoint = checkpoint

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate one or more structures, which it must not change, in one pass."""
        raise NotImplementedError

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results`."""
        self.results = {}  # nothing stale is left if the model raises
        super().calculate(  # type: ignore[no-untyped-call]
            atoms, list(properties), list(system_changes)
        )
        assert self.atoms is not None
        crystal = "stress" in self.implemented_properties and is_crystal(self.atoms)
        answer = self.forward([self.atoms], stress=crystal)
        energy = float(answer.energies[0])
        self.results = {"energy": energy, "free_energy": energy}
        if answer.forces is not None:
            self.results["forces"] = answer.forces
        if answer.stress is not None:
            self.results["stress"] = answer.stress[0]

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """List what changed since the last call, what is `watched` included."""
        changes: list[str] = super().check_state(atoms, tol=tol)  # type: ignore[no-untyped-call]
        if self.atoms is not None:
            before, now = self.atoms.info, atoms.info
            changes += [key for key in self.watched if before.get(key) != now.get(key)]
        return changes


class BatchAdapter(AdapterBase):
    """A family whose calculators are `BatchCalculator`s."""

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, Sequence[np.ndarray | None]]:
        """One forward pass for all."""
        if not structures:
            return np.zeros(0), []
        answer = calculator.forward(structures)
        if answer.forces is None:
            return answer.energies, [None] * len(structures)
        ends = np.cumsum(sizes(structures)).tolist()
        parts = zip([0, *ends], ends, strict=False)
        return answer.energies, [answer.forces[start:end] for start, end in parts]


def is_crystal(atoms: Atoms) -> bool:
    """Has it a stress: periodic, with three cell vectors?"""
    return bool(
        atoms.cell.rank == 3 and atoms.pbc.any()
    )  # never numpy's bool: some vendors use `is`
