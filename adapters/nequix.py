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

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import numpy as np
from ase.data import chemical_symbols

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import ModelLoadError, UnsupportedOptionError
from ase_probe.graphs import centred, check_structures, complete_cells, find_pairs, places, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

__all__ = ["Nequix", "NequixCalculator", "adapter"]

ELEMENTS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
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


class Nequix(BatchAdapter):
    """The family; weights are downloaded by `nequix` itself."""

    family = "nequix"
    cards = CARDS
    environment = Environment(
        extra="nequix",
        modules=("nequix",),
        distributions=("nequix", "jax", "e3nn-jax", "equinox"),
        exclude=("jax-cuda12-plugin", "jax-cuda12-pjrt"),  # gigabytes, for the CPU alone
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
        if checkpoint is not None and Path(checkpoint).suffix != ".nqx":
            raise UnsupportedOptionError(
                f"{card.name} cannot load {checkpoint}: only .nqx files, the vendor's for JAX."
            )
        import jax
        from nequix.calculator import from_pretrained

        cpu, dtype = _cpu(), dtype or "float32"
        with jax.default_device(cpu):  # the first use of a GPU would take most of its memory
            try:
                model, config = from_pretrained(
                    card.checkpoint, model_path=checkpoint, backend="jax", use_kernel=False
                )
            except URLError as error:
                raise ModelLoadError(
                    f"{card.name} could not be downloaded: {error}. Fetch {card.source} yourself "
                    f"and put it into {CACHE} below your home folder, or give its path as "
                    "checkpoint=."
                ) from error
            with jax.enable_x64(dtype == "float64"):
                model = jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, dtype), model)
                model = jax.device_put(model, cpu)
        return NequixCalculator(model, config, dtype=dtype, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff, elements and size from the model."""
        import jax

        if calculator.checkpoint is not None:
            card = card.of_unknown_training(calculator.checkpoint)
        weights = sum(leaf.size for leaf in jax.tree.leaves(calculator.model))
        return replace(
            card,
            cutoff=calculator.cutoff,
            elements=calculator.elements,
            parameters=weights - len(calculator.elements),  # energies of atoms are constants
            uses_charge=False,
            uses_spin=False,
            conservative=True,
            lone_atoms="model",
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the vendor's download; `None` if it is not there."""
        if checkpoint is not None:
            return checkpoint
        file = Path.home() / CACHE / f"{card.checkpoint}.nqx"
        return str(file) if file.is_file() else None


class NequixCalculator(BatchCalculator):
    """ASE calculator over the vendor's model."""

    def __init__(self, model: Any, config: Any, *, dtype: str, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.model, self.dtype, self.cutoff = model, dtype, float(config["cutoff"])
        self.indices = {z: index for index, z in enumerate(sorted(config["atomic_numbers"]))}
        self.elements = tuple(chemical_symbols[z] for z in self.indices)

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate in one pass; the vendor computes the stress in any case."""
        from nequix.calculator import jraph

        check_structures(structures, self.elements)
        count, one = len(structures), len(structures) == 1
        graph = self._graph(structures)
        atoms = graph.n_node.sum()
        graph = jraph.pad_with_graphs(  # one graph and one node more than asked for, at least
            graph,
            n_node=_room(atoms, 32 if one else 512) + 1,
            n_edge=_room(graph.n_edge.sum(), 64 if one else 512),
            n_graph=_room(count, 1 if one else 256) + 1,
        )
        energies, forces, tensors = (
            np.asarray(answer, dtype=float) for answer in self.network(graph)
        )
        voigt = tensors[:count].reshape(count, 9)[:, [0, 4, 8, 5, 2, 1]] if stress else None
        return Batch(energies[:count], forces[:atoms], voigt)

    def network(self, graph: Any) -> Any:
        """Return energies, forces and stresses of the vendor's padded graph."""
        import jax
        from nequix.calculator import eqx

        with jax.enable_x64(self.dtype == "float64"):
            return eqx.filter_jit(self.model)(graph)

    def _graph(self, structures: Sequence[Atoms]) -> Any:
        """Return the vendor's graph of all structures, each around its own centre."""
        from nequix.calculator import jraph, preprocess_graph

        def periodic(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            found = preprocess_graph(atoms, self.indices, cutoff, False)
            return found["receivers"], found["senders"], found["shifts"]

        pairs = find_pairs(structures, self.cutoff, periodic)
        return jraph.GraphsTuple(
            n_node=sizes(structures).astype(np.int32),
            n_edge=pairs.counts.astype(np.int32),
            nodes={
                "species": places(structures, self.elements).astype(np.int32),
                "positions": centred(structures).astype(self.dtype),
            },
            edges={"shifts": pairs.images.astype(self.dtype)},
            senders=pairs.second.astype(np.int32),
            receivers=pairs.first.astype(np.int32),
            globals={"cell": complete_cells(structures).astype(self.dtype)},
        )


def _cpu() -> Any:
    """Return JAX's CPU; its plugin for CUDA logs a traceback where there is no GPU."""
    import jax

    logger = logging.getLogger("jax._src.xla_bridge")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return jax.devices("cpu")[0]
    finally:
        logger.setLevel(level)


def _room(count: int, least: int) -> int:
    """Return the smallest of least, 4 least, 16 least, … that is enough."""
    while least < count:
        least *= 4
    return least


adapter = Nequix()
