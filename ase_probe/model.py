"""What a model is (`ModelCard`) and what a family of models must offer (`Adapter`).

The contract of an adapter: data (`cards`), a loader (`load`) and a batch function (`evaluate`).
It holds no physics, never changes the structures it is given, and imports its vendor only inside
`load` and `evaluate`, so that listing models costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ase_probe.errors import ModelLoadError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["Adapter", "AdapterBase", "CalculatorAdapter", "Environment", "ModelCard"]


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Facts about one checkpoint. `None` means "not stated by the vendor", never "no".

    Attributes
    ----------
    name
        The name users type, such as ``7net-0``.
    family
        Name of the adapter that loads it.
    checkpoint
        The vendor's own name for it, or a path.
    aliases
        Other names that mean the same checkpoint.
    level_of_theory
        Functional and basis or pseudopotential set of the training labels.
    training_data
        Name of the training set.
    elements
        Chemical symbols the model knows.
    uses_charge, uses_spin
        Does the energy depend on the total charge, on the spin multiplicity?
    cutoff
        Radius of the local environment, Å.
    conservative
        Are forces the gradient of the energy by construction?
    needs_cell
        Does the vendor's calculator refuse structures without a cell?
    energy_reference
        Zero of energy: ``total``, ``cohesive`` or ``atomization``.
    parameters
        Number of trainable parameters.
    licence, gated, source, sha256, doi
        Licence of the weights, whether access must be asked for, where they come from, their
        SHA-256, the DOI of the paper.
    tasks
        Tasks, heads or modals to choose from; empty when the model has none.
    dtypes
        Floating-point types it can run in, the vendor's default first (of a local checkpoint: the
        one it is loaded in unless asked otherwise).
    lone_atoms
        What an isolated atom gets: ``model`` (the network's own value), ``table`` (energies stored
        beside it, so that a dissociation limit built on them says nothing about the network) or
        ``refused``.
    local
        Is `checkpoint` a file the user named (``mace:my.model``)?
    """

    name: str
    family: str
    checkpoint: str = ""
    aliases: tuple[str, ...] = ()
    level_of_theory: str | None = None
    training_data: str | None = None
    elements: tuple[str, ...] | None = None
    uses_charge: bool | None = None
    uses_spin: bool | None = None
    cutoff: float | None = None
    conservative: bool | None = None
    needs_cell: bool = False
    energy_reference: str | None = None
    parameters: int | None = None
    licence: str | None = None
    gated: bool = False
    source: str | None = None
    sha256: str | None = None
    doi: str | None = None
    tasks: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    lone_atoms: str | None = None
    local: bool = False

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> ModelCard:
        """Rebuild a card from what JSON made of ``dataclasses.asdict``: it knows no tuples."""
        known: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()
        }
        return cls(**known)

    def of_unknown_training(self, path: str) -> ModelCard:
        """Return the card for weights that the user brought along: nothing is known of them."""
        return replace(
            self,
            level_of_theory=None,
            training_data=None,
            licence=None,
            sha256=None,
            doi=None,
            source=path,
        )


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where a family can run.

    Attributes
    ----------
    extra
        The extra of ``ase-probe`` that installs it; `None` when nothing is needed.
    modules
        Top-level vendor modules whose presence means "installed here".
    distributions
        Distributions whose versions belong into an audit.
    exclude
        Distributions that the vendor asks for, does not need, and that break it.
    python
        Version of Python it needs (``3.12``), when the running one will not do.
    """

    extra: str | None = None
    modules: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    python: str | None = None


@runtime_checkable
class Adapter(Protocol):
    """One model family. `AdapterBase` supplies every default but `family`, `cards` and `load`."""

    family: str
    cards: tuple[ModelCard, ...]
    environment: Environment
    devices: tuple[str, ...]
    batch_size: int
    unpickles: bool
    weightless: bool

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> BaseCalculator:
        """Load the model; `device` is concrete (``cpu``, ``cuda``, ``cuda:1``), never ``auto``."""
        ...

    def describe(self, card: ModelCard, calculator: BaseCalculator) -> ModelCard:
        """Complete the card with what only the loaded model knows (cutoff, elements)."""
        ...

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Path of the weights, so that an audit can carry their SHA-256."""
        ...

    def evaluate(
        self, calculator: BaseCalculator, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, Sequence[np.ndarray | None]]:
        """Return energies (n,) in eV and per structure forces (n_atoms, 3) in eV/Å.

        `None` stands for the forces of a model that has none. May raise for the whole batch: the
        engine finds the guilty structure.
        """
        ...


class AdapterBase:
    """Defaults for an `Adapter`: runs on the CPU, evaluates one structure at a time."""

    family: str
    cards: tuple[ModelCard, ...] = ()
    environment: Environment = Environment()
    devices: tuple[str, ...] = ("cpu",)
    batch_size: int = 1
    """Structures of two atoms per native batch; 1 where the vendor has no batch."""
    unpickles: bool = False
    """Does loading a checkpoint run code that the file may hold (Python's pickle)?"""
    weightless: bool = False
    """Is there nothing to load but the code itself?"""

    def describe(self, card: ModelCard, calculator: BaseCalculator) -> ModelCard:
        """Return the card as it is."""
        return card

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return the checkpoint given, if any."""
        return checkpoint

    def evaluate(
        self, calculator: BaseCalculator, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, Sequence[np.ndarray | None]]:
        """Evaluate one by one, each on a copy and without the calculator's cache.

        ASE's cache does not watch ``atoms.info``, so a changed charge would give a stale energy.
        """
        energies: list[float] = []
        forces: list[np.ndarray | None] = []
        has_forces = "forces" in getattr(calculator, "implemented_properties", ("forces",))
        for structure in structures:
            atoms = structure.copy()
            if hasattr(calculator, "reset"):
                calculator.reset()
            energies.append(np.asarray(calculator.get_property("energy", atoms)).item())
            force = calculator.get_property("forces", atoms) if has_forces else None
            forces.append(None if force is None else np.asarray(force))
        return np.asarray(energies, dtype=float), forces


class CalculatorAdapter(AdapterBase):
    """Any ASE calculator, or a factory of one, as a family of its own.

    Parameters
    ----------
    factory
        Called without arguments; returns an ASE calculator.
    """

    family = "ase"
    devices: tuple[str, ...] = ()  # its own business: chosen where the calculator is built

    def __init__(self, factory: Callable[[], BaseCalculator]) -> None:
        self.factory = factory

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> BaseCalculator:
        """Call the factory; device, dtype and task are the factory's own business."""
        calculator = self.factory()
        if not callable(getattr(calculator, "get_property", None)):
            raise ModelLoadError(
                f"The factory of {card.name} returned {type(calculator).__name__}, "
                "which is not an ASE calculator."
            )
        return calculator
