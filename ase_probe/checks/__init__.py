"""The checks: pure functions from a `Case` (a curve and its references) to a `Finding`.

Ids are stable: ``group.name``. A new check is a function, a row in `CHECKS` and a row in the
threshold table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

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
from ase_probe.errors import InputError

__all__ = [
    "CHANGES",
    "CHECKS",
    "PEERS",
    "PROFILES",
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
    "bare_nuclei.coulomb": bare_nuclei.coulomb,
}
"""Id -> check, in the order in which they are reported."""

_FOR_BARE_NUCLEI = ("robustness.exception", "robustness.finite", "robustness.forces", "bare_nuclei")


def select(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the check ids that `names` (ids or groups) stand for; all of them for `None`.

    Raises
    ------
    InputError
        A name is neither an id nor a group.
    """
    if names is None:
        return tuple(CHECKS)
    names = tuple(names)
    groups = sorted({check.partition(".")[0] for check in CHECKS})
    for name in names:
        if name not in CHECKS and name not in groups:
            raise InputError(
                f"Unknown check {name!r}; allowed: {', '.join(groups)} or one of "
                f"{', '.join(CHECKS)}."
            )
    return tuple(check for check in CHECKS if _matches(check, names))


def _matches(check: str, names: Sequence[str]) -> bool:
    return check in names or check.partition(".")[0] in names


def run(case: Case, checks: Sequence[str]) -> list[Finding]:
    """Run the checks that apply to this dimer: two bare nuclei have no bond to ask about."""
    if case.dimer.electrons:
        left_out = ("bare_nuclei",) if case.dimer.charge else ("bare_nuclei", "charged")
        applicable = [check for check in checks if not check.startswith(left_out)]
    else:
        applicable = [check for check in checks if _matches(check, _FOR_BARE_NUCLEI)]
    return [CHECKS[check](case) for check in applicable]


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
