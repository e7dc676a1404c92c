"""The pytest plugin: ``pytest --probe-model my_pkg:make_calc`` adds one test per check and dimer.

Every installation of ase-probe loads this module in every pytest session, so it imports nothing but
pytest and the table of options; NumPy and ASE come with the first test that needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ase_probe.pytest_plugin.options import add_options, read_settings

if TYPE_CHECKING:
    from ase_probe.curve import Audit, Curve
    from ase_probe.pytest_plugin.store import AuditStore

__all__ = ["STORE"]

STORE: pytest.StashKey[AuditStore] = pytest.StashKey()
"""Where the session keeps its audits, once it has any."""

_Summaries = list[tuple[str, list[str]]]  # title and lines of each audit
_SUMMARY: pytest.StashKey[_Summaries] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the items' hooks where a model is named."""
    config.addinivalue_line(
        "markers",
        "probe(model, suite, dimers, …): what the fixtures probe_audit and probe_curve audit, in "
        "the words of ase_probe.audit; every test that ase-probe adds has it too.",
    )
    settings = read_settings(config)
    if settings.model is not None and not config.option.help:
        from ase_probe.pytest_plugin.hooks import Checks

        config.pluginmanager.register(Checks(config, settings), "ase-probe-checks")


@pytest.fixture(scope="session")
def probe_model(pytestconfig: pytest.Config) -> Any:
    """Return the model of ``--probe-model`` (or ``probe_model`` in the ini file) as a calculator.

    Override it in a ``conftest.py`` to test a model of your own: return an ASE calculator, a
    `Probe` or a name.
    """
    from ase_probe.pytest_plugin.fixtures import model

    return model(pytestconfig)


@pytest.fixture
def probe_audit(request: pytest.FixtureRequest) -> Audit:
    """Return the `Audit` of the model, made once per session."""
    from ase_probe.pytest_plugin.fixtures import audit

    return audit(request)


@pytest.fixture
def probe_curve(request: pytest.FixtureRequest) -> Callable[[str], Curve]:
    """Return a function from the name of a dimer, such as ``"N2"``, to the model's `Curve`."""
    from ase_probe.pytest_plugin.fixtures import curve

    return lambda dimer: curve(request, dimer)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the verdicts of a worker of pytest-xdist to its controller."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["ase_probe"] = _summaries(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the verdicts of a worker; several may have read the same audit."""
    found = getattr(node, "workeroutput", {}).get("ase_probe", [])
    node.config.stash.setdefault(_SUMMARY, []).extend((title, lines) for title, lines in found)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show each verdict and what to run next."""
    shown: _Summaries = []
    for title, lines in (*config.stash.get(_SUMMARY, []), *_summaries(config)):
        if (title, lines) in shown:
            continue
        shown.append((title, lines))
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.line(line)


def _summaries(config: pytest.Config) -> _Summaries:
    """Of the audits of this process; two of one model may differ in their options only."""
    if STORE not in config.stash:
        return []
    from ase_probe.pytest_plugin.summary import summary

    return [summary(audit) for audit in config.stash[STORE].audits]
