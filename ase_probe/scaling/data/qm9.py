"""QM9: 130,831 stable molecules of H, C, N, O and F, from the package ``qm9pack``.

Geometries are the package's; an energy is U0 − ZPVE (QM9's U0 includes the zero-point energy)
minus the isolated atoms of `ase_probe.scaling.data.level.ATOMS`. The 3,054 molecules that QM9's
authors found to be uncharacterised are not in the package. Its three CSV files are checked against
their SHA-256, the molecules against what QM9 is; then they are kept in ase-probe's cache.

Ramakrishnan, Dral, Rupp, von Lilienfeld, Sci. Data 1, 140022 (2014),
https://doi.org/10.1038/sdata.2014.22.
"""

from __future__ import annotations

import csv
import hashlib
import os
import secrets
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ase_probe.engine.answers_folder import answers_folder
from ase_probe.errors import InputError, ModelNotInstalledError
from ase_probe.scaling.data.level import ATOMS
from ase_probe.scaling.molecules import Molecules
from ase_probe.units import HARTREE

__all__ = ["MOLECULES", "check", "first", "qm9"]

MOLECULES = 130_831
"""133,885 minus the 3,054 uncharacterised."""

_SHA256 = {
    "qm9_part1.csv": "19f0a5d595462d52cd82eef3370f3e9eb55a1f52cb14985657200349568deff3",
    "qm9_part2.csv": "2bca113fdc0b28a13563c80ed9b240e934f3da6c64c64fe74ddb4f0f36036e61",
    "qm9_part3.csv": "9c5efb5733d2af149db8d95d36ff198b4ffed12d9f7b344220a1e5877d5c6a43",
}  # of qm9pack 1.0.3

_ARRAYS = ("numbers", "positions", "counts", "energies")
_CLOSEST = 0.95  # Å; the shortest bond in QM9, an O–H, has 0.959
_CLOSEST_HYDROGENS = 1.5  # Å; those of H2O have 1.513, in all others they are beyond 1.6
_PER_ATOM = (-6.0, -3.2)  # eV; QM9 has −5.95 to −3.24


def _files() -> list[Path]:
    spec = find_spec("qm9pack")  # importing it would need pkg_resources
    if spec is None or spec.origin is None:
        raise ModelNotInstalledError(
            'QM9 comes with the package qm9pack: pip install "ase-probe[scaling]".'
        )
    return [Path(spec.origin).parent / "data" / name for name in _SHA256]


def _verify(files: list[Path]) -> None:
    for path in files:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != _SHA256[path.name]:
            raise InputError(
                f"{path} is not that of qm9pack 1.0.3: its SHA-256 is {found}. "
                "Install that version again: pip install --force-reinstall qm9pack==1.0.3."
            )


def _rows(files: list[Path]) -> Iterator[dict[str, str]]:
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def _parse(rows: Iterator[dict[str, str]]) -> Molecules:
    from ase.data import atomic_numbers

    names: list[str] = []
    counts: list[int] = []
    energies: list[float] = []
    numbers: list[int] = []
    positions: list[float] = []
    for row in rows:
        symbols = row["Elements"].strip("[]").replace("'", "").split(",")
        if not set(symbols) <= set(ATOMS):
            raise InputError(f"{row['XYZ_file']} holds {symbols}; QM9 has {', '.join(ATOMS)} only.")
        names.append(row["XYZ_file"].removesuffix(".xyz"))
        counts.append(len(symbols))
        numbers += [atomic_numbers[symbol] for symbol in symbols]
        text = row["XYZ_Ang"].replace("[", "").replace("]", "")
        positions += map(float, text.split(","))
        electronic = float(row["InternalEnergy_0K_au"]) - float(row["ZPVE_au"])
        energies.append((electronic - sum(ATOMS[symbol] for symbol in symbols)) * HARTREE)
    return Molecules(
        tuple(names), np.array(numbers), np.reshape(positions, (-1, 3)),
        np.array(counts), np.array(energies),
    )  # fmt: skip


def check(molecules: Molecules) -> None:
    """Make sure that these are molecules such as QM9 has.

    Raises
    ------
    InputError
        Atoms that overlap, an H–H bond, or an atomization energy that no stable molecule has.
    """
    per_atom = molecules.energies / molecules.counts
    low, high = _PER_ATOM
    outside = np.flatnonzero((per_atom < low) | (per_atom > high))
    if outside.size:
        worst = int(outside[0])
        raise InputError(
            f"{molecules.names[worst]} has {per_atom[worst]:.2f} eV an atom; "
            f"a stable molecule has {low:g} to {high:g} eV."
        )
    ends = np.cumsum(molecules.counts)
    for size in np.unique(molecules.counts):  # molecules of one size at once
        which = np.flatnonzero(molecules.counts == size)
        atoms = (ends[which] - size)[:, None] + np.arange(size)
        first, second = np.triu_indices(size, 1)
        apart = np.linalg.norm(
            molecules.positions[atoms[:, first]] - molecules.positions[atoms[:, second]], axis=2
        )
        hydrogen = molecules.numbers[atoms] == 1
        limit = np.where(hydrogen[:, first] & hydrogen[:, second], _CLOSEST_HYDROGENS, _CLOSEST)
        wrong = np.argwhere(apart < limit)
        if wrong.size:
            row, pair = wrong[0]
            raise InputError(
                f"{molecules.names[which[row]]} has two atoms {apart[row, pair]:.3f} Å apart; "
                f"in QM9 they are at least {limit[row, pair]:g} Å apart."
            )


def first(n: int) -> Molecules:
    """Return the first `n` molecules in QM9's own order, unchecked and uncached; all are small."""
    from itertools import islice

    return _parse(islice(_rows(_files()), n))


def qm9() -> Molecules:
    """Return all of QM9; read from its files the first time, then from the cache.

    The cache is ``$ASE_PROBE_CACHE`` or the user's; with ``$ASE_PROBE_NO_CACHE`` there is none.

    Raises
    ------
    ModelNotInstalledError
        ``qm9pack`` is missing.
    InputError
        The package's files are not those of version 1.0.3, or not what QM9 is.
    """
    folder = answers_folder()
    key = hashlib.sha256(repr((_SHA256, ATOMS)).encode()).hexdigest()[:16]
    path = None if folder is None else folder.parent / "scaling" / f"qm9-{key}.npz"
    if path is not None and path.exists():
        try:
            with path.open("rb") as file, np.load(file) as stored:
                names = tuple(stored["names"].tolist())
                return Molecules(names, *(stored[field] for field in _ARRAYS))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)  # damaged: made anew
    files = _files()
    _verify(files)
    molecules = _parse(_rows(files))
    if len(molecules) != MOLECULES:
        raise InputError(f"qm9pack holds {len(molecules)} molecules; QM9 has {MOLECULES}.")
    check(molecules)
    if path is not None:
        _keep(molecules, path)
    return molecules


def _keep(molecules: Molecules, path: Path) -> None:
    """Write the cache; where the disk refuses, nothing is lost but time."""
    temporary = path.with_name(f"{secrets.token_hex(8)}.part.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            temporary,
            names=np.array(molecules.names),
            **{field: getattr(molecules, field) for field in _ARRAYS},
        )
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
