"""A model's own level: the reference curves of the functional its training labels were made with.

A faithful copy of wrong labels is no error of the model, so its curve is compared with its labels'
curve as well as with the truth. The level is read from the card; where no tier has it, there is no
own level and the reason says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ase_probe.baselines.tabulated import tabulated
from ase_probe.baselines.tier import Unavailable
from ase_probe.curve import Curve
from ase_probe.dimer import atom_multiplicity

if TYPE_CHECKING:
    import numpy as np

    from ase_probe.dimer import Dimer
    from ase_probe.model import ModelCard

__all__ = ["Labels", "labels", "own_level"]


@dataclass(frozen=True)
class Labels:
    """How a family of labels was computed, as far as it matters for a pair.

    Attributes
    ----------
    name
        The functional, for the reader.
    tier
        Tier with its curves.
    branches
        Branches a label may lie on; a model between them is within its labels.
    dispersion
        Do the labels differ from the tier by a dispersion correction? Then it says nothing about
        a pair that only dispersion binds.
    plus_u
        Do the labels carry +U for oxides and fluorides of some transition metals?
    all_electron
        Are total energies of labels and tier the same quantity? Not with pseudopotentials, and
        not where D3 or D4 stands for VV10, which is 0.7 eV in a carbon atom and 1.0 eV in oxygen.
    """

    name: str
    tier: str
    branches: tuple[str, ...]
    dispersion: bool = False
    plus_u: bool = False
    all_electron: bool = False


_MOLECULAR = ("restricted", "unrestricted")
_SOLID = ("envelope",)

_RULES: tuple[tuple[str, Labels], ...] = (
    (r"PBE(\(\+U\))?-D3", Labels("PBE", "dft:pbe", _SOLID, dispersion=True, plus_u=True)),
    (r"PBE\(\+U\)|PBE\+U", Labels("PBE", "dft:pbe", _SOLID, plus_u=True)),
    (r"PBE(?= without| \(|,|$)", Labels("PBE", "dft:pbe", _SOLID)),
    (r"r2SCAN, not spin-polarized", Labels("r2SCAN", "dft:r2scan", ("restricted",))),
    (r"r2SCAN(?= \(|,|$)", Labels("r2SCAN", "dft:r2scan", _SOLID)),
    (r"ωB97M-V", Labels("ωB97M-V", "dft:wb97m-v", _MOLECULAR, all_electron=True)),
    (
        r"ωB97M-D[34]\S*, unrestricted",
        Labels("ωB97M-V", "dft:wb97m-v", ("unrestricted",), dispersion=True),
    ),
    (r"ωB97M-D[34]", Labels("ωB97M-V", "dft:wb97m-v", _MOLECULAR, dispersion=True)),
)
"""What a card's level of theory begins with -> the labels; the first that fits counts.

Molecular training sets compute most singlets restricted (OMol25: all but metal-organic and
open-shell ones), stretched ones included, so their labels may lie on either branch. ωB97M-D3(BJ)
and ωB97M-D4 share ωB97M-V's functional but for the dispersion. Solid-state sets let the moments
relax.
"""

_WITH_U = {"Co", "Cr", "Fe", "Mn", "Mo", "Ni", "V", "W"}  # of the Materials Project's input sets
_U_PARTNERS = {"O", "F"}


def labels(card: ModelCard) -> Labels | Unavailable:
    """Say how a model's labels were computed, from its card.

    Parameters
    ----------
    card
        The model; its ``level_of_theory`` is read.
    """
    level = card.level_of_theory
    if level is None:
        return Unavailable("The card does not state the level of theory of the training labels.")
    if level.startswith("by task"):
        return Unavailable("The level of the training labels depends on the task, and none is set.")
    for pattern, found in _RULES:
        if re.match(pattern, level):
            return found
    return Unavailable(f"No reference curves are made at the level of the labels, {level}.")


def _unfit(known: Labels, dimer: Dimer) -> str | None:
    """Why this level says nothing about this dimer."""
    first, second = dimer.symbols
    pair = {first, second}
    if known.plus_u and pair & _WITH_U and pair & _U_PARTNERS:
        return f"Labels of {dimer} carry +U, which {known.tier} does not."
    closed = all(atom_multiplicity(s) == 1 for s in dimer.symbols)
    if known.dispersion and closed:
        return (
            f"Labels of {dimer} carry another dispersion energy than {known.tier}, and it is what "
            "binds this pair."
        )
    return None


def own_level(card: ModelCard, dimer: Dimer, r: np.ndarray) -> tuple[Curve, ...] | Unavailable:
    """Return the curves of the level the model was trained on.

    Parameters
    ----------
    card
        The model.
    dimer
        The pair; models that take no spin are compared with the lowest 2S at each distance.
    r
        Distances (n,), Å, strictly increasing.

    Returns
    -------
    tuple of Curve or Unavailable
        One curve per branch the labels may lie on, each at those of the distances where it holds;
        or why there is none.
    """
    known = labels(card)
    if isinstance(known, Unavailable):
        return known
    why = _unfit(known, dimer)
    if why is not None:
        return Unavailable(why)
    branches = known.branches
    if card.uses_spin:  # asked at this dimer's 2S, so compared at this 2S
        branches = tuple("unrestricted" if b == "envelope" else b for b in branches)
    found: dict[str, Curve] = {}
    for branch in branches:
        made = tabulated(dimer, r, tier=known.tier, branch=branch)
        if isinstance(made, Unavailable):
            return made
        if known.all_electron:
            atoms = made.provenance["atoms_eV"]
            made = replace(made, provenance={**made.provenance, "label_atoms_eV": atoms})
        found.setdefault(str(made.provenance["branch"]), made)
    return tuple(found.values())
