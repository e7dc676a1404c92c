"""One pytest item per check and dimer: ``ase-probe::compression.barrier[N2]``.

All items of a session share one audit. What concerns the whole audit (the model cannot be loaded,
nothing could be judged) is told once, by the first item; the others are skipped and point to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ase_probe.pytest_plugin.plan import Plan, command
from ase_probe.pytest_plugin.store import NoAudit, store_of

if TYPE_CHECKING:
    from ase_probe.curve import Audit, Finding

__all__ = ["STATUS", "CheckItem", "Group"]

STATUS = "ase_probe_status"
"""Property of a report (JUnit files show it): the status of the finding."""


class Group(pytest.File):
    """What the items hang on, and what they share. There is no such file."""

    def __init__(self, *, plan: Plan, **more: Any) -> None:
        super().__init__(**more)
        self.plan = plan

    def collect(self) -> Iterator[pytest.Item]:
        """Make the items."""
        for check, dimer in self.plan.tests:
            name = f"{check}[{dimer}]"
            yield CheckItem.from_parent(self, name=name, check=check, dimer=dimer, group=self)

    @cached_property
    def selected(self) -> list[CheckItem]:
        """Items that run in this session, some of them in other workers."""
        return [item for item in self.session.items if isinstance(item, CheckItem)]

    @cached_property
    def audit(self) -> Audit | NoAudit:
        """The audit of the dimers of selected items."""
        planned = dict.fromkeys(dimer for _, dimer in self.plan.tests)
        wanted = {item.dimer for item in self.selected}
        options = dict(self.plan.options)
        if wanted != planned.keys():
            options = {k: v for k, v in options.items() if k not in ("suite", "elements")}
            options["dimers"] = [dimer for dimer in planned if dimer in wanted]
        return store_of(self.config).find(self.plan.model, options)

    @cached_property
    def problem(self) -> str | None:
        """What is wrong with the audit as a whole."""
        from ase_probe.testing.judging import unjudged

        return self.audit.why if isinstance(self.audit, NoAudit) else unjudged(self.audit)

    @cached_property
    def findings(self) -> dict[tuple[str, str], Finding]:
        """(check, dimer) -> finding; under the check "" why a dimer is out of the domain."""
        assert not isinstance(self.audit, NoAudit)
        found = {(f.check, f.dimer): f for f in self.audit.findings}
        outside = [f for f in self.audit.findings if f.status == "out-of-domain"]
        return {**{("", f.dimer): f for f in outside}, **found}


class CheckItem(pytest.Item):
    """One check of one dimer."""

    def __init__(self, *, check: str, dimer: str, group: Group, **more: Any) -> None:
        super().__init__(**more)
        self.check, self.dimer, self.group = check, dimer, group
        self.add_marker("probe")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return what pytest heads a failure with."""
        return self.path, None, f"{self.dimer}: {self.check}"

    def runtest(self) -> None:
        """Pass, fail or skip as its finding says."""
        from ase_probe.testing.judging import rule

        group, problem = self.group, self.group.problem
        if problem is not None:
            if self is group.selected[0]:
                raise _Unphysical(problem.splitlines()[0], problem)
            pytest.skip(f"no audit, see the failure of {group.selected[0].nodeid}")
        assert not isinstance(group.audit, NoAudit)
        finding = group.findings.get((self.check, self.dimer)) or group.findings["", self.dimer]
        self.user_properties.append((STATUS, finding.status))
        ruling = rule(
            finding,
            fail_on=group.plan.fail_on,
            counted=group.audit.environment["groups"],
            exceptions=group.plan.exceptions,
            name=self.name,
        )
        if ruling.outcome == "skip":
            pytest.skip(ruling.why)
        if ruling.outcome == "expected":
            pytest.xfail(ruling.why)
        if ruling.outcome == "stale":
            raise _Unphysical(ruling.why, ruling.why)
        if ruling.outcome in ("fail", "expected"):  # --runxfail comes here with "expected"
            raise _Unphysical(*self._message(group.audit, finding))

    def _message(self, audit: Audit, finding: Finding) -> tuple[str, str]:
        """One line, and the whole."""
        from ase_probe.report.failure import explain, headline

        which = ("suite", "elements", "dimers", "checks")
        options = {k: v for k, v in self.group.plan.options.items() if k not in which}
        options = {"dimers": [self.dimer], **options, "html": "report.html"}
        told = f"{explain(audit, finding)}\n\nNext: {command(self.group.plan.model, options)}"
        return headline(finding), told

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the message alone: a traceback through pytest tells nobody anything."""
        if not isinstance(excinfo.value, _Unphysical):
            return super().repr_failure(excinfo, style)
        shown = excinfo.getrepr(style="value")
        if shown.reprcrash is not None:  # what the short summary shows
            shown.reprcrash.message = excinfo.value.headline
        return shown


class _Unphysical(Exception):
    """A test failed: one line and the whole message."""

    def __init__(self, headline: str, message: str) -> None:
        super().__init__(message)
        self.headline = headline
