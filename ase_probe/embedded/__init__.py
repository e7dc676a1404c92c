"""The embedded test: how hard is it to push two atoms together inside a given structure?"""

from __future__ import annotations

from ase_probe.embedded.finding import barrier
from ase_probe.embedded.push import Embedded, embed

__all__ = ["Embedded", "barrier", "embed"]
