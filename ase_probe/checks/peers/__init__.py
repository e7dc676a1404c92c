"""Metrics of other benchmarks, under their names, so that numbers can be put beside theirs.

Shown, never scored: each rewards or punishes things that are no error of the model (a reference
with an avoided crossing is "tortuous", a wall is a "jump"). Where the sources leave a choice, what
their code does counts, not what their text says.

One rule is ours. The sources skip a curve with a missing point, or count it as perfect; here such a
curve gets NaN for everything that needs the missing number, and `MISSING` says how many there are.
A mean over elements that skips NaN without showing that count rewards refusing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ase_probe.checks.peers.arena import arena
from ase_probe.checks.peers.matbench import matbench
from ase_probe.checks.peers.mlpeg import mlpeg
from ase_probe.checks.peers.variation import MISSING
from ase_probe.curve import Curve
from ase_probe.dimer import Dimer

__all__ = ["MISSING", "PEERS", "Peer", "arena", "matbench", "mlpeg"]


class Peer(Protocol):
    """What the values of `PEERS` are called with, whether they need all of it or not."""

    def __call__(
        self, curve: Curve, reference: Curve | None = None, *, dimer: Dimer
    ) -> dict[str, float]:
        """Return the metrics of one dimer's curve by the peer's own names."""
        ...


def _alone(metrics: Callable[[Curve], dict[str, float]]) -> Peer:
    def of(
        curve: Curve, reference: Curve | None = None, *, dimer: Dimer
    ) -> dict[str, float]:  # needs neither
        return metrics(curve)

    return of


PEERS: dict[str, Peer] = {
    "arena": _alone(arena),
    "matbench": matbench,
    "ml-peg": _alone(mlpeg),
}
"""Name of a grid in `ase_probe.grids.GRIDS` -> the metrics its peer takes on it."""
