"""Verdicts on the study's claims and its control, by rules; docs/scaling.md tells their history.

Claim (1): models trained on stable structures only fail to give the H2 curve even qualitatively,
whatever their size. Claim (2): with compressed and stretched geometries in training its shape
roughly appears (Lee and Dieng, arXiv:2509.26397). The control asks claim (2) again, with bonds of
other molecules and without H2.

"Qualitatively" is `ase_probe.scaling.summary.rows.shape`. The rules:

- (1) reproduces if every planned cell has a run, the share of runs with the shape is below `RARE`
  with 95 % confidence (Wilson), and in the cell of the largest model and training set at most half
  of the runs have it; it does not if that share is above `RARE` with the same confidence, or if in
  that cell most of at least two runs have it; else it is undecided. Seeds count as independent.
  Where a well alone, outcome (a), would give another verdict, that is said.
- (2) and the control: the shape appears if all runs at the largest k have it, and does not if none
  has, of at least two; else, or if some run of k = 0 has it, too, that is undecided.

A verdict of a sweep that is not complete holds for what ran, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from ase_probe.scaling.analysis.equivalence import Change
from ase_probe.scaling.outcomes import MEASURES
from ase_probe.scaling.summary.families import Family
from ase_probe.scaling.summary.plan import Count
from ase_probe.scaling.summary.rows import REPELS, SHAPE, accurate, shape
from ase_probe.scaling.summary.shots import CONTROL, Shots, ShotTable
from ase_probe.scaling.summary.tables import percent

__all__ = ["RARE", "Statement", "after_shots", "conclusion", "stable_only"]

RARE = MEASURES["well"].margin
"""Largest share of models with the shape that still counts as failing: one in four."""

_HEADLINES = {
    "stable-only": {
        "yes": "Claim (1) reproduces with {}: trained on stable molecules only, it does not give "
        "even the shape of the H2 curve",
        "no": "Claim (1) does not reproduce with {}: trained on stable molecules only, it can give "
        "the shape of the H2 curve",
        "undecided": "Claim (1) is undecided with {}",
        "not run": "Claim (1) was not run with {}",
    },
    "with-h2": {
        "yes": "Claim (2) reproduces with {}: with H2 among the shots the shape of the H2 curve "
        "appears",
        "no": "Claim (2) does not reproduce with {}: with H2 among the shots the shape of the H2 "
        "curve does not appear",
        "undecided": "Claim (2) is undecided with {}",
        "not run": "Claim (2) was not run with {}",
    },
    "without-h2": {
        "yes": "The control WITHOUT H2, {}: shots of other bonds are enough for the shape of the "
        "H2 curve",
        "no": "The control WITHOUT H2, {}: shots of other bonds do not give the shape of the H2 "
        "curve",
        "undecided": "The control WITHOUT H2 is undecided with {}",
        "not run": "The control WITHOUT H2 was not run with {}",
    },
}

_SIZE_FAILS = {
    ("yes", "no"): "Size did not bring the shape, H2 geometries did, other stretched and "
    "compressed bonds did not. QM9 holds no H–H bond: what these models lack is that bond in their "
    "data. That they fail says little about scale, and that they succeed says little about physics "
    "learnt from elsewhere.",
    ("yes", "yes"): "Size did not bring the shape; stretched and compressed geometries did, with "
    "or without H2 among them.",
    ("yes",): "Size did not bring the shape, H2 geometries did. Whether H2 itself was needed is "
    "not decided by the control.",
    ("no", "yes"): "Size did not bring the shape and H2 geometries did not, but other stretched "
    "and compressed bonds did. That is odd: look at the curves before believing it.",
    ("no",): "Neither size nor H2 geometries brought the shape, by this recipe of fine-tuning.",
}
"""Verdicts on (2) and, where it matters, the control -> what they say where (1) reproduces."""

_ELSE = {
    "no": "At some sizes models have the shape from stable molecules alone; ",
    "undecided": "Whether models of all sizes lack the shape without shots is undecided; ",
}
_THE_CELL = {
    ("yes", "no"): "in the cell that was fine-tuned it took H2 geometries.",
    ("yes", "yes"): "in the cell that was fine-tuned stretched and compressed geometries brought "
    "it, with or without H2 among them.",
    ("yes",): "in the cell that was fine-tuned H2 geometries brought it. Whether H2 itself was "
    "needed is not decided by the control.",
    ("no", "yes"): "in the cell that was fine-tuned H2 geometries did not bring it, but other "
    "stretched and compressed bonds did. That is odd: look at the curves before believing it.",
    ("no",): "in the cell that was fine-tuned H2 geometries did not bring it.",
}
"""The same where (1) does not reproduce or is undecided, behind what `_ELSE` says of that."""

_WITHOUT_H2 = {
    True: " The error falls without H2, too: what these models lack is geometries far from "
    "equilibrium, not H2.",
    False: " But without H2 the error over 0.4 to 3 Å is not shown to fall: other bonds bring a "
    "shape, not this curve.",
}
"""Where shots without H2 bring the shape: does the error fall with them?"""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the runs say to one claim.

    Attributes
    ----------
    claim
        ``stable-only`` (1), ``with-h2`` (2) or ``without-h2`` (the control).
    subject
        Kind of model, or the cell of it that was fine-tuned.
    verdict
        ``yes``, ``no``, ``undecided`` or ``not run``.
    provisional
        Does the sweep lack runs, or is it not known whether it does?
    reasons
        Sentences with the numbers.
    error_falls
        After shots: is it shown that the error of the H2 curve falls?
    """

    claim: str
    subject: str
    verdict: str
    provisional: bool
    reasons: tuple[str, ...]
    error_falls: bool = False

    @property
    def headline(self) -> str:
        """One line: the claim, the model, the verdict."""
        said = _HEADLINES[self.claim][self.verdict].format(self.subject)
        so_far = self.provisional and self.verdict in ("yes", "no")
        return f"So far: {said[0].lower()}{said[1:]}" if so_far else said


def stable_only(family: Family) -> Statement:
    """Judge claim (1) by the runs of a potential without shots."""
    rows, count = family.judged, family.count
    if not rows:
        return _statement("stable-only", family.name, "not run", count, [])
    sizes = [(row.result.parameters, row.spec.molecules) for row in rows]
    largest = np.array([size == max(sizes) for size in sizes])
    has = np.array([shape(row.h2) for row in rows if row.h2])
    well = np.array([row.h2.well for row in rows if row.h2])
    verdict, by_well = (_rare(yes, largest, count) for yes in (has, well))
    share = _share(has)
    reasons = [
        f"{has.sum()} of {has.size} runs have the shape ({SHAPE}): {percent(has.mean())}, 95 % "
        f"interval {percent(share.low)} to {percent(share.high)}, limit {percent(RARE)}.",
        f"{well.sum()} have a well, with or without such a wall; "
        f"{sum(accurate(row.h2) for row in rows if row.h2)} the shape with r_e and D_e right.",
        f"Largest model and training set that ran, N = {max(sizes)[0]}, D = {max(sizes)[1]}: "
        f"{has[largest].sum()} of {largest.sum()} runs have the shape.",
    ]
    lenient = [r.h2.own_wall is not None and r.h2.own_wall >= REPELS for r in rows if r.h2]
    reasons.append(
        "Counting the wall only up to each model's own minimum, and no matter how low it is, "
        f"{sum(lenient)} would have it."
    )
    if family.diverged:
        reasons.append(f"{family.diverged} runs diverged and are left out.")
    if by_well != verdict:
        words = {
            "yes": "the claim would reproduce",
            "no": "the claim would not reproduce",
            "undecided": "that would be undecided",
        }
        reasons.append(f"If a well alone counted as the shape, {words[by_well]}.")
    if count.empty:
        reasons.append(f"{count.empty} of {count.planned_cells} planned cells have no run yet.")
    for name in rows[0].controls:
        judged = [row.controls[name] for row in rows]
        reasons.append(
            f"A bond they were taught, {name}: {sum(map(shape, judged))} of {len(judged)} runs "
            "have the shape."
        )
    return _statement("stable-only", family.name, verdict, count, reasons)


def _share(has: np.ndarray) -> Any:
    return binomtest(int(has.sum()), has.size).proportion_ci(0.95, method="wilson")


def _rare(has: np.ndarray, largest: np.ndarray, count: Count) -> str:
    """Do models fail whatever their size? `largest` are the runs of the largest cell."""
    share = _share(has)
    mostly = has[largest].mean() > 0.5
    if share.low > RARE or (mostly and largest.sum() > 1):
        return "no"
    return "yes" if share.high < RARE and not mostly and not count.empty else "undecided"


def after_shots(table: ShotTable, kind: str) -> Statement:
    """Judge claim (2) (``with-h2``) or the control (``without-h2``) by the runs of one cell."""
    asked = [shots for shots in table.of(kind) if shots.rows]
    if not asked:
        return _statement(kind, table.name, "not run", table.count, [])
    wanted = max(shots.k for shots in table.of(kind))
    last = asked[-1]
    control = [shots for shots in table.of(CONTROL) if shots.rows]
    there, n = last.shapes, len(last.rows)
    reasons = [
        f"k = {last.k}: {there} of {n} runs have the shape, {last.accurate} with r_e and D_e "
        f"right; {last.wells} have a well."
    ]
    if last.diverged:
        reasons.append(f"{last.diverged} of these diverged and count as without the shape.")
    if control:
        before, of = control[0].shapes, len(control[0].rows)
        reasons.append(
            f"k = 0, trained as long on molecules only: {before} of {of} have the shape; "
            f"{control[0].wells} have a well."
        )
    else:
        before = -1
        reasons.append("The control, k = 0, has no run yet.")
    if last.k < wanted:
        reasons.append(f"k = {wanted} has no run yet.")
    from_here = _from_here(asked)
    if from_here is not None:
        reasons.append(f"From k = {from_here} on every run has the shape.")
    reasons.append(_error(table.changes[kind]))
    if n < 2 or before != 0 or last.k < wanted or 0 < there < n:
        verdict = "undecided"
    else:
        verdict = "yes" if there == n else "no"
    change = table.changes[kind]
    falls = not isinstance(change, str) and change.verdict == "falls"
    return _statement(kind, table.name, verdict, table.count, reasons, error_falls=falls)


def conclusion(statements: Sequence[Statement]) -> str:
    """Say what the verdicts on one kind of model mean together, and no more."""
    verdicts = {statement.claim: statement.verdict for statement in statements}
    first, second, control = (
        verdicts.get(claim, "not run") for claim in ("stable-only", "with-h2", "without-h2")
    )
    behind = _SIZE_FAILS if first == "yes" else _THE_CELL
    said = behind.get((second, control)) or behind.get((second,))
    provisional = any(statement.provisional for statement in statements)
    if said is None or first == "not run":
        return f"The two claims cannot be read together{' yet' * provisional}: " + "; ".join(
            f"({claim}) {verdict}" for claim, verdict in ((1, first), (2, second))
            if verdict not in ("yes", "no")
        ) + "."  # fmt: skip
    said = _ELSE.get(first, "") + said
    if second == control == "yes":
        said += _WITHOUT_H2[any(s.error_falls for s in statements if s.claim == "without-h2")]
    if provisional:
        said = f"So far, from a sweep that is not complete: {said}"
    return f"{said} This holds for the sizes and the recipe that ran, no others."


def _statement(
    claim: str,
    subject: str,
    verdict: str,
    count: Count,
    reasons: Sequence[str],
    *,
    error_falls: bool = False,
) -> Statement:
    return Statement(
        claim=claim,
        subject=subject,
        verdict=verdict,
        provisional=not count.complete,
        reasons=(*reasons, f"Runs: {count}."),
        error_falls=error_falls,
    )


def _from_here(asked: Sequence[Shots]) -> int | None:
    """Smallest k from which on every run has the shape."""
    found = None
    for shots in reversed(asked):
        if shots.shapes < len(shots.rows):
            break
        found = shots.k
    return found


def _error(change: Change | str) -> str:
    if isinstance(change, str):
        return f"Change of the error: {change}."
    assert change.value is not None
    factor, low, high = (10.0**value for value in (change.value, change.low, change.high))
    verdict = {
        "falls": "the error falls",
        "rises": "the error rises",
        "none": "no improvement, shown by an equivalence test",
        "undecided": "undecided whether the error changes",
    }[change.verdict]
    return (
        f"Error over 0.4 to 3 Å: {verdict}, to {factor:.2g} of the control's (90 % interval "
        f"{low:.2g} to {high:.2g}; {change.reason})."
    )
