"""CHGNet (`chgnet`, https://chgnet.lbl.gov): graph networks with magnetic moments, PBE(+U), r2SCAN.

All structures of a batch become one graph of the vendor's, with Cartesian positions (the lattice
is the unit matrix, the images are the Cartesian shifts), and the vendor's model adds up the energy
of every atom. So molecules need no box (the vendor's calculator needs a cell), and 500 dimers take
0.04 s, not 2.3 s. Slabs and wires have no images where ``pbc`` is False.

Isolated atoms: an atom without a neighbour inside the cutoff gets no message; its energy is the
readout of its element alone and its force is zero, which is what the energy of a pair tends to at
the cutoff. The vendor answers the same but prints "will likely go wrong".

0.2.0 jumps: its layers have a bias, so that bonds change as soon as a structure (in the vendor's
batch: any structure) holds angles, bonds below 3 Å that share an atom. A third nitrogen atom that
comes closer than 3 Å adds 0.2 eV at once. Here structures with and without angles never share a
batch, so that at least the answers do not depend on the company.

Local checkpoints are unpickled by the vendor: open only files you trust.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import ModelLoadError
from ase_probe.graphs import centred, check_structures, find_pairs, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

__all__ = ["CHGNet", "CHGNetCalculator", "adapter"]

EMBEDDED = tuple(chemical_symbols[1:95])
"""The vendor's model has a row for every element up to Pu, trained or not."""
ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89, those of MPtrj
ARCHITECTURE: dict[str, Any] = {
    "uses_charge": False,  # "charge-informed" by magnetic moments, which are an answer
    "uses_spin": False,
    "conservative": True,
    "needs_cell": True,
    "lone_atoms": "model",
}
FILES = {  # below the package's pretrained
    "0.3.0": "0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
    "0.2.0": "0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar",
    "r2scan": "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
}


def _card(version: str, *aliases: str, **facts: Any) -> ModelCard:
    return ModelCard(
        **{
            "name": f"chgnet-{version}",
            "family": "chgnet",
            "checkpoint": version,
            "aliases": aliases,
            "level_of_theory": "PBE(+U) (MPtrj)",
            "training_data": "MPtrj",
            "elements": ELEMENTS,
            "cutoff": 6.0,
            "energy_reference": "total",
            "parameters": 412_431,
            "licence": "BSD (modified)",
            "source": f"chgnet/pretrained/{FILES[version]} in the wheel of chgnet 0.4",
            "doi": "10.1038/s42256-023-00716-3",
            "dtypes": ("float32", "float64"),
            **ARCHITECTURE,
            **facts,
        }
    )


# Cutoffs and parameter counts were read from the checkpoints; level, data and licence are stated in
# the vendor's READMEs. Elements: Po, At, Rn, Fr and Ra have embeddings as they were drawn at random
# (norm 8 in 0.3.0, all others 12 to 32); in r2scan they and Yb keep the embedding of 0.3.0
# and have a reference energy of 0.
CARDS = (
    _card(
        *("0.3.0", "chgnet"),
        sha256="d14ab7c0f093efe64b60a7bcd540bca10e74fb7f46c86108a079af60524659d1",
    ),
    _card(
        "0.2.0",
        cutoff=5.0,
        parameters=400_344,
        sha256="ef624f78b6db9d315b4ef256f1bb3207449924191b91720dc17d3f60c5df980e",
    ),
    _card(
        "r2scan",
        level_of_theory="r2SCAN (MP-r2SCAN), transferred from PBE(+U)",
        training_data="MPtrj, then MP-r2SCAN",
        elements=tuple(symbol for symbol in ELEMENTS if symbol != "Yb"),
        sha256="8eba3db0f35a2788bb3ae22885ad340591e27996f213c6643af522a633b50dad",
    ),
)


class CHGNet(BatchAdapter):
    """The family; all weights come with the package."""

    family = "chgnet"
    cards = CARDS
    environment = Environment(
        extra="chgnet", modules=("chgnet",), distributions=("chgnet", "torch", "pymatgen")
    )
    devices = ("cpu", "cuda")
    unpickles = True
    batch_size = 256

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> CHGNetCalculator:
        """Load bundled weights by the vendor's name, others from a file of the vendor's trainer."""
        with warnings.catch_warnings():  # nvidia_smi, when it is compiled to bytecode
            for category in (DeprecationWarning, SyntaxWarning):  # Python 3.11, later ones
                warnings.filterwarnings("ignore", ".*invalid escape sequence", category)
            from chgnet.model.model import CHGNet as Vendor

        model: Any
        with redirect_stdout(io.StringIO()):  # "CHGNet v0.3.0 initialized with … parameters"
            if checkpoint is None:
                name = card.checkpoint
                model = Vendor.load(model_name=name, use_device="cpu", verbose=False)
            else:
                model = Vendor.from_file(checkpoint)
        if not model.mlp_first:
            raise ModelLoadError(
                f"{checkpoint} averages over atoms before its readout (mlp_first=False): it has no "
                "energies of atoms and cannot be evaluated here."
            )
        if dtype == "float64":
            # The geometry is float64 already; the vendor counts elements in float32.
            model.double()
            if model.composition_model is not None:
                model.composition_model.fc.register_forward_pre_hook(
                    lambda _, counts: tuple(count.double() for count in counts)
                )
        return CHGNetCalculator(model.to(device).eval(), checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff and size from the model."""
        model = calculator.model
        if calculator.checkpoint is not None:
            card = replace(card.of_unknown_training(calculator.checkpoint), elements=EMBEDDED)
        return replace(
            card,
            **ARCHITECTURE,
            cutoff=float(model.graph_converter.atom_graph_cutoff),
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the bundled file; `None` where chgnet is not installed."""
        if checkpoint is not None:
            return checkpoint
        spec = importlib.util.find_spec("chgnet")
        packages = (spec.submodule_search_locations if spec else None) or ()
        files = (Path(package) / "pretrained" / FILES[card.checkpoint] for package in packages)
        return next((str(file) for file in files if file.is_file()), None)


class CHGNetCalculator(BatchCalculator):
    """The vendor's model on graphs of ours."""

    def __init__(self, model: Any, *, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.model = model

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate one graph of all, or two: structures with and without angles.

        `stress` is that of a single structure.
        """
        import torch
        from chgnet.graph.crystalgraph import CrystalGraph

        check_structures(structures, EMBEDDED)
        parameter = next(self.model.parameters())
        converter = self.model.graph_converter
        pairs = find_pairs(structures, float(converter.atom_graph_cutoff), _vendor_pairs)
        owner = np.repeat(np.arange(len(structures)), sizes(structures))
        # Do two bonds share an atom? (A pair counts twice, once at either end.)
        short = pairs.first[pairs.distances <= converter.bond_graph_cutoff]
        crowded = np.bincount(short, minlength=len(owner)) > 1
        angles = np.bincount(owner, weights=crowded) > 0
        if angles.any() and not angles.all():
            return self._separately(structures, angles, owner)
        edges = np.stack([pairs.first, pairs.second], axis=1)
        if angles.any() or pairs.images.any():
            network = converter.create_graph(len(owner), *edges.T, pairs.images, pairs.distances)
            _, undirected = network.adjacency_list()
            cutoff = converter.bond_graph_cutoff
            triples, directed = network.line_graph_adjacency_list(cutoff=cutoff)
        else:  # of a molecule without angles the vendor's objects would tell nothing more
            triples = []
            _, directed, undirected = np.unique(
                np.sort(edges) @ (len(owner), 1), return_index=True, return_inverse=True
            )

        def whole(values: Any, *shape: int) -> Any:
            return torch.as_tensor(values, dtype=torch.int32).reshape(shape)

        def real(values: Any) -> Any:
            return torch.as_tensor(values, dtype=parameter.dtype)

        positions = centred(structures)
        moved = pairs.vectors - (positions[pairs.second] - positions[pairs.first])
        graph = CrystalGraph(
            atomic_number=whole(np.concatenate([atoms.numbers for atoms in structures]), -1),
            atom_frac_coord=real(positions).requires_grad_(),
            atom_graph=whole(edges, -1, 2),
            atom_graph_cutoff=converter.atom_graph_cutoff,
            neighbor_image=real(moved),
            directed2undirected=whole(undirected, -1),
            undirected2directed=whole(directed, -1),
            bond_graph=whole(triples, -1, 5),
            bond_graph_cutoff=converter.bond_graph_cutoff,
            lattice=real(np.eye(3)),
        )
        with warnings.catch_warnings():  # the strained volume becomes a plain number
            warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)
            answer = self.model(
                [graph.to(parameter.device)],
                task="efs" if stress else "ef",
                return_site_energies=True,
            )
        energies, forces, *tensors = (
            answer[key][0].detach().cpu().double().numpy()
            for key in ("site_energies", "f", *(["s"] if stress else []))
        )
        tensor = None
        if stress:  # to the vendor the volume is 1 Å³, and it converts from eV/Å³ to GPa
            (atoms,) = structures
            tensor = tensors[0] / 160.21766208 / atoms.get_volume()
            tensor = tensor.flat[[0, 4, 8, 5, 2, 1]][None]
        return Batch(np.bincount(owner, weights=energies), forces, tensor)

    def _separately(
        self, structures: Sequence[Atoms], angles: np.ndarray, owner: np.ndarray
    ) -> Batch:
        energies, forces = np.zeros(len(structures)), np.zeros((len(owner), 3))
        for kind in (False, True):
            some = [atoms for atoms, has in zip(structures, angles, strict=True) if has == kind]
            part = self.forward(some)
            energies[angles == kind] = part.energies
            forces[angles[owner] == kind] = part.forces
        return Batch(energies, forces)


def _vendor_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs by the routine that the vendor's own graphs come from."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    positions = np.ascontiguousarray(atoms.positions)
    i, j, images, _ = find_points_in_spheres(
        *(positions, positions),
        r=cutoff,
        pbc=np.array(atoms.pbc, dtype=np.int64),
        lattice=np.ascontiguousarray(atoms.cell.complete().array),
        tol=1e-8,
    )
    other = (i != j) | images.any(axis=1)
    return i[other], j[other], images[other].astype(np.int64)


adapter = CHGNet()
