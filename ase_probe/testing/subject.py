"""`Subject`: a model under contract, and the structures it is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.calculator import Probe
from ase_probe.engine import Evaluator
from ase_probe.model import ModelCard

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """A model under contract.

    Attributes
    ----------
    model
        Its registered name.
    options
        ``device``, ``dtype``, ``task``, ``checkpoint`` as for `Probe`.
    structures
        Moderate geometries of two atoms and more that the model must answer for; by default
        molecules and a crystal of the first elements the model knows.
    vendor
        Makes the vendor's own calculator to agree with.
    energy_tolerance, force_tolerance
        What rounding alone explains, eV and eV/Å.
    expected_failures
        Check -> why this model cannot keep it.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    structures: Sequence[Atoms] = ()
    vendor: Callable[[], BaseCalculator] | None = None
    energy_tolerance: float = 1e-4
    force_tolerance: float = 1e-3
    expected_failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its name in a list of tests."""
        given = [str(self.options[key]) for key in ("task", "dtype") if key in self.options]
        return "-".join([self.model, *given])

    @cached_property
    def probe(self) -> Probe:
        """The model, loaded once."""
        return Probe(self.model, **self.options)

    @property
    def evaluator(self) -> Evaluator:
        """The engine's view of it."""
        return self.probe.evaluator

    @property
    def card(self) -> ModelCard:
        """Its card."""
        return self.probe.card

    @cached_property
    def samples(self) -> list[Atoms]:
        """The structures to ask about, without calculators."""
        return [atoms.copy() for atoms in self.structures or _default_structures(self.card)]

    def answer(self, structures: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Energies and forces through the engine; a failure fails the check."""
        result = self.evaluator.evaluate(list(structures))
        assert not result.failures, f"the model failed: {result.failures}"
        return result.energy, result.forces

    def same(self, a: Any, b: Any) -> None:
        """Two answers agree within rounding."""
        np.testing.assert_allclose(a[0], b[0], rtol=0, atol=self.energy_tolerance)
        for left, right in zip(a[1], b[1], strict=True):
            np.testing.assert_allclose(left, right, rtol=0, atol=self.force_tolerance)


def _default_structures(card: ModelCard) -> list[Atoms]:
    from ase.build import bulk, molecule

    known = set(card.elements or ("H", "C", "N", "O", "Cu"))
    built = [molecule(name) for name in ("H2", "N2", "H2O", "CH4", "CO2", "NaCl", "LiF")]
    crystal = bulk("Cu", cubic=True) * (1, 1, 2)
    crystal.rattle(0.05, seed=1)
    found = [atoms for atoms in [*built, crystal] if set(atoms.symbols) <= known]
    for atoms in found:
        atoms.rattle(0.03, seed=2)
    assert found, "give Subject structures: the default ones hold no element this model knows"
    return found
