"""The hooks of a session that names a model: they add its items and check its options."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ase_probe.errors import AseProbeError
from ase_probe.pytest_plugin.items import STATUS, CheckItem, Group
from ase_probe.pytest_plugin.options import Settings
from ase_probe.pytest_plugin.plan import Plan, make_plan

__all__ = ["Checks"]


class Checks:
    """Hooks for the time that pytest runs.

    Parameters
    ----------
    config
        Pytest's.
    settings
        What it was told.

    Raises
    ------
    pytest.UsageError
        The options do not make sense.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.added = "model" not in settings.from_ini or not _names_files(config)
        try:
            self.plan = make_plan(settings)
        except AseProbeError as error:
            raise pytest.UsageError(str(error)) from None

    def pytest_report_header(self) -> str:
        """Say what will be audited, or why it will not be."""
        if not self.added:
            return (
                f"ase-probe: {self.plan.model} is not audited, because files or tests are named; "
                "--probe-model on the command line does it all the same"
            )
        dimers = len({dimer for _, dimer in self.plan.tests})
        told = (
            f"ase-probe: {self.plan.model}, {len(self.plan.tests)} checks on {dimers} "
            f"dimer{'s' * (dimers != 1)}"
        )
        if idle := self.plan.idle_exceptions:
            told += f"; expected failures that belong to none of them: {', '.join(idle)}"
        return told

    @pytest.hookimpl(tryfirst=True)  # before -k and -m choose
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Add the items behind the tests that were collected."""
        if not self.added:
            return
        path = session.config.rootpath / "ase-probe"
        items.extend(session.genitems(Group.from_parent(session, path=path, plan=self.plan)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Refuse an unknown model, grid or profile before the first test, with a usage error."""
        config = session.config
        if self.added and not config.option.collectonly and not hasattr(config, "workerinput"):
            try:
                _validate(self.plan)
            except AseProbeError as error:
                raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let a skip point to the item, not into this file."""
        report = yield
        if isinstance(item, CheckItem) and isinstance(report.longrepr, tuple):
            report.longrepr = (str(item.path), None, report.longrepr[2])  # type: ignore[assignment]
        return report

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Keep apart what passes with a warning and what passes because the labels are wrong."""
        if not report.nodeid.startswith("ase-probe::") or not report.passed:
            return None
        status = dict(report.user_properties).get(STATUS) if report.when == "call" else None
        if status not in ("warn", "inherited"):
            return None
        return str(status), str(status)[0], (str(status).upper(), {"yellow": True})


def _names_files(config: pytest.Config) -> bool:
    """Were files or single tests named, rather than folders?"""
    folder = config.invocation_params.dir
    return config.args_source is pytest.Config.ArgsSource.ARGS and not all(
        (folder / argument).is_dir() for argument in config.args
    )


def _validate(plan: Plan) -> None:
    from ase_probe.checks import Profile, read_thresholds
    from ase_probe.dimer import Dimer
    from ase_probe.grids import grid
    from ase_probe.registry import resolve

    options = plan.options
    resolve(plan.model, elsewhere=bool(options.get("isolate")))
    Profile.named(options.get("profile", "md"), t_max=options.get("t_max"))
    if "thresholds" in options:
        read_thresholds(options["thresholds"])
    if "grid" in options:
        grid(options["grid"], Dimer.parse(plan.tests[0][1]))
