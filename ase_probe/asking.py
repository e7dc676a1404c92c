"""What a model is asked about, and what it cannot be asked about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ase_probe import checks as battery
from ase_probe.curve import Curve, Finding
from ase_probe.dimer import Dimer, ground_multiplicity
from ase_probe.engine import Raised, attempt
from ase_probe.errors import InputError
from ase_probe.model import ModelCard
from ase_probe.suites import suite as make_suite

if TYPE_CHECKING:
    from ase import Atoms

__all__ = [
    "blind",
    "charge_blind",
    "pairs",
    "parsed",
    "read_structure",
    "refusal",
    "suite_name",
]


def parsed(dimers: Sequence[str | Dimer]) -> tuple[Dimer, ...]:
    """Dimers from names, each once."""
    names = [dimers] if isinstance(dimers, str) else list(dimers)
    if not names:
        raise InputError("No dimers given; name at least one, such as H2.")
    parsed = [item if isinstance(item, Dimer) else Dimer.parse(item) for item in names]
    return tuple(dict.fromkeys(parsed))


def pairs(suite: str | None, elements: Sequence[str] | None, card: ModelCard) -> tuple[Dimer, ...]:
    """The dimers of a suite, of some elements, or of both."""
    if elements is None:
        return make_suite(suite or "standard", card.elements)
    if not elements:
        raise InputError("No elements given; name at least one, such as Si.")
    pairs = make_suite("all-pairs", list(dict.fromkeys(elements)))
    if suite is None:
        return pairs
    asked = set(elements)
    found = tuple(d for d in make_suite(suite, card.elements) if set(d.symbols) <= asked)
    if not found:
        raise InputError(
            f"Suite {suite!r} has no pair of {', '.join(elements)}; leave the suite out for all "
            "pairs of these elements."
        )
    return found


def suite_name(suite: str | None, dimers: object, elements: object) -> str:
    """What the audit says its suite was."""
    if dimers is not None or (elements is not None and suite is None):
        return "custom"
    return suite or "standard"


def read_structure(given: Atoms | str | os.PathLike[str]) -> Atoms:
    """The structure itself, or what ASE reads from its file."""
    from ase import Atoms
    from ase.io import read

    if isinstance(given, Atoms):
        return given
    found = attempt(lambda: read(os.fspath(given)))
    if isinstance(found, Raised):
        raise InputError(f"Cannot read a structure from {os.fspath(given)!r}: {found.message}.")
    return found[-1] if isinstance(found, list) else found


def blind(dimer: Dimer, how: str) -> Finding:
    """Say that a model does not know what charge is."""
    check = "coverage.charge" if dimer.electrons else "bare_nuclei.coulomb"
    return Finding(
        check=check,
        dimer=dimer.name,
        status="out-of-domain",
        reason=f"the model is charge-blind: {how}",
    )


def refusal(card: ModelCard, dimer: Dimer) -> Finding | None:
    """Why the model cannot be asked for this dimer, from its card."""
    unknown = sorted(set(dimer.symbols) - set(card.elements or dimer.symbols))
    if unknown:
        return Finding(
            check="coverage.elements",
            dimer=dimer.name,
            status="out-of-domain",
            reason=f"the model does not know {', '.join(unknown)}",
        )
    if dimer.charge and card.uses_charge is False:
        return blind(dimer, f"{card.name} takes no charge")
    ground = ground_multiplicity(dimer.symbols, dimer.charge)
    if dimer.multiplicity != ground and card.uses_spin is False:
        return Finding(
            check="coverage.spin",
            dimer=dimer.name,
            status="out-of-domain",
            reason=f"the model takes no spin: it would give the curve of multiplicity {ground}",
        )
    return None


def charge_blind(curve: Curve) -> bool:
    """Measured: the charge changes nothing in the energy but noise."""
    response = curve.provenance.get("charge_response_eV")
    return response is not None and response <= max(1e-6, 5 * battery.noise(curve))
