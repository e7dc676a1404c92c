"""Environments of model families: built once with uv, kept in the user's cache, found by content.

A folder is usable once it holds ``ready.json``, which is written last; one without is garbage. The
folder's name carries a hash of what was asked for, so a changed requirement is another environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ase_probe.engine.opening import is_installed
from ase_probe.engine.pip_settings import uv_settings
from ase_probe.errors import InputError, ModelNotInstalledError, WorkerError
from ase_probe.model import Adapter

__all__ = [
    "Recipe",
    "cache_folder",
    "create",
    "installed",
    "interpreter",
    "never",
    "recipe",
    "remove",
]

_NEEDED_BY_THE_WORKER = ("ase", "numpy")


@dataclass(frozen=True)
class Recipe:
    """What an environment is made of.

    Attributes
    ----------
    family
        The model family.
    requirements
        Requirement specifiers, sorted.
    alone
        Arguments for distributions installed without what they ask for (a plugin: the worker gets
        ase-probe from the running process).
    exclude
        Distributions that must not be installed.
    python
        Path of an interpreter or a version.
    """

    family: str
    requirements: tuple[str, ...]
    alone: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    python: str = sys.executable

    @property
    def folder(self) -> Path:
        """Where it stands, or will."""
        version = platform.python_version() if self.python == sys.executable else self.python
        content = [self.requirements, self.alone, self.exclude, version, sysconfig.get_platform()]
        key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
        return cache_folder() / f"{self.family}-{key}"

    @property
    def interpreter(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Has it been built to the end?"""
        return (self.folder / "ready.json").is_file()


def cache_folder() -> Path:
    """Where environments are kept: ``$ASE_PROBE_CACHE`` or the user's cache, ``environments``."""
    import platformdirs

    base = os.environ.get("ASE_PROBE_CACHE") or platformdirs.user_cache_dir("ase-probe")
    return Path(base) / "environments"


def interpreter(adapter: Adapter, distribution: str) -> str:
    """Return a Python that has the family's packages: this one, else that of its environment."""
    if is_installed(adapter):
        return sys.executable
    return str(create(recipe(adapter, distribution)))


def recipe(adapter: Adapter, distribution: str) -> Recipe:
    """Return what the environment of a family is made of.

    Parameters
    ----------
    adapter
        The family.
    distribution
        The distribution that brings the adapter; its extra names the vendor's requirements.

    Raises
    ------
    InputError
        The family names no extra.
    """
    asked = adapter.environment
    if asked.extra is None:
        raise InputError(
            f"{adapter.family} needs no packages of its own: there is nothing to build."
        )
    own = _requirements("ase-probe", None)
    base = [r for r in own if _name(r) in _NEEDED_BY_THE_WORKER]
    wanted = _requirements(distribution, asked.extra)
    if distribution != "ase-probe":
        wanted += [r for r in _requirements(distribution, None) if _name(r) != "ase-probe"]
    return Recipe(
        family=adapter.family,
        requirements=tuple(sorted({*base, *wanted})),
        alone=() if distribution == "ase-probe" else (_pinned(distribution),),
        exclude=asked.exclude,
        python=asked.python or sys.executable,
    )


def create(wanted: Recipe) -> Path:
    """Build the environment unless it is there; returns its interpreter.

    Progress goes to standard error. Several processes may ask at once: one builds, the others wait.

    Raises
    ------
    ModelNotInstalledError
        uv is missing.
    WorkerError
        The packages could not be resolved or installed.
    """
    if wanted.ready:
        return wanted.interpreter
    if importlib.util.find_spec("uv") is None:
        raise ModelNotInstalledError(
            "Environments are built by uv, which is not installed here. Install it with: "
            "pip install 'ase-probe[isolate]'"
        )
    folder = wanted.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.ready:
            shutil.rmtree(folder, ignore_errors=True)
            print(f"ase-probe: building the environment of {wanted.family} (once)", file=sys.stderr)
            _build(wanted, lock.fileno())
    return wanted.interpreter


def _build(wanted: Recipe, lock: int) -> None:
    import uv

    def run(*command: str) -> None:
        _run([uv.find_uv_bin(), *command], {**os.environ, **uv_settings(os.environ)}, lock)

    python = ("--python", str(wanted.interpreter))
    run("venv", "--python", wanted.python, str(wanted.folder))
    with tempfile.TemporaryDirectory() as scratch:
        options = [*python, "--compile-bytecode"]
        if wanted.exclude:
            overrides = Path(scratch) / "overrides.txt"
            overrides.write_text(never(wanted.exclude))
            options += ["--override", str(overrides)]
        run("pip", "install", *options, *wanted.requirements)
    if wanted.alone:
        run("pip", "install", *python, "--no-deps", *shlex.split(" ".join(wanted.alone)))
    freeze = [uv.find_uv_bin(), "pip", "freeze", *python]
    frozen = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
    facts = {
        "family": wanted.family,
        "requirements": [*wanted.requirements, *wanted.alone],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "frozen": frozen.splitlines(),
    }
    draft = wanted.folder / "ready.json.new"
    draft.write_text(json.dumps(facts, indent=1))
    os.replace(draft, wanted.folder / "ready.json")


def _run(command: Sequence[str], settings: Mapping[str, str], lock: int) -> None:
    """Show what the command says as it comes, and quote its end if it fails.

    The command holds the lock as well: if this process is killed, nobody builds beside an orphan.
    """
    with subprocess.Popen(
        command,
        env=dict(settings),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        pass_fds=(lock,),
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            print(f"  {line}", end="", file=sys.stderr)
    if process.returncode:
        raise WorkerError(
            f"The environment could not be built: `{shlex.join(command[1:3])}` said: "
            + " ".join("".join(said[-15:]).split())
        )


def never(distributions: Iterable[str]) -> str:
    """Return the overrides file with which uv leaves these distributions out."""
    return "".join(f"{name} ; sys_platform == 'never'\n" for name in distributions)


def installed() -> list[tuple[Path, dict[str, Any]]]:
    """Return folder and ``ready.json`` of every environment there is; {} for an unfinished one."""
    if not cache_folder().is_dir():
        return []
    folders = sorted(p for p in cache_folder().iterdir() if p.is_dir())
    facts = ((p, p / "ready.json") for p in folders)
    return [(p, json.loads(f.read_text()) if f.is_file() else {}) for p, f in facts]


def remove(family: str) -> list[Path]:
    """Delete every environment of a family, or of all with ``all``; returns the folders.

    Raises
    ------
    InputError
        One is being built by another process.
    """
    gone = [p for p, _ in installed() if family in ("all", p.name.rpartition("-")[0])]
    for folder in gone:
        with open(f"{folder}.lock", "wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{folder} is being built by another process.") from None
            (folder / "ready.json").unlink(missing_ok=True)  # half a folder must not look whole
            shutil.rmtree(folder)
    return gone


def _requirements(distribution: str, extra: str | None) -> list[str]:
    """What a distribution asks for: always (`extra` is None), or for one extra only."""
    from packaging.requirements import Requirement

    found = []
    for text in importlib.metadata.requires(distribution) or ():
        requirement = Requirement(text)
        applies = [
            requirement.marker is None or requirement.marker.evaluate({"extra": name})
            for name in ("", extra or "")
        ]
        if applies == [extra is None, True]:
            requirement.marker = None
            found.append(str(requirement))
    return found


def _name(requirement: str) -> str:
    from packaging.requirements import Requirement

    return Requirement(requirement).name.lower()


def _pinned(distribution: str) -> str:
    """The installed version of a distribution, from where it was installed."""
    found = importlib.metadata.distribution(distribution)
    direct = json.loads(found.read_text("direct_url.json") or "{}")
    url = direct.get("url", "")
    if "vcs_info" in direct:
        vcs = direct["vcs_info"]
        return shlex.quote(f"{distribution} @ {vcs['vcs']}+{url}@{vcs['commit_id']}")
    if "dir_info" in direct:  # a checkout: linked, so that an edit is seen
        return f"-e {shlex.quote(urllib.request.url2pathname(urllib.parse.urlparse(url).path))}"
    return shlex.quote(f"{distribution} @ {url}") if url else f"{distribution}=={found.version}"
