"""`Case`: one dimer with the model's curve and everything there is to judge it by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ase_probe.checks.own import OwnLevel
from ase_probe.checks.profiles import MD, Profile
from ase_probe.checks.shape import Slope, Well, find_well, noise, slope
from ase_probe.checks.thresholds import score, verdict
from ase_probe.checks.walk import Walk, walk_inward
from ase_probe.curve import Constants, Curve, Finding, Repeats
from ase_probe.dimer import Dimer, mean_radius
from ase_probe.model import ModelCard

__all__ = ["R_JUDGED", "Case", "at_most_warn", "incomplete", "typeset"]

R_JUDGED = 0.2
"""Å; below it a refusal is shown, not judged."""

_NEGATIVE = re.compile(r"(?<![\w)])-(?=\d|inf)")
_TRUTH = ("exact", "wavefunction")
_DEEPEST_BOND = 15.0  # eV
_SHORTEST_BOND = 0.5  # of Σr_cov


@dataclass(frozen=True)
class Case:
    """What a check is given. The cached properties are what several checks need.

    Attributes
    ----------
    dimer, card, curve
        The pair, the model and the model's curve.
    references
        Tier -> reference curve, energies relative to separated fragments.
    constants
        Experimental constants, or `None`.
    own_curves
        Curves of the level the model was trained on, on a dense grid, one per branch its labels
        may lie on; empty where there is none.
    own_missing
        Why there is none.
    profile
        What the model is wanted for: threshold table and cap.
    repeats
        The same pair asked for in other ways, or `None`.
    """

    dimer: Dimer
    card: ModelCard
    curve: Curve
    references: Mapping[str, Curve] = field(default_factory=dict)
    constants: Constants | None = None
    own_curves: tuple[Curve, ...] = ()
    own_missing: str = ""
    profile: Profile = MD
    repeats: Repeats | None = None

    @cached_property
    def noise(self) -> float:
        """Noise of the energies, eV."""
        return noise(self.curve)

    @cached_property
    def last(self) -> int:
        """Index of the largest distance with a finite energy; −1 when there is none."""
        finite = np.flatnonzero(np.isfinite(self.curve.energy))
        return int(finite[-1]) if finite.size else -1

    @cached_property
    def answered(self) -> float:
        """Share of ln r from 0.2 Å outward with a finite energy, however dense the points are."""
        asked = self.curve.r >= R_JUDGED
        x = np.log(self.curve.r[asked])
        if len(x) < 2:
            return float(np.isfinite(self.curve.energy[asked]).any())
        room = np.gradient(x)
        answered = np.isfinite(self.curve.energy[asked])
        return float(room[answered].sum() / room.sum())

    @property
    def r_inf(self) -> float:
        """The largest distance with a finite energy, Å."""
        return float(self.curve.r[self.last])

    @property
    def e_inf(self) -> float:
        """Energy at `r_inf`, eV: the zero for the shape of the curve; NaN without any."""
        return float(self.curve.energy[self.last])

    @cached_property
    def tail(self) -> float:
        """How much the energy may still change beyond `r_inf`, eV: |dE/dr|·r there.

        Exact for a 1/r tail, generous for anything that falls off faster.
        """
        if self.last < 1:
            return 0.0
        r, energy = self.curve.r, self.curve.energy
        before = self.last - 1
        rise = (energy[self.last] - energy[before]) / (r[self.last] - r[before])
        return float(abs(rise) * r[self.last]) if np.isfinite(rise) else 0.0

    @cached_property
    def well_window(self) -> tuple[float, float]:
        """Where a bond is expected, Å: 0.6 Σr_cov to 1.6 Σr_cov or 1.3 van der Waals contacts."""
        s = self.dimer.covalent_sum
        contact = mean_radius(self.dimer.symbols, "vdw")
        return 0.6 * s, max(1.6 * s, 2.6 * contact if contact else 0.0)

    @cached_property
    def minimum(self) -> Well | None:
        """The model's lowest minimum that can be a bond, bound or metastable.

        Nothing deeper than 15 eV is a bond: the strongest, CO, has 11.2 eV. What is deeper is a
        hole, and the walk inward finds it.
        """
        floor = self.e_inf - _DEEPEST_BOND
        low, high = self.well_window
        expected = find_well(self.curve, low, high, floor)
        # Some bonds are shorter than 0.6 Σr_cov. A deeper minimum there is the bond only where
        # the one farther out is a ripple; else it is a hole.
        shorter = find_well(self.curve, _SHORTEST_BOND / 0.6 * low, high, floor)
        if expected is None or shorter is None:
            return expected or shorter
        ripple = self.e_inf - expected.energy < 0.25 * (self.e_inf - shorter.energy)
        return shorter if ripple else expected

    @cached_property
    def well(self) -> Well | None:
        """The model's minimum, if it lies below its dissociation limit."""
        well = self.minimum
        if well is None or not self.e_inf - well.energy > max(1e-4, 5 * self.noise):
            return None
        return well

    @cached_property
    def walk(self) -> Walk | None:
        """The way inward up the wall, if there is one."""
        start = self.well_window[1] if self.minimum is None else self.minimum.r_e
        return walk_inward(self.curve, self.e_inf, start, self.noise)

    @cached_property
    def slope(self) -> Slope:
        """dE/dr of the model."""
        return slope(self.curve)

    @cached_property
    def truth(self) -> Curve | None:
        """The best curve that counts as true, if there is one, on the model's zero: 0 at `r_inf`.

        One that ends before `r_inf` is taken as it is, relative to separated atoms.
        """
        best = next((self.references[t] for t in _TRUTH if t in self.references), None)
        if best is None or self.last < 0:
            return None
        zero = float(np.interp(self.r_inf, best.r, best.energy, right=0.0))
        return Curve(
            r=best.r,
            energy=best.energy - zero,
            forces=best.forces,
            provenance=dict(best.provenance),
        )

    @cached_property
    def own(self) -> OwnLevel | None:
        """The level the model was trained on, if its curves are known."""
        if not self.own_curves or self.last < 0:
            return None
        return OwnLevel(self.own_curves, self.well_window, self.r_inf)

    @cached_property
    def strictly_local(self) -> bool:
        """Is the energy exactly constant in the last ångström, with no forces left?"""
        far = self.curve.r >= self.curve.r[-1] - 1.0
        force = self.curve.axial_force
        return (
            int(far.sum()) > 2
            and bool(np.ptp(self.curve.energy[far]) <= 2 * self.noise)
            and (force is None or bool(np.all(force[far] == 0.0)))
        )

    def finding(self, check: str, status: str, reason: str, **rest: Any) -> Finding:
        """Return a finding of this dimer that is not scored."""
        said = typeset(reason)
        return Finding(check=check, dimer=self.dimer.name, status=status, reason=said, **rest)

    def judged(
        self,
        check: str,
        value: float,
        reason: str,
        *,
        variant: str = "",
        deviation: float | None = None,
        limits: tuple[float, float] | None = None,
        reference: float | None = None,
        scored: bool = True,
        source: str = "",
        unit: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Finding:
        """Return a finding judged by the threshold table.

        Its score is multiplied by the share of distances that were answered: a model that leaves
        out half of them gets half of every mark.

        Parameters
        ----------
        check, variant
            Row of the table.
        value
            What to show.
        reason
            One sentence.
        deviation
            What to judge, when it is not the value itself.
        limits
            (limit for pass, limit for fail), when they depend on more than the reference.
        reference
            What the value is compared with.
        scored
            `False` when another check already scores this failure.
        source
            Source of the reference; the threshold's own source is added.
        unit
            Unit of value and limits, when it is not the row's.
        details
            Further numbers.
        """
        threshold = self.profile.row(check, variant)
        limits = limits or threshold.at(0.0 if reference is None else reference)
        measured = value if deviation is None else deviation
        return Finding(
            check=check,
            dimer=self.dimer.name,
            status=verdict(measured, limits),
            value=value,
            unit=unit or threshold.unit,
            reference=reference,
            threshold=limits,
            score=self.answered * score(measured, limits) if threshold.scored and scored else None,
            reason=typeset(reason),
            source="; ".join(filter(None, (source, threshold.source))),
            details=details or {},
        )


def typeset(text: str) -> str:
    """Return a sentence with minus signs before its negative numbers."""
    return _NEGATIVE.sub("−", text)


def at_most_warn(finding: Finding, why: str) -> Finding:
    """Turn a `fail` into a `warn` with its excuse; the score stays what it was."""
    if finding.status != "fail":
        return finding
    return replace(finding, status="warn", reason=f"{finding.reason}; {why}")


def incomplete(finding: Finding, missing: int) -> Finding:
    """Take back a `pass` that rests on forces of which some are missing.

    The missing ones themselves are scored by ``robustness.forces`` and its neighbours.
    """
    if finding.status != "pass" or not missing:
        return finding
    reason = f"{finding.reason}, as far as there are forces: none at {missing} distances"
    return replace(finding, status="unresolved", score=None, reason=reason)
