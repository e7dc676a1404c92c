"""What the fixtures return. Markers and options in, audits out."""

from __future__ import annotations

from typing import Any

import pytest

from ase_probe.curve import Audit, Curve
from ase_probe.dimer import Dimer
from ase_probe.errors import AseProbeError, InputError
from ase_probe.pytest_plugin.options import AUDIT, read_settings
from ase_probe.pytest_plugin.plan import completed
from ase_probe.pytest_plugin.store import NoAudit, store_of

__all__ = ["audit", "curve", "model"]

_WHICH = ("dimers", "suite", "elements")


def model(config: pytest.Config) -> Any:
    """Return the session's model as a calculator."""
    settings = read_settings(config)
    if settings.model is None:
        pytest.fail(
            "No model to test: give --probe-model, set probe_model in the ini file, or define a "
            "fixture probe_model in conftest.py that returns an ASE calculator.",
            pytrace=False,
        )
    try:
        return store_of(config).probe(settings.model, settings.audit)
    except AseProbeError as error:
        pytest.fail(str(error), pytrace=False)


def audit(request: pytest.FixtureRequest) -> Audit:
    """Return the audit a test asks for: by its marker, else by the options."""
    return _found(request, _marked(request), summarised=True)


def _found(request: pytest.FixtureRequest, options: dict[str, Any], *, summarised: bool) -> Audit:
    named = options.pop("model", None)
    subject = request.getfixturevalue("probe_model") if named is None else named
    try:
        found = store_of(request.config).find(subject, completed(options), summarised=summarised)
    except AseProbeError as error:
        found = NoAudit(str(error))
    if isinstance(found, NoAudit):
        pytest.fail(found.why, pytrace=False)
    return found


def curve(request: pytest.FixtureRequest, dimer: str) -> Curve:
    """Return one curve: of the audit, or of one more when that has no such dimer.

    Raises
    ------
    InputError
        The model cannot be asked for this dimer.
    """
    name = Dimer.parse(dimer).name
    found = audit(request)
    if name not in found.environment["dimers"]:
        options = {k: v for k, v in _marked(request).items() if k not in _WHICH}
        found = _found(request, {**options, "dimers": [name]}, summarised=False)
    if name not in found.curves:
        why = next(finding.reason for finding in found.findings if finding.dimer == name)
        raise InputError(f"There is no curve of {name}: {why}.")
    return found.curves[name]


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of the command line and the ini file, changed by the test's marker."""
    options = read_settings(request.config).audit
    marker = request.node.get_closest_marker("probe")
    if marker is None:
        return options
    allowed = ("model", *AUDIT)
    wrong = sorted(set(marker.kwargs) - set(allowed))
    if marker.args or wrong:
        given = ", ".join([*map(repr, marker.args), *wrong])
        pytest.fail(
            f"@pytest.mark.probe takes keywords only, of {', '.join(allowed)}; got {given}.",
            pytrace=False,
        )
    if not marker.kwargs.keys().isdisjoint(_WHICH):
        options = {k: v for k, v in options.items() if k not in _WHICH}
    return {**options, **marker.kwargs}
