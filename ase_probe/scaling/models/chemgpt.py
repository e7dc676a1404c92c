"""ChemGPT: GPT-Neo from transformers over SELFIES tokens, its width the knob of its size.

Frey et al., Nat. Mach. Intell. 5, 1297 (2023). Every layer attends to all that came before, since
molecules are shorter than GPT-Neo's local window; input and output embedding are one matrix.
"""

from __future__ import annotations

import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM

from ase_probe.errors import InputError
from ase_probe.scaling.models.tokens import END, PADDING, START

__all__ = ["HEAD_WIDTH", "build", "non_embedding", "token_loss"]

HEAD_WIDTH = 16


def build(width: int, layers: int, *, vocabulary: int, length: int) -> GPTNeoForCausalLM:
    """Return an untrained model; torch's random numbers decide its weights.

    Parameters
    ----------
    width, layers
        Size of the hidden states, a multiple of 16, and number of layers.
    vocabulary
        Number of tokens.
    length
        Tokens of the longest molecule, start and end included.

    Raises
    ------
    InputError
        The width is no multiple of the width of a head.
    """
    if width % HEAD_WIDTH:
        raise InputError(
            f"A ChemGPT of width {width} is impossible; give a multiple of {HEAD_WIDTH}."
        )
    return GPTNeoForCausalLM(
        GPTNeoConfig(
            vocab_size=vocabulary,
            max_position_embeddings=length,
            hidden_size=width,
            num_layers=layers,
            num_heads=width // HEAD_WIDTH,
            attention_types=[[["global"], layers]],
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=PADDING,
            use_cache=False,
        )
    )


def non_embedding(model: GPTNeoForCausalLM) -> int:
    """Parameters without the embeddings of tokens and positions."""
    body = model.transformer
    embedded = body.wte.weight.numel() + body.wpe.weight.numel()
    return sum(weight.numel() for weight in model.parameters()) - embedded


def token_loss(model: GPTNeoForCausalLM, tokens: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Cross-entropy of the next token, nats, and the number of tokens it is the mean over.

    Parameters
    ----------
    tokens
        (molecules, length), padded behind the end; padding neither counts nor is attended to.
    """
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    # Causal attention: what stands before the end never sees the padding behind it.
    logits = model(input_ids=inputs).logits
    counted = targets != PADDING
    loss = torch.nn.functional.cross_entropy(logits[counted], targets[counted])
    return loss, int(counted.sum())
