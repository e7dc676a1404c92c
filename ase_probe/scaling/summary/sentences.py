"""What the statistics of a kind of model say, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from ase_probe.scaling.analysis.association import Association
from ase_probe.scaling.analysis.early import Correlation
from ase_probe.scaling.analysis.equivalence import Change
from ase_probe.scaling.summary.families import EARLY, Family
from ase_probe.scaling.summary.tables import loss, percent, signed, span

__all__ = ["FIXED_STEPS", "recipe", "statistics"]

FIXED_STEPS = (
    "All runs take the same number of steps, so a small training set is seen more often: data and "
    "passes over them change together, and an exponent in D is not one of data alone."
)


_NAMES = {
    "well": "a well",
    "r_e_error": "Δr_e",
    "D_e_error_r_max": "ΔD_e",
    "D_e_error_atoms": "ΔD_e from atoms",
    "repulsive": "repels",
    "log10_rmse": "lg RMSE",
}
"""Outcome -> its name for people."""


def recipe(family: Family) -> str:
    """Return what all runs of a kind of model share."""
    spec = family.recipe
    length = f"{spec.steps} steps" if spec.steps is not None else f"at most {spec.epochs} epochs"
    return (
        f"{spec.layers} layers, batch {spec.batch}, {length}, learning rate {spec.learning_rate:g}"
    )


def statistics(family: Family) -> list[tuple[str, list[str]]]:
    """Return (heading, sentences) of everything about the loss and what goes with it."""
    if not family.rows:
        return []
    found = [
        ("The loss against N parameters and D molecules", _law(family)),
        ("Pure power law in one variable, no floor (95 %)", _powers(family)),
        ("Compute-optimal front, CPU seconds as measured", _front(family)),
        (
            f"Do the first {percent(EARLY)} of the shortest run tell the test loss? Rank "
            "correlations (95 %)",
            [
                *_grouped({name: _correlation(value) for name, value in family.early.items()}),
                "Over all runs D confounds it: a small set is learnt by heart and tests badly.",
            ],
        ),
    ]
    if family.follows:
        found.append(
            (
                "Do the outcomes follow the loss? Partial Spearman given N and D, + is yes (95 %)",
                _grouped({_NAMES[m]: _association(value) for m, value in family.follows.items()}),
            )
        )
        found.append(
            (
                "Do the outcomes change from the smallest size to the largest?",
                _grouped(
                    {f"{_NAMES[m]} with {v}": _change(c) for (m, v), c in family.changes.items()}
                ),
            )
        )
    return found


def _grouped(said: Mapping[str, str]) -> list[str]:
    """Say once what several have in common."""
    names: dict[str, list[str]] = {}
    for name, sentence in said.items():
        names.setdefault(sentence, []).append(name)
    return [f"{'; '.join(group)}: {sentence}" for sentence, group in names.items()]


def _law(family: Family) -> list[str]:
    said = [] if family.count.complete else [f"From what ran ({family.count})."]
    if isinstance(family.law, str):
        said.append(f"No law: {family.law}")
    else:
        said += family.law.text().split("\n")
    if family.diverged:
        said.append(f"{family.diverged} runs diverged and are left out.")
    if family.recipe.steps is not None:
        said.append(FIXED_STEPS)
    return said


def _powers(family: Family) -> list[str]:
    return [
        f"exponent in {variable}: none. {power}" if isinstance(power, str) else str(power)
        for variable, power in family.powers.items()
    ]


def _front(family: Family) -> list[str]:
    said = [
        f"{row.result.seconds:.0f} s: width {row.spec.width}, D {row.spec.molecules}, seed "
        f"{row.spec.seed}, loss {loss(row.result.test_loss)}"
        for row in family.front
    ]
    best = family.allocation
    if isinstance(best, str):
        return [*said, f"How to spend more: not told. {best}"]
    return [
        *said,
        f"How to spend more, if cost grows as N·D: N as cost^{best.N:.2g} "
        f"({span(best.N_interval)}), D as cost^{best.D:.2g} ({span(best.D_interval)})",
    ]


def _correlation(value: Correlation | str) -> str:
    if isinstance(value, str):
        return f"none. {value}"
    return (
        f"Spearman {signed(value.spearman)} ({span(value.spearman_interval)}), Kendall "
        f"{signed(value.kendall)}, {value.runs} runs"
    )


def _association(value: Association | str) -> str:
    if isinstance(value, str):
        return f"none. {value}"
    if value.correlation is None or value.interval is None or value.p_value is None:
        return f"none. {value.reason}"
    missing = f"; {value.none} runs have no value and rank last" if value.none else ""
    found = f"{signed(value.correlation)} ({span(value.interval)}), p = {value.p_value:.2g}"
    return found + missing


def _change(value: Change | str) -> str:
    if isinstance(value, str):
        return f"not told. {value}"
    if value.verdict in ("falls", "rises"):
        return f"{value.verdict}, {value.reason}"
    return value.reason
