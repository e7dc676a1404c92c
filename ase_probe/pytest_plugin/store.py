"""`AuditStore`: every audit of a session is made once, with pytest-xdist by one of its workers.

The workers share a folder. Who gets the lock first makes the audit and leaves it there as JSON, the
others wait and read it; the lock goes with its process, so a worker that dies blocks nobody.
"""

from __future__ import annotations

import hashlib
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ase_probe.pytest_plugin import STORE
from ase_probe.pytest_plugin.plan import command

if TYPE_CHECKING:
    from ase_probe.calculator import Probe
    from ase_probe.curve import Audit

__all__ = ["AuditStore", "NoAudit", "store_of"]

_LOADING = ("device", "dtype", "task", "checkpoint", "trust_checkpoint", "isolate", "timeout")


@dataclass(frozen=True)
class NoAudit:
    """An audit that could not be made, and why."""

    why: str


class AuditStore:
    """The audits of one session.

    Attributes
    ----------
    audits
        What was made or read so far and is worth a summary, in that order.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.audits: list[Audit] = []
        self._known: dict[str, Audit | NoAudit] = {}
        self._probes: dict[str, Probe] = {}
        self._names: dict[int, str] = {}
        self._models: list[Any] = []  # kept alive, for their ids are keys
        self._prefix = _shared_prefix(config)

    def probe(self, model: str, options: Mapping[str, Any]) -> Probe:
        """Return the model as a calculator, loaded once."""
        from ase_probe.calculator import Probe

        loading = {name: options[name] for name in _LOADING if name in options}
        key = repr((model, sorted(loading.items())))
        if key not in self._probes:
            self._probes[key] = Probe(model, **loading)
            self._names[id(self._probes[key])] = model
        return self._probes[key]

    def find(
        self, model: Any, options: Mapping[str, Any], *, summarised: bool = True
    ) -> Audit | NoAudit:
        """Return the audit of a model, made now if nobody has made it, or why there is none.

        Parameters
        ----------
        model
            As for `ase_probe.audit`.
        options
            Of `ase_probe.audit`.
        summarised
            Is it worth a summary?
        """
        # What `probe` gave goes back to its name: a name can be shared among workers.
        model = self._names.get(id(model), model)
        named = isinstance(model, str)
        key = repr((model if named else id(model), sorted(options.items())))
        if key not in self._known:
            self._models.append(model)
            found = self._shared(model, options, key) if named else _made(model, options)
            self._known[key] = found
            if summarised and not isinstance(found, NoAudit):
                self.audits.append(found)
        return self._known[key]

    def _shared(self, model: str, options: Mapping[str, Any], key: str) -> Audit | NoAudit:
        if self._prefix is None:
            return _made(model, options)
        from ase_probe.curve import Audit

        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        file = self._prefix.with_name(f"{self._prefix.name}-{name}.json")
        excuse = file.with_suffix(".txt")
        with _locked(file.with_suffix(".lock")):
            if file.exists():
                return Audit.load(file)
            if excuse.exists():
                return NoAudit(excuse.read_text(encoding="utf-8"))
            found = _made(model, options)
            if isinstance(found, NoAudit):
                excuse.write_text(found.why, encoding="utf-8")
            else:
                found.save(file)
        return found


def store_of(config: pytest.Config) -> AuditStore:
    """Return the session's store."""
    if STORE not in config.stash:
        config.stash[STORE] = AuditStore(config)
    return config.stash[STORE]


def _shared_prefix(config: pytest.Config) -> Path | None:
    """Prefix of the files that the workers of this run share; `None` without workers."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return None
    own = config.getoption("basetemp")  # pytest-xdist gives one to each local worker
    folder = Path(own).parent if own else Path(tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"ase-probe-{worker['testrunuid']}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "ab") as lock:
        try:
            import fcntl
        except ImportError:  # Windows: every worker asks the model itself
            yield
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(model: Any, options: Mapping[str, Any]) -> Audit | NoAudit:
    from ase_probe.engine import Raised, attempt
    from ase_probe.errors import AseProbeError
    from ase_probe.testing.physical import audited

    found = attempt(lambda: audited(model, **options))
    if isinstance(found, Raised):
        if isinstance(found.error, AseProbeError):
            return NoAudit(str(found.error))
        why = "".join(traceback.format_exception(found.error))
        return NoAudit(f"{model} could not be audited; please report this.\n\n{why}")
    if not isinstance(model, str):
        return found
    environment = {**found.environment, "command": command(model, options)}
    return replace(found, environment=environment)
