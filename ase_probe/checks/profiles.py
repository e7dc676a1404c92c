"""Profiles: what a model is wanted for decides how high its walls are judged and what counts.

A profile is a cap on energy, a threshold table and the groups that make up score and verdict. The
tables differ from the default in the rows named here; a TOML file may change more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ase_probe.checks.thresholds import THRESHOLDS, Limit, Threshold
from ase_probe.errors import InputError

__all__ = ["MD", "PROFILES", "Profile", "read_thresholds"]

_EVERYTHING = (
    "robustness",
    "dissociation",
    "compression",
    "embedded",
    "cutoff",
    "long_range",
    "smoothness",
    "charged",
    "spin",
    "bare_nuclei",
    "consistency",
)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A use of a model, as far as it matters for judging its pairs.

    Attributes
    ----------
    name, purpose
        For the reader.
    cap
        How high walls are climbed, eV above separated atoms.
    groups
        Groups of checks that count in score and verdict; the others are shown.
    thresholds
        Row of the table -> its limits.
    """

    name: str
    purpose: str
    cap: float
    groups: tuple[str, ...] = _EVERYTHING
    thresholds: Mapping[str, Threshold]

    def row(self, check: str, variant: str = "") -> Threshold:
        """Limits of one check."""
        return self.thresholds[f"{check}:{variant}" if variant else check]

    def with_thresholds(self, changes: Mapping[str, Threshold]) -> Profile:
        """Return the profile with other rows."""
        return replace(self, thresholds={**self.thresholds, **changes})

    @classmethod
    def named(cls, name: str, *, t_max: float | None = None) -> Profile:
        """Return a profile.

        Parameters
        ----------
        name
            One of `PROFILES`.
        t_max
            Largest energy of a collision, eV; needed for ``radiation`` and for no other.

        Raises
        ------
        InputError
            Unknown name, or a missing, superfluous or impossible `t_max`.
        """
        if name not in PROFILES:
            raise InputError(f"Unknown profile {name!r}; allowed: {', '.join(PROFILES)}.")
        if name != "radiation":
            if t_max is not None:
                raise InputError(f"--t-max belongs to the profile radiation, not to {name}.")
            return PROFILES[name]
        if t_max is None or not 0 < t_max < float("inf"):
            raise InputError(
                "The profile radiation needs the largest energy of a collision, such as "
                f"--t-max 500 (eV); got {t_max}."
            )
        barrier = replace(
            THRESHOLDS["compression.barrier"],
            passes=Limit(t_max),
            fails=Limit(t_max * (1 - 1e-9)),
            source=f"no hole may open below the largest energy of a collision, {t_max:g} eV",
        )
        return replace(PROFILES[name], cap=t_max).with_thresholds({"compression.barrier": barrier})


def _barrier(passes: float, fails: float, source: str) -> dict[str, Threshold]:
    row = replace(
        THRESHOLDS["compression.barrier"],
        passes=Limit(passes),
        fails=Limit(fails),
        source=source,
    )
    return {**THRESHOLDS, "compression.barrier": row}


MD = Profile(
    name="md",
    purpose="molecular dynamics up to some thousand kelvin",
    cap=50.0,
    thresholds=THRESHOLDS,
)
"""The default."""

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        MD,
        Profile(
            name="search",
            purpose="random structures, particle insertion, Monte Carlo: atoms start anywhere",
            cap=200.0,
            groups=("robustness", "dissociation", "compression", "embedded", "consistency"),
            thresholds=_barrier(200, 50, "random placement meets walls no thermal atom climbs"),
        ),
        Profile(
            name="radiation",
            purpose="collision cascades up to a given energy",
            cap=1000.0,
            groups=("robustness", "compression", "embedded", "smoothness", "consistency"),
            thresholds=THRESHOLDS,
        ),
        Profile(
            name="molecules",
            purpose="bond breaking, charges and spins of molecules",
            cap=50.0,
            groups=(
                "robustness",
                "dissociation",
                "compression",
                "embedded",
                "long_range",
                "smoothness",
                "charged",
                "spin",
                "consistency",
            ),
            thresholds=THRESHOLDS,
        ),
    )
}
"""Name -> profile; ``radiation`` is completed by `Profile.named`."""


def read_thresholds(path: str | Path) -> dict[str, Threshold]:
    """Read rows of the threshold table from a TOML file.

    Each table names a row and gives the limits to change; a limit is a number, or ``{ absolute =
    …, relative = … }`` of which the larger counts::

        ["dissociation.D_e"]
        pass = { absolute = 0.05, relative = 0.02 }
        fail = 0.2
        source = "our own needs"

    Raises
    ------
    InputError
        Unreadable file, unknown row or key, or limits that are no numbers.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read thresholds from {path}: {error}.") from error
    return {name: _changed(name, row, path) for name, row in content.items()}


def _changed(name: str, row: Any, path: str | Path) -> Threshold:
    if name not in THRESHOLDS:
        raise InputError(
            f"Unknown row {name!r} in {path}; allowed: {', '.join(THRESHOLDS)}. Write it in "
            'quotes, ["dissociation.D_e"], because of its dot.'
        )
    unknown = sorted(set(row) - {"pass", "fail", "source"}) if isinstance(row, dict) else ["?"]
    if unknown:
        raise InputError(
            f"Unknown key {unknown[0]!r} under {name!r} in {path}; allowed: pass, fail, source."
        )
    old = THRESHOLDS[name]
    return replace(
        old,
        passes=_limit(row.get("pass"), old.passes, name, path),
        fails=_limit(row.get("fail"), old.fails, name, path),
        source=str(row.get("source", f"{path}")),
    )


def _limit(value: Any, old: Limit, name: str, path: str | Path) -> Limit:
    if value is None:
        return old
    parts = value if isinstance(value, dict) else {"absolute": value}
    good = set(parts) <= {"absolute", "relative"} and all(
        isinstance(x, int | float) and not isinstance(x, bool) and 0 <= x < float("inf")
        for x in parts.values()
    )
    if not good:
        raise InputError(
            f"A limit of {name!r} in {path} is a number, or {{ absolute = …, relative = … }}; got "
            f"{value!r}."
        )
    return Limit(float(parts.get("absolute", 0.0)), float(parts.get("relative", 0.0)))
