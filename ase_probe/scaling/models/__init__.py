"""The networks of the study, each the work of a well-kept library; only their graph is ours.

`POTENTIALS` name what maps geometries to energies, `LANGUAGE` what maps tokens to tokens. A module
of a potential offers ``build(width, layers)``: a `torch.nn.Module` called with atomic numbers
(atoms,), positions (atoms, 3) in Å and the molecule each atom belongs to (atoms,), ascending from
zero, that returns one number per molecule, the energy in units of `UNIT`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ase_probe.errors import InputError, ModelNotInstalledError
from ase_probe.scaling.models.unit import UNIT

if TYPE_CHECKING:
    import torch

__all__ = ["CUTOFF", "LANGUAGE", "MODELS", "POTENTIALS", "UNIT", "build", "require"]

POTENTIALS = ("schnet", "visnet")
LANGUAGE = ("chemgpt",)
MODELS = (*POTENTIALS, *LANGUAGE)

CUTOFF = 5.0
"""Radius of the local environment, Å (Lee and Dieng, arXiv:2509.26397)."""


def require(module: str) -> Any:
    """Import an optional package, or say which extra brings it.

    Raises
    ------
    ModelNotInstalledError
        It is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise ModelNotInstalledError(
            f"The scaling study needs {missing.name}, which is not installed here. Install it "
            "with: pip install 'ase-probe[scaling]'."
        ) from missing


def build(model: str, width: int, layers: int) -> torch.nn.Module:
    """Return an untrained potential; torch's random numbers decide its weights.

    Raises
    ------
    InputError
        No potential of the study has this name.
    ModelNotInstalledError
        torch or torch-geometric is missing.
    """
    if model not in POTENTIALS:
        raise InputError(f"Unknown potential {model!r}; allowed: {', '.join(POTENTIALS)}.")
    require("torch_geometric")
    network: torch.nn.Module = import_module(f"{__name__}.{model}").build(width, layers)
    return network
