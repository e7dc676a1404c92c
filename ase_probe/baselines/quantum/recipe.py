"""The composite behind tier ``wavefunction``: which calculations it adds up, and how.

Energies of a molecule or atom, Eh:

    E = HF(wall) + c[CCSD(T), base] + (CBS(c[MP2, low], c[MP2, high]) − c[MP2, base])
        + (c[X, core, all electrons] − c[X, core, valence])

c is a correlation energy with frozen cores unless said. CBS is the two-point formula of Halkier et
al. (Chem. Phys. Lett. 286, 243 (1998)): c(n) = c(∞) + A n⁻³, so

    c(∞) = (h³ c(h) − l³ c(l)) / (h³ − l³)

for cardinal numbers l < h. X is MP2, or CCSD(T) where the core of an alkali atom is polarised. A
pair of valence electrons needs no cluster expansion: full configuration interaction takes the
place of CCSD(T) and MP2 alike, and its two leading configurations that of Hartree–Fock, which would
not dissociate.

Hartree–Fock is what a wall is made of, and contracted sets have nothing to describe two merging
cores with: N2 at 0.2 Å is 1243, 1212 and 1204 eV in aug-cc-pVTZ to 5Z, 1200 eV uncontracted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ase_probe.errors import InputError

__all__ = ["CARDINAL", "Recipe", "cbs", "recipe", "total"]

_REVISION = 1
"""Raised whenever the same recipe would give other numbers."""

CARDINAL = {"aug-cc-pVTZ": 3, "aug-cc-pVQZ": 4, "aug-cc-pV5Z": 5}
"""Basis -> its cardinal number; only between these is extrapolated."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Basis sets of the composite.

    Attributes
    ----------
    tier, label
        Id of the tier; level of theory for the reader.
    base, base_hydride
        Basis of CCSD(T), and of that of a singlet with hydrogen, where the larger one is cheap and
        MP2 overestimates what it brings by 0.03 eV.
    low, high
        Bases of the MP2 extrapolation.
    wall
        Basis of Hartree–Fock, used uncontracted.
    core
        Basis of the core correction.
    far
        Basis of CASSCF and NEVPT2.
    revision
        Of the code.
    """

    tier: str = "wavefunction"
    label: str = "CCSD(T) to NEVPT2 composite, CBS, core correlated"
    base: str = "aug-cc-pVTZ"
    base_hydride: str = "aug-cc-pVQZ"
    low: str = "aug-cc-pVQZ"
    high: str = "aug-cc-pV5Z"
    wall: str = "aug-cc-pV5Z"
    core: str = "cc-pCVTZ"
    far: str = "cc-pVTZ"
    revision: int = _REVISION

    @property
    def settings(self) -> dict[str, str | int]:
        """What the result depends on, JSON-able."""
        return asdict(self)

    def base_of(self, symbols: Sequence[str], two_s: int) -> str:
        """Return the basis of CCSD(T) of a dimer with this 2S, and of its atoms."""
        return self.base_hydride if "H" in symbols and two_s == 0 else self.base


def recipe(tier: str = "wavefunction", *, basis: str | None = None) -> Recipe:
    """Return the composite, or the same calculations in one basis without extrapolation.

    Raises
    ------
    InputError
        Another tier.
    """
    if tier != "wavefunction":
        raise InputError(f"Unknown wavefunction tier {tier!r}; allowed: wavefunction.")
    if basis is None:
        return Recipe()
    return Recipe(
        base=basis, base_hydride=basis, low=basis, high=basis, wall=basis, core=basis, far=basis,
        label=f"CCSD(T) to NEVPT2 composite, {basis} alone",
    )  # fmt: skip


def cbs(low: str, at_low: float, high: str, at_high: float) -> float:
    """Complete-basis limit of a correlation energy; formula in the module's text.

    Two equal or unknown bases are not extrapolated.
    """
    if low == high or low not in CARDINAL or high not in CARDINAL:
        return at_high
    n, m = CARDINAL[low] ** 3, CARDINAL[high] ** 3
    return (m * at_high - n * at_low) / (m - n)


def total(plan: Recipe, parts: Mapping[str, float]) -> float:
    """Add up the parts of one point or atom, Eh.

    Parameters
    ----------
    plan
        The recipe.
    parts
        ``wall`` (Hartree–Fock, or two configurations), ``base`` and ``base_mp2``, ``low``, ``high``
        (correlation), and ``core`` (difference); a valence pair has no ``base`` and ``base_mp2``.
    """
    limit = cbs(plan.low, parts["low"], plan.high, parts["high"])
    higher = parts.get("base", 0.0) - parts.get("base_mp2", 0.0)
    return parts["wall"] + limit + higher + parts["core"]
