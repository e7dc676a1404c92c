"""The checks: pure functions from a `Case` (a curve and its references) to a `Finding`.

Ids are stable: ``group.name``. A new check is a function, a row in `CHECKS`, its name in
`ase_probe.check_names` and a row in the threshold table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ase_probe.check_names import applicable, select
from ase_probe.checks import (
    bare_nuclei,
    charged,
    compression,
    consistency,
    cutoff,
    dissociation,
    long_range,
    robustness,
    smoothness,
    spin,
    trust,
    wall,
)
from ase_probe.checks.case import Case
from ase_probe.checks.peers import PEERS
from ase_probe.checks.profiles import PROFILES, Profile, read_thresholds
from ase_probe.checks.shape import noise
from ase_probe.checks.symmetry import CHANGES
from ase_probe.checks.thresholds import verdict
from ase_probe.curve import Finding

__all__ = [
    "CHECKS",
    "PEERS",
    "PROFILES",
    "REPEATED",
    "Case",
    "Profile",
    "group_scores",
    "noise",
    "read_thresholds",
    "run",
    "select",
    "total_score",
    "verdict",
]

CHECKS: dict[str, Callable[[Case], Finding]] = {
    "robustness.exception": robustness.exception,
    "robustness.finite": robustness.finite,
    "robustness.forces": robustness.forces,
    "robustness.atoms": robustness.atoms,
    "dissociation.r_e": dissociation.r_e,
    "dissociation.D_e": dissociation.D_e,
    "dissociation.omega_e": dissociation.omega_e,
    "dissociation.limit": dissociation.limit,
    "dissociation.label_atoms": dissociation.label_atoms,
    "dissociation.extra_extremum": dissociation.extra_extremum,
    "compression.barrier": compression.barrier,
    "compression.hole": compression.hole,
    "compression.wall": wall.wall,
    "compression.nlh": compression.nlh,
    "compression.zbl": compression.zbl,
    "compression.r_trust": trust.r_trust,
    "cutoff.jump": cutoff.jump,
    "cutoff.cliff": cutoff.cliff,
    "long_range.tail": long_range.tail,
    "smoothness.noise": smoothness.noise,
    "smoothness.kink": smoothness.kink,
    "consistency.force": consistency.force,
    **CHANGES,
    "charged.response": charged.response,
    "charged.limit": charged.limit,
    "spin.ladder": spin.ladder,
    "bare_nuclei.coulomb": bare_nuclei.coulomb,
}
"""Id -> check, in the order of `ase_probe.check_names.CHECK_NAMES`."""

REPEATED = frozenset({*CHANGES, "spin.ladder"})
"""Checks that need the pair asked for again, in other ways."""


def run(case: Case, checks: Sequence[str]) -> list[Finding]:
    """Run the checks that apply to this dimer."""
    return [CHECKS[check](case) for check in applicable(case.dimer, checks)]


def group_scores(findings: Iterable[Finding]) -> dict[str, float]:
    """Mean score of the scored findings, group by group."""
    scores: dict[str, list[float]] = {}
    for finding in findings:
        if finding.score is not None:
            scores.setdefault(finding.group, []).append(finding.score)
    return {group: sum(values) / len(values) for group, values in scores.items()}


def total_score(groups: Mapping[str, float], counted: Sequence[str] | None = None) -> float:
    """Mean over the groups that count (all for `None`); 0 when nothing could be scored."""
    values = [score for group, score in groups.items() if counted is None or group in counted]
    return sum(values) / len(values) if values else 0.0
