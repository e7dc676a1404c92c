"""What one finding means for a test: it passes, fails, is skipped, or was expected to fail.

Only a verdict can pass or fail. What was not judged is skipped with its reason, never passed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ase_probe.check_names import CHECK_NAMES
from ase_probe.curve import Audit, Finding
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError

__all__ = ["FAIL_ON", "Ruling", "key", "known_exceptions", "parse_exceptions", "rule", "unjudged"]

FAIL_ON = ("fail", "warn")
"""The least severe status that fails a test."""

_ENTRY = re.compile(r"(?P<key>\S+\[\S+\])\s*(?::\s*(?P<reason>.*))?")


@dataclass(frozen=True)
class Ruling:
    """Outcome of one test, and why.

    Attributes
    ----------
    outcome
        ``pass``, ``fail``, ``skip``, ``expected`` (a known exception) or ``stale`` (an exception
        that is none any more).
    why
        For the reader; empty where the finding says it all.
    """

    outcome: str
    why: str = ""


def key(check: str, dimer: str) -> str:
    """Return how an exception and a test are named: ``compression.barrier[N2]``."""
    return f"{check}[{dimer}]"


def rule(
    finding: Finding,
    *,
    fail_on: str = "fail",
    counted: Collection[str] | None = None,
    exceptions: Mapping[str, str] | None = None,
    name: str = "",
) -> Ruling:
    """Judge one finding.

    Parameters
    ----------
    finding
        The finding.
    fail_on
        One of `FAIL_ON`.
    counted
        Groups of checks that count (all for `None`); a profile may leave some out.
    exceptions
        `key` -> why it is known to fail.
    name
        What to look up there; the finding's own key by default.
    """
    name = name or key(finding.check, finding.dimer)
    expected = (exceptions or {}).get(name)
    counts = counted is None or finding.group in counted
    failed = counts and finding.status in ("fail", fail_on)
    if expected is not None:
        if failed:
            return Ruling("expected", expected)
        return Ruling(
            "stale",
            f"{name} was expected to fail ({expected}) and does not fail any more: its status "
            f"is {finding.status}. Delete it from the expected failures.",
        )
    if failed:
        return Ruling("fail")
    if not counts and finding.status in FAIL_ON:
        return Ruling("skip", f"does not count in this profile: {finding.status}, {finding.reason}")
    if finding.status in ("pass", "warn", "inherited"):
        return Ruling("pass")
    return Ruling("skip", f"{finding.status}: {finding.reason}")


def unjudged(audit: Audit) -> str | None:
    """Return why an audit says nothing at all; `None` where it holds a verdict."""
    if any(finding.status in ("pass", "warn", "fail") for finding in audit.findings):
        return None
    reasons = dict.fromkeys(f"{f.dimer}: {f.reason}" for f in audit.findings)
    return f"Nothing could be judged about {audit.card.name}. {'; '.join(reasons)}."


def parse_exceptions(lines: Iterable[str]) -> dict[str, str]:
    """Read lines such as ``compression.barrier[N2]: labels end at 0.9 Å``.

    Raises
    ------
    InputError
        A line that does not have this form, an unknown check or dimer, or no reason.
    """
    found: dict[str, str] = {}
    for line in lines:
        match = _ENTRY.fullmatch(line.strip())
        if match is None:
            raise InputError(
                f"{line.strip()!r} is no expected failure; write check[dimer]: reason, such as "
                "compression.barrier[N2]: the labels end at 0.9 Å"
            )
        found[match["key"]] = match["reason"] or ""
    return known_exceptions(found)


def known_exceptions(given: Mapping[str, str]) -> dict[str, str]:
    """Return `key` -> reason with canonical names.

    Raises
    ------
    InputError
        A key that names no check or no dimer, or a missing reason.
    """
    found = {}
    for name, reason in given.items():
        check, _, dimer = name.rstrip("]").partition("[")
        if check not in CHECK_NAMES:
            raise InputError(
                f"The expected failure {name!r} names no check; write check[dimer] with one of "
                f"{', '.join(CHECK_NAMES)}."
            )
        if not reason.strip():
            raise InputError(f"The expected failure {name!r} needs a reason behind a colon.")
        found[key(check, Dimer.parse(dimer).name)] = reason.strip()
    return found
