"""`assert_physical`: one line in somebody's test suite that says whether a potential is physics."""

from __future__ import annotations

import itertools
import shlex
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ase_probe.auditing import audit
from ase_probe.curve import Audit, Finding
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.report.digest import severity
from ase_probe.report.failure import explain, headline
from ase_probe.testing.judging import FAIL_ON, key, known_exceptions, rule, unjudged

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["assert_physical", "audited"]

_BLOCKS = 8  # findings told in full
_LINES = 40  # others in one line
_PLOTS = 3


def assert_physical(
    model: str | BaseCalculator,
    *,
    dimers: Sequence[str | Dimer] | None = None,
    suite: str | None = None,
    checks: Sequence[str] | None = None,
    fail_on: str = "fail",
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> Audit:
    """Audit a model and raise `AssertionError` where it is not physics.

    Parameters
    ----------
    model
        As for `ase_probe.audit`: an ASE calculator, a registered name, ``package.module:factory``.
    dimers
        Names such as ``"N2"`` instead of a suite.
    suite
        As for `ase_probe.audit`; ``quick`` unless `dimers`, ``elements`` or ``structure`` are
        given.
    checks
        Ids or groups to run; all when `None`.
    fail_on
        ``fail``, or ``warn`` to be strict.
    expected_failures
        Known exceptions with their reasons, ``{"compression.barrier[N2]": "labels end at 0.9 Å"}``.
        One that does not fail any more is an error, so that the list never goes stale.
    options
        Everything else that `ase_probe.audit` takes: ``profile``, ``grid``, ``device``, ….

    Returns
    -------
    Audit
        With every curve and finding.

    Raises
    ------
    AssertionError
        Findings at or above `fail_on`, or nothing could be judged. The message shows value,
        limits, source and the curve.
    InputError
        An unknown dimer, check or option.
    ModelError
        The model cannot be had.

    Examples
    --------
    >>> from ase.calculators.emt import EMT
    >>> audit = assert_physical(EMT(), dimers=["Cu2"], checks=["compression.barrier"])
    >>> audit.worst
    'pass'
    """
    __tracebackhide__ = True
    if fail_on not in FAIL_ON:
        raise InputError(f"Unknown fail_on {fail_on!r}; allowed: {', '.join(FAIL_ON)}.")
    exceptions = known_exceptions(expected_failures or {})
    if suite is None and dimers is None and not {"elements", "structure"} & options.keys():
        suite = "quick"
    made = audited(model, dimers=dimers, suite=suite, checks=checks, **options)
    message = _message(made, fail_on, exceptions)
    if message is not None:
        raise AssertionError(f"{message}\n\n{_next(made, model)}")
    return made


def audited(model: str | BaseCalculator, **options: Any) -> Audit:
    """Audit under Python's own warning filters.

    Where a test suite turns warnings into errors, those of a vendor's package would else become
    failures of the model.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return audit(model, **options)


def _message(made: Audit, fail_on: str, exceptions: Mapping[str, str]) -> str | None:
    nothing = unjudged(made)
    if nothing is not None:
        return nothing
    counted = made.environment.get("groups")
    failed: list[Finding] = []
    stale = []
    for finding in made.findings:
        ruling = rule(finding, fail_on=fail_on, counted=counted, exceptions=exceptions)
        if ruling.outcome == "fail":
            failed.append(finding)
        elif ruling.outcome == "stale":
            stale.append(ruling.why)
    there = {key(finding.check, finding.dimer) for finding in made.findings}
    stale += [
        f"{name} is among the expected failures, and no such check was run. Delete it."
        for name in exceptions
        if name not in there
    ]
    if not failed and not stale:
        return None
    blocks = []
    if failed:
        count = "1 check fails" if len(failed) == 1 else f"{len(failed)} checks fail"
        blocks.append(f"{made.card.name} is not physical: {count} of {len(made.findings)}.")
    failed = _most_telling_first(failed)
    drawn: set[str] = set()
    for finding in failed[:_BLOCKS]:
        plot = finding.dimer not in drawn and len(drawn) < _PLOTS
        drawn |= {finding.dimer} if plot else set()
        blocks.append(explain(made, finding, plot=plot))
    rest = [f"{headline(finding)}: {finding.reason}" for finding in failed[_BLOCKS:]]
    more = [f"and {len(rest) - _LINES} more"] if len(rest) > _LINES else []
    blocks += ["\n".join([*rest[:_LINES], *more])] if rest else []
    return "\n\n".join([*blocks, *stale])


def _most_telling_first(failed: Sequence[Finding]) -> list[Finding]:
    """Order so that each dimer has its say, the worst one first, before any speaks again."""
    rows: dict[str, list[Finding]] = {}
    for finding in failed:
        rows.setdefault(finding.dimer, []).append(finding)
    by_dimer = sorted(rows.values(), key=lambda found: min(map(severity, found)))
    rounds = itertools.zip_longest(*by_dimer)
    return [finding for one in rounds for finding in one if finding is not None]


def _next(made: Audit, model: object) -> str:
    names = list(dict.fromkeys(made.environment.get("dimers", made.curves)))
    if isinstance(model, str):
        command = ["ase-probe", "audit", model, "--dimers", ",".join(names)]
        return f"Next: {shlex.join([*command, '--html', 'report.html'])}"
    return f'Next: ase_probe.audit(model, dimers={names}).to_html("report.html") shows every curve.'
