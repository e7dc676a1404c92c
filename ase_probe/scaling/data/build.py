"""Make the shipped labels again.

``python -m ase_probe.scaling.data.build geometries curves shots --scratch FOLDER`` writes
``geometries.xyz``, ``curves.json`` and ``shots.json``. It needs PySCF, and qm9pack for the
geometries, and takes about half an hour of one core. A finished scan of a bond is kept in the
scratch folder, so that a build that was stopped goes on. What does not converge is named at the
end, and its file is not written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ase_probe.baselines.quantum.molecule import version
from ase_probe.errors import AseProbeError, EvaluationError
from ase_probe.scaling.data.bonds import CONTROLS, H2, Bond
from ase_probe.scaling.data.level import LEVEL
from ase_probe.scaling.data.scf import Solution, flipped, solve
from ase_probe.scaling.data.shots import KINDS, plan
from ase_probe.serialize import write_atomic

__all__ = ["curves", "geometries", "main", "scan", "shots"]

_HERE = Path(__file__).parent / "labels"
_FROM_QM9 = {
    "CH4": 1, "NH3": 2, "H2O": 3, "C2H2": 4, "HCN": 5, "CH2O": 6, "C2H6": 7, "CH3OH": 8, "CH3CN": 10
}  # fmt: skip
_OPTIMISED = {
    "H2": (0.6, 0.9), "HF": (0.8, 1.1), "N2": (1.0, 1.3), "CO": (1.0, 1.3), "F2": (1.2, 1.6)
}  # fmt: skip
"""Molecules that QM9 lacks, and between which lengths (Å) the bond's force changes its sign."""

_H2_RADII = np.geomspace(0.1, 10.0, 121)
_CONTROL_RADII = np.geomspace(0.6, 5.0, 31)
_OPENING = 1.2  # equilibrium lengths; a bond longer than this may break its spin symmetry


def _diatomic(symbols: str, r: float) -> Any:
    from ase import Atoms

    return Atoms(symbols, [[0.0, 0.0, 0.0], [0.0, 0.0, r]])


def geometries() -> list[Any]:
    """Return the equilibrium geometries: QM9's own, and diatomics at this level, restricted."""
    from scipy.optimize import brentq

    from ase_probe.scaling.data.qm9 import first

    found = []
    small = first(max(_FROM_QM9.values())).structures()
    for name, index in _FROM_QM9.items():
        atoms = small[index - 1]
        atoms.info = {"molecule": name, "source": f"QM9 {index}"}
        found.append(atoms)
    for name, bracket in _OPTIMISED.items():

        def force(r: float, name: str = name) -> float:
            forces = solve(_diatomic(name, r), restricted=True).forces
            assert forces is not None
            return float(forces[1, 2])

        atoms = _diatomic(name, round(brentq(force, *bracket, xtol=1e-6), 5))
        atoms.info = {"molecule": name, "source": f"minimum of {LEVEL}"}
        found.append(atoms)
    return found


def scan(
    bond: Bond, radii: Sequence[float], *, restricted: bool, forces: bool = True
) -> list[Solution]:
    """Compute one bond at several lengths, each from its neighbour.

    The restricted curve is followed outward from the shortest bond. The unrestricted one comes
    inward from the longest, which starts from two sides of opposite spin: only so a multiple bond
    finds the solution that comes apart into atoms. Near the minimum and within it, it starts from
    nothing as well, in case the neighbour's broken spin symmetry does not heal.

    Raises
    ------
    EvaluationError
        A length that does not converge.
    """
    found: dict[float, Solution] = {}
    density: np.ndarray | None = None
    for r in sorted(radii, reverse=not restricted):
        structure = bond.at(r)
        guesses: list[np.ndarray | None] = []
        if density is not None:
            guesses.append(density)
        elif not restricted and r > _OPENING * bond.length:
            guesses.append(flipped(structure, bond.moving, bond.pairs))
        if density is None or (not restricted and r < _OPENING * bond.length):
            guesses.append(None)
        found[r] = solve(structure, restricted=restricted, guesses=guesses, forces=forces)
        density = found[r].density
        print(f"{bond.name} {r:.4f} {found[r].energy:.6f} {found[r].spin_squared:.3f}", flush=True)
    return [found[r] for r in radii]


def _force(bond: Bond, solution: Solution) -> float:
    """−dE/dr of a bond that moves rigidly: the force on its moving side, along the bond."""
    structure = bond.at(1.0)
    axis = structure.positions[bond.moving[0]] - structure.positions[bond.fixed]
    assert solution.forces is not None
    return float(solution.forces[list(bond.moving)].sum(axis=0) @ axis)


def _columns(
    bond: Bond, radii: Sequence[float], kind: str, scratch: Path, *, forces: bool
) -> dict[str, list[float]]:
    """Scan a bond, or read the scan if it was done before."""
    asked = [LEVEL, bond.name, kind, forces, *radii]
    path = scratch / f"{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]}.json"
    if path.exists():
        return dict(json.loads(path.read_text("utf-8")))
    solutions = scan(bond, radii, restricted=kind == "restricted", forces=forces)
    columns = {
        "r": list(radii),
        "energy": [round(solution.energy, 7) for solution in solutions],
        "spin_squared": [round(solution.spin_squared, 5) for solution in solutions],
    }
    if forces:
        columns["force"] = [round(_force(bond, solution), 7) for solution in solutions]
    scratch.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(columns))
    return columns


def _all(
    wanted: Sequence[tuple[Bond, Sequence[float], str]], scratch: Path, *, forces: bool
) -> list[dict[str, list[float]]]:
    """Do every scan, then say which failed."""
    done, failed = [], []
    for bond, radii, kind in wanted:
        try:
            done.append(_columns(bond, radii, kind, scratch, forces=forces))
        except EvaluationError as error:
            failed.append(f"{bond.name}, {kind}: {error}")
    if failed:
        raise EvaluationError("\n".join(failed))
    return done


def curves(scratch: Path) -> dict[str, Any]:
    """Compute H2 and the controls, restricted and unrestricted."""
    radii = dict.fromkeys(CONTROLS, _CONTROL_RADII) | {H2: _H2_RADII}
    wanted = [
        (bond, [round(float(r), 6) for r in radii[bond]], kind)
        for bond in (H2, *CONTROLS)
        for kind in ("restricted", "unrestricted")
    ]
    found: dict[str, Any] = {}
    for (bond, _, kind), columns in zip(wanted, _all(wanted, scratch, forces=True), strict=True):
        found.setdefault("H2" if bond is H2 else bond.name, {})[kind] = columns
    return {"curves": found}


def shots(scratch: Path) -> dict[str, Any]:
    """Compute both kinds of shots, unrestricted."""
    planned = {kind: plan(kind) for kind in KINDS}
    lengths: dict[Bond, list[float]] = {}
    for bond, r in chain(*planned.values()):
        lengths.setdefault(bond, []).append(r)
    wanted = [(bond, radii, "unrestricted") for bond, radii in lengths.items()]
    points = {
        (bond.name, r): {"bond": bond.name, "r": r, "energy": energy, "spin_squared": spin}
        for (bond, *_), columns in zip(wanted, _all(wanted, scratch, forces=False), strict=True)
        for r, energy, spin in zip(
            columns["r"], columns["energy"], columns["spin_squared"], strict=True
        )
    }
    return {"shots": {k: [points[bond.name, r] for bond, r in planned[k]] for k in KINDS}}


def _write(name: str, content: dict[str, Any]) -> None:
    head = {
        "level": LEVEL,
        "units": {"r": "Å", "energy": "eV, minus the isolated atoms", "force": "eV/Å, −dE/dr"},
        "source": f"computed with PySCF {version()} by "
        f"`python -m {__spec__.name} {name} --scratch FOLDER`",
        "date": datetime.now(UTC).date().isoformat(),
    }
    write_atomic(_HERE / f"{name}.json", _tidy(head | content) + "\n")


def _tidy(content: dict[str, Any]) -> str:
    """JSON with one list of numbers, or one point, a line."""
    text = json.dumps(content, ensure_ascii=False, indent=1)
    return re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda found: " ".join(found[0].split()), text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is asked for."""
    makers = {"curves": curves, "shots": shots}
    parser = argparse.ArgumentParser(description="Make the labels of the scaling study again.")
    parser.add_argument("what", nargs="+", choices=["geometries", *makers])
    parser.add_argument("--scratch", type=Path, required=True)
    options = parser.parse_args(arguments)
    wanted = options.what
    _HERE.mkdir(exist_ok=True)
    try:
        if "geometries" in wanted:
            from ase.io import write

            write(_HERE / "geometries.xyz", geometries(), format="extxyz")
        for name, make in makers.items():
            if name in wanted:
                _write(name, make(options.scratch))
    except AseProbeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
