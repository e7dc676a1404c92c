"""`fingerprint`: what a model's answers depend on, found without importing the vendor.

Weights by content, vendor packages by version and by their list of files, adapter and engine by
source, options as given, kind of machine and which of its devices show. A model of which any of
this cannot be known (a calculator object, a package installed for editing, weights that are not on
disk yet) has none.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import ase_probe
from ase_probe.model import Adapter, ModelCard

__all__ = ["fingerprint"]

_ENGINE = ("batched.py", "graphs.py", "model.py", "engine/evaluator.py", "engine/worker.py")
_ALWAYS = ("ase", "numpy")
_SETTINGS = (
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
)
"""Variables that move a model to another device or change its precision."""


def _sha256(path: str | Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _contents(weights: Path, checkpoint: str | None) -> list[str]:
    """Hash of the weights, and of all that stands beside them in a checkpoint that is a folder."""
    folder = None if checkpoint is None else Path(checkpoint)
    beside = folder.rglob("*") if folder is not None and folder.is_dir() else ()
    return [_sha256(weights), *(_sha256(path) for path in sorted(beside) if path.is_file())]


def _distribution(name: str) -> list[str | None] | None:
    """Version and hash of the list of files; `None` if it is installed for editing."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return [name, None, None]
    direct = json.loads(found.read_text("direct_url.json") or "{}")
    if direct.get("dir_info", {}).get("editable"):
        return None
    record = found.read_text("RECORD") or ""
    return [name, found.version, hashlib.sha256(record.encode()).hexdigest()]


def _source(adapter: Adapter) -> Path | None:
    """File of the adapter, which may be a module itself; `None` where there is none."""
    module = adapter.__name__ if isinstance(adapter, ModuleType) else type(adapter).__module__
    found = importlib.util.find_spec(module)
    return Path(found.origin) if found and found.origin and found.has_location else None


def _packages(adapter: Adapter, interpreter: str | None, distribution: str) -> object:
    """What is installed where the model runs; `None` where that cannot be known."""
    if interpreter is not None and interpreter != sys.executable:
        ready = Path(interpreter).parent.parent / "ready.json"  # of an environment built by us
        return [interpreter, ready.read_text("utf-8")] if ready.is_file() else None
    # Of ase-probe itself the files that matter are hashed one by one.
    brought = () if distribution == "ase-probe" else (distribution,)
    names = (*_ALWAYS, *adapter.environment.distributions, *brought)
    found = [_distribution(name) for name in names]
    return None if None in found else found


def fingerprint(
    adapter: Adapter,
    card: ModelCard,
    options: Mapping[str, Any],
    interpreter: str | None = None,
    distribution: str = "ase-probe",
) -> str | None:
    """Return a key that changes whenever the model's answers may change, or `None`.

    Parameters
    ----------
    adapter, card
        From the registry.
    options
        ``device``, ``dtype``, ``task``, ``checkpoint``, ``trust_checkpoint`` as for `Probe`.
    interpreter
        The Python of an isolated model.
    distribution
        The distribution that brings the adapter.
    """
    source, packages = _source(adapter), _packages(adapter, interpreter, distribution)
    if source is None or packages is None:
        return None
    checkpoint = card.checkpoint if card.local else options["checkpoint"]
    weights = adapter.checkpoint_file(card, checkpoint)
    if weights is None and not adapter.weightless:
        return None
    if weights is not None and not Path(weights).is_file():
        return None
    home = Path(ase_probe.__file__).parent
    content = {
        "packages": packages,
        "ase-probe": [ase_probe.__version__, *(_sha256(home / name) for name in _ENGINE)],
        "adapter": _sha256(source),
        "card": asdict(card),
        "options": {key: options[key] for key in sorted(options)},
        "weights": None if weights is None else _contents(Path(weights), checkpoint),
        "machine": [platform.machine(), platform.system(), shutil.which("nvidia-smi") is not None],
        "settings": {name: os.environ.get(name) for name in _SETTINGS},
        "python": platform.python_version(),
    }
    # An option of another type, such as a `Path`, is the loader's to take or to refuse.
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()
