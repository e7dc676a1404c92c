"""What a model answers for a suite: scanned, refined and asked again, some dimers at a time.

A whole periodic table takes long, and how many points a dimer needs is known only afterwards. So
the groups are alike, each with dimers from everywhere in the suite, and what the finished ones took
foretells the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ase_probe.asking import blind, charge_blind
from ase_probe.curve import Curve, Finding, Repeats
from ase_probe.dimer import Dimer
from ase_probe.engine import Evaluator, Progress
from ase_probe.refine import extra
from ase_probe.repeats import PER_DIMER, repeat
from ase_probe.scan import extend, scan

__all__ = ["Measured", "Plan", "Work", "groups", "measure"]

_GROUP = 50  # dimers: large enough for full batches, small enough to foretell early
_AHEAD = (0.5, 0.2, 0.0)
"""How many times its points the first pass and each refinement are followed by, before any group
has been finished: the first refinement fills the wall, the second looks at what that found. The
first is 0.2 for a soft wall without holes and 1.0 for 7net-0 over all elements."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How each dimer is measured.

    Attributes
    ----------
    grid
        Name or distances, Å; only the standard grid is refined.
    cap
        How high the wall matters, eV.
    repeating
        Ask again in the ways of `ase_probe.repeats`?
    other
        The same model in another floating-point type, to compare with.
    """

    grid: str | Sequence[float]
    cap: float
    repeating: bool
    other: Evaluator | None = None

    @property
    def refining(self) -> bool:
        """Are points added where they decide something?"""
        return isinstance(self.grid, str) and self.grid == "standard"


@dataclass(frozen=True)
class Measured:
    """The curve of one dimer, and its answers asked again, if it was."""

    curve: Curve
    repeats: Repeats | None


def groups(dimers: Sequence[Dimer]) -> Iterator[list[Dimer]]:
    """Divide dimers into groups that are alike; none for no dimers."""
    count = -(-len(dimers) // _GROUP)
    return (list(dimers[first::count]) for first in range(count))


def measure(
    evaluator: Evaluator, dimers: Sequence[Dimer], plan: Plan, work: Work
) -> dict[Dimer, Measured | Finding]:
    """Measure some dimers that the model can be asked for; a finding says why one could not be.

    Parameters
    ----------
    evaluator
        The loaded model.
    dimers
        One of the `groups`.
    plan
        How.
    work
        What is done and what is left.
    """
    work.begin(
        len(dimers),
        later=PER_DIMER * len(dimers) if plan.repeating else 0,
        ahead=_AHEAD[0] if plan.refining else 0.0,
    )
    curves = scan(evaluator, dimers, plan.grid, work)
    asked = [dimer for dimer in dimers if not charge_blind(curves[dimer.name])]
    curves = {dimer.name: curves[dimer.name] for dimer in asked}
    for turn, ahead in enumerate(_AHEAD[1:] if plan.refining else ()):
        cutoff = None if turn else evaluator.card.cutoff
        more = {d: extra(d, curves[d.name], cap=plan.cap, cutoff=cutoff) for d in asked}
        work.step(ahead=ahead)
        curves = extend(evaluator, asked, curves, more, work)
    again: dict[str, Repeats] = {}
    if plan.repeating:
        work.step(last=True)
        bound = [dimer for dimer in asked if dimer.electrons]
        again = repeat(evaluator, bound, curves, work, plan.other)
    how = f"{evaluator.card.name} gave the energy of the neutral pair"
    return {
        dimer: Measured(curves[dimer.name], again.get(dimer.name))
        if dimer.name in curves
        else blind(dimer, how)
        for dimer in dimers
    }


class Work:
    """One progress over many groups of dimers, each measured in steps that count from nothing.

    The total is an estimate. Within a group, `later` structures are known to come, and as many as
    `ahead` times those of the present step are expected from the steps it leads to. The groups to
    come are expected to take as much per dimer as those so far.

    Parameters
    ----------
    progress
        Called with (structures done, structures expected in all).
    dimers
        How many there are in all groups.
    """

    def __init__(self, progress: Progress | None, dimers: int) -> None:
        self.progress, self.dimers = progress, dimers
        self.begun = 0  # dimers in the groups so far
        self.before, self.now = 0, 0  # structures of the steps that ended, and of this one
        self.later, self.ahead = 0, 0.0

    def begin(self, dimers: int, *, later: int = 0, ahead: float = 0.0) -> None:
        """Begin a group of so many dimers, or, with none, what comes after all of them."""
        self.begun += dimers
        self.step(ahead=ahead)
        self.later = later

    def step(self, *, ahead: float = 0.0, last: bool = False) -> None:
        """Begin another step; what comes later in the group is counted by the last one itself."""
        self.before, self.now, self.ahead = self.before + self.now, 0, ahead
        if last:
            self.later = 0

    def __call__(self, done: int, total: int) -> None:
        """Take the counts of the present step."""
        self.now = total
        if self.progress is not None:
            expected = self.before + total + self.later + self.ahead * total
            share = self.dimers / self.begun if self.begun else 1.0
            self.progress(self.before + done, round(expected * share))
