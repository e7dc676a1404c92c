"""First lines of a worker: ``python -I boot.py FD PACKAGE ADAPTERS PATHS``.

Binds ``ase_probe`` and ``ase_probe.adapters`` to the folders of the package that started it and
nothing else: with PYTHONPATH the starting environment's e3nn would shadow the worker's own.
"""

import importlib.util
import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


class Finder:
    """Finds the two packages; all their modules follow from their folders."""

    def __init__(self, folders: dict[str, str]) -> None:
        self.folders = folders

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where `name` is, if it is one of the two."""
        folder = self.folders.get(name)
        if folder is None:
            return None
        return importlib.util.spec_from_file_location(
            name, Path(folder) / "__init__.py", submodule_search_locations=[folder]
        )


if __name__ == "__main__":
    descriptor, package, adapters, paths = sys.argv[1:]
    sys.path += [path for path in json.loads(paths) if path not in sys.path]
    finder = Finder({"ase_probe": package, "ase_probe.adapters": adapters})
    sys.meta_path.insert(0, finder)
    from ase_probe.engine.worker import serve

    serve(int(descriptor))
