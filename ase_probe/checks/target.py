"""Whose error is it: a measured value against the truth and against the labels' own level.

Where the labels' level is known, the model is judged by what it adds to it: a faithful copy of
wrong labels is ``inherited``. Where it is not, labels get the benefit of the doubt, up to how far
density functionals are known to be off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ase_probe.checks.case import Case
from ase_probe.checks.thresholds import LABEL_ALLOWANCE
from ase_probe.curve import Finding

__all__ = ["Target", "judge", "unresolved"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What one quantity should be; at least one of `truth` and `own` is there.

    Attributes
    ----------
    truth
        The true value, or `None`.
    own
        Smallest and largest value of the labels' level, or `None`.
    own_name
        That level, for the reader.
    source
        Where both come from.
    """

    truth: float | None
    own: tuple[float, float] | None
    own_name: str = ""
    source: str = ""

    @property
    def reference(self) -> float:
        """The value limits are made for: the middle of the own level, else the truth."""
        if self.own is not None:
            return 0.5 * (self.own[0] + self.own[1])
        assert self.truth is not None
        return self.truth


def judge(
    case: Case,
    check: str,
    value: float,
    target: Target,
    *,
    variant: str = "",
    error: float = 0.0,
) -> Finding:
    """Judge a value by its target.

    Parameters
    ----------
    case
        The dimer.
    check, variant
        Row of the threshold table.
    value
        What the model has.
    target
        What it should have.
    error
        Uncertainty of `value`; above the limit for pass nothing is decided.
    """
    row = f"{check}:{variant}" if variant else check
    finding = (
        _against_truth(case, check, value, target, variant)
        if target.own is None
        else _against_own(case, check, value, target, target.own, variant)
    )
    reference = target.reference if finding.reference is None else finding.reference
    passes, fails = case.profile.row(check, variant).at(reference)
    off = abs(value - reference)
    if error > passes and not off - error > fails:
        return unresolved(
            finding, f"uncertain by {error:.2g} {finding.unit} on this grid, too much to judge"
        )
    if target.own is not None:
        return _inherited(finding, value, target, passes)
    if finding.status == "pass" or case.card.level_of_theory == "analytic":
        return finding
    below, above = LABEL_ALLOWANCE[row]
    allowance = above.at(reference) if value > reference else below.at(reference)
    if off > fails + allowance:
        return finding
    return unresolved(
        finding,
        "off by more than the model's tolerance, but by less than what its labels "
        f"({case.card.level_of_theory or 'level not stated'}) may be; a reference at their level "
        "would decide",
    )


def unresolved(finding: Finding, reason: str) -> Finding:
    """Return the finding undecided and unscored, with another reason."""
    return replace(finding, status="unresolved", score=None, reason=reason)


def _against_truth(case: Case, check: str, value: float, target: Target, variant: str) -> Finding:
    assert target.truth is not None
    deviation = value - target.truth
    unit = case.profile.row(check, variant).unit
    return case.judged(
        check,
        value,
        f"{_signed(deviation)} {unit} from experiment",
        variant=variant,
        deviation=abs(deviation),
        reference=target.truth,
        source=target.source,
    )


def _against_own(
    case: Case,
    check: str,
    value: float,
    target: Target,
    own: tuple[float, float],
    variant: str,
) -> Finding:
    """Judge by what the model adds to its labels, and say what the labels themselves are worth."""
    low, high = own
    nearest = min(max(value, low), high)
    added = value - nearest
    unit = case.profile.row(check, variant).unit
    details = {"own": [low, high], "truth": target.truth, "added": added}
    name = target.own_name
    if target.truth is None:
        reason = f"{_signed(added)} {unit} from its labels' {name}"
    else:
        reason = (
            f"{_signed(value - target.truth)} {unit} from experiment: {name} itself "
            f"{_signed(nearest - target.truth)}, the model adds {_signed(added)} {unit}"
        )
    return case.judged(
        check,
        value,
        reason,
        variant=variant,
        deviation=abs(added),
        reference=nearest,
        source=target.source,
        details=details,
    )


def _signed(x: float) -> str:
    """Two or three figures, and no rounding noise."""
    return f"{round(x, 4) + 0.0:+.3g}" if abs(x) >= 1 else f"{round(x, 4) + 0.0:+.2g}"


def _inherited(finding: Finding, value: float, target: Target, passes: float) -> Finding:
    """Call a faithful copy of labels that are off by more than the tolerance what it is."""
    if finding.status != "pass" or target.truth is None:
        return finding
    if abs(value - target.truth) <= passes:
        return finding
    return replace(finding, status="inherited")
