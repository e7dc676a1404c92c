"""Compression: the repulsive wall and the holes in it.

What a collision must pay to fall into a hole is the barrier in front of it, so the barrier is the
headline, not the depth.
"""

from __future__ import annotations

import numpy as np

from ase_probe.checks.case import Case, at_most_warn
from ase_probe.curve import Finding

__all__ = ["barrier", "hole", "nlh", "zbl"]


def barrier(case: Case) -> Finding:
    """Height of the wall in front of the outermost hole, eV above E_∞.

    Without a hole it is the height of the wall at the shortest distance of the grid: two atoms that
    can be pushed to 0.1 Å for a few eV are as unphysical as a hole.
    """
    check = "compression.barrier"
    walk = case.walk
    if walk is None:
        reason = (
            "there is no repulsive wall: the energy never rises 50 meV above its limit"
            if np.isfinite(case.curve.energy).any()
            else "the model gave no energies"
        )
        return case.judged(check, float("nan"), reason)
    if walk.holes:
        holes = [
            {
                "E_b": float(walk.energy[top]),
                "r_b": float(walk.r[top]),
                "depth": float(walk.energy[bottom]),
                "r_depth": float(walk.r[bottom]),
            }
            for top, bottom in walk.holes
        ]
        first, deepest = holes[0], min(holes, key=lambda hole: hole["depth"])
        reason = (
            f"inside {first['r_b']:.2f} Å the energy falls to {first['depth']:.4g} eV at "
            f"{first['r_depth']:.2f} Å, behind a barrier of {first['E_b']:.3g} eV"
            f"{'' if first['E_b'] > 0 else ': the way in costs less than breaking the bond'}"
        )
        if deepest is not first:
            reason += (
                f"; farther in, behind {deepest['E_b']:.3g} eV, it falls to "
                f"{deepest['depth']:.4g} eV"
            )
        details = {**first, "holes": holes}
        return case.judged(check, first["E_b"], reason, details=details)
    top = int(np.argmax(walk.energy))
    height, r_min = float(walk.energy[top]), float(walk.r[-1])
    passes = case.profile.row(check).at()[0]
    if not walk.complete:
        reason = f"the wall breaks off at {r_min:.2f} Å and {height:.3g} eV: no energies inside"
        return case.judged(check, height if height >= passes else float("nan"), reason)
    if height < passes and r_min > 0.15:
        return case.finding(
            check,
            "unresolved",
            f"the grid ends at {r_min:.2f} Å, {height:.3g} eV up the wall; no hole so far",
            value=height,
            unit="eV",
        )
    return case.judged(check, height, f"no hole down to {r_min:.2f} Å, {height:.3g} eV up the wall")


def hole(case: Case) -> Finding:
    """Position of the outermost hole's edge, in units of the sum of the covalent radii."""
    check = "compression.hole"
    walk = case.walk
    if walk is None or not walk.holes:
        reason = "no hole found" if walk else "there is no repulsive wall"
        return case.finding(check, "not-run", reason)
    r_b = float(walk.r[walk.holes[0][0]])
    return case.judged(
        check,
        r_b / case.dimer.covalent_sum,
        f"the hole begins at {r_b:.2f} Å",
        details={"r_b": r_b},
    )


def zbl(case: Case) -> Finding:
    """Largest factor between the model and the ZBL potential where that exceeds 100 eV.

    An order-of-magnitude check of the wall in front of the first hole; the hole itself is judged by
    its barrier. It warns at most and is not scored: labels made with pseudopotentials are undefined
    there, and nothing thermal climbs so high.
    """
    return _screened(case, "compression.zbl", "ZBL", "100 eV")


def nlh(case: Case) -> Finding:
    """Largest factor between the model and the pair's own NLH potential where it exceeds 30 eV.

    NLH potentials are fitted pair by pair to density-functional dimers, so they reach farther out
    than ZBL; up to three times the fit's own error passes. It warns at most and is not scored,
    because the wall is scored against the labels' own level.
    """
    return _screened(case, "compression.nlh", "NLH", "30 eV")


def _screened(case: Case, check: str, name: str, floor: str) -> Finding:
    """Compare with a screened Coulomb potential, in front of the first hole."""
    reference = case.references.get(check.replace("compression.", "analytic:"))
    if reference is None:
        return case.finding(check, "not-run", f"{name} is not known above {floor} on this grid")
    walk = case.walk
    edge = walk.r[walk.holes[0][0]] if walk and walk.holes else 0.0
    valid = reference.r >= edge
    if not valid.any():
        return case.finding(check, "not-run", f"the hole begins before {name} reaches {floor}")
    r, expected = reference.r[valid], reference.energy[valid]
    energy = case.curve.energy[np.searchsorted(case.curve.r, r)] - case.e_inf
    finite = np.isfinite(energy)
    if not finite.any():
        return case.finding(check, "not-run", "the model gave no energies there")
    r, expected, energy = r[finite], expected[finite], energy[finite]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = energy / expected
        factor = np.where(ratio > 0, np.maximum(ratio, 1 / ratio), np.inf)
    worst = int(np.argmax(factor))
    passes, fails = case.profile.row(check).at()
    if check == "compression.nlh":
        passes = min(passes, 1.0 + float(reference.provenance["relative_uncertainty"]))
    finding = case.judged(
        check,
        float(factor[worst]),
        f"at {r[worst]:.2f} Å the model has {energy[worst]:.3g} eV, "
        f"{name} {expected[worst]:.3g} eV",
        limits=(passes, fails),
        source=str(reference.provenance.get("source", "")),
        details={"r": float(r[worst])},
    )
    return at_most_warn(finding, "above all thermal energies")
