"""How often do the intervals hold the truth, and do the verdicts fall where they should?

``python -m ase_probe.scaling.analysis.coverage`` draws synthetic studies with a known law, fits
each, and prints for every parameter how often its 95 % intervals contain the true value and how
often the design was said to identify it. It ends with exit code 1 if an interval of an identifiable
design covers less than 92 % or more than 98 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from ase_probe.scaling.analysis import bootstrap
from ase_probe.scaling.analysis.equivalence import loss_change
from ase_probe.scaling.analysis.law import SYMBOLS, fit
from ase_probe.scaling.analysis.profile import verdicts
from ase_probe.scaling.analysis.synthetic import DESIGNS, Design

__all__ = ["ACCEPTED", "Coverage", "cover", "main"]

ACCEPTED = (0.92, 0.98)
"""Coverage of a 95 % interval that counts as right."""


@dataclass(frozen=True)
class Coverage:
    """What many synthetic studies of one design gave.

    Attributes
    ----------
    profile, bootstrap
        Parameter -> share of the studies whose interval holds the truth. Empty where a true value
        does not exist; `bootstrap` also where none was asked for.
    identified
        Parameter -> share of the studies that call it identifiable.
    quoted
        Parameter -> share of those whose profile interval holds the truth; NaN where there are
        none.
    no_scaling
        Variable -> share of the studies that find no scaling with it.
    trials
        How many studies.
    """

    profile: Mapping[str, float]
    bootstrap: Mapping[str, float]
    identified: Mapping[str, float]
    quoted: Mapping[str, float]
    no_scaling: Mapping[str, float]
    trials: int


def _study(trial: int, *, design: Design, repeats: int, seed: int) -> dict[str, bool]:
    """Draw one study and answer every question about it; the answers are keyed by question."""
    runs = design.runs(np.random.default_rng([seed, trial]))
    best = fit(runs.log_loss, design.law)
    spans = bootstrap.intervals(best, bootstrap.draw(best, repeats, trial)) if repeats else {}
    answers = {}
    for name, (interval, reason) in verdicts(best).items():
        answers[f"identified {name}"] = reason is None
        if name in design.truth:
            answers[f"profile {name}"] = design.truth[name] in interval
            if spans:
                answers[f"bootstrap {name}"] = design.truth[name] in spans[name]
    for variable in best.law.terms:
        answers[f"none {variable}"] = loss_change(runs, variable).verdict == "none"
    return answers


def cover(
    design: Design, trials: int, *, repeats: int = 0, seed: int = 0, jobs: int = 1
) -> Coverage:
    """Draw and fit many studies.

    Parameters
    ----------
    design
        Sizes, seeds, law and scatter.
    trials
        How many studies.
    repeats
        Of the bootstrap in each; 0 leaves it out.
    seed
        Of the drawing.
    jobs
        Processes.
    """
    study = partial(_study, design=design, repeats=repeats, seed=seed)
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            answers = list(pool.map(study, range(trials), chunksize=10))
    else:
        answers = [study(trial) for trial in range(trials)]

    def share(question: str) -> dict[str, float]:
        keys = [key for key in answers[0] if key.startswith(f"{question} ")]
        return {
            key.partition(" ")[2]: float(np.mean([answer[key] for answer in answers]))
            for key in keys
        }

    quoted = {}
    for name in share("profile"):
        told = [a[f"profile {name}"] for a in answers if a[f"identified {name}"]]
        quoted[name] = float(np.mean(told)) if told else float("nan")
    return Coverage(
        share("profile"), share("bootstrap"), share("identified"), quoted, share("none"), trials
    )


def _lines(name: str, design: Design, result: Coverage) -> list[str]:
    lines = [f"{name} ({result.trials} studies)"]
    for parameter, identified in result.identified.items():
        row = f"  {SYMBOLS[parameter]:<3}"
        if parameter in result.profile:
            row += f" {design.truth[parameter]:>5g}  profile {result.profile[parameter]:6.1%}"
            if parameter in result.bootstrap:
                row += f"  bootstrap {result.bootstrap[parameter]:6.1%}"
        row += f"  identifiable in {identified:6.1%}"
        if identified and not design.identifiable and parameter in result.quoted:
            row += f", of which {result.quoted[parameter]:.1%} hold the truth"
        lines.append(row)
    shares = ", ".join(f"{v} {share:.1%}" for v, share in result.no_scaling.items())
    return [*lines, f"  said to show no scaling with {shares}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a coverage of an identifiable design is off."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=500, help="studies of each design")
    parser.add_argument(
        "--bootstrap", type=int, default=399, help="redrawings in each identifiable design; 0: none"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--design", help="only designs whose name contains this")
    asked = parser.parse_args(arguments)
    low, high = ACCEPTED
    off = []
    for name, design in DESIGNS.items():
        if asked.design and asked.design not in name:
            continue
        repeats = asked.bootstrap if design.identifiable else 0
        result = cover(design, asked.trials, repeats=repeats, seed=asked.seed, jobs=asked.jobs)
        print("\n".join(_lines(name, design, result)), flush=True)
        if design.identifiable:
            shares = [*result.profile.values(), *result.bootstrap.values()]
            off += [name] * any(not low <= share <= high for share in shares)
    wanted = f"95 % intervals of identifiable designs hold the truth in {low:.0%} to {high:.0%}"
    print(f"{wanted}: " + (f"not in {', '.join(off)}" if off else "yes"))
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
