"""`entries`: which reference curves there are, one entry per dimer and tier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from ase_probe.baselines import TIERS
from ase_probe.baselines.tabulated import TABULATED, shipped
from ase_probe.baselines.tier import Unavailable
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.suites import STANDARD

__all__ = ["Entry", "entries", "known_dimers"]

_PROBED = np.geomspace(0.005, 15.0, 60)  # Å; every tier that holds anywhere holds at one of these


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One dimer in one tier.

    Attributes
    ----------
    dimer, tier, level
        Names, and the level of theory for the reader.
    r_min, r_max
        Range it holds in, Å; `None` for no upper end.
    truth
        Is it the truth within its uncertainty?
    uncertainty_eV, relative_uncertainty
        Largest stated error, eV and relative; `None` where not stated.
    branches
        Names of the stored branches, the default one first; empty for formulas.
    masked
        Ranges left out of the default branch, Å, and why.
    date
        When it was computed, ISO; empty for formulas.
    """

    dimer: str
    tier: str
    level: str
    r_min: float
    r_max: float | None
    truth: bool
    uncertainty_eV: float | None = None
    relative_uncertainty: float | None = None
    branches: tuple[str, ...] = ()
    masked: tuple[tuple[float, float, str], ...] = ()
    date: str = ""


def known_dimers(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the standard suite, and of every dimer with a stored curve.

    Parameters
    ----------
    folder
        Folder of curves; the shipped one where `None`.
    """
    root = folder or files("ase_probe.baselines") / "data" / "curves"
    stored = set()
    for tier in TIERS:
        place = root / tier.replace(":", "-")
        if place.is_dir():
            stored |= {
                file.name.removesuffix(".json")
                for file in place.iterdir()
                if file.name.endswith(".json") and not file.name.startswith(".")
            }
    return (*STANDARD, *sorted(stored - set(STANDARD)))


def _stored(dimer: str, tier: str, folder: Path | None) -> Entry | None:
    reference = shipped(dimer, tier, folder)
    if reference is None:
        return None
    branch = reference.branches[reference.default]
    others = [name for name in reference.branches if name != reference.default]
    return Entry(
        dimer=dimer,
        tier=tier,
        level=reference.level,
        r_min=branch.r[0],
        r_max=branch.r[-1],
        truth=reference.truth,
        uncertainty_eV=reference.uncertainty_eV,
        branches=(reference.default, *others),
        masked=tuple(
            (mask.r_min, mask.r_max, mask.reason)
            for mask in reference.masks
            if not mask.branches or reference.default in mask.branches
        ),
        date=reference.date,
    )


def _formula(dimer: str, tier: str) -> Entry | None:
    pair = Dimer.parse(dimer)
    found = TIERS[tier](pair, _PROBED)
    if isinstance(found, Unavailable):
        return None
    if (end := found.provenance["valid_r"][1]) < _PROBED[-1]:
        # Where the stated error grows with the distance, it is largest there.
        found = TIERS[tier](pair, np.union1d(_PROBED, [end]))
        assert not isinstance(found, Unavailable)
    facts = found.provenance
    low, high = facts["valid_r"]
    return Entry(
        dimer=dimer,
        tier=tier,
        level=facts["level"],
        r_min=low,
        r_max=high if np.isfinite(high) else None,
        truth=facts["truth"],
        uncertainty_eV=facts["uncertainty_eV"],
        relative_uncertainty=facts["relative_uncertainty"],
    )


def entries(
    dimers: Iterable[str] | None = None,
    tiers: Iterable[str] | None = None,
    *,
    folder: Path | None = None,
) -> Iterator[Entry]:
    """Yield every curve there is, grouped by dimer.

    Parameters
    ----------
    dimers
        Canonical names; `known_dimers` where `None`.
    tiers
        Some of `TIERS`; all where `None`.
    folder
        Folder of stored curves; the shipped one where `None`.

    Raises
    ------
    InputError
        Unknown tier, or a damaged file.
    """
    wanted = tuple(TIERS if tiers is None else tiers)
    if unknown := [tier for tier in wanted if tier not in TIERS]:
        raise InputError(f"Unknown reference tier {unknown[0]!r}; allowed: {', '.join(TIERS)}.")
    for dimer in known_dimers(folder) if dimers is None else dimers:
        for tier in wanted:
            made = _stored(dimer, tier, folder)
            if made is None and tier not in TABULATED:
                made = _formula(dimer, tier)
            if made is not None:
                yield made
