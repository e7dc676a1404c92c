"""`Evaluator`: a loaded model that answers for many structures at once.

Structures go to the model's native batch in chunks of bounded size, the small ones first. A batch
that raises is halved until the guilty structure is found; it becomes a failure of that structure
alone. Non-finite numbers are data and pass through.

On a CPU an adapter's batch size is its fastest, and memory hardly matters. A GPU wants larger
batches: they grow until its memory is full or they are `_GROWTH` times as large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase.data import atomic_numbers

from ase_probe.engine.guard import Raised, attempt
from ase_probe.graphs import sizes
from ase_probe.model import ModelCard

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Evaluation", "Evaluator", "Progress"]

_GROWTH = 32

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
    _limit: int | None = field(default=None, init=False, repr=False)
    _grows: bool = field(default=True, init=False, repr=False)

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
        counts = sizes(structures)
        result = _empty(counts)
        known = self._known(structures, result)
        done = total - len(known)
        # Alike ones together: some networks pad every structure to the largest of its batch.
        todo = [known[place] for place in np.argsort(counts[known], kind="stable")][::-1]
        halves: list[list[int]] = []  # of batches that raised
        full = 2 * self.adapter.batch_size  # atoms in one batch
        limit = 1 if alone else self._limit or full
        while todo or halves:
            chunk = halves.pop() if halves else _take(todo, counts, limit)
            if len(chunk) > 1 and counts[chunk].sum() > limit:
                todo += chunk[::-1]
                continue
            answer = self._batch([structures[index] for index in chunk])
            if isinstance(answer, Raised) and len(chunk) > 1:
                if answer.out_of_memory:
                    limit, self._grows = max(2, limit // 2), False
                half = len(chunk) // 2
                halves += [chunk[half:], chunk[:half]]
                continue
            if isinstance(answer, Raised):
                result.failures[chunk[0]] = answer.message
                if answer.out_of_memory:
                    limit = full  # one structure alone is too large: no reason for small batches
            else:
                for index, energy, forces in zip(chunk, *answer, strict=True):
                    _store(result, index, energy, forces)
                if todo and not (halves or alone) and self._on_gpu and self._grows:
                    limit, self._grows = 2 * limit, 2 * limit < _GROWTH * full
            done += len(chunk)
            if progress is not None:
                progress(done, total)
        if not alone:
            self._limit = limit
        return result

    @property
    def _on_gpu(self) -> bool:
        return str(self.environment.get("device", "")).startswith("cuda")

    def _known(self, structures: Sequence[Atoms], result: Evaluation) -> list[int]:
        """Indices of the structures that the model knows the elements of; the others fail."""
        if self.card.elements is not None and structures:
            numbers = np.concatenate([atoms.numbers for atoms in structures])
            every = [atomic_numbers[symbol] for symbol in self.card.elements]
            if not np.isin(numbers, every).all():
                for index, atoms in enumerate(structures):
                    if unknown := self.unknown_elements(atoms):
                        result.failures[index] = f"the model does not know {', '.join(unknown)}"
        return [index for index in range(len(structures)) if index not in result.failures]

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


def _empty(counts: np.ndarray) -> Evaluation:
    """No answers for structures of so many atoms."""
    ends = np.cumsum(counts).tolist()
    forces = np.full((counts.sum(), 3), np.nan)
    parts = zip([0, *ends], ends, strict=False)
    return Evaluation(np.full(len(counts), np.nan), [forces[start:end] for start, end in parts])


def _take(todo: list[int], counts: np.ndarray, limit: int) -> list[int]:
    """Take structures off the end of `todo`, of at most `limit` atoms, but one at least."""
    chunk = [todo.pop()]
    size = int(counts[chunk[0]])
    while todo and size + counts[todo[-1]] <= limit:
        size += int(counts[todo[-1]])
        chunk.append(todo.pop())
    return chunk
