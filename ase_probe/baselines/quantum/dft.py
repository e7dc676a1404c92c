"""From a dimer to its units of work, and from their points to its reference curves.

Fixed 2S, unrestricted: the lower envelope of the scans ``in``, ``out`` and ``ionic``. Where one
determinant of the dimer's 2S cannot become two ground-state atoms (O2, S2, SO, Si2, MgO), the other
2S that two ground-state atoms can make are computed too, and their lowest curve is the one a
spin-blind model should follow. Singlets made of open-shell atoms get the restricted curve beside,
because that is what several training sets hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ase_probe import __version__
from ase_probe.baselines.quantum.atoms import ground_two_s
from ase_probe.baselines.quantum.checkpoint import Unit
from ase_probe.baselines.quantum.envelope import assembled
from ase_probe.baselines.quantum.guess import couplings, needs_envelope
from ase_probe.baselines.quantum.masks import masks
from ase_probe.baselines.quantum.methods import Method
from ase_probe.baselines.quantum.molecule import version
from ase_probe.baselines.quantum.plan import midpoints, radii
from ase_probe.baselines.quantum.reference import Branch, Reference
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError

__all__ = ["assemble", "units"]

_CHECKS = 6


def _distances(dimer: Dimer, points: int, checks: int) -> tuple[np.ndarray, np.ndarray]:
    r = radii(dimer, points=points)
    return r, midpoints(r, checks)


def _restricted(dimer: Dimer) -> bool:
    """Can a restricted singlet differ from the unrestricted one?"""
    return dimer.multiplicity == 1 and any(ground_two_s(s) for s in dimer.symbols)


def _likely_charges(dimer: Dimer) -> tuple[int, int]:
    """Fragment charges as far as 2S depends on them; a guess that needs no calculation."""
    if not dimer.charge:
        return 0, 0
    return (0, dimer.charge) if dimer.numbers[1] <= dimer.numbers[0] else (dimer.charge, 0)


def units(
    dimer: Dimer, method: Method, *, points: int = 40, checks: int = _CHECKS
) -> tuple[Unit, ...]:
    """Everything to compute for one dimer.

    Parameters
    ----------
    dimer, method
        The dimer and its method.
    points
        Distances of the curve.
    checks
        Further distances at which the interpolation is tested.

    Raises
    ------
    InputError
        The dimer has no electrons, so there is no functional.
    """
    if not dimer.electrons:
        raise InputError(f"{dimer} has no electrons; its curve is the analytic tier's k Z1 Z2/r.")
    r = tuple(np.sort(np.concatenate(_distances(dimer, points, checks))).tolist())
    own = dimer.multiplicity - 1

    def unit(two_s: int, path: str, restricted: bool = False) -> Unit:
        return Unit(
            dimer=dimer.name, method=method, two_s=two_s, path=path, radii=r, restricted=restricted
        )

    found = [unit(own, "atoms")]
    for two_s in needs_envelope(dimer, _likely_charges(dimer)):
        found += [unit(two_s, "in"), unit(two_s, "out")]
        if two_s == own and not dimer.charge:
            found.append(unit(two_s, "ionic"))
    if _restricted(dimer):
        found.append(unit(own, "out", restricted=True))
    return tuple(found)


def _name(unit: Unit, own: int) -> str:
    if unit.restricted:
        return "restricted"
    return "unrestricted" if unit.two_s == own else f"2S={unit.two_s}"


def assemble(
    dimer: Dimer,
    method: Method,
    results: Mapping[Unit, Sequence[Mapping[str, Any]]],
    *,
    points: int = 40,
    checks: int = _CHECKS,
) -> Reference:
    """Put the finished units of one dimer together.

    Parameters
    ----------
    dimer, method, points, checks
        As for `units`.
    results
        Unit -> its records.

    Raises
    ------
    InputError
        A unit is missing.
    """
    wanted = units(dimer, method, points=points, checks=checks)
    missing = [unit.name for unit in wanted if unit not in results]
    if missing:
        raise InputError(f"{dimer} is not finished: {', '.join(missing)} missing.")
    own = dimer.multiplicity - 1
    atoms = dict(results[wanted[0]][0])
    zero = float(sum(atoms["energies"]))
    r, _ = _distances(dimer, points, checks)
    scans: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for unit in wanted[1:]:
        rows = [x for x in results[unit] if "r" in x]
        if rows:
            scans.setdefault(_name(unit, own), {})[unit.path] = rows
    if "restricted" in scans:
        # A restricted determinant is an unrestricted one too, and a scan may have missed it.
        scans["unrestricted"]["R"] = scans["restricted"]["out"]
    branches: dict[str, Branch] = {}
    for name, paths in scans.items():
        two_s = own if not name.startswith("2S=") else int(name[3:])
        branches[name] = assembled(two_s, paths, zero, set(r.tolist()))
    spins = [name for name in branches if name != "restricted"]
    return Reference(
        dimer=dimer.name,
        tier=method.tier,
        level=method.label,
        method=method.settings,
        versions={"pyscf": version(), "ase-probe": __version__},
        date=datetime.now(UTC).date().isoformat(),
        zero={**atoms, "symbols": list(dimer.symbols), "couplings": couplings(dimer)},
        branches=branches,
        default="unrestricted",
        envelope=tuple(spins) if len(spins) > 1 else (),
        masks=masks(dimer, atoms, branches),
        source=f"computed with ase-probe {__version__} and PySCF {version()}",
    )
