"""What changed from one audit to another, and which of it is a regression."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ase_probe.compare.common import answered_in, asked_of, refuse_other_rules
from ase_probe.curve import Audit, Finding, labels_of
from ase_probe.errors import InputError

__all__ = ["KINDS", "Change", "changes", "regressions"]

KINDS = (
    "refused",
    "vanished",
    "worse",
    "unjudged",
    "appeared",
    "moved",
    "changed",
    "better",
    "answered",
)
"""Every kind of change, worst first.

``refused``: the dimer was answered and is not any more. ``vanished``: the dimer was not asked for,
or the check is gone. ``worse``, ``better``: the status. ``unjudged``: there was a verdict and there
is none. ``appeared``: a check that was not there. ``moved``: the same status, another value.
``changed``: another status of the same severity. ``answered``: the model did not claim it before.
"""

_SEVERITY = {"pass": 0, "inherited": 0, "trivial": 0, "warn": 1, "fail": 2}
_TOLERANCE = 0.1  # of the limit for pass: a tenth of what is let pass changes no conclusion


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference between two audits.

    Attributes
    ----------
    kind
        One of `KINDS`.
    dimer, check
        Where; an empty `check` means the whole dimer.
    before, after
        The findings; `None` where there is none.
    reason
        Said of whole dimers.
    """

    kind: str
    dimer: str
    check: str = ""
    before: Finding | None = None
    after: Finding | None = None
    reason: str = field(default="", compare=False)

    @property
    def group(self) -> str:
        """The part of the check's id before the dot; empty for a whole dimer."""
        return self.check.partition(".")[0]


def changes(before: Audit, after: Audit, *, tolerance: float = _TOLERANCE) -> tuple[Change, ...]:
    """Return what changed from one audit to another, worst first.

    Parameters
    ----------
    before, after
        Audits of one model, or of two that are meant to behave alike.
    tolerance
        How far a value may move unmentioned, as a fraction of the limit for ``pass``; of the value
        itself where larger is better or where there are no limits.

    Raises
    ------
    InputError
        The audits were judged by different rules, or the tolerance is negative.
    """
    if not tolerance >= 0:
        raise InputError(f"The tolerance is a fraction from 0 upward, got {tolerance}.")
    refuse_other_rules((before, after), labels_of((before, after)))
    old, new = _by_place(before), _by_place(after)
    then, now = answered_in(before), answered_in(after)
    found: list[Change] = []
    whole: set[str] = set()
    for dimer in dict.fromkeys((*asked_of(before), *asked_of(after))):
        change = _whole(dimer, before, after, then, now)
        if change is not None:
            found.append(change)
            whole.add(dimer)
    for place in dict.fromkeys((*old, *new)):
        if place[0] not in whole:
            kind = _kind(old.get(place), new.get(place), tolerance)
            if kind is not None:
                found.append(
                    Change(
                        kind=kind,
                        dimer=place[0],
                        check=place[1],
                        before=old.get(place),
                        after=new.get(place),
                    )
                )
    return tuple(sorted(found, key=lambda change: KINDS.index(change.kind)))


def regressions(
    found: Sequence[Change], *, fail_on: str = "fail", groups: Sequence[str] | None = None
) -> tuple[Change, ...]:
    """Return the changes that are regressions.

    A dimer that is not answered or not asked for any more always is one, and so is a verdict whose
    check is gone. A status that became worse is one at or above `fail_on`. A ``pass`` that cannot
    be judged any more is one for ``warn``.

    Parameters
    ----------
    found
        What `changes` returned.
    fail_on
        ``fail`` or ``warn``.
    groups
        Groups that count; all of them for `None`.

    Raises
    ------
    InputError
        Another `fail_on`.
    """
    if fail_on not in ("fail", "warn"):
        raise InputError(f"fail_on is 'fail' or 'warn', got {fail_on!r}.")
    return tuple(
        change
        for change in found
        if (groups is None or not change.check or change.group in groups)
        and _is_regression(change, fail_on)
    )


def _is_regression(change: Change, fail_on: str) -> bool:
    before = None if change.before is None else _SEVERITY.get(change.before.status)
    after = None if change.after is None else _SEVERITY.get(change.after.status)
    if change.kind == "refused":
        return True
    if change.kind == "vanished":
        return not change.check or before is not None
    if change.kind == "worse":
        return after is not None and after >= _SEVERITY[fail_on]
    return change.kind == "unjudged" and fail_on == "warn" and before == 0


def _kind(before: Finding | None, after: Finding | None, tolerance: float) -> str | None:
    if before is None:
        return "appeared"
    if after is None:
        return "vanished"
    then, now = _SEVERITY.get(before.status), _SEVERITY.get(after.status)
    if then is not None and now is None:
        return "refused" if after.status == "out-of-domain" else "unjudged"
    if then is None and now is not None:
        if before.status == "out-of-domain":
            return "answered"
        return "worse" if now else "better"
    if then is not None and now is not None and then != now:
        return "worse" if now > then else "better"
    if before.status != after.status:
        return "changed"
    return "moved" if _moved(before, after, tolerance) else None


def _moved(before: Finding, after: Finding, tolerance: float) -> bool:
    old, new = before.value, after.value
    if old is None or new is None:
        return (old is None) != (new is None)
    if not (math.isfinite(old) and math.isfinite(new)):
        return old != new
    scale = abs(old)
    if before.threshold is not None:
        good, bad = before.threshold
        scale = abs(good) if bad >= good else scale
    return abs(new - old) > tolerance * scale


def _whole(
    dimer: str, before: Audit, after: Audit, then: frozenset[str], now: frozenset[str]
) -> Change | None:
    """Say what changed about a dimer as a whole, where there is no check to compare."""
    if dimer not in asked_of(after):
        return Change(kind="vanished", dimer=dimer, reason="it was not asked for")
    if dimer not in asked_of(before):
        return Change(kind="appeared", dimer=dimer, reason=_tally(after, dimer))
    if dimer in then and dimer not in now:
        why = next((f.reason for f in after.findings if f.dimer == dimer and f.reason), "")
        if dimer in after.curves:
            why = "no finite energy at any distance"
        return Change(kind="refused", dimer=dimer, reason=why)
    if dimer in now and dimer not in then:
        return Change(kind="answered", dimer=dimer, reason=_tally(after, dimer))
    return None


def _tally(audit: Audit, dimer: str) -> str:
    counts = Counter(f.status for f in audit.findings if f.dimer == dimer)
    shown = [f"{counts[status]} {status}" for status in ("fail", "warn", "pass") if counts[status]]
    return ", ".join(shown) or "nothing could be judged"


def _by_place(audit: Audit) -> dict[tuple[str, str], Finding]:
    return {(finding.dimer, finding.check): finding for finding in audit.findings}
