"""What a computed reference holds: `Branch`, `Mask`, `Range`, `Reference`. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Branch", "Mask", "Range", "Reference"]


@dataclass(frozen=True, kw_only=True)
class Mask:
    """A range of distances in which a curve must not be used.

    Attributes
    ----------
    r_min, r_max
        Ends, Å.
    reason
        One sentence for the reader.
    branches
        Names of the branches it holds for; empty for all.
    """

    r_min: float
    r_max: float
    reason: str
    branches: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Range:
    """What a level is worth in a range of distances.

    Attributes
    ----------
    r_min, r_max
        Ends, Å.
    level
        Which calculation stands behind it.
    error_eV, error_relative
        Stated error of the level, absolute (eV) and relative to the energy.
    """

    r_min: float
    r_max: float
    level: str
    error_eV: float | None = None
    error_relative: float | None = None


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One computed curve.

    Attributes
    ----------
    two_s
        2S.
    r, energy
        Distances, Å, increasing, and energies relative to the sum of the atoms, Eh; `None` where
        the calculation gave no number.
    converged, stable, s2, state, seconds
        Per point: did it converge; is it a minimum (`None`: not known); <S²>; which scan the point
        is from (``=`` where all agree); CPU time of all scans, s.
    cuts
        Indices of intervals in which two scans' states cross, and which.
    bends
        Indices of further intervals in which slope or energy seem to jump.
    check_r, check_energy
        Points kept out of the interpolation, Å and Eh.
    error_eV, error_relative
        Largest deviation of the interpolation at those below 5 eV, eV, and above it, relative.
    t1, t2
        Per point, coupled cluster only: norm of the singles per root of the correlated electrons,
        and largest double amplitude.
    """

    two_s: int | None
    r: tuple[float, ...]
    energy: tuple[float | None, ...]
    converged: tuple[bool, ...]
    stable: tuple[bool | None, ...] = ()
    s2: tuple[float | None, ...] = ()
    state: tuple[str, ...] = ()
    seconds: tuple[float, ...] = ()
    cuts: Mapping[int, str] = field(default_factory=dict)
    bends: tuple[int, ...] = ()
    check_r: tuple[float, ...] = ()
    check_energy: tuple[float, ...] = ()
    error_eV: float | None = None
    error_relative: float | None = None
    t1: tuple[float | None, ...] = ()
    t2: tuple[float | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Everything known about one dimer at one level of theory.

    Attributes
    ----------
    dimer, tier, level
        Name of the dimer, id of the tier, level of theory for the reader.
    method, versions, date
        Settings, program versions, ISO date.
    zero
        ``energies`` of the separated fragments, Eh, whose sum is the zero, and what is known of
        them (charges, 2S, frontier orbitals).
    branches
        Name -> curve: ``unrestricted``, ``restricted``, ``2S=4``, …
    default
        Name of the branch a reader means who does not ask for one.
    envelope
        Names of the branches of which a spin-blind model follows the lowest.
    masks
        Where the curves must not be used.
    truth
        Is this the truth within its uncertainty, or a level of theory to compare like with like?
    uncertainty_eV
        Stated error of the level itself around the minimum, eV; `None` for a functional.
    ranges
        The same range by range, where it differs along the curve.
    source
        Citation.
    """

    dimer: str
    tier: str
    level: str
    method: Mapping[str, Any]
    versions: Mapping[str, str]
    date: str
    zero: Mapping[str, Any]
    branches: Mapping[str, Branch]
    default: str
    envelope: tuple[str, ...] = ()
    masks: tuple[Mask, ...] = ()
    truth: bool = False
    uncertainty_eV: float | None = None
    ranges: tuple[Range, ...] = ()
    source: str = ""
