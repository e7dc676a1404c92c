"""AIMNet2 (`aimnet`, https://github.com/isayevlab/aimnetcentral): molecules, ions, radicals.

A batch goes flat through the vendor's `AIMNet2Calculator`, each structure with a charge and a
multiplicity of its own; periodic structures in a second pass. There the vendor replaces the full
Coulomb sum by a damped, shifted one with a cutoff of 15 Å, so that a molecule in a box, however
large, is not the molecule alone. D3 ends at 15 Å everywhere, and the network at 5 Å.

The vendor's ASE calculator is not used: a charge once read from ``atoms.info`` stays for structures
that state none, it promises a free energy that it never gives, and it takes NaN positions as
separated atoms. Only the NSE models read the multiplicity; without one they take a singlet, also
for an odd number of electrons. A charge that leaves fewer electrons than none is answered.

Importing the vendor configures the root logger, which is undone here, and compiles kernels of
NVIDIA Warp, which on machines without an NVIDIA driver says so on stderr. Warp's reports of what it
loads are switched off (``warp.config.log_level``). TorchScript files (``.jpt``) of older versions
are refused: they are programs, and carry no list of their elements.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import EvaluationError, ModelLoadError, UnsupportedOptionError
from ase_probe.graphs import centred, check_structures, periodic, sizes
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

__all__ = ["AIMNet2", "AIMNet2Calculator", "adapter"]

ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "I")
BUCKET = "https://storage.googleapis.com/aimnetcentral/aimnet2v2/"
PAPER = "10.1039/D4SC08572H"


def _family(
    stem: str,
    file: str,
    hashes: tuple[str, ...],
    *,
    short: str,
    old: str,
    more: tuple[str, ...] = (),
    **facts: Any,
) -> tuple[ModelCard, ...]:
    """Return the cards of one ensemble.

    `short` is the name of member 0, `old` the stem until aimnet 0.1, `more` are further aliases of
    member 0.
    """
    cards = []
    for member, sha256 in enumerate(hashes):
        name = f"{stem}-{member}" if member else short
        aliases = [f"{stem}_{member}", f"{old}_{member}"]
        aliases += [] if member else [f"{stem}-0", *more]
        cards.append(
            ModelCard(
                **{
                    "name": name,
                    "family": "aimnet2",
                    "checkpoint": f"{stem}_{member}",
                    "aliases": tuple(dict.fromkeys(aliases)),
                    "elements": ELEMENTS,
                    "uses_charge": True,
                    "uses_spin": False,
                    "cutoff": 5.0,
                    "conservative": True,
                    "energy_reference": "total",
                    "licence": "MIT",
                    "source": f"{BUCKET}{file}_{member}.pt",
                    "sha256": sha256,
                    "dtypes": ("float32",),
                    "lone_atoms": "model",
                    **facts,
                }
            )
        )
    return tuple(cards)


# Names, addresses and hashes are those of the vendor's registry; functionals, elements and papers
# stand in its README and model guide. These and the papers disagree on the basis of ωB97M-D3
# (def2-TZVPP, def2-TZVPPD), so none is stated.
CARDS = (
    *_family(
        *("aimnet2-wb97m-d3", "AIMNet2/aimnet2_wb97m_d3"),
        (
            "f0f7c054539ad3261bd36f9b11c56d12f87cb723e25bea7521755bbd3ec24e28",
            "0505ec73a1759bd1d9885fa5f396c79f2a0cc93d20c62ea388e92b30e9351432",
            "a8c1ea27bd07e1bb1a5942f93cb7285cc7308c2a26fa4e1f82b7b5302feb7bfa",
            "0c5f26b9de15c72a9ccb1d411b3b7814816bb06cca46f784dccd1f5efb2c334b",
        ),
        short="aimnet2",
        old="aimnet2_wb97m_d3",
        more=("aimnet2-wb97m", "aimnet2_wb97m"),
        level_of_theory="ωB97M-D3(BJ)",
        doi=PAPER,
    ),
    *_family(
        *("aimnet2-b973c-d3", "AIMNet2/aimnet2_b973c_d3"),
        (
            "7ec7a3db67bd3a393ad59647d4020398deeb041c07dba1c9cf212d226268e549",
            "01f29377a7a768d88fbee676702aae927336310f05c25ce11bf5f69345394283",
            "1b7f2194c119deb35fa957fada50f43e47dac1c44e93ed4b7865de96823a2270",
            "836f1c259914486ccda61850e9765fc3ce1e233c5ea86985e129735244427c89",
        ),
        short="aimnet2-b973c",
        old="aimnet2_b973c_d3",
        more=("aimnet2_b973c",),
        level_of_theory="B97-3c",
        doi=PAPER,
    ),
    *_family(
        *("aimnet2-b973c-2025-d3", "AIMNet2/aimnet2_2025_b973c_d3"),
        (
            "043ed5418a104e31f79462f8e5ebeca64a2d24422174f5d29f894d32271981b5",
            "912ae4f0923803cb38da3fe2bfccc1a47414fd1f9de32ad5a48465be9fe9d0a7",
            "37c00223b32b8d614c8a9a68c3ccde0b424f5e3795d816c2b4e9d6295afe441c",
            "92ee4d1c252042b42622b96b6e0de05eb9c2630af84261780c5c1e558cf8f91d",
        ),
        short="aimnet2-2025",
        old="aimnet2_b973c_2025_d3",
        more=("aimnet2_2025",),
        level_of_theory="B97-3c",
        doi="10.1088/2632-2153/aea39f",
    ),
    *_family(
        *("aimnet2-nse", "AIMNet2NSE/aimnet2nse_wb97m"),
        (
            "b98b3449b2a3765de6a188edff9344a38cc72df75f9d9bf68f4b898a253c5864",
            "69b50bf9938a10a16b70de49985ccf44f127c0bf4f9f736c87e862710f5259b8",
            "da2da46e4c01e685083dbd4db0187b5a1615e1f2471752e84fc78ba8aeeef590",
            "c56103cb3bd747a2a5e8d37c7a134c2662ea3c8209aee7abe0f64b9ebce6cf71",
        ),
        short="aimnet2-nse",
        old="aimnet2nse",
        more=("aimnet2nse",),
        level_of_theory="ωB97M-D3(BJ), unrestricted",
        uses_spin=True,
        doi="10.1002/anie.202516763",
    ),
    *_family(
        *("aimnet2-pd", "AIMNet2Pd/aimnet2-pd"),
        (
            "93f10dd5522e187d7d6aaf3b18d54c07746f5452c2e8063cf77fd0420dc39ebd",
            "15a1a38078aa38bc4c8d0ceb1ee2aa3539efa50456238a85b54ffe5cecf9f73a",
            "e8154bda79964da2b61c020efd602ead19a0310a9d7c8d7825771afb4da4dcbb",
            "ccee19e33e894558da10f6e21de51bef4b0aeb92d11a799761f74b0e3a48cc91",
        ),
        short="aimnet2-pd",
        old="aimnet2-pd",
        more=("aimnet2pd",),
        level_of_theory="B97-3c, CPCM (THF)",
        elements=tuple("Pd" if symbol == "As" else symbol for symbol in ELEMENTS),
        doi="10.26434/chemrxiv-2025-n36r6",
    ),
    *_family(
        *("aimnet2-rxn", "AIMNet2rxn/aimnet2_rxn"),
        (
            "ce8bc2a4cc6fcb5ebaa1bc8897fcd75104e5a00fe86e9d5fc6a020d572174894",
            "bfb3ecee90f82400469db39ac5fc97a206c9aae29efcd57bd6aad3d0676a5bd8",
            "3fa85574702300350050bfbeb326ffccb7a6dc5d549e98560da117063b409bc3",
            "ee29df5ac76ab337913c41223bdc5c0fcd765aea84e34ccaa9ac22a53b018473",
        ),
        short="aimnet2-rxn",
        old="aimnet2_rxn",
        more=("aimnet2rxn",),
        level_of_theory="ωB97M-D3(BJ)",
        elements=("H", "C", "N", "O"),
        uses_charge=False,
        energy_reference=None,  # "a learned shifted-electronic scale"
    ),
)


class AIMNet2(BatchAdapter):
    """The family; `aimnet` downloads the weights and checks them against its own registry."""

    family = "aimnet2"
    cards = CARDS
    environment = Environment(
        extra="aimnet2",
        modules=("aimnet",),
        distributions=("aimnet", "nvalchemi-toolkit-ops", "warp-lang", "torch"),
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
    ) -> AIMNet2Calculator:
        """Load a registered model by name, another from a file of ``aimnet export``."""
        if checkpoint is not None and checkpoint.lower().endswith(".jpt"):
            raise UnsupportedOptionError(
                f"{checkpoint} is a TorchScript program. Convert it with the vendor's command "
                "`aimnet convert model.jpt config.yaml model.pt` and give the .pt file."
            )
        # The vendor takes absolute paths as files, all others as names first.
        source = card.checkpoint if checkpoint is None else str(Path(checkpoint).absolute())
        with _without_vendor_noise():
            from aimnet.calculators import AIMNet2Calculator as Vendor

            vendor = Vendor(source, device=device)
        if not (vendor.metadata or {}).get("implemented_species"):
            raise ModelLoadError(f"{source} does not say which elements it knows.")
        return AIMNet2Calculator(vendor, checkpoint)

    def describe(self, card: ModelCard, calculator: Any) -> ModelCard:
        """Read elements, charge, spin, cutoff and size from the model."""
        vendor = calculator.vendor
        if calculator.checkpoint is not None:
            card = replace(card.of_unknown_training(calculator.checkpoint), energy_reference=None)
        return replace(
            card,
            elements=calculator.elements,
            uses_charge=vendor.metadata["supports_charged_systems"] is not False,
            uses_spin=vendor.is_nse,
            cutoff=float(vendor.cutoff),
            conservative=True,
            parameters=sum(p.numel() for p in vendor.model.parameters()),
            lone_atoms="model",
        )

    def checkpoint_file(self, card: ModelCard, checkpoint: str | None) -> str | None:
        """Return `checkpoint`, or the file in the vendor's cache; `None` if it is not there."""
        if checkpoint is not None or card.source is None:
            return checkpoint
        cache = os.environ.get("AIMNET_CACHE_DIR") or Path.home() / ".cache" / "aimnet"
        file = Path(cache) / card.source.rpartition("/")[2]
        return str(file) if file.is_file() else None


class AIMNet2Calculator(BatchCalculator):
    """Calculator over the vendor's that reads ``info["charge"]`` (e) and ``info["spin"]``."""

    watched = ("charge", "spin")

    def __init__(self, vendor: Any, checkpoint: str | None) -> None:
        super().__init__(checkpoint)
        self.vendor = vendor
        self.elements = tuple(chemical_symbols[z] for z in vendor.metadata["implemented_species"])

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Two passes at most: structures with and without periodic images."""
        check_structures(structures, self.elements)
        images = periodic(structures)
        owners = np.repeat(images, sizes(structures))
        energies, forces = np.empty(len(images)), np.empty((len(owners), 3))
        stresses = np.empty((len(images), 6)) if stress else None
        for kind in set(images):
            chosen = images == kind
            part = self._pass([structures[i] for i in chosen.nonzero()[0]], kind, stress)
            energies[chosen], forces[owners == kind] = part["energy"], part["forces"]
            if stresses is not None:
                stresses[chosen] = full_3x3_to_voigt_6_stress(part["stress"])
        return Batch(energies, forces, stresses)

    def _pass(self, structures: Sequence[Atoms], images: bool, stress: bool) -> dict[str, Any]:
        import torch

        data: dict[str, Any] = {
            "coord": centred(structures),
            "numbers": np.concatenate([atoms.numbers for atoms in structures]),
            "mol_idx": np.repeat(np.arange(len(structures)), sizes(structures)),
            "charge": np.array([float(atoms.info.get("charge") or 0) for atoms in structures]),
        }
        if self.vendor.is_nse:
            data["mult"] = np.array([float(atoms.info.get("spin") or 1) for atoms in structures])
        if images:
            if any(atoms.cell.rank < 3 for atoms in structures):
                raise EvaluationError(
                    "The vendor needs three cell vectors for a periodic structure. Add vacuum "
                    "along the others."
                )
            data["cell"] = np.array([atoms.cell.array for atoms in structures])
            data["pbc"] = np.array([atoms.pbc for atoms in structures])
        with warnings.catch_warnings(), torch.compiler.set_stance("force_eager"):
            warnings.filterwarnings("ignore", "Switching to DSF Coulomb for PBC", UserWarning)
            answer = self.vendor(data, forces=True, stress=stress)
        return {key: value.detach().cpu().double().numpy() for key, value in answer.items()}


@contextmanager
def _without_vendor_noise() -> Iterator[None]:
    """Silence what nobody can act on; weights with keys that the model lacks are refused."""
    warp = importlib.import_module("warp")
    warp.config.log_level = max(warp.config.log_level, warp.LOG_WARNING)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # "Downloading …"
            warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
            warnings.filterwarnings("ignore", "AIMNet2Calculator instances from different famil")
            warnings.filterwarnings("error", "Unexpected model parameters", UserWarning)
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


adapter = AIMNet2()
