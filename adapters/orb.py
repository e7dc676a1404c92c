"""Orb (`orb-models`, https://github.com/orbital-materials/orb-models): not equivariant networks.

The vendor's model runs on the vendor's graphs, for single points and batches alike. Its calculator
is not used: it takes float64 positions only while torch's default dtype, which its loader changes
for the whole process, is float64, ignores a changed charge or spin, and fails without them where
the model takes them. Here they are 0 and 1 where ``atoms.info`` states none.

What to expect of these models, by construction:

- Energies change when a structure is turned: the features are Cartesian, rotations were learned.
- Energies are not sums over atoms. The readout takes the mean of the features of all atoms, so that
  two atoms beyond the cutoff have another energy than the two alone.
- The forces of direct models are a second answer, not the gradient, and do not vanish beyond the
  cutoff. Their net torque is removed where the cell is zero: a molecule in a box has other forces.
- The pair repulsion of v3 is called ZBL, but counts with the charges Z + 1 and another screening
  length; in conservative models of this version it is divided by the number of atoms.
- In float64 v3 is not quite the function that was trained: the epsilon of its norms is that of the
  dtype (1e-4 eV with random weights).

``20`` in a name is a limit of neighbours per atom, a source of jumps; ``inf`` is a limit of 120.

float32 here means ``float32-highest``, never TF32. The vendor's loader leaves a head that is not in
the file as it was drawn at random and says nothing; that is refused here. A checkpoint holds
weights only: ``orb:my.ckpt`` is refused, a named model with ``--checkpoint my.ckpt`` is not. The
v1 models were withdrawn, and ``separate-d3-…``, ``separate-d4-…`` are corrections: no cards.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms
from ase.data import chemical_symbols

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import EvaluationError, ModelLoadError, UnsupportedOptionError
from ase_probe.graphs import check_structures
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Orb", "OrbCalculator", "adapter"]

EMBEDDED = tuple(chemical_symbols[1:118])
"""What the vendor's model has a number for, trained or not."""
SOLIDS = (*chemical_symbols[1:84], *chemical_symbols[89:95])  # H-Bi, Ac-Pu: 89
MOLECULES = tuple(chemical_symbols[1:84])  # H-Bi
URL = "https://orbitalmaterials-public-models.s3.us-west-1.amazonaws.com/forcefields/"
LEGACY = {
    "node_head.": "heads.forces.",
    "graph_head.": "heads.energy.",
    "stress_head.": "heads.stress.",
}
"""Prefixes of v2 checkpoints and what the vendor renames them to."""


def _card(name: str, file: str, **facts: Any) -> ModelCard:
    return ModelCard(
        **{
            "name": name,
            "family": "orb",
            "checkpoint": name,
            "aliases": (name.replace("-", "_"),),
            "level_of_theory": "PBE(+U)",
            "elements": SOLIDS,
            "uses_charge": False,
            "uses_spin": False,
            "cutoff": 6.0,
            "conservative": "conservative" in name,
            "energy_reference": "total",
            "licence": "Apache-2.0",
            "source": URL + file,
            "dtypes": ("float32", "float64"),
            "lone_atoms": "model",
            **facts,
        }
    )


def _v3(kind: str, neighbours: str, data: str) -> ModelCard:
    name = f"orb-v3-{kind}-{neighbours}-{data}"
    return _card(
        *(name, f"orb-v3/{name}-20250404.ckpt"),
        training_data={"omat": "OMat24", "mpa": "MPtrj, Alexandria"}[data],
        parameters={"conservative": 25_510_464, "direct": 25_644_361}[kind],
        doi="10.48550/arXiv.2504.06231",
    )


def _omol(kind: str) -> ModelCard:
    return _card(
        *(f"orb-v3-{kind}-omol", f"orb-v3-{kind}-omol-20250820.ckpt"),
        level_of_theory="ωB97M-V/def2-TZVPD",
        training_data="OMol25",
        elements=MOLECULES,
        uses_charge=True,
        uses_spin=True,
        parameters={"conservative": 25_839_552, "direct": 25_906_115}[kind],
    )


def _v2(name: str, date: str, **facts: Any) -> ModelCard:
    known = {"training_data": "MPtrj, Alexandria", "parameters": 25_213_483}
    file, doi = f"{name}-{date}.ckpt", "10.48550/arXiv.2410.22570"
    return _card(name, file, doi=doi, **{**known, **facts})


# Level, data and licence are stated in the vendor's README and MODELS.md, addresses and cutoffs in
# `pretrained`; the vendor's architectures were counted for the parameters. Elements: those of the
# training data.
CARDS = (
    *(_omol(kind) for kind in ("conservative", "direct")),
    *(
        _v3(kind, neighbours, data)
        for data in ("omat", "mpa")
        for kind in ("conservative", "direct")
        for neighbours in ("20", "inf")
    ),
    _v2("orb-v2", "20241011"),
    _v2("orb-mptraj-only-v2", "20241014", training_data="MPtrj"),
    _v2("orb-d3-v2", "20241011", level_of_theory="PBE(+U)-D3"),
    _v2("orb-d3-sm-v2", "20241011", level_of_theory="PBE(+U)-D3", parameters=17_328_673),
    _v2("orb-d3-xs-v2", "20241011", level_of_theory="PBE(+U)-D3", parameters=9_443_863),
)


class Orb(BatchAdapter):
    """The family; weights are downloaded by `orb_models` itself."""

    family = "orb"
    cards = CARDS
    environment = Environment(
        extra="orb", modules=("orb_models",), distributions=("orb-models", "torch")
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
    ) -> OrbCalculator:
        """Build the named architecture, uncompiled, and load its weights or those in the file."""
        if card.local:
            raise UnsupportedOptionError(
                f"{card.checkpoint} holds weights, not the architecture they belong to. Name the "
                "Orb model they were made from and give the file as its checkpoint: --checkpoint "
                f"{card.checkpoint} (checkpoint=), with for example orb-v3-conservative-inf-omat."
            )
        dtype = dtype or "float32"
        with _without_vendor_noise():
            from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

            path = self.checkpoint_file(card, checkpoint)
            with _precision("float32"):  # it builds first, then converts
                model = ORB_PRETRAINED_MODELS[card.checkpoint](
                    **({} if path is None else {"weights_path": path}),
                    device=device,
                    precision="float64" if dtype == "float64" else "float32-highest",
                    compile=False,
                )
        _check_heads(model, path or self.checkpoint_file(card, None))
        return OrbCalculator(model, device=device, dtype=dtype, checkpoint=checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read cutoff and size from the model; what other weights were trained on is unknown."""
        model = calculator.model
        if calculator.checkpoint is not None:
            card = replace(card.of_unknown_training(calculator.checkpoint), elements=EMBEDDED)
        trained = (p for name, p in model.named_parameters() if ".reference." not in name)
        return replace(
            card,
            cutoff=float(model.system_config.radius),
            parameters=sum(p.numel() for p in trained),
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the newest download in the vendor's cache; `None` if nowhere."""
        if checkpoint is not None or card.source is None:
            return checkpoint
        root = os.environ.get("CACHED_PATH_CACHE_ROOT")
        folder = Path(root) if root else Path.home() / ".cache" / "cached_path"
        address = hashlib.sha256(card.source.encode()).hexdigest()
        found = [p for p in folder.glob(f"{address}*") if p.suffix not in (".json", ".lock")]
        return str(max(found, key=lambda p: p.stat().st_mtime)) if found else None


class OrbCalculator(BatchCalculator):
    """ASE calculator over the vendor's model and graphs."""

    watched = ("charge", "spin")

    def __init__(self, model: Any, *, device: str, dtype: str, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.model, self.device, self.dtype = model, device, dtype
        if not model.has_stress:
            self.implemented_properties.remove("stress")

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate in one pass; the vendor computes a stress it has in any case."""
        from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs
        from orb_models.forcefield.base import batch_graphs

        check_structures(structures, EMBEDDED)  # a dummy atom X has an embedding of its own
        config, charged = self.model.system_config, self.model.model.conditioner is not None
        clean = [_clean(atoms, charged) for atoms in structures]
        with _precision(self.dtype), _without_vendor_noise():
            # On the CPU also for CUDA: a dimer's graph is not worth twenty kernels.
            graphs = [ase_atoms_to_atom_graphs(atoms, config, device="cpu") for atoms in clean]
            answer = self.model.predict(batch_graphs(graphs).to(self.device))
        prefix = "grad_" if "grad_forces" in answer else ""
        names = ("energy", prefix + "forces", *([prefix + "stress"] if stress else []))
        return Batch(*(answer[name].detach().cpu().double().numpy() for name in names))


def _clean(atoms: Atoms, charged: bool) -> Atoms:
    """Return what the vendor shall see of a structure; it takes features from ``info``, too."""
    if atoms.pbc.any() and not (atoms.pbc.all() and atoms.cell.rank == 3):
        raise EvaluationError(
            f"Orb takes structures that are periodic in three directions or none, this one has "
            f"pbc={atoms.pbc.tolist()} and a cell of {atoms.cell.rank} vectors. Use pbc=True with "
            "vacuum in the cell, or pbc=False."
        )
    # A cell without periodicity would keep direct models from removing the net torque.
    clean = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell if atoms.pbc.any() else None)
    clean.pbc = atoms.pbc
    if charged:
        for key, neutral in (("charge", 0.0), ("spin", 1.0)):
            value = atoms.info.get(key)
            clean.info[key] = neutral if value is None else float(value)
    return clean


def _check_heads(model: Any, path: str | None) -> None:
    """Raise where energy, forces or stress would come from a head that is not in the file."""
    import torch

    if path is None:
        return
    names = set(torch.load(path, map_location="cpu", weights_only=True))
    for old, new in LEGACY.items():
        names |= {name.replace(old, new, 1) for name in names if name.startswith(old)}
    heads = tuple(f"heads.{name}." for name in ("energy", "forces", "stress"))
    missing = [name for name in model.state_dict() if name.startswith(heads) and name not in names]
    if missing:
        raise ModelLoadError(
            f"{path} does not hold {', '.join(missing[:3])}{', …' * (len(missing) > 3)}: the "
            "vendor's loader would leave random numbers there. It belongs to another model."
        )


@contextmanager
def _precision(dtype: str) -> Iterator[None]:
    """Set what the vendor reads from the process, and put it back: default dtype and no TF32."""
    import torch

    before = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    torch.set_default_dtype(getattr(torch, dtype))
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_default_dtype(before[0])
        torch.set_float32_matmul_precision(before[1])


@contextmanager
def _without_vendor_noise() -> Iterator[None]:
    """Silence what a user can do nothing about."""
    with warnings.catch_warnings():
        for message, category in (
            (r"`torch\.jit\.script` is deprecated", DeprecationWarning),  # torch 2.13
            ("__array__ implementation doesn't accept a copy", DeprecationWarning),  # NumPy 2
            ("Setting global torch default dtype", UserWarning),  # `_precision` puts it back
            ("Consider passing 'precision=float32-high'", UserWarning),
            ("Please install grpcio-status", ImportWarning),  # of a client of Google's cloud
        ):
            warnings.filterwarnings("ignore", message, category)
        yield


adapter = Orb()
