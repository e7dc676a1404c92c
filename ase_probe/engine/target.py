"""``package.module:name`` or ``path/file.py:name`` -> the object."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from ase_probe.engine.guard import Raised, attempt
from ase_probe.errors import ModelLoadError

__all__ = ["load_target"]


def load_target(target: str) -> Any:
    """Import what `target` names.

    Raises
    ------
    ModelLoadError
        The module cannot be imported, or holds no such name.
    """
    place, _, attribute = target.rpartition(":")
    if place.endswith(".py"):
        module = attempt(lambda: _file(place))
    else:  # as entry points have it: module, module:attribute, module:object.attribute
        entry = importlib.metadata.EntryPoint("", target, "")
        place, attribute = entry.module, entry.attr
        module = attempt(lambda: _module(entry.module))
    if isinstance(module, Raised):
        raise ModelLoadError(f"Cannot import {place!r}: {module.message}") from module.error
    try:
        return functools.reduce(getattr, filter(None, attribute.split(".")), module)
    except AttributeError:
        raise ModelLoadError(f"{place!r} has no {attribute!r}.") from None


def _file(place: str) -> Any:
    path = Path(place)
    if not path.is_file():
        raise FileNotFoundError(f"no file {place!r} in {os.getcwd()}")
    spec = importlib.util.spec_from_file_location(f"_ase_probe_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Importable, so that what it defines can be pickled; out of every real module's way.
    sys.modules[module.__name__] = module
    loaded = attempt(lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    if isinstance(loaded, Raised):
        del sys.modules[module.__name__]
        raise loaded.error
    return module


def _module(place: str) -> Any:
    if importlib.util.find_spec(place.partition(".")[0]) is None:
        sys.path.insert(0, os.getcwd())  # a console script does not have it, `python -m` does
    return importlib.import_module(place)
