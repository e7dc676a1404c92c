"""Does a semilocal functional move a fraction of an electron between two distant atoms?

Separated atoms A and B are a minimum only if no orbital of A lies above a hole of B. Where
ε_HOMO(A) > ε_hole(B) the self-consistent field of the far pair is A^δ+ B^δ−, lies below the two
neutral atoms, and E(r_max) is no limit. With the energy of a transferred charge δ taken as the
parabola through its slope −Δε at δ = 0 (Δε = ε_HOMO(A) − ε_hole(B)) and through the ions
(IP − EA at δ = 1), and Coulomb attraction −δ²/R,

    E(δ, R) = −Δε δ + (η/2 − 1/R) δ²,    η = 2 (IP − EA + Δε),

so the transfer is complete (a proper ion pair) inside R_full = 2/(η − Δε), fractional beyond, and
leaves −Δε²/2η at infinity. For PBE NaCl that is R_full = 3.7 Å and −0.9 eV, as its SCF finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from ase_probe.baselines.quantum.atoms import atom
from ase_probe.errors import EvaluationError, InputError
from ase_probe.units import BOHR, HARTREE

if TYPE_CHECKING:
    from ase_probe.baselines.quantum.methods import Method
    from ase_probe.dimer import Dimer

__all__ = ["Transfer", "ionic_crossing", "transfer"]

_BOND_ENDS = 1.5  # of r_e: inside, moving charge is what a polar bond does


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Spurious charge transfer between two separated fragments.

    Attributes
    ----------
    donor, acceptor
        Symbols.
    homo, hole
        Eigenvalues of donor and acceptor, eV; the first lies above the second.
    r_full
        Distance inside which the transfer is complete and proper, Å; 0 where it never is.
    spurious
        Estimated energy below the separated atoms at infinite distance, eV, negative.
    """

    donor: str
    acceptor: str
    homo: float
    hole: float
    r_full: float
    spurious: float

    def start(self, r_e: float) -> float:
        """Distance from which the curve is masked, Å."""
        return max(self.r_full, _BOND_ENDS * r_e)

    @property
    def reason(self) -> str:
        """One sentence for the reader."""
        return (
            f"The functional moves part of an electron from {self.donor} to {self.acceptor}: "
            f"HOMO({self.donor}) = {self.homo:.2f} eV lies above the hole of {self.acceptor} at "
            f"{self.hole:.2f} eV, so separated atoms are no minimum (about {self.spurious:+.2f} eV "
            "at infinity). Use the sum of the atoms as the limit."
        )


def _cost(dimer: Dimer, method: Method, charges: tuple[int, int], donor: int) -> float:
    """IP of the donor minus EA of the acceptor, Eh; infinite where an ion does not exist."""
    ions = [q + (1 if i == donor else -1) for i, q in enumerate(charges)]
    try:
        return sum(
            atom(s, method, charge=ion).energy - atom(s, method, charge=q).energy
            for s, q, ion in zip(dimer.symbols, charges, ions, strict=True)
        )
    except (EvaluationError, InputError):
        return np.inf


def _affinity(symbol: str, charge: int, method: Method) -> float:
    """Electron affinity, Eh; 0 where the ion does not exist.

    Stands for the hole of an empty spin channel, whose eigenvalue a meta-GGA does not define:
    ωB97M-V has that of H at −2 MeV.
    """
    try:
        ion = atom(symbol, method, charge=charge - 1)
    except (EvaluationError, InputError):
        return 0.0
    return atom(symbol, method, charge=charge).energy - ion.energy


def ionic_crossing(dimer: Dimer, method: Method) -> tuple[float, tuple[int, int]]:
    """Distance at which an ion pair becomes cheaper than neutral atoms, and its charges.

    R = 1/(IP − EA) for the cheaper direction, Å; 0 for a dimer that is not neutral.
    """
    if dimer.charge:
        return 0.0, (0, 0)
    best = min((_cost(dimer, method, (0, 0), donor), donor) for donor in (0, 1))
    cost, donor = best
    charges = (1, -1) if donor == 0 else (-1, 1)
    return (BOHR / cost if 0 < cost < np.inf else np.inf if cost <= 0 else 0.0), charges


def transfer(dimer: Dimer, method: Method, charges: tuple[int, int] = (0, 0)) -> Transfer | None:
    """Test the eigenvalues of the two fragments; `None` where neutral fragments are stable.

    Parameters
    ----------
    dimer, method
        What is to be computed.
    charges
        Charges of the separated fragments.
    """
    pair = [atom(s, method, charge=q) for s, q in zip(dimer.symbols, charges, strict=True)]
    worst: Transfer | None = None
    for donor in (0, 1):
        giver, taker = pair[donor], pair[1 - donor]
        # A bare proton has no orbitals of its own here: its hole is that of the one-electron atom.
        hole = taker.hole
        if np.isnan(giver.homo):
            continue
        if np.isnan(hole):
            hole = -_ionization(taker.symbol, taker.charge, method)
        elif hole < -0.5 * atomic_numbers[taker.symbol] ** 2:  # below the 1s of the bare nucleus
            hole = -_affinity(taker.symbol, taker.charge, method)
        gap = giver.homo - hole
        if gap <= 0:
            continue
        cost = _cost(dimer, method, charges, donor)
        stiffness = 2.0 * (cost + gap)
        full = 2.0 / (stiffness - gap) if gap < stiffness < np.inf else 0.0
        found = Transfer(
            donor=giver.symbol,
            acceptor=taker.symbol,
            homo=giver.homo * HARTREE,
            hole=hole * HARTREE,
            r_full=full * BOHR,
            spurious=-(gap**2) / (2.0 * stiffness) * HARTREE if stiffness < np.inf else -np.inf,
        )
        if worst is None or found.spurious < worst.spurious:
            worst = found
    return worst


def _ionization(symbol: str, charge: int, method: Method) -> float:
    """Energy gained when a bare ion takes an electron, Eh."""
    return (
        atom(symbol, method, charge=charge).energy - atom(symbol, method, charge=charge - 1).energy
    )
