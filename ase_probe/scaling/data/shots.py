"""k-shot sets: a few compressed and stretched bonds, with or without H2 among them.

QM9 holds no H–H distance below 1.51 Å, so a model trained on it has never seen an H–H bond. Two
kinds of sets of 100 labelled geometries ask what a few of them change:

- ``"with-h2"``: H2 at 100 distances, 0.2 to 5 Å;
- ``"without-h2"``: 13 bonds of other molecules, 0.65 to 3.5 equilibrium lengths, no two hydrogens
  closer than 1.4 Å. If these help H2, compression as such was learnt.

Both have 41 compressed and 59 stretched geometries, and energies up to about 30 eV. A set of k is
the first k of an order that the seed decides: the sets of one seed are nested, and the first k of
any order cover the whole range of distances. Labels are unrestricted at QM9's level, computed
beforehand (`ase_probe.scaling.data.build`) and read from ``labels/shots.json``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.errors import InputError
from ase_probe.scaling.data.bonds import BONDS, CONTROLS, H2, OTHERS, Bond
from ase_probe.scaling.molecules import Molecules

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["CONTROL_RADII", "KINDS", "MOST", "controls", "plan", "shots"]

KINDS = ("with-h2", "without-h2")

MOST = 100
"""Labelled geometries of each kind, the largest k."""

_COMPRESSED = 41  # of 100; evenly spaced in ln r for H2 from 0.2 to 5 Å
_H2_RANGE = (0.2, 5.0)  # Å
_RANGE = (0.65, 3.5)  # equilibrium lengths
_APART = ("H2O O-H", "NH3 N-H")  # compressed, their hydrogens would come within 1.4 Å

CONTROL_RADII = np.geomspace(0.6, 5.0, 81)
"""Å, of the controls' curves."""

_LABELS = Path(__file__).parent / "labels" / "shots.json"


def plan(kind: str) -> list[tuple[Bond, float]]:
    """Return the 100 bonds and lengths (Å) of a kind, from the most compressed to the longest."""
    _known(kind)
    if kind == "with-h2":
        return [(H2, round(float(r), 4)) for r in np.geomspace(*_H2_RANGE, MOST)]
    low, high = _RANGE
    short = np.geomspace(low, 1.0, _COMPRESSED, endpoint=False)
    long = np.geomspace(high, 1.0, MOST - _COMPRESSED, endpoint=False)[::-1]
    squeezable = [bond for bond in OTHERS if bond.name not in _APART]
    turns = [(squeezable, short), (list(OTHERS), long)]
    return [
        (bonds[i % len(bonds)], round(float(factor) * bonds[i % len(bonds)].length, 4))
        for bonds, factors in turns
        for i, factor in enumerate(factors)
    ]


def shots(kind: str, k: int, *, seed: int) -> Molecules:
    """Return k labelled geometries.

    Parameters
    ----------
    kind
        ``"with-h2"`` or ``"without-h2"``.
    k
        How many, 0 to 100. Those of a smaller k come first.
    seed
        Decides the order; 0 or more.

    Raises
    ------
    InputError
        Another kind, k or seed.
    """
    everything = _labelled()[_known(kind)]
    if not 0 <= k <= MOST:
        raise InputError(f"k = {k} shots; there are 0 to {MOST}.")
    if seed < 0:
        raise InputError(f"Seed {seed}; give 0 or more.")
    return everything[_order(seed)[:k]]


def controls() -> dict[str, tuple[np.ndarray, list[Atoms]]]:
    """Return the geometries of the in-support controls.

    Returns
    -------
    dict
        Name, such as ``"CH4 C-H"`` -> bond lengths (n,) Å, increasing, and the structures. Their
        labels are `ase_probe.scaling.data.level.own_curve` of the name.
    """
    return {b.name: (CONTROL_RADII, [b.at(r) for r in CONTROL_RADII]) for b in CONTROLS}


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise InputError(f"{kind!r} is no kind of shots; there are {' and '.join(KINDS)}.")
    return kind


def _order(seed: int) -> np.ndarray:
    """Return the 100 ranks, ordered so that every beginning is spread over all of them.

    Rank after rank is the place of a point that moves on by the golden ratio of the range, wrapping
    around: the gaps between its first k places are at most 2.6 of the mean gap, for any k.
    """
    start = 0.5 + seed * np.sqrt(2)  # irrational as well, so that no two seeds follow one another
    places = (start + np.arange(8 * MOST) * (np.sqrt(5) - 1) / 2) % 1
    ranks = dict.fromkeys((places * MOST).astype(int).tolist())
    return np.array(list(ranks))


@cache
def _labelled() -> dict[str, Molecules]:
    stored = json.loads(_LABELS.read_text("utf-8"))["shots"]
    found = {}
    for kind, points in stored.items():
        structures = [BONDS[point["bond"]].at(point["r"]) for point in points]
        found[kind] = Molecules(
            names=tuple(atoms.info["name"] for atoms in structures),
            numbers=np.concatenate([atoms.numbers for atoms in structures]),
            positions=np.concatenate([atoms.positions for atoms in structures]),
            counts=np.array([len(atoms) for atoms in structures]),
            energies=np.array([point["energy"] for point in points]),
        )
    return found
