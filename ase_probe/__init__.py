"""Where does an interatomic potential stop being physics?

>>> from ase_probe import Probe, audit
>>> a = audit("morse", dimers=["H2"])
>>> round(a.curves["H2"].r[0], 3)
0.1

The public names load on first use (PEP 562): importing this package costs no numpy, ASE or torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase_probe.auditing import audit, audit_many
    from ase_probe.calculator import Probe
    from ase_probe.curve import Audit, Curve, Finding
    from ase_probe.dimer import Dimer
    from ase_probe.registry import models

__version__ = "0.1.0"

__all__ = ["Audit", "Curve", "Dimer", "Finding", "Probe", "audit", "audit_many", "models"]

_HOME = {
    "Probe": "calculator",
    "audit": "auditing",
    "audit_many": "auditing",
    "models": "registry",
    "Dimer": "dimer",
    "Curve": "curve",
    "Finding": "curve",
    "Audit": "curve",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
