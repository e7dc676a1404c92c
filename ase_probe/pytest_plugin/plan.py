"""`Plan`: which checks on which dimers become tests. Known before the model is asked anything.

For the suites of fixed dimers this imports neither NumPy nor ASE, so that collecting costs nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ase_probe.check_names import applicable, select
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.pytest_plugin.options import Settings

if TYPE_CHECKING:
    from ase_probe.model import ModelCard

__all__ = ["Plan", "command", "completed", "make_plan"]

_FIXED = ("quick", "standard")  # suites that are the same for every model


@dataclass(frozen=True)
class Plan:
    """What to audit, and what to make of it.

    Attributes
    ----------
    model
        Its name.
    tests
        (check, dimer) pairs, dimer by dimer.
    options
        What `ase_probe.audit` is asked for.
    fail_on, exceptions
        As for `ase_probe.testing.judging.rule`.
    """

    model: str
    tests: tuple[tuple[str, str], ...]
    options: Mapping[str, Any]
    fail_on: str = "fail"
    exceptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def idle_exceptions(self) -> list[str]:
        """Exceptions that belong to no test of this plan: of another suite, or out of date."""
        planned = {f"{check}[{dimer}]" for check, dimer in self.tests}
        return sorted(self.exceptions.keys() - planned)


def make_plan(settings: Settings) -> Plan:
    """Work out the tests.

    Raises
    ------
    InputError
        An unknown suite, dimer, element, check or status, checks that apply to no dimer, or a
        malformed expected failure.
    ModelError
        A suite over the elements of a model that cannot be found.
    """
    assert settings.model is not None
    if settings.fail_on not in ("fail", "warn"):
        raise InputError(f"Unknown probe_fail_on {settings.fail_on!r}; allowed: fail, warn.")
    options = completed(settings.audit)
    dimers = _dimers(settings.model, options)
    checks = select(options.get("checks"))
    exceptions: Mapping[str, str] = {}
    if settings.expected_failures:
        from ase_probe.testing.judging import parse_exceptions

        exceptions = parse_exceptions(settings.expected_failures)
    tests = tuple((check, d.name) for d in dimers for check in applicable(d, checks))
    if not tests:
        raise InputError(
            f"None of the checks {', '.join(options['checks'])} applies to "
            f"{', '.join(d.name for d in dimers)}; choose other checks or other dimers."
        )
    return Plan(
        model=settings.model,
        tests=tests,
        options=options,
        fail_on=settings.fail_on,
        exceptions=exceptions,
    )


def completed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of an audit with the suite that a test suite wants: quick.

    Raises
    ------
    InputError
        Dimers together with a suite or elements.
    """
    done = dict(options)
    if done.get("dimers") and (done.get("suite") or done.get("elements")):
        raise InputError(
            "Dimers exclude a suite and elements: name the dimers, or what to choose from."
        )
    if not done.get("dimers") and not done.get("elements"):
        done.setdefault("suite", "quick")
    return done


def _dimers(model: str, options: Mapping[str, Any]) -> Sequence[Dimer]:
    suite, elements = options.get("suite"), options.get("elements")
    if suite in _FIXED and not elements:
        from ase_probe.suites import suite as fixed

        return fixed(suite)
    from ase_probe.asking import pairs, parsed

    if options.get("dimers"):
        return parsed(options["dimers"])
    return pairs(suite, elements, _card(model, options))


def _card(model: str, options: Mapping[str, Any]) -> ModelCard:
    from ase_probe.registry import resolve

    return resolve(model, elsewhere=bool(options.get("isolate")))[1]


def command(model: str, options: Mapping[str, Any]) -> str:
    """Return the ``ase-probe audit`` that asks for the same."""
    words = ["ase-probe", "audit", model]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif value not in (None, False):
            text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else f"{value}"
            words += [flag, text]
    return shlex.join(words)
