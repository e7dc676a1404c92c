"""The leaderboard: models ranked on common ground.

Every model is scored anew on the dimers that all of them answered, in the groups that were scored
for all of them, so that a refusal moves no rank; coverage stands beside every score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ase_probe.checks import group_scores, total_score
from ase_probe.compare.common import answered_in, asked_of, refuse_other_rules
from ase_probe.curve import Audit, Finding, labels_of
from ase_probe.errors import InputError

__all__ = ["Comparison", "Entry", "compare"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model on the leaderboard.

    Attributes
    ----------
    label
        The model's name, made unique.
    audit
        Where the numbers come from.
    rank
        1 is best; models that agree to two decimals share a rank. `None` without a score.
    score, group_scores
        0 to 1, on the common dimers; `None` when nothing could be scored there.
    coverage
        Fraction of all dimers that any of the audits asked for and this one answered.
    counts
        Status -> number of findings on the common dimers.
    """

    label: str
    audit: Audit
    rank: int | None
    score: float | None
    group_scores: Mapping[str, float]
    coverage: float
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several models on the dimers they have in common.

    Attributes
    ----------
    entries
        Best first.
    asked, common
        Dimers that any audit asked for, and those that every model answered.
    groups
        Groups that make up the score: they count in the profile, were judged for every model and
        scored for some.
    notes
        What else differs between the audits, one sentence each.
    """

    entries: tuple[Entry, ...]
    asked: tuple[str, ...]
    common: tuple[str, ...]
    groups: tuple[str, ...]
    notes: tuple[str, ...] = ()


_JUDGED = ("pass", "warn", "fail", "inherited")


def compare(audits: Sequence[Audit], labels: Sequence[str] | None = None) -> Comparison:
    """Rank models by their scores on the dimers that all of them answered.

    Parameters
    ----------
    audits
        Two or more.
    labels
        What to call them; by default the models' names, numbered where several share one.

    Raises
    ------
    InputError
        Fewer than two audits, labels that are not one per audit, or audits that were judged by
        different rules.
    """
    if len(audits) < 2:
        raise InputError(f"A comparison needs two audits or more, got {len(audits)}.")
    names = labels_of(audits) if labels is None else list(labels)
    if len(set(names)) != len(audits):
        raise InputError(f"Give one label per audit, each once; got {names}.")
    refuse_other_rules(audits, names)
    asked = tuple(dict.fromkeys(name for audit in audits for name in asked_of(audit)))
    answered = [answered_in(audit) for audit in audits]
    common = tuple(name for name in asked if all(name in those for those in answered))

    kept = [[f for f in audit.findings if f.dimer in common] for audit in audits]
    scores = [group_scores(findings) for findings in kept]
    counted = audits[0].environment.get("groups")
    union = dict.fromkeys(group for found in scores for group in found)
    every = [g for g in union if counted is None or g in counted]
    # Judged, and no mark earned, for want of a bond: that is 0, and not left out.
    run = [{f.group for f in findings if f.status in _JUDGED} for findings in kept]
    groups = tuple(group for group in every if all(group in found for found in run))
    totals = [
        total_score({g: found.get(g, 0.0) for g in groups}) if groups else None for found in scores
    ]

    best = sorted({round(total, 2) for total in totals if total is not None}, reverse=True)
    places = {score: 1 + sum(_rounded(t) > score for t in totals) for score in best}
    entries = [
        Entry(
            label=name,
            audit=audit,
            rank=None if total is None else places[round(total, 2)],
            score=total,
            group_scores=found,
            coverage=len(those) / len(asked) if asked else 0.0,
            counts=Counter(finding.status for finding in findings),
        )
        for name, audit, total, found, those, findings in zip(
            names, audits, totals, scores, answered, kept, strict=True
        )
    ]
    entries.sort(key=lambda e: (-_rounded(e.score), -e.coverage, -(e.score or 0.0), e.label))
    return Comparison(
        entries=tuple(entries),
        asked=asked,
        common=common,
        groups=groups,
        notes=(
            *_who_is_missing(names, answered, asked),
            *(
                f"{group} is left out of the score: not judged for {', '.join(without)}."
                for group in every
                if (without := [n for n, s in zip(names, run, strict=True) if group not in s])
            ),
            *(
                f"{group} counts 0 for {', '.join(without)}: no bond to earn a mark with."
                for group in groups
                if (without := [n for n, s in zip(names, scores, strict=True) if group not in s])
            ),
            *_who_was_not_checked(names, kept),
            *_differences(audits, names),
        ),
    )


def _rounded(score: float | None) -> float:
    return -1.0 if score is None else round(score, 2)


def _who_is_missing(
    names: Sequence[str], answered: Sequence[frozenset[str]], asked: Sequence[str]
) -> list[str]:
    said = []
    for name, those in zip(names, answered, strict=True):
        missing = [dimer for dimer in asked if dimer not in those]
        if missing:
            shown = ", ".join(missing[:8]) + (", …" if len(missing) > 8 else "")
            said.append(f"{name} has no answer for {len(missing)} of {len(asked)}: {shown}.")
    return said


def _who_was_not_checked(names: Sequence[str], findings: Sequence[Sequence[Finding]]) -> list[str]:
    """Checks that were run for some models only, on the common dimers."""
    checks = [{finding.check for finding in found} for found in findings]
    union = set().union(*checks)
    return [
        f"{name} was not asked for {', '.join(sorted(union - own))}."
        for name, own in zip(names, checks, strict=True)
        if union - own
    ]


def _differences(audits: Sequence[Audit], names: Sequence[str]) -> list[str]:
    """Facts that do not forbid a comparison, and that its reader should know."""

    def version(audit: Audit) -> Any:
        return (audit.environment.get("versions") or {}).get("ase-probe")

    facts: dict[str, list[Any]] = {
        "versions of ase-probe": [version(audit) for audit in audits],
        "suites": [audit.environment.get("suite") for audit in audits],
    }
    return [
        f"The {what} differ: "
        + ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
        + "."
        for what, values in facts.items()
        if len(set(map(str, values))) > 1
    ]
