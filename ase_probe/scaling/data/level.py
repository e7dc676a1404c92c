"""The level of theory that labelled QM9, and what it makes of H2 and of the study's control bonds.

QM9 (https://doi.org/10.1038/sdata.2014.22) was computed with Gaussian 09 as B3LYP/6-31G(2df,p).
That means, found by trying the alternatives and confirmed to 2e-6 Eh on CH4, NH3, H2O and HCN and
on the five atoms' published energies:

- correlation by VWN's functional III, which PySCF calls ``b3lypg``; with VWN5 CH4 is 0.037 Eh off;
- two d shells of exponents 1.6 and 0.4 on C, N, O and F, twice and half the 0.8 of 6-31G(d). The
  tables in PySCF and in the Basis Set Exchange have those of 6-311G: CH4 is 0.0005 Eh off;
- six Cartesian d functions and seven pure f functions (Gaussian's ``6D 7F``). With five d CH4 is
  0.0006 Eh off, with ten f 0.0024 Eh.

Molecules in QM9 are closed shells at their minima, all spin-restricted. Away from the minimum the
restricted and the unrestricted curve part, so both stand here. A network trained on this level
cannot be asked to be nearer to the exact curve than these.

The computing is in `ase_probe.scaling.data.scf`; everything here is read from shipped files, which
``python -m ase_probe.scaling.data.build`` made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ase_probe.errors import InputError

__all__ = ["ATOMS", "D_EXPONENTS", "GRID", "LEVEL", "OwnCurve", "own_curve", "own_curves"]

LEVEL = "B3LYP/6-31G(2df,p)"

GRID = 3
"""PySCF's grid level: 50 radial and 194 angular points on H, 75 and 302 on the others; the latter
is Gaussian 09's default."""

D_EXPONENTS = (1.6, 0.4)
"""1/a0², of the two d shells on C, N, O and F."""

ATOMS = {
    "H": -0.500272782685,
    "C": -37.846771136152,
    "N": -54.583862114577,
    "O": -75.064577690551,
    "F": -99.718729029398,
}
"""Eh, isolated atoms, unrestricted, by `ase_probe.scaling.data.scf.solve`; the zero of all labels.

QM9's own, as published with it, are −0.500273, −37.846772, −54.583861, −75.064579 and −99.718730:
these minus those are 0.2, 0.9, −1.1, 1.3 and 1.0 µEh, 0.04 meV at most. Those computed here are
used for QM9's molecules too, so that all that a network is shown has one zero."""

_LABELS = Path(__file__).parent / "labels"


@dataclass(frozen=True, eq=False)
class OwnCurve:
    """A curve of the labels' own level.

    Attributes
    ----------
    r
        (n,) Å.
    energy
        (n,) eV, minus the isolated atoms.
    force
        (n,) eV/Å, −dE/dr.
    """

    r: np.ndarray
    energy: np.ndarray
    force: np.ndarray


@cache
def _shipped(name: str) -> dict[str, OwnCurve]:
    stored = json.loads((_LABELS / "curves.json").read_text("utf-8"))["curves"]
    if name not in stored:
        raise InputError(f"There is no own curve of {name!r}; there are {', '.join(stored)}.")
    curves = {}
    for kind in ("restricted", "unrestricted"):
        columns = stored[name][kind]
        curves[kind] = OwnCurve(*(np.array(columns[key]) for key in ("r", "energy", "force")))
    return curves


def own_curve(name: str, radii: Sequence[float] | np.ndarray | None = None) -> dict[str, OwnCurve]:
    """Return the restricted and the unrestricted curve of a bond at the labels' level.

    Parameters
    ----------
    name
        ``"H2"`` or the name of a control, such as ``"CH4 C-H"``.
    radii
        Å, where it is wanted; by default where it was computed. Between computed points the curve
        is the cubic that has their energies and forces.

    Raises
    ------
    InputError
        No such curve, or a distance outside the computed range.
    """
    curves = _shipped(name)
    return curves if radii is None else {k: _at(c, radii, name) for k, c in curves.items()}


def own_curves(radii: Sequence[float] | np.ndarray | None = None) -> dict[str, OwnCurve]:
    """Return H2's restricted and unrestricted curve; `own_curve` of ``"H2"``."""
    return own_curve("H2", radii)


def _at(curve: OwnCurve, radii: Sequence[float] | np.ndarray, name: str) -> OwnCurve:
    from scipy.interpolate import CubicHermiteSpline

    r = np.asarray(radii, dtype=float)
    low, high = curve.r[0], curve.r[-1]
    if not np.all((r >= low) & (r <= high)):  # also where one is NaN
        raise InputError(
            f"The own curve of {name} was computed from {low:g} to {high:g} Å; "
            f"distances from {r.min():g} to {r.max():g} Å were asked for."
        )
    # In ln r, where the points are evenly spaced: dE/dln r = −r F.
    spline = CubicHermiteSpline(np.log(curve.r), curve.energy, -curve.r * curve.force)
    return OwnCurve(r=r, energy=spline(np.log(r)), force=-spline(np.log(r), 1) / r)
