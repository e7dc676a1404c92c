"""Learning molecules as text: cross-entropy of the next SELFIES token, nats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ase_probe.scaling.models.chemgpt import token_loss
from ase_probe.scaling.models.tokens import PADDING, Vocabulary
from ase_probe.scaling.training.order import drawn
from ase_probe.scaling.training.spec import RunSpec
from ase_probe.scaling.training.task import Tested

__all__ = ["Language"]

_CHUNK = 200  # molecules evaluated at once


class Language:
    """SELFIES to learn from, to choose the weights by, and to test on.

    Attributes
    ----------
    unit
        nats: mean over the tokens, the end of a molecule included.
    """

    unit = "nats"
    scale = 1.0

    def __init__(
        self,
        spec: RunSpec,
        training: Sequence[str],
        validation: Sequence[str],
        test: Sequence[str],
        *,
        vocabulary: Vocabulary,
        length: int,
        device: str = "cpu",
    ) -> None:
        self.seed, self.batch, self.vocabulary = spec.seed, spec.batch, vocabulary
        self.length = length  # of the longest molecule
        self.training, self.validation, self.held_out = (
            torch.tensor(vocabulary.encode(part), device=device)
            for part in (training, validation, test)
        )

    def loss(self, model: Any, step: int) -> torch.Tensor:
        """Mean over the tokens of one batch."""
        size = len(self.training)
        which = drawn(step, size=size, batch=self.batch, seed=(self.seed, 0))
        tokens = self.training[torch.as_tensor(which, device=self.training.device)]
        return token_loss(model, _cut(tokens))[0]

    def validate(self, model: Any) -> float:
        """Mean over the tokens of the validation molecules."""
        return _mean_loss(model, self.validation)

    def test(self, model: Any) -> Tested:
        """Mean over the tokens of the test molecules."""
        return Tested(_mean_loss(model, self.held_out))

    def facts(self) -> dict[str, Any]:
        """Tokens by number, from 3 on, and the longest molecule."""
        return {"symbols": list(self.vocabulary.symbols), "length": self.length}


def _mean_loss(model: Any, tokens: torch.Tensor) -> float:
    with torch.no_grad():
        parts = [token_loss(model, _cut(some)) for some in torch.split(tokens, _CHUNK)]
    losses, counts = zip(*((float(loss), count) for loss, count in parts), strict=True)
    return float(np.average(losses, weights=counts))


def _cut(tokens: torch.Tensor) -> torch.Tensor:
    """Without the columns that hold nothing but padding."""
    return tokens[:, : int((tokens != PADDING).sum(dim=1).max())]
