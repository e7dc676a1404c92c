"""Suites: which dimers an audit looks at."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

from ase_probe.dimer import Dimer
from ase_probe.errors import InputError

__all__ = ["QUICK", "STANDARD", "SUITES", "suite"]

QUICK = ("H2", "H2++", "N2", "O2", "NaCl", "Ar2")
"""A bond, two bare protons, a triple bond, a triplet, an ion pair, a van der Waals pair."""

STANDARD = (
    # one and two electrons: exact references exist
    "H2", "H2++", "H2+", "HeH+",
    # van der Waals
    "He2", "Ne2", "Ar2", "Kr2", "Mg2",
    # hydrides
    "LiH", "NaH", "CH", "NH", "OH", "HF", "SH", "HCl", "HBr", "SiH",
    # homonuclear bonds
    "Li2", "Na2", "C2", "N2", "O2", "F2", "Si2", "P2", "S2", "Cl2", "Br2",
    # heteronuclear bonds
    "CO", "NO", "CN", "SiO", "CS", "SO", "ClF",
    # ion pairs
    "LiF", "LiCl", "NaCl", "KCl", "MgO",
)  # fmt: skip
"""Every row has experimental constants in ``baselines/data/diatomic_constants.csv`` but H2++."""

SUITES = ("quick", "standard", "homonuclear", "all-pairs")


def suite(name: str, elements: Sequence[str] | None = None) -> tuple[Dimer, ...]:
    """Return the dimers of a suite.

    Parameters
    ----------
    name
        One of `SUITES`.
    elements
        The elements the model knows; needed for ``homonuclear`` and ``all-pairs``.

    Raises
    ------
    InputError
        Unknown suite, or a suite over elements for a model that does not state its elements.
    """
    if name == "quick":
        return tuple(map(Dimer.parse, QUICK))
    if name == "standard":
        return tuple(map(Dimer.parse, STANDARD))
    if name not in SUITES:
        raise InputError(f"Unknown suite {name!r}; allowed: {', '.join(SUITES)}.")
    if not elements:
        raise InputError(
            f"Suite {name!r} runs over the elements of the model, and this model does not state "
            "them. Name the dimers instead (--dimers H2,N2 or dimers=[...])."
        )
    if name == "homonuclear":
        return tuple(Dimer((element, element)) for element in elements)
    return tuple(Dimer(pair) for pair in combinations_with_replacement(elements, 2))
