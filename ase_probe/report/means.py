"""Another benchmark's own metrics, as means over the dimers: to be put beside its tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ase_probe.checks.peers import MISSING
from ase_probe.curve import Audit

__all__ = ["Mean", "means"]

_NAMES = {"arena": "MLIP Arena", "matbench": "Matbench Discovery", "ml-peg": "ml-peg"}


@dataclass(frozen=True)
class Mean:
    """One metric over an audit's dimers.

    Attributes
    ----------
    metric
        The benchmark's own name.
    mean
        Mean over the dimers that have it; NaN where none has.
    dimers
        How many have it.
    """

    metric: str
    mean: float
    dimers: int

    @property
    def text(self) -> str:
        """The mean with four figures."""
        return "–" if math.isnan(self.mean) else f"{self.mean:.4g}"


def means(audit: Audit) -> tuple[str, list[Mean]]:
    """Return the benchmark's name and the mean of each of its metrics, in its order.

    Empty where the audit did not use another benchmark's grid.
    """
    names = list(dict.fromkeys(key for row in audit.metrics.values() for key in row))
    found = []
    for name in names:
        values = [row[name] for row in audit.metrics.values() if name in row]
        finite = [x for x in values if math.isfinite(x)]
        total = sum(finite)
        mean = total if name == MISSING else total / len(finite) if finite else math.nan
        found.append(Mean(name, mean, len(finite)))
    grid = str(audit.environment.get("grid", ""))
    return _NAMES.get(grid, grid), found
