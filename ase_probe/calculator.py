"""`Probe`: one ASE calculator over any model, with one meaning of charge, spin, units and errors.

The contract: the caller's `Atoms` and ``atoms.info`` are never changed; a changed charge or spin
never gives a stale energy; what the model cannot honour raises; NaN and infinity raise.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from ase_probe.engine import Evaluator, open_model
from ase_probe.errors import (
    EvaluationError,
    InputError,
    UnsupportedElementError,
    UnsupportedOptionError,
)
from ase_probe.model import Adapter, ModelCard
from ase_probe.registry import origin, resolve, wrap

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

    from ase_probe.curve import Audit

__all__ = ["Probe"]

_INFO_KEYS = ("charge", "spin")


class Probe(Calculator):
    """An ASE calculator over any interatomic potential.

    Parameters
    ----------
    model
        A registered name (``ase-probe models`` lists them), ``family:path/to/checkpoint``,
        ``package.module:factory``, ``path/file.py:factory``, or an ASE calculator.
    device
        ``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    dtype
        ``float32`` or ``float64``; the vendor's default when `None`.
    task
        Task, head or modal for models that have several.
    checkpoint
        Path of other weights for the named architecture.
    trust_checkpoint
        Load `checkpoint` even if that can run code it holds (a Python pickle).
    charge, spin
        Total charge (e) and spin multiplicity for structures whose ``atoms.info`` states none;
        ``atoms.info["charge"]`` and ``["spin"]`` come first. A model that takes a spin and is told
        none gets the lowest multiplicity that the number of electrons allows.
    on_unsupported
        ``raise`` or ``ignore`` a charge or spin that the model does not take.
    isolate
        Run the model in a process of its own: with this Python if its package is installed here,
        else in an environment that is built once (see ``ase-probe env``). Or the path of a Python
        that has the package.
    timeout
        Seconds that an isolated model may take for one call; 600 when `None`.

    Attributes
    ----------
    card
        The model's `ModelCard`.

    Raises
    ------
    UnknownModelError, ModelNotInstalledError, ModelLoadError
        The model cannot be had.
    DeviceError, UnsupportedOptionError, UntrustedCheckpointError
        An option cannot be honoured.
    WorkerError
        The isolated model's process died or hung; the next call starts another.

    Notes
    -----
    ``energy`` (eV), ``free_energy`` (equal to ``energy`` unless the model tells them apart),
    ``forces`` (eV/Å) and, for periodic structures where the model has it, ``stress`` (eV/Å³,
    Voigt order xx, yy, zz, yz, xz, xy). `calculate` raises `EvaluationError` for a NaN, an
    infinity or a wrong shape, `UnsupportedElementError` for an element the model does not know,
    and `UnsupportedOptionError` for a charge or spin it would ignore. An isolated model sees
    numbers, positions, cell, periodicity, charge and spin of a structure, nothing else.

    Examples
    --------
    >>> from ase import Atoms
    >>> from ase_probe import Probe
    >>> h2 = Atoms("H2", positions=[(0, 0, 0), (0, 0, 0.7414)], calculator=Probe("morse"))
    >>> round(h2.get_potential_energy(), 2)
    -4.75
    """

    default_parameters: dict[str, Any] = {}  # noqa: RUF012  ASE's own attribute

    def __init__(
        self,
        model: str | BaseCalculator,
        *,
        device: str = "auto",
        dtype: str | None = None,
        task: str | None = None,
        checkpoint: str | None = None,
        trust_checkpoint: bool = False,
        charge: int | None = None,
        spin: int | None = None,
        on_unsupported: Literal["raise", "ignore"] = "raise",
        isolate: bool | str | os.PathLike[str] = False,
        timeout: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if isinstance(model, Probe):
            raise InputError("This is a Probe already; use it as it is.")
        isolate = _checked(isolate)
        named = isinstance(model, str)
        adapter, card = resolve(model, elsewhere=bool(isolate)) if named else wrap(model)  # type: ignore[arg-type]
        self._model: str | BaseCalculator = model
        self._options: dict[str, Any] = {
            "device": device,
            "dtype": dtype,
            "task": task,
            "checkpoint": checkpoint,
            "trust_checkpoint": trust_checkpoint,
        }
        if on_unsupported not in ("raise", "ignore"):
            raise InputError(f"on_unsupported must be raise or ignore, got {on_unsupported!r}.")
        if timeout is not None and not (isolate and timeout > 0):
            raise InputError("timeout is a positive number of seconds, for isolate=True only.")
        self._isolation = {"isolate": isolate, "timeout": timeout}
        self._on_unsupported = on_unsupported
        self._defaults = {"charge": charge, "spin": spin}
        self.evaluator: Evaluator = (
            _isolated(adapter, card, isolate, timeout, self._options)
            if isolate
            else open_model(adapter, card, **self._options)
        )
        vendor = self.evaluator.calculator
        offered = getattr(vendor, "implemented_properties", ())
        self.implemented_properties = ["energy", "free_energy"]
        self.implemented_properties += [name for name in ("forces", "stress") if name in offered]
        self._state_of(self._defaults)

    @property
    def card(self) -> ModelCard:
        """Facts about the model."""
        return self.evaluator.card

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate one structure (ASE calls this)."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        if self.atoms is None:
            raise EvaluationError("Probe.calculate was called without atoms.")
        copy = self.atoms.copy()
        unknown = self.evaluator.unknown_elements(copy)
        if unknown:
            raise UnsupportedElementError(
                f"{self.card.name} does not know {', '.join(unknown)}; it knows: "
                f"{' '.join(self.card.elements or ())}."
            )
        state = self._state_of(copy.info, copy)
        copy.info.update({key: value for key, value in state.items() if value is not None})
        vendor = self.evaluator.calculator
        if hasattr(vendor, "reset"):
            vendor.reset()  # its cache does not watch atoms.info, and others may have used it
        self.results = self._collect(vendor, copy, properties or ["energy"])

    def _collect(self, vendor: Any, atoms: Atoms, properties: list[str]) -> dict[str, Any]:
        periodic = atoms.cell.rank == 3 and bool(atoms.pbc.any())
        if "stress" in properties and not periodic:
            raise PropertyNotImplementedError(
                "Stress needs a periodic structure with a three-dimensional cell."
            )
        asked = {"energy" if name == "free_energy" else name for name in properties}
        results = {name: vendor.get_property(name, atoms) for name in asked}
        # What the vendor computed on the way need not be computed again.
        for name in ("energy", "free_energy", "forces", *(["stress"] if periodic else ())):
            value = getattr(vendor, "results", {}).get(name)
            if value is not None and (name in self.implemented_properties):
                results.setdefault(name, value)
        if "energy" in results:
            results["energy"] = np.asarray(results["energy"], dtype=float).item()
            results["free_energy"] = np.asarray(
                results.get("free_energy", results["energy"]), dtype=float
            ).item()
        for name, shape in (("forces", (len(atoms), 3)), ("stress", (6,))):
            if name in results:
                results[name] = np.array(results[name], dtype=float)
                if name == "stress" and results[name].shape == (3, 3):
                    results[name] = results[name].flat[[0, 4, 8, 5, 2, 1]]
                if results[name].shape != shape:
                    raise EvaluationError(
                        f"{self.card.name} returned {name} of shape {results[name].shape}, "
                        f"expected {shape}."
                    )
        for name, value in results.items():
            if not np.all(np.isfinite(value)):
                raise EvaluationError(
                    f"{self.card.name} returned a non-finite {name} for {atoms.symbols} "
                    f"(shortest distance {_shortest(atoms)} Å). The structure is outside what the "
                    "model can describe; `ase-probe audit` shows where that begins."
                )
        return results

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """List what changed since the last call, charge and spin included."""
        changes: list[str] = super().check_state(atoms, tol=tol)  # type: ignore[no-untyped-call]
        if self.atoms is not None:
            changes += [
                key for key in _INFO_KEYS if self.atoms.info.get(key) != atoms.info.get(key)
            ]
        return changes

    def _state_of(
        self, info: Mapping[str, Any], atoms: Atoms | None = None
    ) -> dict[str, int | None]:
        """Charge and spin to use; raises where the model would ignore them, or where they clash.

        A model that takes a spin gets one: the lowest that the electrons allow unless stated, since
        vendors' own defaults differ (some call every radical a singlet).
        """
        state: dict[str, int | None] = {}
        for key, neutral, used in (
            ("charge", 0, self.card.uses_charge),
            ("spin", 1, self.card.uses_spin),
        ):
            value = info.get(key)
            value = self._defaults[key] if value is None else value
            if value is not None and not _is_whole(value, least=1 if key == "spin" else None):
                kind = "a multiplicity (2S + 1)" if key == "spin" else "an integer (e)"
                raise UnsupportedOptionError(f"{key} must be {kind}, got {value!r}.")
            ignored = used is False and value not in (None, neutral)
            if ignored and self._on_unsupported == "raise":
                raise UnsupportedOptionError(
                    f"{self.card.name} does not take a {key}: it would give the same answer for "
                    f"{key} {value} as for {key} {neutral}. Remove atoms.info[{key!r}] (or "
                    f"{key}=) or say on_unsupported='ignore' if that is what you want, or use a "
                    "model that takes it."
                )
            state[key] = None if value is None or used is False else int(value)
        if atoms is not None and self.card.uses_spin:
            charge, spin = state["charge"] or 0, state["spin"]
            electrons = int(atoms.numbers.sum()) - charge
            lowest = 1 + electrons % 2
            if spin is not None and (spin - lowest) % 2:
                raise UnsupportedOptionError(
                    f"{atoms.symbols} with charge {charge} has {electrons} electrons: its "
                    f"multiplicity is {lowest}, {lowest + 2} or more by twos, not {spin}."
                )
            state["spin"] = lowest if spin is None else spin
        return state

    def todict(self, skip_default: bool = True) -> dict[str, Any]:
        """Return what a result must carry to be reproduced; JSON-able, nothing is skipped."""
        environment = self.evaluator.environment
        return {
            "model": self.card.name,
            "family": self.card.family,
            "checkpoint_sha256": (environment["weights"] or {}).get("sha256"),
            "versions": dict(environment["versions"]),
            "device": environment["device"],
            "dtype": environment["dtype"],
            "task": environment["task"],
            **self._defaults,
            "on_unsupported": self._on_unsupported,
        }

    def audit(self, **options: Any) -> Audit:
        """Audit this very object; options as for `ase_probe.audit`."""
        from ase_probe.auditing import audit

        return audit(self, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        options = {**self._options, **self._defaults, **self._isolation}
        options["on_unsupported"] = self._on_unsupported
        if not isinstance(self._model, str):
            try:
                pickle.dumps(self._model)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise pickle.PicklingError(
                    f"This Probe wraps a {self.card.name} calculator that cannot be pickled "
                    f"({error}). Give Probe a registered name or a package.module:factory instead."
                ) from error
        return _rebuild, (self._model, options)

    def __repr__(self) -> str:
        environment = self.evaluator.environment
        device, dtype = environment["device"], environment["dtype"]
        return f"Probe({self.card.name!r}, device={device!r}, dtype={dtype!r})"


def _checked(isolate: Any) -> bool | str:
    if isinstance(isolate, bool):
        return isolate
    python = os.fspath(isolate) if isinstance(isolate, (str, os.PathLike)) else ""
    if not python:
        raise InputError(f"isolate must be True, False or the path of a Python, got {isolate!r}.")
    return str(python)


def _isolated(
    adapter: Adapter,
    card: ModelCard,
    isolate: bool | str,
    timeout: float | None,
    options: dict[str, Any],
) -> Evaluator:
    if os.name == "nt":
        raise UnsupportedOptionError("isolate is not supported on Windows; use WSL.")
    from ase_probe.engine.environments import interpreter
    from ase_probe.engine.isolated import open_isolated

    target, distribution = origin(adapter, card)
    place, _, attribute = target.rpartition(":")
    if place.endswith(".py"):  # a worker that is started again must find the same files
        target = f"{os.path.abspath(place)}:{attribute}"
    if card.local:
        card = replace(card, checkpoint=os.path.abspath(card.checkpoint))
    if options["checkpoint"] is not None:
        options = {**options, "checkpoint": os.path.abspath(options["checkpoint"])}
    python = isolate if isinstance(isolate, str) else interpreter(adapter, distribution)
    return open_isolated(adapter, card, target, interpreter=python, timeout=timeout, **options)


def _rebuild(model: Any, options: dict[str, Any]) -> Probe:
    return Probe(model, **options)


def _is_whole(value: Any, least: int | None) -> bool:
    number = isinstance(value, (int, float, np.number)) and float(value).is_integer()
    return number and (least is None or value >= least)


def _shortest(atoms: Atoms) -> str:
    if len(atoms) < 2:
        return "–"
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    return f"{distances[np.triu_indices(len(atoms), 1)].min():.3f}"
