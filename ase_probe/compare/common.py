"""What comparing audits needs to know of each: its dimers, its name, the rules it was judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ase_probe.curve import Audit
from ase_probe.errors import InputError

__all__ = ["answered_in", "asked_of", "refuse_other_rules"]


def asked_of(audit: Audit) -> tuple[str, ...]:
    """Return the dimers that the audit asked for."""
    names = audit.environment.get("dimers") or (
        *audit.curves,
        *(finding.dimer for finding in audit.findings),
    )
    return tuple(dict.fromkeys(map(str, names)))


def answered_in(audit: Audit) -> frozenset[str]:
    """Return the dimers with at least one finite energy."""
    return frozenset(
        name for name, curve in audit.curves.items() if np.isfinite(curve.energy).any()
    )


def _rules(audit: Audit) -> dict[str, Any]:
    """What decides how a model is judged; audits that differ here are not compared."""
    said = audit.environment
    profile = str(said.get("profile", "md"))
    cap = said.get("cap_eV")
    return {
        "profile": profile if cap is None else f"{profile}, walls up to {cap:g} eV",
        "grid": str(said.get("grid", "not stated")),
        "limits": _limits(said.get("thresholds")),
    }


def _limits(own: Any) -> str:
    """Limits that are not built in, by their content."""
    if not own:
        return "the built-in ones"
    return f"those of a file with SHA-256 {own['sha256'][:12]}… ({own['path']})"


def refuse_other_rules(audits: Sequence[Audit], labels: Sequence[str]) -> None:
    """Raise where profile, grid or limits differ.

    Raises
    ------
    InputError
        They differ.
    """
    first = _rules(audits[0])
    for audit, label in zip(audits[1:], labels[1:], strict=True):
        for what, rule in _rules(audit).items():
            if rule.partition(" (")[0] != first[what].partition(" (")[0]:
                raise InputError(
                    f"{labels[0]} and {label} were judged by different rules: {what} {first[what]} "
                    f"against {rule}. Run one of the audits again with the options of the other."
                )
