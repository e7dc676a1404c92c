"""The engine: many structures in, energies and forces out, and nothing a model does can stop it.

`open_model` loads a model and returns its `Evaluator`. This folder is the only place that catches
whatever foreign code may raise (`guard.attempt`).
"""

from ase_probe.engine.cache import CachedEvaluator, remembered
from ase_probe.engine.evaluator import Evaluation, Evaluator, Progress
from ase_probe.engine.fingerprint import fingerprint
from ase_probe.engine.guard import Raised, attempt
from ase_probe.engine.opening import open_model

__all__ = [
    "CachedEvaluator",
    "Evaluation",
    "Evaluator",
    "Progress",
    "Raised",
    "attempt",
    "fingerprint",
    "open_model",
    "remembered",
]
