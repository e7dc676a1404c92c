"""How long a run takes: a rough guess, corrected by the runs that are done.

The guess only has to be right in proportion: between widths and between models.
"""

from __future__ import annotations

from collections.abc import Iterable

from ase_probe.scaling.training.plan import Plan
from ase_probe.scaling.training.spec import RunSpec

__all__ = ["estimate", "remaining"]

# CPU time on one core of a cloud server, torch 2.13, QM9 and MOSES, batch 32: ms a step, and ms a
# molecule and layer as (constant, times the width, times its square).
_STEP = 4.0
_MOLECULE = {
    "schnet": (0.13, 1.6e-3, 5.1e-5),
    "visnet": (0.0, 3.8e-2, 0.0),
    "chemgpt": (0.04, 2.5e-3, 5.2e-5),
}
_LOOK = 0.4  # of a training step: a forward pass without its gradient


def estimate(spec: RunSpec) -> float:
    """CPU seconds of a run on one core; of a run that stops by itself, at most."""
    plan = Plan.of(spec)
    constant, linear, square = _MOLECULE[spec.model]
    molecule = spec.layers * (constant + linear * spec.width + square * spec.width**2)
    looked_at = plan.steps / plan.block * spec.validation + spec.test
    seconds = plan.steps * (_STEP + spec.batch * molecule) + _LOOK * molecule * looked_at
    return 1e-3 * seconds


def remaining(
    todo: Iterable[RunSpec], done: Iterable[tuple[RunSpec, float]], workers: float
) -> float:
    """Seconds until all of `todo` is done.

    Parameters
    ----------
    todo
        Runs that are waiting or running.
    done
        Runs of this sweep with the seconds that each took.
    workers
        Runs at a time.
    """
    guessed: dict[str, float] = {}
    taken: dict[str, float] = {}
    for spec, seconds in done:
        guessed[spec.model] = guessed.get(spec.model, 0.0) + estimate(spec)
        taken[spec.model] = taken.get(spec.model, 0.0) + seconds
    overall = sum(taken.values()) / sum(guessed.values()) if guessed else 1.0
    rate = {model: taken[model] / guessed[model] for model in guessed}
    return sum(rate.get(spec.model, overall) * estimate(spec) for spec in todo) / workers
