"""In which order a run sees its molecules: a pure function of seed and step.

A run that was killed needs nothing but the number of its step to go on as if it had not been.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["drawn"]


def drawn(step: int, *, size: int, batch: int, seed: tuple[int, ...]) -> np.ndarray:
    """Indices (batch,) of the molecules of a step.

    One shuffled pass over all `size` molecules follows the other without a gap, so that every batch
    is full; a batch can end one pass and begin the next.
    """
    places = np.arange(step * batch, (step + 1) * batch)
    passes = np.unique(places // size)
    order = np.concatenate([_shuffled(size, (*seed, int(number))) for number in passes])
    return np.asarray(order[places - passes[0] * size])


@lru_cache(maxsize=8)
def _shuffled(size: int, seed: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).permutation(size)
