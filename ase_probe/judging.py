"""What was measured of a dimer, set beside its references: the findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ase_probe import baselines as tiers
from ase_probe import checks as battery
from ase_probe.curve import Curve, Finding
from ase_probe.dimer import Dimer
from ase_probe.measuring import Measured
from ase_probe.model import ModelCard

__all__ = ["Judged", "judge", "label_curve"]

_DENSE = np.geomspace(0.1, 10.0, 600)  # Å; where the labels' own curves are evaluated


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The model's curve of a dimer, its references, the most telling first, and the findings."""

    curve: Curve
    references: dict[str, Curve]
    findings: list[Finding]


def judge(
    dimer: Dimer,
    measured: Measured,
    *,
    card: ModelCard,
    baselines: str | Sequence[str],
    profile: battery.Profile,
    checks: Sequence[str],
) -> Judged:
    """Run the selected checks on one dimer."""
    curve = measured.curve
    found = tiers.references(dimer, curve.r, baselines)
    own = tiers.own_level(card, dimer, _DENSE)
    case = battery.Case(
        dimer=dimer,
        card=card,
        curve=curve,
        references=found,
        constants=tiers.constants(dimer),
        own_curves=() if isinstance(own, tiers.Unavailable) else own,
        own_missing=own.reason if isinstance(own, tiers.Unavailable) else "",
        profile=profile,
        repeats=measured.repeats,
    )
    branches = tiers.own_level(card, dimer, curve.r) if case.own_curves else ()
    return Judged(
        curve=curve, references=_named(found, branches), findings=battery.run(case, checks)
    )


def label_curve(references: Mapping[str, Curve]) -> Curve | None:
    """The curve of the labels' level, which is what matbench compares with."""
    return next((c for name, c in references.items() if name.startswith("labels")), None)


def _named(
    found: Mapping[str, Curve], own: tuple[Curve, ...] | tiers.Unavailable
) -> dict[str, Curve]:
    """References by name, most telling first: the truth, the labels' level, the rest."""
    branches = () if isinstance(own, tiers.Unavailable) else own  # the grid lies outside of them
    several = len(branches) > 1
    ours = {
        f"labels: {c.provenance['tier']}{' ' + c.provenance['branch'] if several else ''}": c
        for c in branches
    }
    true = {tier: c for tier, c in found.items() if c.provenance["truth"]}
    return {**true, **ours, **found}
