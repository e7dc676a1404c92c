"""DIEP (`diep`, https://github.com/materialsalchemist/diep): electron-ion integrals, r2SCAN.

The vendor's `Potential` runs on one graph of all structures built here, with float64 geometry. Its
own calculator is not used: it gives molecules a stress, by dividing through a volume of 1 Å³, and
refuses slabs without a third cell vector.

A model is a folder (``model.json``, ``model.pt``, ``state.pt``); ``checkpoint`` is the folder or a
file of it. The vendor's loader imports any module and calls anything that ``model.pt`` names, and
only warns of weights that the network has no place for; here both are refused. The variable
``DIEP_MODEL_DIR``, which would put another model in the place of the published one, has no effect.
Importing the vendor creates ``~/.cache/diep``.

Energies of fold 1 jump by about 1 meV where two edges of a triplet change places in length, and
float32 forces can be wrong by tens of eV/Å at nearly straight triplets (both stated by the vendor);
dimers have no triplets. On a steep wall float32 rounds to 2e-5 of the energy: 0.02 eV for Cu2 at
0.4 Å. Memory goes with the triplets: a dense crystal of 216 atoms needs 23 GB.

Isolated atoms: an atom without neighbours gets no message; its energy is the network's readout of
its element plus the DFT energy of the atom, an offset that every structure gets.
"""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import GPa

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import ModelLoadError
from ase_probe.graphs import check_structures, complete_cells, find_pairs, fractional, places, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["DIEP", "DIEPCalculator", "adapter"]

FILES = ("model.json", "model.pt", "state.pt")
NETWORKS = {("diep.models._diep", "DIEP"), ("diep_pyg.models._diep", "DIEP")}
"""Module and class of the one network there is, under the package's name of today and before."""
ARCHITECTURE: dict[str, Any] = {
    "uses_charge": False,
    "uses_spin": False,
    "conservative": True,
    "lone_atoms": "model",
}

# All facts from model.json, PROVENANCE.json and the README in the wheel.
CARDS = (
    ModelCard(
        name="diep-fold1",
        family="diep",
        checkpoint="diep_fold1",
        aliases=("diep_fold1",),
        level_of_theory="r2SCAN (MatPES)",
        training_data="MatPES-R2SCAN-2025.1, 349 107 structures of fold 1",
        elements=(*chemical_symbols[1:84], *chemical_symbols[89:95]),  # H-Bi, Ac-Pu: 89
        cutoff=5.0,
        energy_reference="total",
        parameters=403_181,
        licence="BSD-3-Clause",
        source="diep/pretrained_models/diep_fold1 in the wheel of diep 2.0.0",
        sha256="3be1df5dbe3d15e1d35a2ca1d3c50a6b212ea2d248c89e02d84fa780eb609576",
        doi="10.1039/D4DD00246F",
        dtypes=("float32", "float64"),
        **ARCHITECTURE,
    ),
)


class DIEP(BatchAdapter):
    """The family; the weights come with the package."""

    family = "diep"
    cards = CARDS
    environment = Environment(
        extra="diep", modules=("diep",), distributions=("diep", "torch", "torch-geometric")
    )
    devices = ("cpu", "cuda")
    batch_size = 256

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> DIEPCalculator:
        """Load the bundled folder, or one that the vendor's `export` or `Potential.save` wrote."""
        path = self.checkpoint_file(card, checkpoint)
        if path is None or Path(path).name not in FILES:
            raise ModelLoadError(
                f"{checkpoint or card.checkpoint!r} is not a model of DIEP: name a folder with "
                f"{', '.join(FILES)}, or one of these files in it."
            )
        folder = Path(path).parent
        _check_harmless(folder)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", r"`torch_geometric\.distributed` has been deprecated", DeprecationWarning
            )
            warnings.filterwarnings("error", "Checkpoint contains|Incompatible model", UserWarning)
            from diep.pretrained import load_potential

            try:
                potential: Any = load_potential(folder, device=device)
            except UserWarning as warning:
                raise ModelLoadError(
                    f"The weights in {folder} are not those of the network it describes: {warning}"
                ) from warning
        if potential.model.is_intensive or potential.model.include_state:
            raise ModelLoadError(
                f"The model in {folder} gives no total energies of structures alone: it predicts "
                "an intensive property, or takes state features."
            )
        if dtype == "float64":
            potential.double()
        return DIEPCalculator(potential, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements and size from the model."""
        model = calculator.potential.model
        if calculator.checkpoint is not None:
            card = card.of_unknown_training(calculator.checkpoint)
        return replace(
            card,
            **ARCHITECTURE,
            elements=tuple(model.element_types),
            cutoff=float(model.cutoff),
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return the file of the weights; `None` where diep is not installed."""
        if checkpoint is not None:
            path = Path(checkpoint)
            return str(path / "state.pt" if path.is_dir() else path)
        spec = importlib.util.find_spec("diep")
        packages = (spec.submodule_search_locations if spec else None) or ()
        folders = (Path(package) / "pretrained_models" / card.checkpoint for package in packages)
        files = (folder / "state.pt" for folder in folders)
        return next((str(file) for file in files if file.is_file()), None)


class DIEPCalculator(BatchCalculator):
    """The vendor's `Potential` on graphs of ours."""

    def __init__(self, potential: Any, *, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.potential = potential

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate one graph of all."""
        import torch
        from diep.graph.compute import DIEPData

        parameter = next(self.potential.parameters())
        kinds = {"f": parameter.dtype, "i": torch.int64}
        graph = {
            name: torch.as_tensor(array, dtype=kinds[array.dtype.kind]).to(parameter.device)
            for name, array in self._graph(structures).items()
        }
        self.potential.calc_stresses = stress
        with _working_in(parameter.dtype):
            answer = self.potential(
                DIEPData(**graph, num_nodes=len(graph["batch"])), graph["lattice"]
            )
        energies, forces, tensors = (x.detach().cpu().double().numpy() for x in answer[:3])
        return Batch(
            np.atleast_1d(energies),
            forces,
            # One below the other, in GPa.
            full_3x3_to_voigt_6_stress(tensors.reshape(-1, 3, 3)) * GPa if stress else None,
        )

    def _graph(self, structures: Sequence[Atoms]) -> dict[str, np.ndarray]:
        """Return one graph of all structures; the vendor finds the triplets."""
        elements = self.potential.model.element_types
        check_structures(structures, elements)
        pairs = find_pairs(structures, self.potential.model.cutoff)
        counts = sizes(structures)
        return {
            "edge_index": np.stack([pairs.first, pairs.second]),
            "node_type": places(structures, elements),
            "frac_coords": fractional(structures),
            "pbc_offset": pairs.images.astype(float),
            "lattice": complete_cells(structures),
            "batch": np.repeat(np.arange(len(counts)), counts),
        }


def _check_harmless(folder: Path) -> None:
    """Refuse a model whose loading would run what the files name or hold.

    Once this succeeds the vendor's own load is harmless too, even where another package has
    switched torch's safe loading off for the whole process (``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD``).
    """
    import torch

    torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
    arguments = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
    named = {
        (value.get("@module"), value.get("@class"))
        for value in (arguments.values() if isinstance(arguments, dict) else ())
        if isinstance(value, dict) and {"@module", "@class"} <= set(value)
    }
    if not named or not named <= NETWORKS:
        raise ModelLoadError(
            f"{folder / 'model.pt'} describes no network of DIEP: it names "
            f"{', '.join(sorted(f'{module}.{name}' for module, name in named)) or 'none'}."
        )


@contextmanager
def _working_in(dtype: Any) -> Iterator[None]:
    """Set the precision that the vendor's layers cast to: one global of the package."""
    from diep import config

    before = config.float_th
    config.float_th = dtype
    try:
        yield
    finally:
        config.float_th = before


adapter = DIEP()
