"""Names -> (adapter, card). Families come from entry points and are imported on first use.

A family is one entry in the group ``ase_probe.adapters`` whose value is an object or module that
satisfies `ase_probe.model.Adapter`; ours and everybody else's take the same road. A plugin that
cannot be imported is reported where it is used and never breaks the others.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase_probe.engine import Raised, attempt
from ase_probe.engine.target import load_target
from ase_probe.errors import InputError, ModelLoadError, UnknownModelError
from ase_probe.model import Adapter, CalculatorAdapter, ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["GROUP", "Family", "families", "models", "origin", "resolve", "wrap"]

GROUP = "ase_probe.adapters"


@dataclass(frozen=True)
class Family:
    """One entry point: the adapter, or why it cannot be used.

    Attributes
    ----------
    name, target, distribution
        Name and value (``module:attribute``) of the entry point, and who brings it.
    adapter, error
        One of them is `None`.
    """

    name: str
    target: str
    distribution: str
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
            family = replace(family, adapter=None, error=why)
        else:
            taken.update(dict.fromkeys(names, entry.name))
        found.append(family)
    return tuple(found)


def _names(card: ModelCard) -> list[str]:
    """The names a model answers to, in lower case."""
    return [name.lower() for name in (card.name, *card.aliases)]


def _load_family(entry: importlib.metadata.EntryPoint) -> Family:
    family = Family(entry.name, entry.value, entry.dist.name if entry.dist else "", None)
    loaded = attempt(entry.load)
    if isinstance(loaded, Raised):
        return replace(family, error=f"{entry.value}: {loaded.message}")
    if not isinstance(loaded, Adapter):
        why = f"{entry.value} does not satisfy ase_probe.model.Adapter"
        return replace(family, error=why)
    cards = loaded.cards
    if not isinstance(cards, (tuple, list)) or not all(isinstance(c, ModelCard) for c in cards):
        return replace(family, error=f"{entry.value}: its cards are not a tuple of ModelCards")
    return replace(family, adapter=loaded)


def models() -> tuple[ModelCard, ...]:
    """Return the card of every model that ase-probe knows, family by family."""
    return tuple(card for family in families() if family.adapter for card in family.adapter.cards)


def resolve(name: str, *, elsewhere: bool = False) -> tuple[Adapter, ModelCard]:
    """Find a model.

    Parameters
    ----------
    name
        A registered name or alias; ``family:path/to/checkpoint`` for weights of one's own;
        ``package.module:factory`` or ``path/file.py:factory``, where the factory takes no arguments
        and returns an ASE calculator.
    elsewhere
        A factory is for another process: do not import it here.

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
    local = _local(name)
    if local is not None:
        return local
    if ":" in name:
        adapter = CalculatorAdapter(_factory(name) if not elsewhere else _not_here)
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


def _local(name: str) -> tuple[Adapter, ModelCard] | None:
    """``family:path`` -> a card that states nothing but where the weights are."""
    prefix, _, path = name.partition(":")
    family = next((f for f in families() if f.adapter and f.name == prefix.lower()), None)
    if family is None or family.adapter is None:
        return None
    if not Path(path).exists():
        if path.isidentifier():
            return None  # a function of a module that has the family's name
        raise ModelLoadError(f"{name!r}: there is no checkpoint {path!r} in {os.getcwd()}.")
    dtypes = family.adapter.cards[0].dtypes if family.adapter.cards else ()
    return family.adapter, ModelCard(
        name=f"{family.name}:{Path(path).name}",
        family=family.adapter.family,
        checkpoint=path,
        source=path,
        dtypes=dtypes,
        local=True,
    )


def origin(adapter: Adapter, card: ModelCard | None = None) -> tuple[str, str]:
    """Return where another process finds a model: ``module:attribute``, and its distribution.

    Raises
    ------
    InputError
        It is a calculator that lives in this process only.
    """
    for family in families():
        if family.adapter is adapter:
            return family.target, family.distribution
    if card is not None and ":" in card.checkpoint:
        return card.checkpoint, ""
    raise InputError(
        f"{card.name if card else adapter.family} is an ASE calculator that is already built: it "
        "cannot move to another process. Give a function that builds it, as path/file.py:function."
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


def _not_here() -> Any:
    raise ModelLoadError("This factory was meant for another process.")


def _factory(target: str) -> Callable[[], Any]:
    if not all(target.rpartition(":")[::2]):
        raise UnknownModelError(
            f"{target!r} names no factory; write package.module:factory or path/file.py:factory."
        )
    found = load_target(target)
    if not callable(found):
        raise ModelLoadError(
            f"{target!r} is not callable. It must be a function without arguments that returns an "
            "ASE calculator."
        )
    return found  # type: ignore[no-any-return]
