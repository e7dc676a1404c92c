"""Nequix (`nequix`, https://github.com/atomicarchitects/nequix): equivariant networks, PBE(+U).

The vendor's JAX model runs on batched graphs built here, for single points and batches alike, on
the CPU and without the optional kernels. Its calculator is not used: it answers NaN positions as if
the atoms were alone, and for slabs and wires it finds neighbours across the boundary but drops the
lattice vectors between them (zero distances, NaN forces).

XLA compiles anew for every size of graph, which takes seconds. Graphs are padded to a few sizes, so
that an audit compiles once and a molecule of another size usually not at all.

Two atoms in one place have an energy and NaN forces. Importing `nequix` sets JAX's default
precision of products to "highest" for the process. In float64 the weights are the stored float32.

Only ``.nqx`` files are loaded: the vendor takes every other file for one of its PyTorch models,
which it converts, leaving the result in the user's folder.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

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

__all__ = ["Nequix", "NequixCalculator", "adapter"]

ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
DIRECT_PAIRS = 1000
"""Non-periodic structures of up to this many atoms get their pairs from one distance matrix."""
CACHE = ".cache/nequix/models"
URL = "https://github.com/atomicarchitects/nequix/raw/{commit}/models/{name}.nqx"
MP, OAM = "7c2854de8e754b1a60274c7d9d2e014989ed632e", "9c852a9c4cce69ae5e75bc5a2cf670be21ff8c28"
BASE, PFT = "10.48550/arXiv.2508.16067", "10.48550/arXiv.2601.07742"


def _card(name: str, commit: str, training_data: str, doi: str, **facts: Any) -> ModelCard:
    return ModelCard(
        **{
            "name": name,
            "family": "nequix",
            "checkpoint": name,
            "level_of_theory": "PBE(+U)",
            "training_data": training_data,
            "elements": ELEMENTS,
            "uses_charge": False,
            "uses_spin": False,
            "cutoff": 6.0,
            "conservative": True,
            "energy_reference": "total",
            "parameters": 707_569,
            "licence": "MIT",
            "source": URL.format(commit=commit, name=name),
            "doi": doi,
            "dtypes": ("float32", "float64"),
            "lone_atoms": "model",
            **facts,
        }
    )


# Level, data and licence are stated in the vendor's README, addresses in its `NequixCalculator`,
# elements and cutoffs in the configurations of its repository.
CARDS = (
    _card("nequix-mp-1", MP, "MPtrj", BASE, aliases=("nequix",)),
    _card("nequix-mp-1-pft", MP, "MPtrj, MDR Phonon", PFT),
    _card("nequix-mp-1-pft-no-cotrain", MP, "MPtrj, then MDR Phonon", PFT),
    _card(
        *("nequix-omat-1", OAM, "OMat24", PFT),
        level_of_theory="PBE(+U), VASP 54 pseudopotentials",
    ),
    _card("nequix-oam-1", OAM, "OMat24, sAlex, MPtrj", PFT),
    _card("nequix-oam-1-pft", OAM, "OMat24, sAlex, MPtrj, MDR Phonon", PFT),
)


class Nequix(AdapterBase):
    """The family; weights are downloaded by `nequix` itself."""

    family = "nequix"
    cards = CARDS
    environment = Environment(
        extra="nequix", modules=("nequix",), distributions=("nequix", "jax", "e3nn-jax", "equinox")
    )
    batch_size = 256

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> NequixCalculator:
        """Load by the vendor's name or from an ``.nqx`` file, which also states the elements."""
        if task is not None:
            raise UnsupportedOptionError(f"{card.name} cannot use task {task!r}; it has none.")
        if checkpoint is not None and Path(checkpoint).suffix != ".nqx":
            raise UnsupportedOptionError(
                f"{card.name} cannot load {checkpoint}: only .nqx files, the vendor's for JAX."
            )
        import jax
        from nequix.calculator import from_pretrained

        try:
            model, config = from_pretrained(
                card.checkpoint, model_path=checkpoint, backend="jax", use_kernel=False
            )
        except URLError as error:
            raise ModelLoadError(
                f"{card.name} could not be downloaded: {error}. Fetch {card.source} yourself and "
                f"put it into {CACHE} below your home folder, or give its path as checkpoint=."
            ) from error
        dtype = dtype or "float32"
        with jax.enable_x64(dtype == "float64"):
            model = jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, dtype), model)
            model = jax.device_put(model, jax.devices("cpu")[0])
        return NequixCalculator(model, config, dtype=dtype, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements and size from the model.

        Of weights that the user brought along, training and provenance are not known.
        """
        import jax

        if calculator.checkpoint is not None:
            card = replace(card, level_of_theory=None, training_data=None, licence=None)
            card = replace(card, source=calculator.checkpoint, sha256=None, doi=None)
            card = replace(card, uses_charge=False, uses_spin=False, conservative=True)
            card = replace(card, dtypes=("float32", "float64"), lone_atoms="model")
        weights = sum(leaf.size for leaf in jax.tree.leaves(calculator.model))
        return replace(
            card,
            cutoff=float(calculator.cutoff),
            elements=tuple(chemical_symbols[z] for z in calculator.indices),
            parameters=weights - len(calculator.indices),  # energies of atoms are constants
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the vendor's download; `None` if it is not there."""
        if checkpoint is not None:
            return checkpoint
        file = Path.home() / CACHE / f"{card.checkpoint}.nqx"
        return str(file) if file.is_file() else None

    def evaluate(
        self, calculator: Any, structures: Sequence[Atoms]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """One forward pass for all."""
        if not structures:
            return np.zeros(0), []
        energies, forces, _ = calculator.forward(structures)
        return energies, np.split(forces, np.cumsum([len(atoms) for atoms in structures])[:-1])


class NequixCalculator(Calculator):
    """ASE calculator over the vendor's model; a single point is a batch of one.

    Properties: energy, free_energy (equal to energy), forces (eV/Å) and, for structures with a
    periodic cell of three vectors, stress (eV/Å³, Voigt order).
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, model: Any, config: Any, *, dtype: str, checkpoint: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.dtype, self.checkpoint = model, dtype, checkpoint
        self.cutoff = config["cutoff"]
        self.indices = {z: i for i, z in enumerate(sorted(config["atomic_numbers"]))}

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
        energies, forces, stress = self.forward([self.atoms])
        energy = float(energies[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        if self.atoms.cell.rank == 3 and self.atoms.pbc.any():
            self.results["stress"] = stress[0].flat[[0, 4, 8, 5, 2, 1]]

    def forward(self, structures: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return energies (n,), forces (N, 3) of all atoms and stress (n, 3, 3)."""
        import jax
        from nequix.calculator import eqx, jraph

        for atoms in structures:
            self._check(atoms)
        graph = jraph.batch_np([self._graph(atoms) for atoms in structures])
        many = len(structures) > 1
        graph = jraph.pad_with_graphs(  # one graph and one node more than asked for, at least
            graph,
            n_node=_room(int(graph.n_node.sum()), 512 if many else 32) + 1,
            n_edge=_room(int(graph.n_edge.sum()), 512 if many else 64),
            n_graph=_room(len(structures), 256 if many else 1) + 1,
        )
        with jax.enable_x64(self.dtype == "float64"):
            energies, forces, stress = eqx.filter_jit(self.model)(graph)
        count = sum(len(atoms) for atoms in structures)
        answers = (energies[: len(structures)], forces[:count], stress[: len(structures)])
        return tuple(np.asarray(answer, dtype=float) for answer in answers)  # type: ignore[return-value]

    def _check(self, atoms: Atoms) -> None:
        unknown = sorted({chemical_symbols[z] for z in set(atoms.numbers) - set(self.indices)})
        if unknown:
            raise UnsupportedElementError(
                f"The model does not know {', '.join(unknown)}; it knows {len(self.indices)} "
                "elements, see its card."
            )
        if not len(atoms):
            raise EvaluationError("A structure without atoms has no energy.")
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise EvaluationError("A position is not a finite number.")

    def _graph(self, atoms: Atoms) -> Any:
        """Return the vendor's graph of one structure, around its own centre."""
        from ase.geometry import complete_cell
        from nequix.data import dict_to_graphstuple, preprocess_graph

        if atoms.pbc.any() or len(atoms) > DIRECT_PAIRS:
            found = preprocess_graph(atoms, self.indices, self.cutoff, False)
            i, j, shifts = (found[key] for key in ("receivers", "senders", "shifts"))
        else:
            vectors = atoms.positions[None] - atoms.positions[:, None]  # (n, n, 3)
            near = np.einsum("ijk,ijk->ij", vectors, vectors) < self.cutoff**2
            np.fill_diagonal(near, False)
            i, j = (index.astype(np.int32) for index in near.nonzero())
            shifts = np.zeros((len(i), 3))
        centred = atoms.positions - atoms.positions.mean(axis=0)  # float32 loses what is far away
        return dict_to_graphstuple(
            {
                "n_node": np.array([len(atoms)], dtype=np.int32),
                "n_edge": np.array([len(i)], dtype=np.int32),
                "species": np.array([self.indices[z] for z in atoms.numbers], dtype=np.int32),
                "positions": centred.astype(self.dtype),
                "senders": j,
                "receivers": i,
                "shifts": shifts.astype(self.dtype),
                "cell": complete_cell(atoms.cell).astype(self.dtype),
            }
        )


def _room(count: int, least: int) -> int:
    """Return the smallest of least, 4 least, 16 least, … that is enough."""
    while least < count:
        least *= 4
    return least


adapter = Nequix()
