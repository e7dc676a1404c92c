"""`Evaluator`: a loaded model that answers for many structures at once.

Structures go to the model's native batch in chunks of bounded size. A batch that raises is halved
until the guilty structure is found; it becomes a failure of that structure alone. Non-finite
numbers are data and pass through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ase_probe.engine.guard import Raised, attempt
from ase_probe.model import ModelCard

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Evaluation", "Evaluator", "Progress"]

Progress = Callable[[int, int], None]
"""Called with (structures done, structures in all)."""


class Batched(Protocol):
    """What the engine needs of an `Adapter`."""

    batch_size: int

    def evaluate(
        self, calculator: BaseCalculator, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, Sequence[np.ndarray | None]]:
        """As `Adapter.evaluate`."""
        ...


@dataclass
class Evaluation:
    """Answers for n structures; NaN where there is none.

    Attributes
    ----------
    energy
        (n,), eV.
    forces
        n arrays (n_atoms, 3), eV/Å.
    failures
        Index of the structure -> what went wrong.
    has_forces
        Did the model offer forces for any structure?
    """

    energy: np.ndarray
    forces: list[np.ndarray]
    failures: dict[int, str] = field(default_factory=dict)
    has_forces: bool = False


@dataclass
class Evaluator:
    """A model, loaded and ready.

    Attributes
    ----------
    adapter, card, calculator
        The family, the completed card and the vendor's calculator.
    environment
        Versions, device, dtype and SHA-256 of the weights; JSON-able.
    """

    adapter: Batched
    card: ModelCard
    calculator: BaseCalculator
    environment: Mapping[str, Any]

    def evaluate(
        self,
        structures: Sequence[Atoms],
        progress: Progress | None = None,
        *,
        parts: Sequence[int] | None = None,
        alone: bool = False,
    ) -> Evaluation:
        """Evaluate all structures; never raises for what the model does.

        Parameters
        ----------
        structures
            Any mixture of sizes; a dimer counts as one unit of the adapter's batch size.
        progress
            Called after every batch.
        parts
            Lengths of the runs that belong together, in order; an evaluator that remembers its
            answers (`ase_probe.engine.cache`) finds them by run.
        alone
            Each structure in a batch of its own?
        """
        total = len(structures)
        result = Evaluation(
            energy=np.full(total, np.nan),
            forces=[np.full((len(atoms), 3), np.nan) for atoms in structures],
        )
        known: list[int] = []
        for index, atoms in enumerate(structures):
            unknown = self.unknown_elements(atoms)
            if unknown:
                result.failures[index] = f"the model does not know {', '.join(unknown)}"
            else:
                known.append(index)
        full = 1 if alone else 2 * self.adapter.batch_size  # atoms in one batch
        limit = full
        done = total - len(known)
        pending = _chunks(known, structures, limit)[::-1]
        while pending:
            chunk = pending.pop()
            if len(chunk) > 1 and sum(len(structures[i]) for i in chunk) > limit:
                pending += _chunks(chunk, structures, limit)[::-1]
                continue
            answer = self._batch([structures[i] for i in chunk])
            if isinstance(answer, Raised) and len(chunk) > 1:
                half = len(chunk) // 2
                if answer.out_of_memory:
                    limit = max(2, limit // 2)
                pending += [chunk[half:], chunk[:half]]
                continue
            if isinstance(answer, Raised) and answer.out_of_memory:
                limit = full  # one structure alone is too large: no reason for small batches
            for position, index in enumerate(chunk):
                if isinstance(answer, Raised):
                    result.failures[index] = answer.message
                else:
                    _store(result, index, answer[0][position], answer[1][position])
            done += len(chunk)
            if progress is not None:
                progress(done, total)
        return result

    def unknown_elements(self, atoms: Atoms) -> list[str]:
        """Return the elements of `atoms` that the card does not list, sorted."""
        if self.card.elements is None:
            return []
        return sorted(set(atoms.symbols) - set(self.card.elements))

    def _batch(self, batch: Sequence[Atoms]) -> _Answer | Raised:
        def call() -> _Answer:
            raw_energies, raw_forces = self.adapter.evaluate(self.calculator, batch)
            energies = np.asarray(raw_energies, dtype=float)
            forces = [None if f is None else np.asarray(f, dtype=float) for f in raw_forces]
            if energies.shape != (len(batch),) or len(forces) != len(batch):
                raise ValueError(
                    f"the model returned energies of shape {energies.shape} and {len(forces)} "
                    f"force arrays for {len(batch)} structure(s)"
                )
            return energies, forces

        return attempt(call)


_Answer = tuple[np.ndarray, list[np.ndarray | None]]


def _store(result: Evaluation, index: int, energy: float, forces: np.ndarray | None) -> None:
    """Keep the energy even where the forces cannot be used."""
    result.energy[index] = energy
    result.has_forces |= forces is not None
    if forces is None:
        return
    expected = result.forces[index].shape
    if forces.shape == expected:
        result.forces[index] = forces
    else:
        result.failures[index] = f"forces of shape {forces.shape}, expected {expected}"


def _chunks(indices: Sequence[int], structures: Sequence[Atoms], limit: int) -> list[list[int]]:
    """Split into runs of at most `limit` atoms; a larger structure gets a run of its own."""
    chunks: list[list[int]] = []
    size = limit
    for index in indices:
        atoms = len(structures[index])
        if size + atoms > limit:
            chunks.append([])
            size = 0
        chunks[-1].append(index)
        size += atoms
    return chunks
