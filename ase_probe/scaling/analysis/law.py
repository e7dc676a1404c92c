"""The scaling law L = L∞ + A N^−α + B D^−β, fitted to the logarithm of the loss.

Least squares on ln L, because the scatter of a loss is relative: it grows with the loss. With N₀
and D₀ in the middle of the design the law reads

    L = L∞ + a (N/N₀)^−α + b (D/D₀)^−β,    a = A N₀^−α, b = B D₀^−β,

and a and b, what each term adds to the loss in the middle, are what data can determine; A and B
extrapolate them to a model of one parameter and a training set of one molecule. The fit runs in
ln L∞, ln a, ln b and in the logits of α and β over `STEEPEST`, so every quantity keeps its range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.optimize import least_squares, nnls
from scipy.special import expit, logit
from scipy.stats import f as f_distribution

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.runs import VARIABLES, Cells

__all__ = ["STEEPEST", "SYMBOLS", "Fit", "Law", "fit"]

STEEPEST = 3.0
"""Largest exponent considered; the steepest reported for an atomistic model is 0.82 (eSEN,
arXiv:2510.09768)."""

SYMBOLS = {"floor": "L∞", "a": "a", "b": "b", "alpha": "α", "beta": "β"}
"""Name of a parameter -> its symbol."""

_AMPLITUDE = {"N": "a", "D": "b"}
_EXPONENT = {"N": "alpha", "D": "beta"}
_STARTS = (0.1, 0.3, 0.7, 1.5)  # exponents; amplitudes follow from them
_REFINED = 4  # of the starts
_FARTHEST = 16.0  # in the logarithm of a parameter
_FAINT = 1e-3  # of the smallest loss: where a term that a start leaves out begins


@dataclass(frozen=True)
class Law:
    """Which terms the law has.

    Attributes
    ----------
    terms
        ``("N", "D")``, ``("N",)`` or ``("D",)``.
    floor
        Is there a loss L∞ that no size removes? Without, and with one term, it is a power law.
    """

    terms: tuple[str, ...] = ("N", "D")
    floor: bool = True

    def __post_init__(self) -> None:
        if not self.terms or len(set(self.terms)) < len(self.terms):
            raise InputError(f"The terms of a law are N, D or both; got {self.terms}.")
        if not set(self.terms) <= set(VARIABLES):
            raise InputError(f"The terms of a law are N, D or both; got {self.terms}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of all arrays: L∞, amplitudes, exponents."""
        return (
            *(("floor",) if self.floor else ()),
            *(_AMPLITUDE[term] for term in self.terms),
            *(_EXPONENT[term] for term in self.terms),
        )

    def inner(self, values: np.ndarray) -> np.ndarray:
        """Map parameters (p,) to the unbounded ones of the fit."""
        k = len(self.terms)
        with np.errstate(divide="ignore"):  # a loss of 0 is −∞ there
            return np.concatenate([np.log(values[:-k]), logit(values[-k:] / STEEPEST)])

    def outer(self, inner: np.ndarray) -> np.ndarray:
        """Map the unbounded parameters (…, p) back."""
        k = len(self.terms)
        return np.concatenate([np.exp(inner[..., :-k]), STEEPEST * expit(inner[..., -k:])], axis=-1)

    def log_loss(self, inner: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ln L (c,) and its derivatives (c, p) at ln N/N₀ and ln D/D₀, x (c, k)."""
        k = len(self.terms)
        exponents = STEEPEST * expit(inner[-k:])
        logs = np.broadcast_to(inner[:-k], (len(x), len(inner) - k)).copy()
        logs[:, -k:] -= exponents * x
        total = np.logaddexp.reduce(logs, axis=1)  # scipy's logsumexp takes ten times as long
        share = np.exp(logs - total[:, None])
        chain = exponents * (1.0 - exponents / STEEPEST)
        return total, np.hstack([share, -share[:, -k:] * x * chain])


@dataclass(frozen=True, eq=False)
class Fit:
    """A law and the parameters that fit the cells best.

    Attributes
    ----------
    law, cells
        What was fitted to what.
    inner
        The best unbounded parameters (p,).
    """

    law: Law
    cells: Cells
    inner: np.ndarray

    @cached_property
    def x(self) -> np.ndarray:
        """The cells' ln N/N₀ and ln D/D₀ (c, k)."""
        return np.stack([self.cells.log(term) for term in self.law.terms], axis=1)

    @cached_property
    def ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends (p,) between which each unbounded parameter is looked for.

        Amplitudes from ten millionths of the smallest loss to ten million times the largest;
        exponents as close to 0 and to the steepest.
        """
        k = len(self.law.terms)
        low, high = np.full(len(self.inner), -_FARTHEST), np.full(len(self.inner), _FARTHEST)
        low[:-k] += self.cells.value.min()
        high[:-k] += self.cells.value.max()
        return low, high

    @cached_property
    def values(self) -> Mapping[str, float]:
        """Parameter -> its best value."""
        return dict(zip(self.law.names, self.law.outer(self.inner).tolist(), strict=True))

    @property
    def degrees_of_freedom(self) -> int:
        """Cells less parameters."""
        return len(self.cells) - len(self.inner)

    @cached_property
    def residuals(self) -> np.ndarray:
        """(c,) deviations of ln L, each times the root of the number of runs of its cell."""
        return self.residuals_at(self.inner, self.cells.value)

    @cached_property
    def squares(self) -> float:
        """Sum of the squared residuals, and never less than rounding leaves."""
        return max(float(self.residuals @ self.residuals), 1e-24 * len(self.cells))

    @property
    def noise(self) -> float:
        """Standard deviation of ln L of one run about the law, as the cells show it."""
        return float(np.sqrt(self.squares / self.degrees_of_freedom))

    @property
    def lack_of_fit(self) -> float | None:
        """p-value that cells scatter about the law only as much as runs within a cell do.

        `None` without a second run in any cell.
        """
        spare = int(self.cells.count.sum()) - len(self.cells)
        if not spare or not self.cells.within:
            return None
        ratio = (self.squares / self.degrees_of_freedom) / (self.cells.within / spare)
        return float(f_distribution.sf(ratio, self.degrees_of_freedom, spare))

    def predict(self, N: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Loss (m,) that the best law gives models of N parameters and sets of D molecules."""
        sizes = {"N": np.asarray(N, dtype=float), "D": np.asarray(D, dtype=float)}
        middles = {term: self.cells.middle(term) for term in self.law.terms}
        x = np.stack([np.log(sizes[t] / middles[t]) for t in self.law.terms], axis=-1)
        shape = x.shape[:-1]
        log_loss, _ = self.law.log_loss(self.inner, x.reshape(-1, x.shape[-1]))
        return np.asarray(np.exp(log_loss).reshape(shape))

    def residuals_at(self, inner: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Weighted deviations (c,) of values of ln L from the law."""
        predicted, _ = self.law.log_loss(inner, self.x)
        return np.asarray((predicted - value) * np.sqrt(self.cells.count))

    def errors(self, inner: np.ndarray, squares: float) -> np.ndarray:
        """Return the standard errors (p,) of unbounded parameters, by linear theory."""
        jacobian = self.law.log_loss(inner, self.x)[1] * np.sqrt(self.cells.count)[:, None]
        variances = np.diag(np.linalg.pinv(jacobian.T @ jacobian)) * squares
        return np.asarray(np.sqrt(np.maximum(variances, 0.0) / self.degrees_of_freedom))

    def minimise(
        self, start: np.ndarray, value: np.ndarray | None = None, fixed: int | None = None
    ) -> tuple[np.ndarray, float]:
        """Minimise the sum of squares from one start.

        Parameters
        ----------
        start
            Unbounded parameters (p,).
        value
            ln L (c,); by default the cells' own.
        fixed
            Index of a parameter to hold.

        Returns
        -------
        tuple
            The unbounded parameters (p,) and the sum of squares there.
        """
        value = self.cells.value if value is None else value
        free = np.arange(len(start)) != (len(start) if fixed is None else fixed)
        weight = np.sqrt(self.cells.count)
        low, high = (ends[free] for ends in self.ranges)
        inner = start.copy()

        # Where the data are silent the search would run to infinity; at the ends nothing changes
        # any more, and it stops.
        def residuals(moving: np.ndarray) -> np.ndarray:
            inner[free] = np.clip(moving, low, high)
            return np.asarray((self.law.log_loss(inner, self.x)[0] - value) * weight)

        def derivatives(moving: np.ndarray) -> np.ndarray:
            inner[free] = np.clip(moving, low, high)
            return np.asarray(self.law.log_loss(inner, self.x)[1][:, free] * weight[:, None])

        best = least_squares(residuals, start[free], derivatives, method="lm")
        inner[free] = np.clip(best.x, low, high)
        return inner, 2.0 * float(best.cost)

    @cached_property
    def starts(self) -> list[np.ndarray]:
        """Starting points, the most promising first.

        For given exponents the law is linear in L∞, a and b, so these follow from non-negative
        least squares on L relative to itself.
        """
        loss = np.exp(self.cells.value)
        found = []
        for exponents in product(_STARTS, repeat=len(self.law.terms)):
            columns = np.exp(-self.x * np.array(exponents))
            if self.law.floor:
                columns = np.column_stack([np.ones(len(loss)), columns])
            linear = nnls(columns / loss[:, None], np.ones(len(loss)))[0]
            linear = np.maximum(linear, _FAINT * loss.min())
            inner = self.law.inner(np.concatenate([linear, exponents]))
            rest = self.residuals_at(inner, self.cells.value)
            found.append((float(rest @ rest), inner))
        return [inner for _, inner in sorted(found, key=lambda item: item[0])]

    def best(self, fixed: int | None = None, at: float = 0.0) -> tuple[np.ndarray, float]:
        """Return the lowest of several minima, with one parameter held at a value if asked."""
        minima = []
        for start in (start.copy() for start in self.starts[:_REFINED]):
            if fixed is not None:
                start[fixed] = at
            minima.append(self.minimise(start, fixed=fixed))
        return min(minima, key=lambda item: item[1])


def fit(cells: Cells, law: Law | None = None) -> Fit:
    """Fit a law to the mean ln L of every cell.

    Parameters
    ----------
    cells
        As `Runs.log_loss` gives them.
    law
        By default L∞ + A N^−α + B D^−β.

    Raises
    ------
    InputError
        No more cells than the law has parameters, or a term whose variable never changes.
    """
    law = Law() if law is None else law
    if len(cells) <= len(law.names):
        raise InputError(
            f"{len(cells)} cells cannot determine the {len(law.names)} parameters of this law and "
            "their uncertainty; add sizes, or fit a law with fewer terms."
        )
    for term in law.terms:
        if cells.levels(term) < 2:
            raise InputError(
                f"All runs have the same number of {VARIABLES[term]}; leave out the term in {term}."
            )
    unknown = Fit(law, cells, np.full(len(law.names), np.nan))
    return Fit(law, cells, unknown.best()[0])
