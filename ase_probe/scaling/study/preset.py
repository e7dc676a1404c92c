"""`read_study`: one TOML file -> the specs of its runs.

A file is a list of ``[[grid]]`` tables with the names of `RunSpec`'s fields. A value that is a
list is an axis; a grid is the product of its axes, and ``[grid.shots]`` may have axes too. The seed
varies slowest, so that a sweep that is cut short has whole grids; the other axes follow in the
order of the file, the last one fastest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from ase_probe.errors import InputError
from ase_probe.scaling.training.spec import RunSpec

__all__ = ["PRESETS", "read_study", "with_bases"]

PRESETS = ("smoke", "laptop", "paper")


def read_study(source: str | Path) -> list[RunSpec]:
    """Return the runs in the order in which they are wanted, each once.

    All of one seed come before those of the next, so that a sweep that is stopped early has whole
    rows. A run that fine-tunes stands behind the run it starts from, which is added if the file
    does not ask for it.

    Parameters
    ----------
    source
        One of `PRESETS`, or a path.

    Raises
    ------
    InputError
        The file is not there, is no TOML or no study, or holds a value that makes no sense.
    """
    try:
        data = tomllib.loads(_text(source))
    except tomllib.TOMLDecodeError as wrong:
        raise InputError(f"{source} is no TOML: {wrong}.") from wrong
    grids = data.pop("grid", None)
    if data or not isinstance(grids, list) or not all(isinstance(g, dict) for g in grids):
        extra = f" It also holds {', '.join(data)}." if data else ""
        raise InputError(f"{source}: a study is a list of [[grid]] tables.{extra}")
    found: list[RunSpec] = []
    for number, grid in enumerate(grids, 1):
        try:
            found += _specs(grid)
        except InputError as wrong:
            raise InputError(f"{source}, grid {number}: {wrong}") from wrong
    return with_bases(sorted(found, key=lambda spec: spec.seed))


def with_bases(specs: Iterable[RunSpec]) -> list[RunSpec]:
    """Return each spec once, behind the spec that it fine-tunes."""
    found: dict[RunSpec, None] = {}
    for spec in specs:
        found |= {wanted: None for wanted in (spec.base, spec) if wanted is not None}
    return list(found)


def _text(source: str | Path) -> str:
    if source in PRESETS:
        return files(__package__).joinpath(f"presets/{source}.toml").read_text(encoding="utf-8")
    try:
        return Path(source).read_text(encoding="utf-8")
    except OSError as wrong:
        raise InputError(
            f"Cannot read {source}: {wrong.strerror}. Give a path, or a preset: "
            f"{', '.join(PRESETS)}."
        ) from wrong


def _specs(grid: Mapping[str, Any]) -> Iterator[RunSpec]:
    if not isinstance(grid.get("shots", {}), dict):
        raise InputError(f"shots is {grid['shots']!r}; give a table, [grid.shots].")
    axes: dict[tuple[str, ...], Any]
    axes = {(name,): value for name, value in grid.items() if name != "shots"}
    axes |= {("shots", name): value for name, value in grid.get("shots", {}).items()}
    choices = [value if isinstance(value, list) else [value] for value in axes.values()]
    for chosen in product(*choices):
        values: dict[str, Any] = {}
        for name, value in zip(axes, chosen, strict=True):
            (values.setdefault("shots", {}) if len(name) == 2 else values)[name[-1]] = value
        yield RunSpec.from_dict(values)
