"""`Runs`: the table that all statistics start from, and `Cells`: its runs of equal N and D.

A cell is the unit of all inference. Runs of one cell may share their training molecules, so they
are not independent evidence about the law; their mean is, and the scatter of the means about the
law holds everything that varies from cell to cell. The spread inside the cells only serves to test
whether the law fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ase_probe.errors import InputError

__all__ = ["VARIABLES", "Cells", "Runs"]

VARIABLES = {"N": "parameters", "D": "training molecules"}
"""What a law can depend on."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Finished runs, one a row.

    Attributes
    ----------
    N
        (n,) parameters of the model.
    D
        (n,) molecules it was trained on.
    seed
        (n,) seed of the run.
    loss
        (n,) test loss, positive, any unit; NaN where the run diverged.
    outcomes
        Name -> (n,) values; NaN stands for "none".

    Raises
    ------
    InputError
        Lengths that differ, sizes that are not positive, the same run twice.
    """

    N: np.ndarray
    D: np.ndarray
    seed: np.ndarray
    loss: np.ndarray
    outcomes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in ("N", "D", "seed", "loss")}
        arrays = {name: np.array(values, dtype=float) for name, values in columns.items()}
        extra = {name: np.array(values, dtype=float) for name, values in self.outcomes.items()}
        n = arrays["N"].size
        for name, array in {**arrays, **extra}.items():
            if array.shape != (n,):
                raise InputError(f"{name} has shape {array.shape}; {n} runs need ({n},).")
            array.setflags(write=False)
        for name in ("N", "D"):
            if not np.all(np.isfinite(arrays[name]) & (arrays[name] > 0)):
                raise InputError(f"{name} must be finite and positive in every run.")
        keys = set(zip(arrays["N"], arrays["D"], arrays["seed"], strict=True))
        if len(keys) < n:
            raise InputError("Two runs have the same N, D and seed; give every run once.")
        for name, array in arrays.items():
            object.__setattr__(self, name, array)
        object.__setattr__(self, "outcomes", extra)

    def __len__(self) -> int:
        return self.N.size

    @property
    def diverged(self) -> np.ndarray:
        """Which runs (n,) have no usable loss: not finite, or not positive."""
        return np.asarray(~(np.isfinite(self.loss) & (self.loss > 0)))

    def __getitem__(self, which: Sequence[int] | np.ndarray | slice) -> Runs:
        """Return some of the runs; ``runs[~runs.diverged]`` leaves out the diverged ones."""
        return Runs(
            self.N[which],
            self.D[which],
            self.seed[which],
            self.loss[which],
            {name: values[which] for name, values in self.outcomes.items()},
        )

    @cached_property
    def cell(self) -> np.ndarray:
        """Number of the cell (n,) each run belongs to, cells in order of N, then D."""
        return np.unique(np.stack([self.N, self.D]), axis=1, return_inverse=True)[1].reshape(-1)

    @cached_property
    def log_loss(self) -> Cells:
        """The logarithm of the loss, by cell.

        Raises
        ------
        InputError
            A run diverged: leaving it out is for the caller to decide, and to say.
        """
        if self.diverged.any():
            raise InputError(
                f"{self.diverged.sum()} of {len(self)} runs have no finite, positive loss. Look at "
                "them; if they are to be left out, pass runs[~runs.diverged] and say so."
            )
        return self.cells(np.log(self.loss))

    def cells(self, values: np.ndarray) -> Cells:
        """Return values (n,) averaged over the runs of each cell."""
        if not len(self):
            raise InputError("There are no runs.")
        count = np.bincount(self.cell)
        mean = np.bincount(self.cell, weights=values) / count
        first = np.unique(self.cell, return_index=True)[1]
        return Cells(
            N=self.N[first],
            D=self.D[first],
            value=mean,
            count=count,
            within=float(np.sum((values - mean[self.cell]) ** 2)),
        )


@dataclass(frozen=True, eq=False)
class Cells:
    """Values averaged over the runs of equal N and D.

    Attributes
    ----------
    N, D
        (c,) of each cell.
    value
        (c,) mean.
    count
        (c,) runs of each cell: the weight of its mean.
    within
        Sum of the squared deviations of the runs from the mean of their cell.
    """

    N: np.ndarray
    D: np.ndarray
    value: np.ndarray
    count: np.ndarray
    within: float

    def __len__(self) -> int:
        return self.value.size

    def log(self, variable: str) -> np.ndarray:
        """Return ln N or ln D (c,), counted from the middle of the range of the design.

        Raises
        ------
        InputError
            Neither N nor D.
        """
        if variable not in VARIABLES:
            raise InputError(f"Unknown variable {variable!r}; allowed: {', '.join(VARIABLES)}.")
        return np.asarray(np.log(getattr(self, variable) / self.middle(variable)))

    def middle(self, variable: str) -> float:
        """Geometric mean of the smallest and the largest N or D."""
        sizes = getattr(self, variable)
        return float(np.sqrt(sizes.min() * sizes.max()))

    def levels(self, variable: str) -> int:
        """How many different N or D there are."""
        return np.unique(getattr(self, variable)).size
