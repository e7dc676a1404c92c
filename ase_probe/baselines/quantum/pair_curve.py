"""Tier ``exact`` for two electrons: full configuration interaction, extrapolated in the basis.

H2 has its published curve; other pairs of nuclei with two electrons (HeH+, He2++) are computed once
and shipped. Error of the extrapolated interaction energy, measured on H2 against its exact curve:
below 3 meV from 0.2 Å outward, and 0.2 % of the energy inside.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ase_probe import __version__
from ase_probe.baselines.quantum.checkpoint import Unit, append, resumed
from ase_probe.baselines.quantum.cluster import System, field
from ase_probe.baselines.quantum.envelope import assembled
from ase_probe.baselines.quantum.molecule import load, version
from ase_probe.baselines.quantum.plan import midpoints, radii
from ase_probe.baselines.quantum.recipe import cbs
from ase_probe.baselines.quantum.reference import Mask, Range, Reference
from ase_probe.baselines.quantum.two_electron import pair_energy
from ase_probe.dimer import Dimer
from ase_probe.errors import EvaluationError, InputError

__all__ = ["ERROR_EV", "PairRecipe", "assemble", "covers", "energy", "run", "setup", "units"]

_CHECKS = 4
_WALL = 0.4  # Å
ERROR_EV, ERROR_WALL = 0.003, 0.002
"""Stated error, eV, and relative to the energy inside 0.4 Å."""


@dataclass(frozen=True, kw_only=True)
class PairRecipe:
    """Bases of the two-electron calculation, and the words for it."""

    tier: str = "exact"
    label: str = "two-electron FCI, HF/aug-cc-pV5Z uncontracted, correlation aug-cc-pV(Q,5)Z"
    low: str = "aug-cc-pVQZ"
    high: str = "aug-cc-pV5Z"
    revision: int = 1

    @property
    def settings(self) -> dict[str, str | int]:
        """What the result depends on, JSON-able."""
        return asdict(self)


def setup(tier: str, *, basis: str | None = None, grid: int | None = None) -> PairRecipe:
    """Return the recipe, or full configuration interaction in one basis.

    Raises
    ------
    InputError
        A grid is asked for.
    """
    if grid is not None:
        raise InputError("Two-electron curves have no integration grid; leave `grid` out.")
    if basis is None:
        return PairRecipe(tier=tier)
    return PairRecipe(tier=tier, low=basis, high=basis, label=f"two-electron FCI, {basis}")


def covers(dimer: Dimer) -> bool:
    """Two electrons in a singlet."""
    return dimer.electrons == 2 and dimer.multiplicity == 1


def units(
    dimer: Dimer, method: PairRecipe, *, points: int = 40, checks: int = _CHECKS
) -> tuple[Unit, ...]:
    """Everything to compute for one dimer: its atoms, and one scan.

    Raises
    ------
    InputError
        The dimer has not two paired electrons.
    """
    if not covers(dimer):
        raise InputError(
            f"{dimer} has {dimer.electrons} electrons and multiplicity {dimer.multiplicity}; "
            "the exact tier computes singlets of two electrons."
        )
    grid = radii(dimer, points=points)
    r = sorted([*grid.tolist(), *midpoints(grid, checks).tolist()])
    return tuple(
        Unit(dimer=dimer.name, method=method, two_s=0, path=path, radii=tuple(at), restricted=True)
        for path, at in (("atoms", []), ("cluster", r))
    )


def energy(system: System, method: PairRecipe) -> dict[str, float]:
    """Energy of two configurations and the two correlation energies beyond it, Eh."""
    if not sum(system.numbers) - system.charge:
        return {"field": 0.0, "low": 0.0, "high": 0.0}
    if system.two_s:
        one = field(system, method.high, restricted=False, uncontracted=True)
        return {"field": float(one.e_tot), "low": 0.0, "high": 0.0}
    found: dict[str, float] = {}
    for name, basis in (("low", method.low), ("high", method.high)):
        mf = field(system, basis, restricted=True, uncontracted=True)
        if not mf.converged:
            raise EvaluationError(f"The field of {system.symbols} did not converge.")
        full, found["field"], _ = pair_energy(mf)
        found[name] = full - found["field"]
    return found


def _total(method: PairRecipe, parts: Mapping[str, float]) -> float:
    limit = cbs(method.low, parts["low"], method.high, parts["high"])
    return parts["field"] + limit


def _fragments(dimer: Dimer) -> list[System]:
    """Two nuclei and two electrons apart: both on the heavier one, or one on each if cheaper.

    Hydrogenic energies −Z²/2 and Hylleraas' −(Z − 5/16)² decide.
    """
    z = dimer.numbers
    heavy = int(z[1] > z[0])
    paired = -((z[heavy] - 5 / 16) ** 2) < -(z[0] ** 2 + z[1] ** 2) / 2
    electrons = [0, 0] if paired else [1, 1]
    if paired:
        electrons[heavy] = 2
    return [
        System(symbols=(s,), charge=q - n, two_s=n % 2)
        for s, q, n in zip(dimer.symbols, z, electrons, strict=True)
    ]


def run(unit: Unit, folder: Path, threads: int = 1) -> list[dict[str, Any]]:
    """Compute the unit, or what is missing of it; as `ase_probe.baselines.quantum.branch.run`."""
    load().lib.num_threads(threads)

    def work(dimer: Dimer, path: Path, finished: int) -> None:
        if unit.path == "atoms":
            pair = _fragments(dimer)
            made = [energy(s, unit.method) for s in pair]
            append(path, {
                "charges": [s.charge for s in pair],
                "two_s": [s.two_s for s in pair],
                "energies": [_total(unit.method, x) for x in made],
            })  # fmt: skip
        for r in unit.order[finished:]:
            started = time.process_time()
            system = System(symbols=dimer.symbols, r=r, charge=dimer.charge)
            row: dict[str, Any] = {"r": r, "converged": True, "stable": None, "s2": 0.0}
            try:
                row["energy"] = _total(unit.method, energy(system, unit.method))
            except EvaluationError as error:
                row |= {"energy": 0.0, "converged": False, "failed": str(error)}
            append(path, {**row, "seconds": round(time.process_time() - started, 2)})

    return resumed(unit, folder, work)


def assemble(
    dimer: Dimer,
    method: PairRecipe,
    results: Mapping[Unit, Sequence[Mapping[str, Any]]],
    *,
    points: int = 40,
    checks: int = _CHECKS,
) -> Reference:
    """Put the finished units of one dimer together; parameters and errors as `dft.assemble`."""
    wanted = units(dimer, method, points=points, checks=checks)
    missing = [unit.name for unit in wanted if unit not in results]
    if missing:
        raise InputError(f"{dimer} is not finished: {', '.join(missing)} missing.")
    atoms = dict(results[wanted[0]][0])
    rows = [x for x in results[wanted[1]] if "r" in x]
    grid = radii(dimer, points=points).tolist()
    branch = assembled(0, {"fci": rows}, float(sum(atoms["energies"])), set(grid))
    bad = [x["r"] for x in rows if not x["converged"]]
    return Reference(
        dimer=dimer.name,
        tier=method.tier,
        level=method.label,
        method=method.settings,
        versions={"pyscf": version(), "ase-probe": __version__},
        date=datetime.now(UTC).date().isoformat(),
        zero={**atoms, "symbols": list(dimer.symbols)},
        branches={"unrestricted": branch},
        default="unrestricted",
        masks=tuple(
            Mask(r_min=r - 1e-3, r_max=r + 1e-3, reason=f"{r:g} Å did not converge.") for r in bad
        ),
        truth=True,
        uncertainty_eV=ERROR_EV,
        ranges=(
            Range(r_min=0.0, r_max=_WALL, level=method.label, error_relative=ERROR_WALL),
            Range(r_min=_WALL, r_max=float(grid[-1]), level=method.label, error_eV=ERROR_EV),
        ),
        source=f"computed with ase-probe {__version__} and PySCF {version()}",
    )
