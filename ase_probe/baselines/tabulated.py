"""Tiers ``dft:…`` and ``wavefunction``: computed curves that are shipped as data.

One file per dimer and tier, checked when it is read; between its points a spline, beyond them
nothing. Ranges that its maker masked (an unconverged point, spurious charge transfer, overlapping
pseudopotential cores) are left out. The default branch is the unrestricted one at the dimer's own
2S; training sets of closed-shell labels need ``restricted``, spin-blind models the ``envelope``
over 2S.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.baselines.quantum.honest import case
from ase_probe.baselines.quantum.interpolation import Interpolant
from ase_probe.baselines.quantum.reference import Reference
from ase_probe.baselines.quantum.store import file_name, read
from ase_probe.baselines.tier import Level, Unavailable, curve
from ase_probe.errors import InputError
from ase_probe.units import HARTREE

if TYPE_CHECKING:
    from ase_probe.curve import Curve
    from ase_probe.dimer import Dimer

__all__ = ["BRANCHES", "TABULATED", "of_reference", "shipped", "tabulated"]

BRANCHES = ("unrestricted", "restricted", "envelope")
"""What may be asked for by name in every file; others are listed in the file (``2S=4``)."""

_TIERS = ("dft:pbe", "dft:r2scan", "dft:wb97m-v", "wavefunction")

Part = tuple[Interpolant, np.ndarray]


@cache
def shipped(dimer: str, tier: str, folder: Path | None = None) -> Reference | None:
    """Read a curve; `None` where there is no file.

    Parameters
    ----------
    dimer, tier
        Canonical name and tier.
    folder
        Folder of curves; the shipped one where `None`.

    Raises
    ------
    InputError
        The file is damaged.
    """
    name = file_name(dimer, tier)
    if folder is not None:
        path = folder / name
        return read(path) if path.exists() else None
    resource = files("ase_probe.baselines") / "data" / "curves" / name
    if not resource.is_file():
        return None
    with as_file(resource) as path:
        return read(path)


def _names(reference: Reference, branch: str) -> tuple[str, ...]:
    """Stored branches that make up the one asked for; the curve is their minimum."""
    if branch in reference.branches:
        return (branch,)
    if branch == "envelope":
        # With one 2S alone the envelope is that curve.
        return reference.envelope or (reference.default,)
    if branch == "restricted":
        # Singlets of closed-shell atoms have one curve; open shells have unrestricted labels.
        return (reference.default,)
    raise InputError(
        f"{reference.dimer} has no branch {branch!r} in {reference.tier}; "
        f"allowed: {', '.join(dict.fromkeys([*BRANCHES, *reference.branches]))}."
    )


def _part(reference: Reference, name: str, r: np.ndarray) -> tuple[Interpolant, np.ndarray]:
    """Spline through the usable points of one stored branch, and where it holds (n,)."""
    branch = reference.branches[name]
    good = [i for i, ok in enumerate(branch.converged) if ok and branch.energy[i] is not None]
    radii = np.array([branch.r[i] for i in good])
    energy = np.array([branch.energy[i] for i in good], dtype=float) * HARTREE
    cuts = [good.index(i) for i in branch.cuts if i in good and i + 1 in good]
    holds = (r >= radii[0]) & (r <= radii[-1])
    for mask in reference.masks:
        if not mask.branches or name in mask.branches:
            holds &= (r <= mask.r_min) | (r >= mask.r_max)
            if mask.r_max >= branch.r[-1]:
                holds &= r < mask.r_min
            if mask.r_min <= branch.r[0]:
                holds &= r > mask.r_max
    return Interpolant(radii, energy, cuts), holds


def _error(reference: Reference, names: tuple[str, ...]) -> tuple[float | None, float | None]:
    """Stated error, eV and relative: of the level where it has one, and of the interpolation."""
    absolute = [reference.branches[name].error_eV for name in names]
    relative = [reference.branches[name].error_relative for name in names]
    known = [x for x in absolute if x is not None]
    eV = (reference.uncertainty_eV or 0.0) + max(known) if known else reference.uncertainty_eV
    return eV, max((x for x in relative if x is not None), default=None)


def of_reference(
    reference: Reference, r: np.ndarray, *, branch: str | None = None
) -> Curve | Unavailable:
    """Curve of one branch of a reference.

    Parameters
    ----------
    reference
        From `shipped` or `ase_probe.baselines.quantum.store.read`.
    r
        Distances (n,), Å, strictly increasing; those outside the points and inside a mask are
        left out.
    branch
        ``unrestricted``; ``restricted`` (the unrestricted one for open-shell dimers and for pairs
        of closed-shell atoms); ``envelope`` (lowest 2S); or a name in the file. The file's default
        where `None`. The provenance says which it is.

    Raises
    ------
    InputError
        There is no such branch.
    """
    asked = branch or reference.default
    names = _names(reference, asked)
    wanted = asked if len(names) > 1 else names[0]
    parts = [_part(reference, name, r) for name in names]
    # A minimum over curves holds only where all of them do.
    holds = np.logical_and.reduce([inside for _, inside in parts])
    if not holds.any():
        there = [
            mask.reason
            for mask in reference.masks
            if (not mask.branches or set(mask.branches) & set(names))
            and np.any((r >= mask.r_min) & (r <= mask.r_max))
        ]
        reasons = " ".join(dict.fromkeys(there))
        return Unavailable(
            f"{reference.tier} has no usable point for {reference.dimer} at these distances. "
            f"{reasons}".strip()
        )

    def potential(radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.array([spline(radii) for spline, _ in parts])  # (branches, 2, n)
        lowest = values[:, 0].argmin(axis=0)
        at = np.arange(radii.size)
        return values[lowest, 0, at], values[lowest, 1, at]

    kept = r[holds]
    absolute, relative = _error(reference, names)
    level = Level(
        tier=reference.tier,
        level=f"{reference.level}, {wanted}",
        source=reference.source,
        valid_r=(float(kept[0]), float(kept[-1])),
        uncertainty_eV=absolute,
        relative_uncertainty=relative,
        truth=reference.truth,
    )
    made = curve(level, kept, potential)
    if isinstance(made, Unavailable):
        return made
    masks = [
        {"r": [mask.r_min, mask.r_max], "reason": mask.reason}
        for mask in reference.masks
        if not mask.branches or set(mask.branches) & set(names)
    ]
    ranges = [
        {
            "r": [part.r_min, part.r_max],
            "level": part.level,
            "error_eV": part.error_eV,
            "error_relative": part.error_relative,
        }
        for part in reference.ranges
    ]
    extra = {
        "branch": wanted,
        "two_s": [reference.branches[name].two_s for name in names],
        "atoms_eV": _atoms(reference),
        "masks": masks,
        "ranges": ranges,
        "date": reference.date,
        "versions": dict(reference.versions),
    }
    return replace(made, provenance={**made.provenance, **extra})


def _atoms(reference: Reference) -> list[float] | None:
    """Energies of the two neutral atoms, eV; `None` where the fragments are others."""
    energies = reference.zero.get("energies")
    if energies is None or any(reference.zero.get("charges", (0, 0))):
        return None
    return [float(energy) * HARTREE for energy in energies]


def tabulated(
    dimer: Dimer,
    r: np.ndarray,
    *,
    tier: str,
    branch: str | None = None,
    folder: Path | None = None,
) -> Curve | Unavailable:
    """Shipped curve of one dimer.

    Parameters
    ----------
    dimer
        Any dimer; its ground-state 2S where the file has no other.
    r
        Distances (n,), Å.
    tier
        ``dft:pbe``, ``dft:r2scan``, ``dft:wb97m-v`` or ``wavefunction``.
    branch
        See `of_reference`.
    folder
        Folder of curves; the shipped one where `None`.

    Raises
    ------
    InputError
        Unknown branch, or a damaged file.
    """
    reference = shipped(dimer.name, tier, folder)
    if reference is None and branch is None:
        # O2@1 is a branch in the file of O2.
        ground = shipped(replace(dimer, multiplicity=0).name, tier, folder)
        if ground is not None and (other := f"2S={dimer.multiplicity - 1}") in ground.branches:
            return of_reference(ground, r, branch=other)
    if reference is None:
        why = case(dimer).reason if tier == "wavefunction" and not case(dimer).kind else ""
        return Unavailable(
            f"There is no honest {tier} curve of {dimer}: {why}."
            if why
            else f"No {tier} curve of {dimer} is shipped; `ase-probe baseline build {dimer} "
            f"--tier {tier}` computes it."
        )
    return of_reference(reference, r, branch=branch)


TABULATED: dict[str, Callable[[Dimer, np.ndarray], Curve | Unavailable]] = {
    tier: partial(tabulated, tier=tier) for tier in _TIERS
}
"""Tier id -> (dimer, distances (n,), Å) -> its default branch, or why there is none."""
