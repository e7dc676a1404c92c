"""What both reports need to know about an audit: what comes first, what belongs together.

Order and grouping only; no verdict is made or changed here.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ase_probe.curve import STATUSES, Audit, Curve, Finding
from ase_probe.report.numbers import NBSP, clean, percent

__all__ = [
    "MEANING",
    "VERDICTS",
    "Unjudged",
    "command",
    "count",
    "dimers",
    "headline",
    "next_command",
    "severity",
    "telling",
    "unjudged",
    "who",
    "zero",
]

VERDICTS = ("fail", "warn", "inherited", "pass")
"""Statuses worth a row of their own; the rest says why nothing was judged."""

MEANING = {
    "pass": "inside the limits",
    "warn": "beyond the limit for pass, not yet a failure",
    "fail": "beyond the limit for fail",
    "inherited": "the training labels are wrong in the same way",
    "out-of-domain": "the model does not claim this",
    "trivial": "true by construction",
    "unresolved": "the data cannot decide",
    "not-run": "nothing to judge by",
}

_RANK = {status: rank for rank, status in enumerate((*VERDICTS, *STATUSES[4:]))}


def severity(finding: Finding) -> tuple[float, ...]:
    """Return a sort key, worst first: status, score, then how far past the limit for fail."""
    past = 1.0
    if finding.threshold is not None and finding.value is not None:
        good, bad = finding.threshold
        size = abs(finding.value - (finding.reference or 0.0))
        over, under = (size, abs(bad)) if bad >= good else (abs(bad), size)
        past = over / under if under else math.inf
    score = 0.0 if finding.score is None else finding.score
    return (float(_RANK[finding.status]), score, -past)


def dimers(audit: Audit) -> dict[str, list[Finding]]:
    """Return every dimer the audit names, in its order, with its findings, worst first."""
    found: dict[str, list[Finding]] = {name: [] for name in (*audit.curves, *audit.references)}
    for finding in audit.findings:
        found.setdefault(finding.dimer, []).append(finding)
    return {name: sorted(rows, key=severity) for name, rows in found.items()}


def telling(audit: Audit, limit: int = 3) -> list[tuple[Finding, int]]:
    """Return the worst failure of each group, worst first, and how many more dimers it fails on.

    One per group, because a hole, its barrier and its trust radius are one story.
    """
    order = list(dict.fromkeys(finding.check for finding in audit.findings))
    groups: dict[str, list[Finding]] = defaultdict(list)
    # Within a group the checks stand in order of importance.
    for finding in sorted(audit.findings, key=lambda f: (order.index(f.check), severity(f))):
        if finding.status == "fail":
            groups[finding.group].append(finding)
    picked = [
        (rows[0], len({row.dimer for row in rows} - {rows[0].dimer})) for rows in groups.values()
    ]
    picked.sort(key=lambda pair: severity(pair[0]))
    return picked[:limit]


@dataclass(frozen=True)
class Unjudged:
    """Findings without a verdict that share status and reason."""

    status: str
    reason: str
    checks: tuple[str, ...]
    dimers: tuple[str, ...]
    findings: int


def unjudged(findings: Iterable[Finding]) -> list[Unjudged]:
    """Collapse the findings that are no verdicts, the largest heap first."""
    heaps: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.status not in VERDICTS:
            # "no reference for N2" and "no reference for O2" are one reason
            name = rf"(?<!\w){re.escape(finding.dimer)}(?!\w)"
            reason = re.sub(name, "the dimer", finding.reason) if finding.dimer else finding.reason
            heaps[finding.status, clean(reason)].append(finding)
    return sorted(
        (
            Unjudged(
                status=status,
                reason=reason if len(rows) > 1 else clean(rows[0].reason),
                checks=tuple(dict.fromkeys(row.check for row in rows)),
                dimers=tuple(dict.fromkeys(row.dimer for row in rows)),
                findings=len(rows),
            )
            for (status, reason), rows in heaps.items()
        ),
        key=lambda heap: (_RANK[heap.status], -heap.findings),
    )


def count(statuses: Iterable[str] | Mapping[str, int], noun: str = "") -> str:
    """Return `2 fail, 1 warn, 6 pass, 3 not judged`."""
    counts = Counter(statuses)
    parts = [(counts[status], status) for status in VERDICTS]
    parts.append((sum(n for status, n in counts.items() if status not in VERDICTS), "not judged"))
    shown = [f"{n}{NBSP}{status.replace(' ', NBSP)}" for n, status in parts if n]
    return ", ".join(shown) or f"no {noun or 'findings'}"


def who(audit: Audit) -> str:
    """Return what the model was trained to reproduce."""
    card = audit.card
    theory = clean(card.level_of_theory or "") or "level of theory not stated"
    data = clean(card.training_data or "")
    return f"{theory}, trained on {data}" if data else theory


def _plural(n: int, noun: str) -> str:
    return f"{n}{NBSP}{noun}" + ("" if n == 1 else "s")


def headline(audit: Audit) -> str:
    """Return the verdict as a few sentences that follow the model's name."""
    counts = Counter(finding.status for finding in audit.findings)
    names = {finding.dimer for finding in audit.findings} | set(audit.curves)
    asked = percent(audit.coverage)
    judged = any(counts[status] for status in ("fail", "warn", "pass"))
    score = f"scores {audit.score:.2f} of{NBSP}1" if judged else "has no score"
    said = f"{score} and answers {asked} of the dimers it was asked about. "
    profile = clean(str(audit.environment.get("profile", "md")))
    if profile != "md":
        said += f"Judged for {profile}, walls up to {audit.environment.get('cap_eV'):g}{NBSP}eV. "
    fails, warns, passes = (counts[status] for status in ("fail", "warn", "pass"))
    if fails or warns:
        parts = []
        if fails:
            broken = len({f.dimer for f in audit.findings if f.status == "fail"})
            where = f"{broken} of {_plural(len(names), 'dimer')}"
            verb = "fails" if fails == 1 else "fail"
            parts.append(f"{_plural(fails, 'finding')} {verb} on {where}")
        if warns:
            parts.append(f"{warns} {'warns' if warns == 1 else 'warn'}")
        said += " and ".join(parts) + f"; {passes} pass{'es' if passes == 1 else ''}"
        inherited = counts["inherited"]
        said += f", {inherited} {'is' if inherited == 1 else 'are'} inherited" if inherited else ""
        said += "."
    elif passes:
        said += f"Nothing fails and nothing warns: {_plural(passes, 'finding')} on "
        said += f"{_plural(len(names), 'dimer')}, every one a pass."
    else:
        said += "Nothing could be judged."
    outside = [heap for heap in unjudged(audit.findings) if heap.status == "out-of-domain"]
    for heap in outside[:2]:
        where = ", ".join(map(clean, heap.dimers[:4])) + (", …" if len(heap.dimers) > 4 else "")
        said += f" Out of its domain: {where}, because {heap.reason}."
    return said


def command(audit: Audit) -> str | None:
    """Return the command that made the audit, when the environment says so."""
    said: Any = audit.environment.get("command")
    if isinstance(said, str):
        return clean(said) or None
    if isinstance(said, Sequence) and said:
        return clean(shlex.join(map(str, said)))
    return None


def next_command(audit: Audit) -> str:
    """Return what to run next: the same audit as a page, or a larger one."""
    said = command(audit)
    card = audit.card
    model = shlex.quote(clean(f"{card.family}:{card.checkpoint}" if card.local else card.name))
    if said is None and card.family == "ase" and ":" not in card.name:
        return 'Audit.to_html("report.html")'  # an object has no name that a shell could find
    if said is None:
        return f"ase-probe audit {model} --suite standard --html report.html"
    if "--html" in said.split():
        return f"ase-probe audit {model} --suite homonuclear --html homonuclear.html"
    return f"{said} --html report.html"


def zero(curve: Curve) -> tuple[float, str]:
    """Return what to subtract from a model's energies, eV, and what that is in words."""
    limit = curve.atom_limit
    if limit is not None:
        return limit, "the isolated atoms"
    finite = np.flatnonzero(np.isfinite(curve.energy))
    if not len(finite):
        return 0.0, "the model's own zero"
    last = int(finite[-1])
    return float(curve.energy[last]), f"its value at {curve.r[last]:.3g}{NBSP}Å"
