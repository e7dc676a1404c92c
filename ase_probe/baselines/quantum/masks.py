"""Where a computed curve means nothing, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ase_probe.baselines.quantum.guess import dissociates
from ase_probe.baselines.quantum.plan import well
from ase_probe.baselines.quantum.reference import Branch, Mask
from ase_probe.dimer import Dimer
from ase_probe.units import COULOMB, HARTREE

__all__ = ["LIMIT", "masks"]

LIMIT = 0.010
"""How far from the sum of the atoms an unmasked curve may end, eV."""

_BOND_ENDS = 1.5  # of r_e: inside, moving charge is what a polar bond does
_SHARE = 0.1  # of the energy left in the bond that spurious transfer may make up
_OWN_TAIL = 2.0  # times k q1 q2/r and the like at the last point


def _unconverged(name: str, branch: Branch) -> list[Mask]:
    r = branch.r
    found = []
    for i, ok in enumerate(branch.converged):
        if not ok:
            low, high = r[max(i - 1, 0)], r[min(i + 1, len(r) - 1)]
            reason = f"The SCF at {r[i]:g} Å did not converge."
            found.append(Mask(r_min=low, r_max=high, reason=reason, branches=(name,)))
    return found


def _transfer_start(branch: Branch, r_e: float, r_full: float, spurious: float) -> float:
    """First distance from which the spurious energy is a tenth of the bond's and transfer partial.

    A bond polarises; that is no artefact while the bond is strong. Beyond 1.5 r_e, and beyond the
    distance inside which the transfer is complete, it is one.
    """
    first = max(_BOND_ENDS * r_e, r_full)
    r, energy = np.array(branch.r), np.array(branch.energy, dtype=float) * HARTREE
    weak = (r >= first) & (np.abs(energy) * _SHARE <= abs(spurious))
    return float(r[weak][0]) if weak.any() else float(max(first, r[-2]))


def _limit(dimer: Dimer, atoms: Mapping[str, Any], branch: Branch) -> str:
    """Why the curve does not end at the separated fragments; empty if it does."""
    last = branch.energy[-1]
    if last is None:
        return ""
    q1, q2 = atoms["charges"]
    expected = COULOMB * q1 * q2 / branch.r[-1]
    off = last * HARTREE - expected
    # A charge polarises the other fragment: −α q²/2r⁴ is 2 meV at 10 Å for α = 3 Å³.
    allowed = LIMIT * (_OWN_TAIL if dimer.charge else 1.0)
    if abs(off) <= allowed:
        return ""
    return f"At {branch.r[-1]:g} Å the curve is {off:+.3f} eV from the sum of the atoms"


def _ends_as_atoms(dimer: Dimer, branch: Branch) -> bool:
    """Can a branch of this 2S reach the ground states of both atoms, and did it converge there?"""
    two_s = branch.two_s
    return two_s is not None and branch.converged[-1] and dissociates(dimer, two_s)


def masks(
    dimer: Dimer, atoms: Mapping[str, Any], branches: Mapping[str, Branch]
) -> tuple[Mask, ...]:
    """Return every range in which a branch must not be used.

    Parameters
    ----------
    dimer
        The dimer.
    atoms
        Record of the isolated atoms.
    branches
        Name -> curve.
    """
    found: list[Mask] = []
    r_e = well(dimer)
    moved = atoms.get("transfer")
    for name, branch in branches.items():
        own = _unconverged(name, branch)
        why = _limit(dimer, atoms, branch)
        if (
            moved is not None
            and name != "restricted"
            and (abs(moved["spurious_eV"]) > LIMIT or why)
        ):
            start = _transfer_start(branch, r_e, moved["r_full"], moved["spurious_eV"])
            reason = moved["reason"] + (f" {why}." if why else "")
        elif why and name != "restricted" and not dimer.charge and _ends_as_atoms(dimer, branch):
            last = branch.energy[-1]
            assert last is not None
            start = _transfer_start(branch, r_e, 0.0, last * HARTREE)
            reason = (
                f"{why}: what was found there is not two separate atoms. Use the sum of the atoms "
                "as the limit."
            )
        else:
            found += own
            continue
        own = [mask for mask in own if mask.r_min < start]  # the others need no reason more
        own.append(Mask(r_min=start, r_max=branch.r[-1], reason=reason, branches=(name,)))
        found += own
    core = float(atoms["core"])
    first = min(branch.r[0] for branch in branches.values())
    if core > first:
        found.append(
            Mask(
                r_min=first,
                r_max=core,
                reason=f"Below {core:.2f} Å the nuclei see cores that the effective core potential "
                "has replaced.",
            )
        )
    return tuple(found)
