"""What the embedded test found, as a `Finding` beside the vacuum dimer's."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ase_probe.checks import Profile, verdict
from ase_probe.checks.case import typeset
from ase_probe.curve import Finding
from ase_probe.embedded.push import Embedded

__all__ = ["barrier"]


def barrier(pushed: Embedded, profile: Profile, vacuum: Mapping[str, float | None]) -> Finding:
    """Judge the barrier of a pair inside the structure by the limits of ``compression.barrier``.

    Parameters
    ----------
    pushed
        The pair, pushed together.
    profile
        Whose limits.
    vacuum
        Dimer name -> barrier of the pair alone, eV, to stand beside it.
    """
    row = profile.row("compression.barrier")
    limits = row.at()
    beside = vacuum.get(pushed.dimer.name)
    reason = pushed.reason
    if beside is not None:
        reason += f"; the pair alone has {beside:.3g} eV"
    status = verdict(math.nan if pushed.E_b is None else pushed.E_b, limits)
    if pushed.r_b is None and status != "pass" and pushed.E_b is not None:
        status = "unresolved"  # the structure's own walls end before the limit
    return Finding(
        check="embedded.barrier",
        dimer=pushed.dimer.name,
        status=status,
        value=pushed.E_b,
        unit="eV",
        threshold=limits,
        reason=typeset(reason),
        source=row.source,
        details={
            "r_b": pushed.r_b,
            "depth": pushed.depth,
            "vacuum": beside,
            "distance": pushed.distance,
            "indices": list(pushed.indices),
            "repeats": list(pushed.repeats),
            "points": len(pushed.curve),
            "r": pushed.curve.r.tolist(),
            "energy": pushed.curve.energy.tolist(),
        },
    )
