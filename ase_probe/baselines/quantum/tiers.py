"""Which engine computes which tier; a new kind of tier is a new row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ase_probe.baselines.quantum import branch, dft, pair_curve, wavefunction
from ase_probe.baselines.quantum.checkpoint import Setup
from ase_probe.baselines.quantum.methods import METHODS, method
from ase_probe.errors import InputError

__all__ = ["TIERS", "Engine", "engine"]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How the curves of a tier are made.

    Attributes
    ----------
    setup
        (tier, basis=, grid=) -> what stands behind the tier.
    units
        (dimer, setup, points=) -> its units of work.
    run
        (unit, scratch folder, threads) -> its records; must be importable by a worker.
    assemble
        (dimer, setup, unit -> records, points=) -> the reference.
    points
        Distances per curve unless told otherwise.
    """

    setup: Callable[..., Setup]
    units: Callable[..., tuple[Any, ...]]
    run: Callable[..., list[dict[str, Any]]]
    assemble: Callable[..., Any]
    points: int


_DFT = Engine(setup=method, units=dft.units, run=branch.run, assemble=dft.assemble, points=40)

TIERS: dict[str, Engine] = {
    **dict.fromkeys(METHODS, _DFT),
    "wavefunction": Engine(
        setup=wavefunction.setup, units=wavefunction.units, run=wavefunction.run,
        assemble=wavefunction.assemble, points=30,
    ),
    "exact": Engine(
        setup=pair_curve.setup, units=pair_curve.units, run=pair_curve.run,
        assemble=pair_curve.assemble, points=40,
    ),
}  # fmt: skip
"""Tier id -> its engine."""


def engine(tier: str) -> Engine:
    """Return the engine of a tier.

    Raises
    ------
    InputError
        No such tier can be computed.
    """
    if tier not in TIERS:
        raise InputError(f"Unknown computed tier {tier!r}; allowed: {', '.join(TIERS)}.")
    return TIERS[tier]
