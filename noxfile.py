"""Every check of CI: ``nox`` builds two environments that exclude each other, and tests in both.

mace-torch pins e3nn 0.4.4, others need 0.5 or newer (``tool.uv.conflicts``). Needs the extra
``dev``: ``pip install -e ".[dev]"``.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

from ase_probe.engine.environments import never
from ase_probe.engine.pip_settings import uv_settings
from ase_probe.registry import families

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["main", "mace"]

ADAPTERS = [family.adapter for family in families() if family.adapter]
EXTRAS = {adapter.environment.extra for adapter in ADAPTERS if adapter.environment.extra}
MACE = ("mace",)
MAIN = sorted(EXTRAS - set(MACE))


def install(session: nox.Session, *extras: str) -> None:
    """Install the checkout with some extras, without what vendors ask for and do not need."""
    session.env.update(uv_settings(os.environ))
    session.env["OMP_NUM_THREADS"] = "1"
    session.env.pop("PYTHONDONTWRITEBYTECODE", None)
    unwanted = {name for adapter in ADAPTERS for name in adapter.environment.exclude}
    overrides = Path(session.create_tmp()) / "overrides.txt"
    overrides.write_text(never(unwanted))
    session.install(
        *("--compile-bytecode", "--override", str(overrides), "-c", "constraints.txt"),
        *("-e", f".[{','.join(extras)}]"),
    )


@nox.session
def main(session: nox.Session) -> None:
    """Run all tests (MACE's skip themselves), then style, types, floors and documentation."""
    install(session, *MAIN, "pyscf", "dev")
    session.install("--no-deps", "molsets==0.3.1")  # for its CSV of MOSES; its requirements are old
    session.run("pytest", *session.posargs)
    if session.posargs:
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "ase_probe", "adapters")
    session.run("lint-imports")
    session.run("sphinx-build", "-q", "-W", "-b", "html", "docs", "docs/_build/html")


@nox.session
def mace(session: nox.Session) -> None:
    """Run the contract of the family that the main environment excludes."""
    install(session, *MACE, "test")
    session.run("pytest", *(f"tests/adapters/test_{family}.py" for family in MACE))
