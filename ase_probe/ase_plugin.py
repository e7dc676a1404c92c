"""What ASE imports to learn of `Probe`: ``ase info --plugins`` lists it (ASE 3.29 or newer).

ASE loads this module through the entry-point group ``ase.plugins`` and asks for
``__ase_plugins__``. It is made only then, because importing this package must not cost an import of
ASE. The plugin system is experimental in ASE: where its class is not found, no plugin is offered
and nothing else changes.
"""

from __future__ import annotations

from typing import Any

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    if name != "__ase_plugins__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from ase._4.plugins.plugin import CalculatorPlugin
    except ImportError:
        return frozenset()
    return frozenset({CalculatorPlugin("Probe", implementation="ase_probe.calculator.Probe")})
