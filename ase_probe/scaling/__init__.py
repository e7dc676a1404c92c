"""The scaling study: does a larger model, or more data, learn the physics of a bond?

Models are trained on stable molecules over a grid of widths, training-set sizes and seeds, and the
H2 curve of each is held against the curve of the level of theory that labelled the molecules.
Nothing in the rest of ase-probe imports this package; it needs
``pip install "ase-probe[scaling]"``, and importing it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase_probe.scaling.molecules import Molecules

__all__ = ["Molecules"]

_HOME = {"Molecules": "ase_probe.scaling.molecules"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
