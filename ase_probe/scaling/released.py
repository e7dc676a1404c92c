"""Released foundation models in the study's view: outcomes beside parameters and training data.

Descriptive only. The models differ in everything at once (architecture, level of theory, kind of
data), and there are few, so the table says nothing about what scale does and nothing is fitted
to it. Each curve is compared with the best known form of its own labels, which the row names.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ase_probe.baselines import Unavailable, own_level, reference
from ase_probe.curve import Audit, Curve
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.model import ModelCard
from ase_probe.scaling.outcomes import Outcomes, outcomes

__all__ = ["TRAINING_SETS", "Released", "describe", "lines", "main", "structures"]

_DENSE = np.geomspace(0.1, 10.0, 600)  # Å, as in an audit

TRAINING_SETS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "MPtrj": (1_580_395, "doi:10.6084/m9.figshare.23713842"),
        "MPF.2021.2.8 (M3GNet)": (188_349, "doi:10.6084/m9.figshare.19470599"),
        "OMat24": (100_824_585, "arXiv:2410.12771, training split"),
        "sAlex": (10_447_765, "arXiv:2410.12771, training split"),
    }
)
"""Training set as cards name it -> structures in it, and where that is stated (all four also in
https://github.com/janosh/matbench-discovery, data/datasets.yml)."""

_STATED = re.compile(r"(\d[\d ]*(?:\.\d+)?) (million )?(?:molecular fragments|structures)")


@dataclass(frozen=True)
class Released:
    """One row.

    Attributes
    ----------
    card
        The model.
    structures
        Size of its training set; `None` where neither its card nor `TRAINING_SETS` says.
    outcomes
        What its H2 curve says; `None` where there is none to judge.
    compared_with
        The curve it is compared with.
    gaps
        What is not known, and why.
    """

    card: ModelCard
    structures: int | None
    outcomes: Outcomes | None
    compared_with: str
    gaps: tuple[str, ...]


def structures(card: ModelCard) -> int | str:
    """Return how many structures a model was trained on, or why that is not known.

    Several sets seen one after the other or by task are not added up: how often each was seen is
    not stated, and sAlex is a part of others.
    """
    data = card.training_data
    if data is None:
        return "the card names no training data"
    stated = _STATED.search(data)
    if stated:
        return round(float(stated[1].replace(" ", "")) * (1_000_000 if stated[2] else 1))
    if data in TRAINING_SETS:
        return TRAINING_SETS[data][0]
    return f"the card does not say how many structures {data} has"


def describe(card: ModelCard, curve: Curve | None) -> Released:
    """Return the row of one model.

    Parameters
    ----------
    card
        Its facts.
    curve
        Its H2 curve, from 0.2 Å or closer to 3 Å or farther; `None` where it has none.
    """
    gaps = []
    if card.parameters is None:
        gaps.append("the card states no number of parameters")
    size = structures(card)
    if isinstance(size, str):
        gaps.append(size)
    count = None if isinstance(size, str) else size
    if curve is None:
        return Released(card, count, None, "", (*gaps, "no H2 curve in its audit"))
    labels, name = _labels(card)
    if name == "exact":
        gaps.append("no curve at the level of its labels; compared with the exact one")
    try:
        found = outcomes(curve, labels)
    except InputError as error:
        return Released(card, count, None, name, (*gaps, f"not judged: {error}"))
    return Released(card, count, found, name, tuple(gaps))


def _labels(card: ModelCard) -> tuple[Curve, str]:
    """Return the H2 curve of the model's own level, or else the exact one, and its name.

    Of two branches the unrestricted one: it is the one that dissociates into atoms.
    """
    h2 = Dimer.parse("H2")
    own = own_level(card, h2, _DENSE)
    if not isinstance(own, Unavailable):
        chosen = own[-1]
        for curve in own:
            if curve.provenance.get("branch") == "unrestricted":
                chosen = curve
        return chosen, str(chosen.provenance["level"]).partition("/")[0]
    exact = reference(h2, "exact", _DENSE)
    if isinstance(exact, Unavailable):
        raise InputError(f"There is no exact curve of H2: {exact.reason}")
    return exact, "exact"


_COLUMNS = (
    "model",
    "parameters",
    "structures",
    "compared with",
    "well",
    "Δr_e/Å",
    "D_e/eV r_max",
    "D_e/eV atoms",
    "repels",
    "lg RMSE",
)


def lines(rows: Sequence[Released]) -> list[str]:
    """Return the table as text, models in order of their parameters, unknown last."""
    ordered = sorted(rows, key=lambda row: (row.card.parameters or math.inf, row.card.name))
    cells = [_COLUMNS, *(_cells(row) for row in ordered)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_COLUMNS))]
    table = [
        "  ".join(
            text.ljust(width) if i in (0, 3) else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    notes = [f"{row.card.name}: {gap}" for row in ordered for gap in row.gaps]
    why = [
        f"{row.card.name}: {name}: {reason}"
        for row in ordered
        if row.outcomes
        for name, reason in row.outcomes.reasons.items()
    ]
    return [
        "H2, released models. Descriptive only: they differ in architecture, data and level of",
        "theory at once, so no column explains another. – is not known or does not exist.",
        "",
        *table,
        "",
        "repels: share of 0.2 Å to the labels' r_e where the energy falls with distance;",
        "lg RMSE: log10 of the weighted error over 0.4 to 3 Å, eV.",
        *(["", *notes] if notes else []),
        *(["", *why] if why else []),
    ]


def _cells(row: Released) -> tuple[str, ...]:
    card, found = row.card, row.outcomes
    facts = (card.name, _count(card.parameters), _count(row.structures), row.compared_with or "–")
    if found is None:
        return (*facts, *("–",) * (len(_COLUMNS) - len(facts)))
    return (
        *facts,
        "yes" if found.well else "no",
        _number(found.r_e_error, 3),
        _number(found.D_e_r_max, 2),
        _number(found.D_e_atoms, 2),
        f"{found.repulsive:.0%}",
        _number(found.log10_rmse, 2),
    )


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}".replace(",", " ")


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def main(paths: Sequence[str] | None = None) -> int:
    """Print the table of the audits in JSON files; return 2 without any."""
    chosen = sys.argv[1:] if paths is None else paths
    if not chosen:
        print("Give audits: python -m ase_probe.scaling.released 7net-0.json …")
        print("Make one with: ase-probe audit 7net-0 --dimers H2 --json 7net-0.json")
        return 2
    audits = [Audit.load(path) for path in chosen]
    rows = [describe(audit.card, audit.curves.get("H2")) for audit in audits]
    print("\n".join(lines(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
