"""Curves for other programs: extended XYZ, CSV, pandas and xarray.

Numbers are written as they were measured, on the model's own zero of energy. NaN and infinity stay
what they are; a point without an answer carries the reason. ASE writes coordinates and forces of
extended XYZ with eight decimals; everything else keeps all digits.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.curve import Audit, Curve, labels_of
from ase_probe.dimer import Dimer
from ase_probe.errors import AseProbeError, InputError
from ase_probe.serialize import write_atomic

if TYPE_CHECKING:
    import pandas
    import xarray
    from ase import Atoms

__all__ = [
    "COLUMNS",
    "ENDINGS",
    "export",
    "rows",
    "structures",
    "to_csv",
    "to_extxyz",
    "to_pandas",
    "to_xarray",
]

COLUMNS = (
    "model",
    "dimer",
    "curve",
    "r_A",
    "energy_eV",
    "atoms_eV",
    "force_eV_per_A",
    "failure",
)
"""The columns of a table of points, in this order.

``curve`` is ``model`` or the name of a reference; ``atoms_eV`` is the sum of the isolated atoms'
energies, to be subtracted (0 for references, which count from separated fragments; empty where the
model has none); ``force_eV_per_A`` is the force along the bond, positive when repulsive, empty
where the curve has no forces; ``failure`` says why a point has no answer.
"""

ENDINGS = (".csv", ".extxyz", ".xyz")
MODEL = "model"


def rows(audit: Audit, dimers: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield one row per point of the model's and the references' curves; see `COLUMNS`.

    Raises
    ------
    InputError
        The audit has no curve of one of `dimers`.
    """
    for name in _chosen(audit, dimers):
        for kind, curve in _curves(audit, name):
            zero = curve.atom_limit if kind == MODEL else 0.0
            force = curve.axial_force
            for i in range(len(curve)):
                yield {
                    "model": audit.card.name,
                    "dimer": name,
                    "curve": kind,
                    "r_A": float(curve.r[i]),
                    "energy_eV": float(curve.energy[i]),
                    "atoms_eV": zero,
                    "force_eV_per_A": None if force is None else float(force[i]),
                    "failure": curve.failures.get(i, ""),
                }


def to_csv(
    audits: Audit | Sequence[Audit], path: str | Path, dimers: Sequence[str] | None = None
) -> Path:
    """Write every point of every curve as one row, atomically; see `COLUMNS`.

    Raises
    ------
    InputError
        An unknown dimer, or the folder does not exist or cannot be written to.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for audit in _several(audits):
        for row in rows(audit, dimers):
            # repr is the shortest text that reads back to the same double
            writer.writerow({k: repr(v) if isinstance(v, float) else v for k, v in row.items()})
    return write_atomic(path, buffer.getvalue())


def to_pandas(
    audits: Audit | Sequence[Audit], dimers: Sequence[str] | None = None
) -> pandas.DataFrame:
    """Return every point of every curve as one row; see `COLUMNS`.

    Raises
    ------
    InputError
        An unknown dimer.
    AseProbeError
        pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise _missing("pandas") from error
    every = [row for audit in _several(audits) for row in rows(audit, dimers)]
    numbers = dict.fromkeys(("r_A", "energy_eV", "atoms_eV", "force_eV_per_A"), float)
    return pandas.DataFrame(every, columns=list(COLUMNS)).astype(numbers)


def to_xarray(audit: Audit, dimers: Sequence[str] | None = None) -> xarray.DataTree:
    """Return a tree with one group per dimer and one dataset per curve in it.

    ``tree["N2/model"]`` has ``energy`` (r,), eV, ``forces`` (r, atom, axis), eV/Å, where there are
    any, ``failure`` (r,) and the coordinate ``r``, Å. Every curve keeps its own distances.

    Raises
    ------
    InputError
        An unknown dimer.
    AseProbeError
        xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise _missing("xarray") from error
    groups = {}
    for name in _chosen(audit, dimers):
        for kind, curve in _curves(audit, name):
            held: dict[str, Any] = {
                "energy": ("r", curve.energy, {"units": "eV"}),
                "failure": ("r", [curve.failures.get(i, "") for i in range(len(curve))]),
            }
            if curve.forces is not None:
                held["forces"] = (("r", "atom", "axis"), curve.forces, {"units": "eV/Å"})
            axes = {"r": ("r", curve.r, {"units": "Å"}), "axis": ["x", "y", "z"]}
            zero = math.nan if curve.atom_limit is None else curve.atom_limit
            about = {"atoms_eV": zero if kind == MODEL else 0.0}
            groups[f"{name}/{kind.replace('/', '_')}"] = xarray.Dataset(
                held, coords=axes if "forces" in held else {"r": axes["r"]}, attrs=about
            )
    root = xarray.Dataset(attrs={"model": audit.card.name, "family": audit.card.family})
    return xarray.DataTree.from_dict({"/": root, **groups})


def structures(audit: Audit, dimers: Sequence[str] | None = None) -> Iterator[Atoms]:
    """Yield every point of the model's curves as ASE `Atoms` with its energy and forces.

    The first atom sits at the origin, the second at +r along z. ``atoms.info`` holds ``model``,
    ``dimer``, ``r_A`` (the distance), ``charge``, ``spin`` (the multiplicity) and, for a point
    without an answer, ``failure``. Where the model gave no forces there are none.

    Raises
    ------
    InputError
        An unknown dimer.
    """
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    for name in _chosen(audit, dimers):
        dimer, curve = Dimer.parse(name), audit.curves[name]
        for i, r in enumerate(curve.r):
            atoms = Atoms(dimer.symbols, [(0.0, 0.0, 0.0), (0.0, 0.0, r)])
            atoms.info |= {
                "model": audit.card.name,
                "dimer": name,
                "r_A": float(r),
                "charge": dimer.charge,
                "spin": dimer.multiplicity,
            }
            if i in curve.failures:
                atoms.info["failure"] = " ".join(curve.failures[i].split())
            results: dict[str, Any] = {"energy": float(curve.energy[i])}
            if curve.forces is not None:
                results["forces"] = np.array(curve.forces[i])
            atoms.calc = SinglePointCalculator(atoms, **results)
            yield atoms


def to_extxyz(
    audits: Audit | Sequence[Audit], path: str | Path, dimers: Sequence[str] | None = None
) -> Path:
    """Write every point of the models' curves as extended XYZ, atomically; see `structures`.

    Raises
    ------
    InputError
        An unknown dimer, or the folder does not exist or cannot be written to.
    """
    from ase.io.extxyz import write_extxyz

    buffer = io.StringIO()
    for audit in _several(audits):
        write_extxyz(buffer, list(structures(audit, dimers)))
    return write_atomic(path, buffer.getvalue())


def export(
    audits: Audit | Sequence[Audit], path: str | Path, dimers: Sequence[str] | None = None
) -> Path:
    """Write curves in the format that the ending names: ``.csv``, ``.extxyz`` or ``.xyz``.

    Raises
    ------
    InputError
        Another ending, an unknown dimer, or the file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"Curves are written as {', '.join(ENDINGS)}; got {Path(path).name!r}.")
    return (to_csv if ending == ".csv" else to_extxyz)(audits, path, dimers)


def _several(audits: Audit | Sequence[Audit]) -> Sequence[Audit]:
    """Several audits of one model get numbers, so that their rows can be told apart."""
    if isinstance(audits, Audit):
        return [audits]
    return [
        replace(audit, card=replace(audit.card, name=label))
        for audit, label in zip(audits, labels_of(audits), strict=True)
    ]


def _chosen(audit: Audit, dimers: Sequence[str] | None) -> Sequence[str]:
    missing = [name for name in dimers or () if name not in audit.curves]
    if missing:
        raise InputError(
            f"The audit of {audit.card.name} has no curve of {', '.join(missing)}; there are "
            f"{', '.join(audit.curves) or 'none'}."
        )
    return list(audit.curves) if dimers is None else dimers


def _curves(audit: Audit, name: str) -> Iterator[tuple[str, Curve]]:
    yield MODEL, audit.curves[name]
    yield from audit.references.get(name, {}).items()


def _missing(package: str) -> AseProbeError:
    return AseProbeError(f"{package} is not installed: pip install 'ase-probe[tables]'")
