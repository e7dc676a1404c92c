"""ViSNet, the equivariant network beside SchNet: torch-geometric's, on a graph of ours.

Scalars and vectors (lmax 1), 4 attention heads, 32 radial functions, the cutoff of SchNet. Chosen
because it comes with the library that SchNet comes from. Two things are mended, without which its
energy is no smooth function of the positions:

- The library adds a bias to what turns a message into a vector, so that a neighbour at the cutoff
  still sends one and the energy jumps there. It is held at zero, where the library starts it; every
  message then goes to zero at the cutoff, with its slope.
- The readout takes lengths of vectors. Where symmetry makes a vector zero, as at the carbon of CH4,
  rounding decides its direction and with it the forces. |v| becomes √(|v|² + 0.01²).
"""

from __future__ import annotations

import torch
from torch_geometric.nn.models import ViSNet

from ase_probe.errors import InputError
from ase_probe.scaling.models import CUTOFF
from ase_probe.scaling.models.neighbours import neighbours

__all__ = ["build"]

HEADS = 4
RADIAL = 32
SMALLEST = 0.01
"""Length that a vector of the readout has at least; its features are of the order of 0.1 to 1."""


class Network(torch.nn.Module):
    """ViSNet with one number per molecule."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.visnet = ViSNet(
            lmax=1,
            num_heads=HEADS,
            num_layers=layers,
            hidden_channels=width,
            num_rbf=RADIAL,
            cutoff=CUTOFF,
        )
        body = self.visnet.representation_model
        body.distance = _Graph()
        for layer in body.vis_mp_layers:
            torch.nn.init.zeros_(layer.s_proj.bias).requires_grad_(False)
        for block in self.visnet.output_model.output_network:
            block.vec1_proj = _Lengthened(block.vec1_proj)
        self.visnet.prior_model = None  # energies of atoms, which the study does not put in

    def forward(
        self, numbers: torch.Tensor, positions: torch.Tensor, batch: torch.Tensor
    ) -> torch.Tensor:
        """Return energies (molecules,) in units of `UNIT`."""
        energies: torch.Tensor = self.visnet(numbers, positions, batch)[0]
        return energies.squeeze(1)


class _Lengthened(torch.nn.Module):
    """Adds a fourth component, so that the library's length of the vector is never zero."""

    def __init__(self, projection: torch.nn.Module) -> None:
        super().__init__()
        self.projection = projection

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(atoms, 3, width) -> (atoms, 4, width)."""
        projected: torch.Tensor = self.projection(vectors)
        return torch.cat([projected, torch.full_like(projected[:, :1], SMALLEST)], dim=1)


class _Graph(torch.nn.Module):
    def forward(
        self, positions: torch.Tensor, batch: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        pairs, vectors = neighbours(positions, batch, CUTOFF, loops=True)
        return pairs, vectors.norm(dim=1), vectors.clone()  # the library writes into it


def build(width: int, layers: int) -> Network:
    """Return an untrained network of `layers` message-passing blocks.

    Raises
    ------
    InputError
        The width is no multiple of the number of attention heads.
    """
    if width % HEADS:
        raise InputError(f"A ViSNet of width {width} is impossible; give a multiple of {HEADS}.")
    return Network(width, layers)
