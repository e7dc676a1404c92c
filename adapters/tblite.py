"""tblite (https://github.com/tblite/tblite): the GFN-xTB tight-binding methods. Not learned.

Every single point starts afresh. The vendor's calculator would restart from the last wavefunction,
also from one that did not converge, so that answers depend on the order of the questions (1e-8 eV).

The energy depends on the spin multiplicity through the occupation of the orbitals, without an
exchange term: triplet O2 comes out above the singlet. Charge and multiplicity come from
``atoms.info`` alone, never from initial charges and moments; without them a structure is neutral
and of lowest spin. Ion pairs (NaCl, LiF) often do not converge beyond 4 to 6 Å: that raises.

What the vendor answers silently and wrongly raises here: more electrons or more unpaired electrons
than the orbitals hold, fewer electrons than none (that corrupts its heap), a singlet of an odd
number of electrons, and slabs and wires, which it takes as periodic in all three directions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from ase_probe.batched import Batch, BatchAdapter, BatchCalculator
from ase_probe.errors import EvaluationError, UnsupportedOptionError
from ase_probe.graphs import check_structures
from ase_probe.model import Environment, ModelCard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

__all__ = ["TBLite", "TBLiteCalculator", "adapter"]

ELEMENTS = tuple(chemical_symbols[1:87])  # H-Rn; 4f electrons are part of the core


def _card(method: str, *aliases: str, doi: str) -> ModelCard:
    return ModelCard(
        name=method.lower(),
        family="tblite",
        checkpoint=method,
        aliases=aliases,
        level_of_theory=method,
        elements=ELEMENTS,
        uses_charge=True,
        uses_spin=True,
        conservative=True,
        energy_reference="total",
        licence="LGPL-3.0-or-later",
        source="parameters compiled into tblite",
        doi=doi,
        dtypes=("float64",),
        lone_atoms="model",
    )


CARDS = (
    _card("GFN2-xTB", "gfn2", doi="10.1021/acs.jctc.8b01176"),
    _card("GFN1-xTB", "gfn1", doi="10.1021/acs.jctc.7b00118"),
)


class TBLite(BatchAdapter):
    """The family; one structure at a time, on the CPU. Small ones run best with one thread."""

    family = "tblite"
    cards = CARDS
    weightless = True
    environment = Environment(extra="tblite", modules=("tblite",), distributions=("tblite",))

    def load(
        self,
        card: ModelCard,
        *,
        device: str,
        dtype: str | None,
        task: str | None,
        checkpoint: str | None,
    ) -> TBLiteCalculator:
        """Return the calculator; there are no weights to load."""
        if checkpoint is not None:
            raise UnsupportedOptionError(
                f"{card.name} has its parameters compiled in: it cannot load {checkpoint}."
            )
        return TBLiteCalculator(card.checkpoint)


class TBLiteCalculator(BatchCalculator):
    """Reads ``info["charge"]`` (e) and ``info["spin"]`` (multiplicity); no batch, one by one."""

    watched = ("charge", "spin")

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method

    def forward(self, structures: Sequence[Atoms], *, stress: bool = False) -> Batch:
        """Evaluate all; raises where the SCF of one does not converge."""
        check_structures(structures, ELEMENTS)  # to the vendor a dummy atom X counts as nothing
        answers = [self._single_point(atoms) for atoms in structures]
        return Batch(
            np.array([answer["energy"] for answer in answers]),
            np.concatenate([answer["forces"] for answer in answers]),
            np.stack([answer["stress"] for answer in answers]) if stress else None,
        )

    def _single_point(self, atoms: Atoms) -> dict[str, Any]:
        from tblite.ase import TBLite

        if atoms.pbc.any() and not (atoms.pbc.all() and atoms.cell.rank == 3):
            raise EvaluationError(
                "tblite takes every periodic structure as periodic in three directions, this one "
                f"has pbc={atoms.pbc.tolist()} and a cell of {atoms.cell.rank} vectors. Use "
                "pbc=True with vacuum in the cell, or pbc=False."
            )
        charge = float(atoms.info.get("charge") or 0)
        spin = atoms.info.get("spin")
        if charge or spin is not None:
            _check_electrons(self.method, atoms, charge, spin)
        multiplicity = 1 if spin is None else int(spin)
        vendor = TBLite(method=self.method, charge=charge, multiplicity=multiplicity, verbosity=0)
        vendor.calculate(atoms)
        return dict(vendor.results)


def _check_electrons(method: str, atoms: Atoms, charge: float, spin: int | None) -> None:
    """Is there room for these electrons? `spin` None: as few unpaired as possible."""
    shells = [_valence(method, symbol) for symbol in atoms.symbols]
    electrons = sum(electrons for electrons, _ in shells) - charge
    orbitals = sum(orbitals for _, orbitals in shells)
    unpaired = electrons % 2 if spin is None else spin - 1
    fits = 0 <= unpaired <= electrons and electrons + unpaired <= 2 * orbitals
    if not fits or (electrons - unpaired) % 2:
        raise UnsupportedOptionError(
            f"{method} cannot give {atoms.symbols} charge {charge:g} and multiplicity "
            f"{'lowest' if spin is None else spin}: that is {electrons:g} valence electrons, "
            f"{unpaired:g} of them unpaired, in {orbitals} orbitals. Choose another multiplicity "
            "(odd for an even number of electrons) or charge."
        )


@lru_cache
def _valence(method: str, symbol: str) -> tuple[int, int]:
    """Return valence electrons and orbitals of an atom, as the method counts them."""
    from tblite.interface import Calculator as Interface

    atom = Interface(method, np.array([chemical_symbols.index(symbol)]), np.zeros((1, 3)))
    atom.set("verbosity", 0)
    occupations = atom.singlepoint().get("orbital-occupations")
    return round(float(occupations.sum())), len(occupations)


adapter = TBLite()
