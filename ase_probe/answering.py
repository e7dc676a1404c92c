"""Who answers: a calculator as it is, a model that is loaded, or what it answered before.

Only models that are known by name or by file can be remembered. Of a calculator object or a factory
nobody knows what its answers depend on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ase_probe.calculator import Probe
from ase_probe.engine import Evaluator, fingerprint, remembered
from ase_probe.model import CalculatorAdapter
from ase_probe.registry import origin, resolve

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["answering", "other_precision"]

_OF_THE_PLACE = ("isolate", "timeout")


def answering(
    model: str | BaseCalculator, options: Mapping[str, Any], *, cache: bool = True
) -> Evaluator:
    """Return the evaluator of a model.

    Parameters
    ----------
    model
        As for `Probe`.
    options
        As for `Probe`.
    cache
        Use and keep answers on disk where the model can be known by content; it is then opened
        only for what it has not been asked before.

    Raises
    ------
    InputError, ModelError
        As `Probe`.
    """

    def opening() -> Evaluator:
        return Probe(model, **options).evaluator

    if not cache or not isinstance(model, str):
        return opening()
    isolate = options["isolate"]
    if isolate not in (False, True):
        return opening()  # nobody knows what stands there
    adapter, card = resolve(model, elsewhere=isolate)
    if isinstance(adapter, CalculatorAdapter):
        return opening()  # nobody knows what a factory makes
    distribution = origin(adapter, card)[1]
    interpreter = sys.executable
    if isolate:
        from ase_probe.engine.environments import interpreter as find

        interpreter = find(adapter, distribution)
    asked = {key: value for key, value in options.items() if key not in _OF_THE_PLACE}
    return remembered(fingerprint(adapter, card, asked, interpreter, distribution), opening)


def other_precision(
    evaluator: Evaluator, model: str, options: Mapping[str, Any], *, cache: bool = True
) -> Evaluator | None:
    """Return the same model in its other floating-point type; `None` where it has one only."""
    card, now = evaluator.card, evaluator.environment["dtype"]
    others = [dtype for dtype in card.dtypes if dtype != now]
    if now not in card.dtypes or not others:
        return None
    return answering(model, {**options, "dtype": others[0]}, cache=cache)
