"""What is measured and what is found: `Curve`, `Constants`, `Finding`, `Audit`. Data only.

Models and baselines produce the same `Curve`. Values are kept as they came: never clipped, dropped
or replaced, so NaN and infinity are data. Arrays are read-only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.errors import InputError
from ase_probe.model import ModelCard

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["STATUSES", "Audit", "Constants", "Curve", "Finding", "Repeats", "labels_of"]

STATUSES = (
    "pass",
    "warn",
    "fail",
    "inherited",
    "out-of-domain",
    "trivial",
    "unresolved",
    "not-run",
)
"""Every status a `Finding` can have.

``inherited``: the labels are wrong in the same way. ``out-of-domain``: the model does not claim
this. ``trivial``: true by construction. ``unresolved``: the data cannot decide. ``not-run``: there
was nothing to judge by. Only ``pass``, ``warn`` and ``fail`` are verdicts on the model.
"""


def _readonly(values: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = np.array(values, dtype=float)
    if array.shape != shape:
        raise InputError(f"Curve.{name} has shape {array.shape}, expected {shape}.")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Curve:
    """Energy and forces of one dimer along its distance.

    Attributes
    ----------
    r
        Distances (n,), Å, strictly increasing and positive.
    energy
        Energies (n,), eV, on the model's own zero.
    forces
        Forces (n, 2, 3), eV/Å, or `None`. The first atom sits at the origin, the second at +r
        along z, so the axial force is ``forces[:, 1, 2]``, positive when repulsive.
    atom_energies
        Energies (2,) of the two isolated atoms, eV; NaN where the model refused; `None` where
        there are none (a charged dimer has no unique fragments).
    failures
        Index into `r` -> what went wrong at that point.
    provenance
        Where the numbers come from; JSON-able.
    """

    r: np.ndarray
    energy: np.ndarray
    forces: np.ndarray | None = None
    atom_energies: np.ndarray | None = None
    failures: Mapping[int, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = np.size(self.r)
        put = object.__setattr__
        put(self, "r", _readonly(self.r, "r", (n,)))
        if not np.all(np.isfinite(self.r)) or np.any(self.r <= 0) or np.any(np.diff(self.r) <= 0):
            raise InputError("Curve.r must be finite, positive and strictly increasing.")
        put(self, "energy", _readonly(self.energy, "energy", (n,)))
        if self.forces is not None:
            put(self, "forces", _readonly(self.forces, "forces", (n, 2, 3)))
        if self.atom_energies is not None:
            put(self, "atom_energies", _readonly(self.atom_energies, "atom_energies", (2,)))
        if any(not 0 <= index < n for index in self.failures):
            raise InputError(f"Curve.failures names points outside 0…{n - 1}.")
        put(self, "failures", MappingProxyType(dict(self.failures)))
        put(self, "provenance", MappingProxyType(dict(self.provenance)))

    @property
    def axial_force(self) -> np.ndarray | None:
        """Force on the second atom along the bond (n,), eV/Å, positive when repulsive."""
        return None if self.forces is None else self.forces[:, 1, 2]

    @property
    def atom_limit(self) -> float | None:
        """Sum of the isolated-atom energies, eV; `None` where it does not exist."""
        if self.atom_energies is None or not np.all(np.isfinite(self.atom_energies)):
            return None
        return float(self.atom_energies.sum())

    def extended(self, other: Curve) -> Curve:
        """Return the curve with the points of another one in their places.

        Parameters
        ----------
        other
            Points at other distances, on the same zero.

        Returns
        -------
        Curve
            ``provenance["refined"]`` counts the points that were added. Forces that one of the two
            does not have are NaN: a model that broke down at every one of the further distances
            has not lost those it gave before.
        """
        every = np.concatenate([self.r, other.r])
        order = np.argsort(every, kind="stable")
        place = np.argsort(order, kind="stable")
        failures = {int(place[i]): message for i, message in self.failures.items()}
        failures |= {int(place[len(self) + i]): why for i, why in other.failures.items()}
        forces = None
        if self.forces is not None or other.forces is not None:
            both = [
                np.full((len(curve), 2, 3), np.nan) if curve.forces is None else curve.forces
                for curve in (self, other)
            ]
            forces = np.concatenate(both)[order]
        refined = int(self.provenance.get("refined", 0)) + len(other)
        return replace(
            self,
            r=every[order],
            energy=np.concatenate([self.energy, other.energy])[order],
            forces=forces,
            failures=failures,
            provenance={**self.provenance, "refined": refined},
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Curve):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.r)

    def __repr__(self) -> str:
        span = f"{self.r[0]:g}–{self.r[-1]:g} Å" if len(self) else "empty"
        lowest = self.energy[np.isfinite(self.energy)].min(initial=np.inf)
        failed = f", {len(self.failures)} failures" if self.failures else ""
        return f"<Curve: {len(self)} points, {span}, lowest {lowest:.6g} eV{failed}>"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        state["failures"] = dict(self.failures)
        state["provenance"] = dict(self.provenance)
        return _rebuild, (state,)


def _rebuild(state: dict[str, Any]) -> Curve:
    return Curve(**state)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=True)
    return bool(a == b)


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """How much a model's answer changes when the same pair is asked for in another way.

    Attributes
    ----------
    r, energy, force
        Distances, Å, energies, eV, and largest force components, eV/Å (k,), of the plain pair.
    energy_change, force_change
        Way of asking -> largest change of the energy, eV, and of a force component, eV/Å, at each
        distance (k,); NaN where there was no answer.
    has_forces
        Does the model offer forces?
    spin_change
        Multiplicity -> change of the energy at the second distance when the pair is asked for with
        it, eV; NaN where there was no answer. Empty for models that take no spin.
    """

    r: Sequence[float]
    energy: Sequence[float]
    force: Sequence[float]
    energy_change: Mapping[str, Sequence[float]]
    force_change: Mapping[str, Sequence[float]]
    has_forces: bool = True
    spin_change: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Constants:
    """Spectroscopic constants of one dimer in its ground state.

    Attributes
    ----------
    r_e
        Equilibrium distance, Å.
    omega_e, omega_e_x_e
        Harmonic wavenumber and anharmonicity, cm⁻¹.
    D_e, D_0
        Dissociation energy from the minimum and from the lowest level, eV, to neutral atoms.
    D_e_uncertainty
        Uncertainty of `D_e`, eV; `None` where not known.
    spin_orbit_atoms, spin_orbit_molecule
        Spin–orbit lowering of the two atoms and, to first order, of the molecule, eV; both are
        contained in `D_e`.
    uncertain
        The row judges nothing.
    term, source, note
        Term symbol, where the numbers come from, remarks.
    """

    r_e: float
    omega_e: float | None
    omega_e_x_e: float | None
    D_e: float
    D_0: float | None
    D_e_uncertainty: float | None = None
    spin_orbit_atoms: float | None = None
    spin_orbit_molecule: float | None = None
    uncertain: bool = False
    term: str = ""
    source: str = ""
    note: str = ""

    @property
    def D_e_without_spin_orbit(self) -> float:
        """D_e a calculation without spin–orbit coupling should find, eV, as far as known."""
        return self.D_e + (self.spin_orbit_atoms or 0.0) - (self.spin_orbit_molecule or 0.0)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One verdict of one check on one dimer.

    Attributes
    ----------
    check
        Stable id, ``group.name``.
    dimer
        Name of the dimer.
    status
        One of `STATUSES`.
    value, unit
        What was measured; `None` where nothing could be.
    reference
        What it is compared with, same unit; `None` when the value is judged by itself.
    threshold
        (limit for ``pass``, limit for ``fail``), same unit; applies to their distance when
        there is a reference. When the second is the smaller one, larger values are better.
    score
        1 at or inside the pass limit, 0 at or beyond the fail limit; `None` when not scored.
    reason
        One sentence for the reader.
    source
        Where threshold and reference come from.
    details
        Further numbers, JSON-able.
    """

    check: str
    dimer: str
    status: str
    value: float | None = None
    unit: str = ""
    reference: float | None = None
    threshold: tuple[float, float] | None = None
    score: float | None = None
    reason: str = ""
    source: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise InputError(f"Unknown status {self.status!r}; allowed: {', '.join(STATUSES)}.")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise InputError(f"A score lies between 0 and 1, got {self.score}.")
        if self.value is not None and math.isnan(self.value):
            object.__setattr__(self, "value", None)

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.check.partition(".")[0]


@dataclass(frozen=True, kw_only=True, repr=False)
class Audit:
    """Everything one audit found out about one model.

    Attributes
    ----------
    card
        The model.
    environment
        Versions, device, dtype, SHA-256 of the weights, date, settings.
    curves
        Dimer name -> the model's curve.
    references
        Dimer name -> tier -> reference curve.
    findings
        Every verdict.
    score
        Mean over the group scores, 0 to 1; 0 when nothing could be scored.
    group_scores
        Group -> mean score of its findings.
    coverage
        Fraction of the dimers asked for that the model answered.
    metrics
        Dimer name -> another benchmark's own metrics by its own names, where its grid was used;
        shown, never scored.
    """

    card: ModelCard
    environment: Mapping[str, Any]
    curves: Mapping[str, Curve]
    references: Mapping[str, Mapping[str, Curve]]
    findings: tuple[Finding, ...]
    score: float
    group_scores: Mapping[str, float]
    coverage: float
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        counts = Counter(finding.status for finding in self.findings)
        shown = ", ".join(f"{counts[status]} {status}" for status in ("fail", "warn", "pass"))
        return (
            f"<Audit of {self.card.name}: {len(self.curves)} curves, score {self.score:.2f}, "
            f"coverage {self.coverage:.0%}, {shown}>"
        )

    @property
    def worst(self) -> str:
        """``fail``, ``warn`` or ``pass``: the worst verdict in the groups that count."""
        counted = self.environment.get("groups")
        found = {f.status for f in self.findings if counted is None or f.group in counted}
        return next((status for status in ("fail", "warn") if status in found), "pass")

    def save(self, path: str | Path) -> Path:
        """Write versioned JSON, atomically."""
        from ase_probe import serialize

        return serialize.save_audit(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Audit:
        """Read what `save` wrote.

        Raises
        ------
        AuditFileError
            The file is missing, unreadable, truncated or of another version.
        """
        from ase_probe import serialize

        return serialize.load_audit(path)

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained HTML page, atomically."""
        from ase_probe import report

        return report.write_html([self], path)

    def plot(
        self, dimers: Sequence[str] | None = None, *, columns: int = 2, layout: str | None = None
    ) -> Figure:
        """Draw curves as a matplotlib figure; see `ase_probe.report.figures.figure`.

        Parameters
        ----------
        dimers
            Names of dimers; by default the worst three.
        columns
            1 (3.37 in) or 2 (7.0 in) columns of a journal.
        layout
            ``symlog`` (wall and well on one axis) or ``split`` (side by side).

        Raises
        ------
        InputError
            An unknown dimer, number of columns or layout.
        AseProbeError
            Matplotlib is not installed.
        """
        from ase_probe.report import figures

        return figures.figure([self], dimers, columns=columns, layout=layout)

    def summary(self) -> str:
        """Return the terminal report as plain text."""
        from ase_probe import report

        return report.text(self)

    def _repr_html_(self) -> str:
        from ase_probe.report import notebook

        return notebook.summary_html(self)


def labels_of(audits: Sequence[Audit]) -> list[str]:
    """Return the models' names, numbered where several audits share one."""
    names = [audit.card.name for audit in audits]
    return [
        name if i == names.index(name) else f"{name} ({names[: i + 1].count(name)})"
        for i, name in enumerate(names)
    ]
