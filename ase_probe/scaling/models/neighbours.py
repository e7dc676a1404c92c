"""Neighbours in a batch of molecules from all pairs within each: no neighbour list is needed.

QM9's molecules have at most 29 atoms, so that all their pairs are few.
"""

from __future__ import annotations

import torch

__all__ = ["neighbours"]


def neighbours(
    positions: torch.Tensor, batch: torch.Tensor, cutoff: float, *, loops: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find every pair closer than `cutoff`, both ways.

    Parameters
    ----------
    positions
        (atoms, 3), Å.
    batch
        (atoms,) which molecule each atom belongs to, ascending from zero.
    cutoff
        Å; a pair at exactly this distance is none.
    loops
        Is an atom its own neighbour?

    Returns
    -------
    Indices (2, m) of the atoms of each pair, and positions[first] − positions[second] (m, 3).
    """
    counts = torch.bincount(batch)
    row = counts[batch]  # pairs that each atom stands first in
    first = torch.repeat_interleave(torch.arange(len(batch), device=batch.device), row)
    within = torch.arange(len(first), device=batch.device) - (torch.cumsum(row, 0) - row)[first]
    second = (torch.cumsum(counts, 0) - counts)[batch[first]] + within
    vectors = positions[first] - positions[second]
    near = (vectors.detach() ** 2).sum(dim=1) < cutoff**2
    if not loops:
        near &= first != second
    return torch.stack([first[near], second[near]]), vectors[near]
