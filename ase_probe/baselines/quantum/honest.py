"""For which dimers, and how far out, the wavefunction tier claims to know the truth.

No curve is better than a dishonest one. A single reference is honest up to `Case.junction`; beyond
it a bond continues with NEVPT2, a van der Waals pair needs nothing else, and an ion pair ends well
before its avoided crossing with the neutral atoms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.baselines.quantum.atoms import ground_two_s
from ase_probe.baselines.quantum.plan import R_MAX, well
from ase_probe.units import COULOMB

if TYPE_CHECKING:
    from ase_probe.dimer import Dimer

__all__ = ["REFUSED", "T1_LIMIT", "T2_LIMIT", "Case", "case"]

T1_LIMIT = 0.045
"""Singles norm (Lee and Taylor, Int. J. Quantum Chem. Symp. 23, 199 (1989), call 0.02 the onset)
above which CCSD(T) is not trusted below 50 eV; unrestricted references have larger ones."""

T2_LIMIT = 0.25
"""Largest double amplitude above which it is not."""

_LAST = 18
_SINGLE = 1.3  # of r_e: where CCSD(T) of a single bond hands over
_MULTIPLE = 1.2
_CROSSING = 0.6  # of the crossing radius: where the curve of an ion pair ends

_IONIZATION = {"Li": 5.3917, "Na": 5.1391}
_AFFINITY = {"F": 3.4012, "Cl": 3.6127}
# eV; NIST Atomic Spectra Database, https://doi.org/10.18434/T4W30F, and CRC Handbook.

REFUSED: dict[str, str] = {
    "C2": "two configurations share its ground state at every distance, and a second ¹Σg⁺ state "
    "crosses it at 1.7 Å",
    "CN": "its unrestricted reference is a mixture of spins (<S²> 1.1 instead of 0.75) and its "
    "restricted one has three configurations",
    "B2": "two configurations share its ground state at every distance",
    "Be2": "its bond is made by two nearly degenerate configurations; CCSD(T) misses a quarter",
    "BN": "two states of different spin lie within 0.03 eV",
    "MgO": "ionic Mg²⁺O²⁻, Mg⁺O⁻ and neutral configurations mix already at its minimum",
    "NaF": "2p of Na and 2s of F lie within 0.1 Eh: there is no valence shell to correlate alone",
}
"""Dimers within H–Ar that have no curve, and why."""

_METALS = {"Li", "Be", "Na", "Mg", "Al"}
_NOBLE = {"He", "Ne", "Ar"}


def _kinds_refused(dimer: Dimer) -> str:
    """Reason against a whole kind of dimers; empty where there is none."""
    pair = set(dimer.symbols)
    if pair & _METALS and not pair <= _METALS | {"H"} and not pair & _NOBLE and not _ionic(dimer):
        return (
            "a metal and a nonmetal change from ions to atoms gradually, which this recipe was not "
            "tested for; only Li and Na with F and Cl were"
        )
    if len(pair & _NOBLE) == 1 and len(pair) == 2 and any(map(ground_two_s, pair)):
        return "a van der Waals pair with an open shell would need its counterpoise correction"
    return ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """How one dimer is treated.

    Attributes
    ----------
    kind
        ``pair`` (two valence electrons: exact in their basis), ``closed`` (two closed shells,
        counterpoise-corrected), ``ionic``, ``bond``; ``""`` if there is no honest curve.
    junction
        Distance up to which a single reference is used, Å.
    reason
        Why there is no curve, or none beyond the junction.
    """

    kind: str
    junction: float = np.inf
    reason: str = ""


def _ionic(dimer: Dimer) -> float:
    """Distance at which the ion pair crosses the neutral atoms, Å; 0 for no ion pair."""
    for donor, acceptor in (dimer.symbols, dimer.symbols[::-1]):
        if donor in _IONIZATION and acceptor in _AFFINITY:
            return COULOMB / (_IONIZATION[donor] - _AFFINITY[acceptor])
    return 0.0


def case(dimer: Dimer) -> Case:
    """Decide how a dimer is treated; see `Case`."""
    beyond = [s for s, z in zip(dimer.symbols, dimer.numbers, strict=True) if z > _LAST]
    if beyond:
        return Case(
            kind="",
            reason=f"the tier ends at Ar; {beyond[0]} would need scalar relativity and basis sets "
            "for its core",
        )
    if dimer.charge:
        return Case(kind="", reason="its recipe is for neutral dimers")
    refused = REFUSED.get(dimer.name) or _kinds_refused(dimer)
    if refused:
        return Case(kind="", reason=refused)
    couplings = [ground_two_s(s) for s in dimer.symbols]
    own = dimer.multiplicity - 1
    if not abs(couplings[0] - couplings[1]) <= own <= sum(couplings):
        return Case(kind="", reason=f"two ground-state atoms do not make a 2S of {own}")
    one = {"H", "Li", "Na"}
    if set(dimer.symbols) <= one and own == 0:
        return Case(kind="pair")
    if not any(couplings):
        return Case(kind="closed")
    r_e = well(dimer)
    crossing = _ionic(dimer)
    if crossing:
        return Case(
            kind="ionic",
            junction=min(_CROSSING * crossing, R_MAX),
            reason=f"The ion pair crosses the neutral atoms at {crossing:.1f} Å; a single "
            "reference does not describe how it turns into them.",
        )
    bonds = min(couplings) if own < sum(couplings) else 0
    return Case(kind="bond", junction=(_SINGLE if bonds <= 1 else _MULTIPLE) * r_e)
