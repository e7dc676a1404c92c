"""Synthetic studies whose law is known: what the statistics are tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ase_probe.scaling.analysis.law import Law
from ase_probe.scaling.analysis.runs import Runs

__all__ = ["DESIGNS", "Design"]


@dataclass(frozen=True)
class Design:
    """A grid of sizes and seeds, the law behind its losses, and their scatter.

    Attributes
    ----------
    N, D
        Sizes.
    seeds
        Runs of each cell.
    truth
        Parameter -> value; those of a term are absent where the losses do not depend on it.
    noise
        Standard deviation of ln L from run to run in a cell.
    cell_noise
        Standard deviation that all runs of a cell share, such as that of their training molecules.
    identifiable
        Ought every parameter of the law to be identifiable here?
    """

    N: Sequence[float]
    D: Sequence[float]
    seeds: int
    truth: Mapping[str, float]
    noise: float
    cell_noise: float = 0.0
    identifiable: bool = True

    @property
    def law(self) -> Law:
        """The law to fit: a term for each variable that has several sizes."""
        terms = tuple(name for name, sizes in (("N", self.N), ("D", self.D)) if len(sizes) > 1)
        return Law(terms)

    def runs(self, random: np.random.Generator) -> Runs:
        """Draw one study."""
        N, D, seed = (
            axis.ravel()
            for axis in np.meshgrid(self.N, self.D, np.arange(self.seeds), indexing="ij")
        )
        truth = {"floor": 0.0, "a": 0.0, "b": 0.0, "alpha": 0.0, "beta": 0.0, **self.truth}
        loss = (
            truth["floor"]
            + truth["a"] * (N / np.sqrt(min(self.N) * max(self.N))) ** -truth["alpha"]
            + truth["b"] * (D / np.sqrt(min(self.D) * max(self.D))) ** -truth["beta"]
        )
        scatter = self.noise * random.standard_normal(len(N))
        shared = self.cell_noise * random.standard_normal(len(self.N) * len(self.D))
        return Runs(N, D, seed, loss * np.exp(scatter + np.repeat(shared, self.seeds)))


_LAW = {"floor": 0.10, "a": 0.10, "b": 0.15, "alpha": 0.4, "beta": 0.5}
_N = tuple(np.geomspace(1e4, 1e7, 5))
_D = tuple(np.geomspace(1e2, 1e5, 5))
_LAPTOP_N = (8e3, 3e4, 1.1e5)  # three widths
_LAPTOP_D = (100.0, 300.0, 1000.0, 3000.0)

DESIGNS: dict[str, Design] = {
    "5 x 5 cells, 2 seeds, 3 %": Design(_N, _D, 2, _LAW, 0.03),
    "5 x 5 cells, 3 seeds, 3 % and 2 % shared in a cell": Design(_N, _D, 3, _LAW, 0.03, 0.02),
    "6 x 4 cells, 1 seed, 2 %": Design(
        tuple(np.geomspace(1e4, 1e7, 6)), tuple(np.geomspace(1e2, 1e5, 4)), 1, _LAW, 0.02
    ),
    "8 sizes of D, 3 seeds, 2 %": Design(
        (1e5,),
        tuple(np.geomspace(1e2, 1e5, 8)),
        3,
        {"floor": 0.1, "b": 0.2, "beta": 0.5},
        0.02,
    ),
    "4 x 3 cells, 1 seed, 8 %": Design(
        (8e3, 3e4, 1.1e5, 4e5), (100.0, 550.0, 3000.0), 1, _LAW, 0.08, identifiable=False
    ),
    "3 x 4 cells, 3 seeds, 8 %": Design(_LAPTOP_N, _LAPTOP_D, 3, _LAW, 0.08, identifiable=False),
    "3 x 4 cells, 3 seeds, 3 %, flat": Design(
        _LAPTOP_N, _LAPTOP_D, 3, {"floor": 0.3}, 0.03, identifiable=False
    ),
}
"""Name -> design. The last ones resemble what a laptop can run."""
