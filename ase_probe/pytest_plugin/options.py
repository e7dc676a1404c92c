"""The plugin's options: one table, from which come ``--probe-x`` and the ini option ``probe_x``.

They mean what the options of ``ase-probe audit`` mean. The command line wins over the ini file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

__all__ = ["AUDIT", "OPTIONS", "Settings", "add_options", "read_settings"]


@dataclass(frozen=True)
class _Option:
    """One option: ``kind`` is ``text``, ``list``, ``number``, ``path`` or ``flag``."""

    name: str
    kind: str
    metavar: str
    help: str


OPTIONS = (
    _Option("model", "path", "MODEL", "Audit this model: a name, package.module:factory or "
            "path/file.py:factory. Adds one test per check and dimer."),
    _Option("suite", "text", "NAME", "quick (the default), standard, homonuclear or all-pairs."),
    _Option("dimers", "list", "LIST", "Dimers instead of a suite, e.g. H2,N2,NaCl."),
    _Option("elements", "list", "LIST", "Every pair of these elements, e.g. Li,P,S."),
    _Option("checks", "list", "LIST", "Checks or groups to run, e.g. compression."),
    _Option("fail_on", "text", "STATUS", "Least severe status that fails a test: fail (the "
            "default) or warn."),
    _Option("grid", "text", "NAME", "Distances: standard, matbench, arena or ml-peg."),
    _Option("profile", "text", "NAME", "What the model is wanted for: md (the default), search, "
            "radiation or molecules."),
    _Option("t_max", "number", "EV", "Largest energy of a collision; for the profile radiation."),
    _Option("thresholds", "path", "TOML", "Limits of your own."),
    _Option("device", "text", "NAME", "auto, cpu, cuda or cuda:N."),
    _Option("dtype", "text", "NAME", "float32 or float64."),
    _Option("task", "text", "TASK", "Task, head or modal of a model that has several."),
    _Option("checkpoint", "path", "PATH", "Other weights for the named architecture."),
    _Option("trust_checkpoint", "flag", "", "Load them even if that can run code they hold."),
    _Option("isolate", "flag", "", "Run the model in a process of its own."),
    _Option("timeout", "number", "SECONDS", "Longest that an isolated model may take for a batch."),
)  # fmt: skip
"""Every option but the list of expected failures, which is an ini option only."""

AUDIT = tuple(o.name for o in OPTIONS if o.name not in ("model", "fail_on"))
"""What `ase_probe.audit` takes."""


@dataclass(frozen=True)
class Settings:
    """What pytest was told.

    Attributes
    ----------
    values
        Name -> value of every option that was given.
    from_ini
        The names whose value came from the ini file.
    expected_failures
        Its lines, unread.
    """

    values: Mapping[str, Any]
    from_ini: frozenset[str]
    expected_failures: tuple[str, ...]

    @property
    def model(self) -> str | None:
        """The model, if there is one."""
        return self.values.get("model")

    @property
    def fail_on(self) -> str:
        """Least severe status that fails."""
        return str(self.values.get("fail_on", "fail"))

    @property
    def audit(self) -> dict[str, Any]:
        """What goes on to `ase_probe.audit`."""
        return {name: self.values[name] for name in AUDIT if name in self.values}


def add_options(parser: pytest.Parser) -> None:
    """Tell pytest of every option."""
    group = parser.getgroup("ase-probe", "physics of an interatomic potential (ase-probe)")
    for option in OPTIONS:
        flag = "--probe-" + option.name.replace("_", "-")
        how: dict[str, Any] = {"default": None, "dest": f"probe_{option.name}", "help": option.help}
        if option.kind == "flag":
            how["action"] = "store_true"
        else:
            how["metavar"] = option.metavar
            how["action"] = "append" if option.kind == "list" else "store"
        group.addoption(flag, **how)
        ini: Any = {"list": "linelist", "flag": "bool"}.get(option.kind, "string")
        parser.addini(f"probe_{option.name}", option.help, type=ini, default=None)
    parser.addini(
        "probe_expected_failures",
        "Known exceptions, one a line: compression.barrier[N2]: the reason",
        type="linelist",
        default=[],
    )


def read_settings(config: pytest.Config) -> Settings:
    """Collect what was given, the command line first.

    Raises
    ------
    pytest.UsageError
        A number that is none.
    """
    values: dict[str, Any] = {}
    from_ini = set()
    for option in OPTIONS:
        given = config.getoption(f"probe_{option.name}")
        if given in (None, []):
            given = config.getini(f"probe_{option.name}")
            if given in (None, "", [], False):
                continue
            from_ini.add(option.name)
        values[option.name] = _value(option, given, config, option.name in from_ini)
    lines = config.getini("probe_expected_failures")
    return Settings(values, frozenset(from_ini), tuple(line for line in lines if line.strip()))


def _value(option: _Option, given: Any, config: pytest.Config, ini: bool) -> Any:
    if option.kind == "list":
        return [item for text in given for item in re.split(r"[\s,]+", text) if item]
    if option.kind == "number":
        try:
            return float(given)
        except ValueError:
            name = f"probe_{option.name}" if ini else f"--probe-{option.name.replace('_', '-')}"
            raise pytest.UsageError(f"{name} takes a number, not {given!r}.") from None
    if option.kind == "path" and ini:
        return _from_the_ini_file(given, config)
    return given


def _from_the_ini_file(given: str, config: pytest.Config) -> str:
    """Read a path as one beside the ini file; names of models and modules stay what they are."""
    place, colon, attribute = given.rpartition(":") if ":" in given else (given, "", "")
    folder = config.inipath.parent if config.inipath else config.rootpath
    path = folder / place
    return f"{os.path.relpath(path)}{colon}{attribute}" if path.is_file() else given
