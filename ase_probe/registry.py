"""Names -> (adapter, card). Families come from entry points and are imported on first use.

A family is one entry in the group ``ase_probe.adapters`` whose value is an object or module that
satisfies `ase_probe.model.Adapter`; ours and everybody else's take the same road. A plugin that
cannot be imported is reported where it is used and never breaks the others.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase_probe.engine import Raised, attempt
from ase_probe.errors import InputError, ModelLoadError, UnknownModelError
from ase_probe.model import Adapter, CalculatorAdapter, ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["GROUP", "Family", "families", "models", "resolve", "wrap"]

GROUP = "ase_probe.adapters"


@dataclass(frozen=True)
class Family:
    """One entry point: the adapter, or why it cannot be used."""

    name: str
    adapter: Adapter | None
    error: str | None = None


@cache
def families() -> tuple[Family, ...]:
    """Return every registered family, sorted by name, each loaded or with its error."""
    entries = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: entry.name)
    found: list[Family] = []
    taken: dict[str, str] = {}
    for entry in entries:
        family = _load_family(entry)
        names = [n for card in family.adapter.cards for n in _names(card)] if family.adapter else []
        clash = next((name for name in names if taken.get(name, entry.name) != entry.name), None)
        if clash is not None:
            why = f"{entry.value}: the name {clash!r} belongs to family {taken[clash]}"
            family = Family(entry.name, None, why)
        else:
            taken.update(dict.fromkeys(names, entry.name))
        found.append(family)
    return tuple(found)


def _names(card: ModelCard) -> list[str]:
    """The names a model answers to, in lower case."""
    return [name.lower() for name in (card.name, *card.aliases)]


def _load_family(entry: importlib.metadata.EntryPoint) -> Family:
    loaded = attempt(entry.load)
    if isinstance(loaded, Raised):
        return Family(entry.name, None, f"{entry.value}: {loaded.message}")
    if not isinstance(loaded, Adapter):
        return Family(entry.name, None, f"{entry.value} does not satisfy ase_probe.model.Adapter")
    cards = loaded.cards
    if not isinstance(cards, (tuple, list)) or not all(isinstance(c, ModelCard) for c in cards):
        return Family(entry.name, None, f"{entry.value}: its cards are not a tuple of ModelCards")
    return Family(entry.name, loaded)


def models() -> tuple[ModelCard, ...]:
    """Return the card of every model that ase-probe knows, family by family."""
    return tuple(card for family in families() if family.adapter for card in family.adapter.cards)


def resolve(name: str) -> tuple[Adapter, ModelCard]:
    """Find a model.

    Parameters
    ----------
    name
        A registered name or alias, ``package.module:factory`` or ``path/file.py:factory``, where
        the factory takes no arguments and returns an ASE calculator.

    Raises
    ------
    UnknownModelError
        No such name.
    ModelLoadError
        The factory cannot be imported.
    """
    known = {
        alias: (family.adapter, card)
        for family in families()
        if family.adapter
        for card in family.adapter.cards
        for alias in _names(card)
    }
    if name.lower() in known:
        return known[name.lower()]
    if ":" in name:
        adapter = CalculatorAdapter(_factory(name))
        return adapter, ModelCard(name=name, family=adapter.family, checkpoint=name)
    if name.endswith(".py"):
        raise UnknownModelError(f"{name!r} names a file; add the factory in it: {name}:function.")
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    broken = [f"{family.name} ({family.error})" for family in families() if family.error]
    raise UnknownModelError(
        f"Unknown model {name!r}.{hint} `ase-probe models` lists every name. Any other model runs "
        "as an ASE calculator: write a function without arguments that returns it, and give it as "
        "path/file.py:function or package.module:function."
        + (f" These families could not be imported: {'; '.join(broken)}." if broken else "")
    )


def wrap(calculator: BaseCalculator) -> tuple[Adapter, ModelCard]:
    """Give an ASE calculator that is already built an adapter and a card."""
    if isinstance(calculator, type):
        raise InputError(
            f"Expected an ASE calculator, got the class {calculator.__name__}: write "
            f"{calculator.__name__}(...) with its arguments."
        )
    if not callable(getattr(calculator, "get_property", None)):
        raise InputError(
            f"Expected a model name or an ASE calculator, got {type(calculator).__name__}."
        )
    kind = type(calculator)
    return CalculatorAdapter(lambda: calculator), ModelCard(
        name=kind.__name__, family="ase", checkpoint=f"{kind.__module__}.{kind.__qualname__}"
    )


def _factory(target: str) -> Callable[[], Any]:
    place, _, attribute = target.rpartition(":")
    if not place or not attribute:
        raise UnknownModelError(
            f"{target!r} names no factory; write package.module:factory or path/file.py:factory."
        )
    module = attempt(lambda: _module(place))
    if isinstance(module, Raised):
        raise ModelLoadError(f"Cannot import {place!r}: {module.message}") from module.error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise ModelLoadError(
            f"{place!r} has no callable {attribute!r}. It must be a function without arguments "
            "that returns an ASE calculator."
        )
    return factory  # type: ignore[no-any-return]


def _module(place: str) -> Any:
    if place.endswith(".py"):
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
    if importlib.util.find_spec(place.partition(".")[0]) is None:
        sys.path.insert(0, os.getcwd())  # a console script does not have it, `python -m` does
    return importlib.import_module(place)
