"""The verdict in plain words: one paragraph a newcomer can act on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ase_probe.checks import PROFILES
from ase_probe.checks.case import typeset
from ase_probe.curve import Audit, Finding
from ase_probe.report.numbers import clean, quantity

__all__ = ["paragraph"]

_FEW = 3  # pairs named one by one


def paragraph(audit: Audit) -> str:
    """Return what was found, as a few sentences.

    Walls first, then bonds, then what happens before the cutoff, then what the model cannot
    represent or does not answer. Nothing is said of what was not looked at.
    """
    sentences = (
        *_walls(audit),
        *_inside(audit),
        *_bonds(audit),
        *_cutoff(audit),
        *_gaps(audit),
    )
    return typeset(" ".join(sentences))


def _of(audit: Audit, check: str) -> list[Finding]:
    return [finding for finding in audit.findings if finding.check == check]


def _list(names: Iterable[str]) -> str:
    shown = [clean(name) for name in names]
    if len(shown) > _FEW:
        return f"{', '.join(shown[:_FEW])} and {len(shown) - _FEW} more"
    return " and ".join(shown) if len(shown) < 3 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _walls(audit: Audit) -> list[str]:
    barriers = _of(audit, "compression.barrier")
    if not barriers:
        return []
    holes = sorted((f for f in barriers if f.value is not None and "r_b" in f.details), key=_height)
    said = []
    if holes:
        first = holes[0]
        r_b, depth = float(first.details["r_b"]), float(first.details["depth"])
        whose = (
            f"{len(holes)} of {len(barriers)} pairs have a hole on compression; the easiest to "
            f"reach is that of {clean(first.dimer)}: inside"
            if len(barriers) > 1
            else f"No pair defect found above {r_b:.2f} Å for {clean(first.dimer)}; inside"
        )
        said.append(
            f"{whose} {r_b:.2f} Å the energy falls to {quantity(depth, 'eV')}, behind a barrier "
            f"of {quantity(_height(first), 'eV')}: {_use(_height(first))}."
        )
    missing = [f.dimer for f in barriers if f.status == "fail" and "r_b" not in f.details]
    if missing:
        verb = "has" if len(missing) == 1 else "have"
        said.append(f"{_list(missing)} {verb} no proper repulsive wall.")
    if not holes and not missing:
        said.append("No hole was found on compression.")
    return said


def _inside(audit: Audit) -> list[str]:
    """What the same push costs inside the structure that was given."""
    said = []
    for finding in sorted(_of(audit, "embedded.barrier"), key=_height)[:_FEW]:
        if finding.value is None:
            said.append(f"Inside the structure {clean(finding.dimer)} meets no wall at all.")
            continue
        hole = finding.details.get("r_b")
        vacuum = finding.details.get("vacuum")
        beside = "" if vacuum is None else f" ({quantity(vacuum, 'eV')} alone)"
        height = quantity(finding.value, "eV")
        said.append(
            f"Inside the structure {clean(finding.dimer)} meets no hole up to {height}{beside}."
            if hole is None
            else f"Inside the structure the barrier of {clean(finding.dimer)} is {height}{beside}."
        )
    return said


def _height(finding: Finding) -> float:
    return float("inf") if finding.value is None else finding.value


def _use(barrier: float) -> str:
    """What a barrier is good enough for."""
    md, search = (PROFILES[name].row("compression.barrier").at()[0] for name in ("md", "search"))
    if barrier >= search:
        return "fine for dynamics and for random structures, not for cascades above it"
    if barrier >= md:
        return "fine for thermal dynamics, not for random structures or cascades"
    if barrier >= PROFILES["md"].row("compression.barrier").at()[1]:
        return "within reach of hot or dense simulations"
    return "within reach of ordinary dynamics"


def _bonds(audit: Audit) -> list[str]:
    depths = [f for f in _of(audit, "dissociation.D_e") if f.status in ("warn", "fail")]
    lost = [f for f in depths if f.value is None]
    off = sorted(
        (f for f in depths if f.value is not None and f.reference is not None), key=_deviation
    )
    said = []
    if lost:
        verb = "is" if len(lost) == 1 else "are"
        said.append(f"{_list(f.dimer for f in lost)} {verb} not bound, and should be.")
    if off:
        worst = off[-1]
        own = "own" in worst.details
        than = "its own labels" if own else "experiment"
        deviation = (worst.value or 0.0) - (worst.reference or 0.0)
        more = len(off) - 1
        others = f", and {more} more {'is' if more == 1 else 'are'} off" if more else ""
        said.append(f"{clean(worst.dimer)}: D_e {deviation:+.2g} eV from {than}{others}.")
    inherited = {f.dimer for f in audit.findings if f.status == "inherited"}
    if inherited:
        said.append(
            f"For {_list(sorted(inherited))} it copies errors that its labels have themselves."
        )
    return said


def _deviation(finding: Finding) -> float:
    return abs((finding.value or 0.0) - (finding.reference or 0.0))


def _cutoff(audit: Audit) -> list[str]:
    cliffs = [f for f in _of(audit, "cutoff.cliff") if f.status == "fail"]
    if not cliffs:
        return []
    worst = max(cliffs, key=_height)
    others = f" ({len(cliffs)} pairs do)" if len(cliffs) > 1 else ""
    return [
        f"{clean(worst.dimer)} falls off a cliff before the cutoff: "
        f"{quantity(worst.value, 'eV/Å')} steeper than is real{others}."
    ]


def _gaps(audit: Audit) -> list[str]:
    said = []
    blind = [f for f in audit.findings if "charge-blind" in f.reason]
    if blind:
        said.append("It cannot represent charge.")
    spinless = _of(audit, "coverage.spin")
    if spinless:
        said.append("It cannot represent spin.")
    unanswered = _names(audit, ("robustness.exception", "robustness.finite"))
    if unanswered:
        said.append(f"It gives no usable energy at some distances of {_list(unanswered)}.")
    refused = _names(audit, ("robustness.atoms",))
    if refused:
        said.append(f"It gives no energy for an isolated atom of {_list(refused)}.")
    return said


def _names(audit: Audit, checks: Sequence[str]) -> list[str]:
    return sorted(
        {f.dimer for f in audit.findings if f.check in checks and f.status in ("warn", "fail")}
    )
