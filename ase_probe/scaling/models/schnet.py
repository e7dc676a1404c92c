"""SchNet as in the study: torch-geometric's network on a graph of ours.

Filters as wide as the features, 50 Gaussians, a cutoff of 5 Å, energies summed over the atoms, no
energies of atoms put in (Lee and Dieng, arXiv:2509.26397). The library's cosine cutoff takes every
message to zero at the cutoff, with its slope.
"""

from __future__ import annotations

import torch
from torch_geometric.nn import SchNet

from ase_probe.scaling.models import CUTOFF
from ase_probe.scaling.models.neighbours import neighbours

__all__ = ["build"]

GAUSSIANS = 50


class Network(torch.nn.Module):
    """SchNet with one number per molecule."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.schnet = SchNet(
            hidden_channels=width,
            num_filters=width,
            num_interactions=layers,
            num_gaussians=GAUSSIANS,
            cutoff=CUTOFF,
            interaction_graph=_graph,
            readout="add",
        )

    def forward(
        self, numbers: torch.Tensor, positions: torch.Tensor, batch: torch.Tensor
    ) -> torch.Tensor:
        """Return energies (molecules,) in units of `UNIT`."""
        energies: torch.Tensor = self.schnet(numbers, positions, batch)
        return energies.squeeze(1)


def _graph(positions: torch.Tensor, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pairs, vectors = neighbours(positions, batch, CUTOFF)
    return pairs, vectors.norm(dim=1)


def build(width: int, layers: int) -> Network:
    """Return an untrained network of `layers` interaction blocks."""
    return Network(width, layers)
