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
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols

from ase_probe.errors import (
    EvaluationError,
    ModelLoadError,
    UnsupportedElementError,
    UnsupportedOptionError,
)
from ase_probe.model import AdapterBase, Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

__all__ = ["CHGNet", "CHGNetCalculator", "adapter"]

EMBEDDED = 94
"""The vendor's model has a row for every element up to Pu, trained or not."""
ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89, those of MPtrj
DIRECT_PAIRS = 1000
"""Non-periodic structures of up to this many atoms get their pairs from one distance matrix."""
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
            "uses_charge": False,  # "charge-informed" by magnetic moments, which are an answer
            "uses_spin": False,
            "cutoff": 6.0,
            "conservative": True,
            "needs_cell": True,
            "energy_reference": "total",
            "parameters": 412_431,
            "licence": "BSD (modified)",
            "source": f"chgnet/pretrained/{FILES[version]} in the wheel of chgnet 0.4",
            "doi": "10.1038/s42256-023-00716-3",
            "dtypes": ("float32", "float64"),
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


class CHGNet(AdapterBase):
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
        if dtype not in (None, *card.dtypes):
            raise UnsupportedOptionError(
                f"{card.name} cannot use dtype {dtype!r}; allowed: {', '.join(card.dtypes)}."
            )
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
        """Read cutoff and size from the model.

        Of weights that the user brought along, training and provenance are not known.
        """
        model = calculator.model
        if calculator.checkpoint is not None:
            card = replace(card, level_of_theory=None, training_data=None, licence=None)
            card = replace(card, source=calculator.checkpoint, sha256=None, doi=None)
            card = replace(card, elements=tuple(chemical_symbols[1 : EMBEDDED + 1]))
        return replace(
            card,
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

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Two forward passes at most: structures with and without angles."""
        pairs = [calculator.pairs(atoms) for atoms in structures]
        energies, forces = np.zeros(len(structures)), [np.zeros(0)] * len(structures)
        angles = np.array([_has_angles(p, calculator.model) for p in pairs], dtype=bool)
        for kind in (False, True):
            chosen = np.flatnonzero(angles == kind).tolist()
            if not chosen:
                continue
            batch = [structures[i] for i in chosen]
            answer = calculator.forward(batch, [pairs[i] for i in chosen], "ef")
            ends = np.cumsum([len(atoms) for atoms in batch])
            starts = ends - np.diff(ends, prepend=0)
            energies[chosen] = np.add.reduceat(answer["site_energies"], starts)
            for i, array in zip(chosen, np.split(answer["f"], ends[:-1]), strict=True):
                forces[i] = array
        return energies, forces


class CHGNetCalculator(Calculator):
    """ASE calculator over the vendor's model; a single point is a batch of one.

    Properties: energy, free_energy (equal to energy), energies (eV), forces (eV/Å), magmoms (μB)
    and, for periodic structures with a cell of three vectors, stress (eV/Å³, Voigt order).
    """

    implemented_properties = [  # noqa: RUF012  ASE's own attribute
        *("energy", "free_energy", "energies", "forces", "magmoms", "stress")
    ]

    def __init__(self, model: Any, *, checkpoint: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.checkpoint = model, checkpoint

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results`."""
        self.results = {}
        super().calculate(  # type: ignore[no-untyped-call]
            atoms, list(properties), list(system_changes)
        )
        assert self.atoms is not None
        answer = self.forward([self.atoms], [self.pairs(self.atoms)], "efsm")
        energy = float(answer["site_energies"].sum())
        self.results = {"energy": energy, "free_energy": energy, "forces": answer["f"]}
        self.results |= {"energies": answer["site_energies"], "magmoms": answer["m"]}
        if self.atoms.cell.rank == 3 and self.atoms.pbc.any():
            # To the vendor the volume is 1 Å³, and it converts from eV/Å³ to GPa.
            strain = answer["s"] / 160.21766208 / self.atoms.get_volume()
            self.results["stress"] = strain.flat[[0, 4, 8, 5, 2, 1]]

    def pairs(self, atoms: Atoms) -> tuple[np.ndarray, ...]:
        """Return i (m,), j (m,), cell images of j (m, 3) and distances (m,), each pair twice."""
        unknown = sorted(set(atoms.symbols) - set(chemical_symbols[1 : EMBEDDED + 1]))
        if unknown:
            raise UnsupportedElementError(
                f"The model does not know {', '.join(unknown)}; it knows H to Pu at most."
            )
        if not len(atoms):
            raise EvaluationError("A structure without atoms has no energy.")
        if not np.isfinite(atoms.positions).all():  # no pair would be found, as if it were alone
            raise EvaluationError("A position is not a finite number.")
        cutoff = float(self.model.graph_converter.atom_graph_cutoff)
        if atoms.pbc.any() or len(atoms) > DIRECT_PAIRS:
            return _periodic_pairs(atoms, cutoff)
        vectors = atoms.positions[None] - atoms.positions[:, None]  # (n, n, 3)
        distances = np.sqrt(np.einsum("ijk,ijk->ij", vectors, vectors))
        near = distances < cutoff
        np.fill_diagonal(near, False)
        i, j = near.nonzero()
        return i, j, np.zeros((len(i), 3), dtype=np.int64), distances[near]

    def forward(
        self, structures: Sequence[Atoms], pairs: Sequence[tuple[np.ndarray, ...]], task: str
    ) -> dict[str, np.ndarray]:
        """Return the vendor's answers for all atoms: site_energies (N,), f (N, 3), m (N,), s."""
        import torch
        from chgnet.graph.crystalgraph import CrystalGraph

        parameter = next(self.model.parameters())
        converter = self.model.graph_converter
        counts = np.array([len(atoms) for atoms in structures])
        shifts = np.repeat(np.cumsum(counts) - counts, [len(p[0]) for p in pairs])
        i, j = (np.concatenate([p[k] for p in pairs]) + shifts for k in (0, 1))
        images, distances = (np.concatenate([p[k] for p in pairs]) for k in (2, 3))
        network = converter.create_graph(int(counts.sum()), i, j, images, distances)
        edges, undirected = network.adjacency_list()
        angles, directed = network.line_graph_adjacency_list(cutoff=converter.bond_graph_cutoff)

        def whole(values: Any, *shape: int) -> Any:
            return torch.tensor(values, dtype=torch.int32).reshape(shape)

        def real(values: Any) -> Any:
            return torch.tensor(values, dtype=parameter.dtype)

        # Each structure around its own centre: float32 loses what is far from the origin.
        centred = [atoms.positions - atoms.positions.mean(axis=0) for atoms in structures]
        moved = [p[2] @ atoms.cell.array for p, atoms in zip(pairs, structures, strict=True)]
        graph = CrystalGraph(
            atomic_number=whole(np.concatenate([atoms.numbers for atoms in structures]), -1),
            atom_frac_coord=real(np.concatenate(centred)).requires_grad_(),
            atom_graph=whole(edges, -1, 2),
            atom_graph_cutoff=converter.atom_graph_cutoff,
            neighbor_image=real(np.concatenate(moved)),
            directed2undirected=whole(undirected, -1),
            undirected2directed=whole(directed, -1),
            bond_graph=whole(angles, -1, 5),
            bond_graph_cutoff=converter.bond_graph_cutoff,
            lattice=real(np.eye(3)),
        )
        with warnings.catch_warnings():  # the strained volume becomes a plain number
            warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)
            answer = self.model.predict_graph(
                graph.to(parameter.device), task=task, return_site_energies=True
            )
        keys = {"site_energies", "f", "m", "s"} & set(answer)
        return {key: np.asarray(answer[key], dtype=float) for key in keys}


def _periodic_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, ...]:
    """Return pairs by the routine that the vendor's own graphs come from."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    positions = np.ascontiguousarray(atoms.positions)
    cell = np.ascontiguousarray(atoms.cell.complete().array)
    i, j, images, distances = find_points_in_spheres(
        *(positions, positions),
        r=cutoff,
        pbc=np.array(atoms.pbc, dtype=np.int64),
        lattice=cell,
        tol=1e-8,
    )
    other = (i != j) | images.any(axis=1)
    return i[other], j[other], images[other].astype(np.int64), distances[other]


def _has_angles(pairs: tuple[np.ndarray, ...], model: Any) -> bool:
    """Do two bonds share an atom? (A pair counts twice, once at either end.)"""
    i, _, _, distances = pairs
    bonds = np.bincount(i[distances <= model.graph_converter.bond_graph_cutoff])
    return bool((bonds > 1).any())


adapter = CHGNet()
