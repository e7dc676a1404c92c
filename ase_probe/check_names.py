"""Names of the checks, in the order in which they are reported, and which apply to which dimer.

Naming is not running: nothing here imports NumPy, so a list of tests costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ase_probe.errors import InputError

if TYPE_CHECKING:
    from ase_probe.dimer import Dimer

__all__ = ["CHECK_NAMES", "applicable", "select"]

CHECK_NAMES = (
    "robustness.exception",
    "robustness.finite",
    "robustness.forces",
    "robustness.atoms",
    "dissociation.r_e",
    "dissociation.D_e",
    "dissociation.omega_e",
    "dissociation.limit",
    "dissociation.label_atoms",
    "dissociation.extra_extremum",
    "compression.barrier",
    "compression.hole",
    "compression.wall",
    "compression.nlh",
    "compression.zbl",
    "compression.r_trust",
    "cutoff.jump",
    "cutoff.cliff",
    "long_range.tail",
    "smoothness.noise",
    "smoothness.kink",
    "consistency.force",
    "consistency.rotation",
    "consistency.translation",
    "consistency.permutation",
    "consistency.box",
    "consistency.repeat",
    "consistency.batch",
    "consistency.precision",
    "charged.response",
    "charged.limit",
    "spin.ladder",
    "bare_nuclei.coulomb",
)
"""The keys of `ase_probe.checks.CHECKS`."""

_FOR_BARE_NUCLEI = ("robustness.exception", "robustness.finite", "robustness.forces", "bare_nuclei")


def select(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the check ids that `names` (ids or groups) stand for; all of them for `None`.

    Raises
    ------
    InputError
        A name is neither an id nor a group.
    """
    if names is None:
        return CHECK_NAMES
    names = tuple(names)
    groups = sorted({check.partition(".")[0] for check in CHECK_NAMES})
    for name in names:
        if name not in CHECK_NAMES and name not in groups:
            raise InputError(
                f"Unknown check {name!r}; allowed: {', '.join(groups)} or one of "
                f"{', '.join(CHECK_NAMES)}."
            )
    return tuple(check for check in CHECK_NAMES if _matches(check, names))


def _matches(check: str, names: Sequence[str]) -> bool:
    return check in names or check.partition(".")[0] in names


def applicable(dimer: Dimer, checks: Iterable[str]) -> tuple[str, ...]:
    """Return the checks that apply to this dimer: two bare nuclei have no bond to ask about."""
    if not dimer.electrons:
        return tuple(check for check in checks if _matches(check, _FOR_BARE_NUCLEI))
    left_out = ("bare_nuclei",) if dimer.charge else ("bare_nuclei", "charged")
    return tuple(check for check in checks if not check.startswith(left_out))
