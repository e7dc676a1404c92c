"""`audit`: one model through a suite. `audit_many`: several models, on any executor.

Dimers the model does not claim (elements, charge) are reported as out of domain and lower the
coverage; they never score, neither well nor badly.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe import baselines as tiers
from ase_probe import checks as battery
from ase_probe.calculator import Probe
from ase_probe.curve import Audit, Curve, Finding, Repeats
from ase_probe.dimer import Dimer, ground_multiplicity
from ase_probe.engine import Progress
from ase_probe.errors import InputError
from ase_probe.grids import grid as make_grid
from ase_probe.model import ModelCard
from ase_probe.refine import extra
from ase_probe.repeats import PER_DIMER, repeat
from ase_probe.scan import extend, scan
from ase_probe.suites import suite as make_suite

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

__all__ = ["audit", "audit_many"]

_REFINEMENTS = 2  # the first fills the wall, the second looks at what it found
_DENSE = np.geomspace(0.1, 10.0, 600)  # Å; where the labels' own curves are evaluated


def audit(
    model: str | BaseCalculator,
    *,
    suite: str = "standard",
    dimers: Sequence[str | Dimer] | None = None,
    grid: str | Sequence[float] = "standard",
    checks: Sequence[str] | None = None,
    baselines: str | Sequence[str] = "auto",
    profile: str = "md",
    t_max: float | None = None,
    thresholds: str | os.PathLike[str] | None = None,
    device: str = "auto",
    dtype: str | None = None,
    task: str | None = None,
    checkpoint: str | None = None,
    trust_checkpoint: bool = False,
    isolate: bool | str | os.PathLike[str] = False,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Audit one model: where does it stop being physics?

    Parameters
    ----------
    model
        Registered name, ``package.module:factory``, ``path/file.py:factory``, ASE calculator or
        `Probe`.
    suite
        ``quick``, ``standard``, ``homonuclear`` or ``all-pairs``; ignored when `dimers` is given.
    dimers
        Names such as ``"H2"``, ``"NaCl"``, ``"H2++"``, or `Dimer` objects.
    grid
        ``standard``, ``matbench``, ``arena``, ``ml-peg``, or distances in Å.
    checks
        Ids or groups to run; all when `None`.
    baselines
        Tiers to compare with; ``auto`` takes all but the density functionals. The one the model
        was trained on is always taken.
    profile
        What the model is wanted for: ``md``, ``search``, ``radiation`` or ``molecules``. It decides
        how high walls are judged and which groups count in score and verdict.
    t_max
        Largest energy of a collision, eV; for ``radiation`` only, which needs it.
    thresholds
        TOML file with other limits; see `ase_probe.checks.profiles.read_thresholds`.
    device, dtype, task, checkpoint, trust_checkpoint, isolate, timeout
        As for `Probe`; refused for a calculator that is already built.
    progress
        Called with (structures done, structures in all).

    Raises
    ------
    InputError
        An unknown suite, dimer, grid, check, tier, profile or row of thresholds.
    ModelError
        The model cannot be had, or cannot honour an option.

    Examples
    --------
    >>> a = audit("morse", dimers=["H2"])
    >>> [finding.status for finding in a.findings if finding.check == "dissociation.D_e"]
    ['pass']
    """
    selected = battery.select(checks)
    chosen = battery.Profile.named(profile, t_max=t_max)
    if thresholds is not None:
        chosen = chosen.with_thresholds(battery.read_thresholds(os.fspath(thresholds)))
    wanted = None if dimers is None else _parse(dimers)
    for dimer in wanted or ():
        make_grid(grid, dimer)  # fail before the model is loaded
    options = {
        "device": device,
        "dtype": dtype,
        "task": task,
        "checkpoint": checkpoint,
        "trust_checkpoint": trust_checkpoint,
        "isolate": isolate,
        "timeout": timeout,
    }
    if isinstance(model, Probe):
        given = [key for key, value in options.items() if value not in (None, "auto", False)]
        if given:
            raise InputError(f"This Probe is already built: {', '.join(given)} cannot be changed.")
        probe = model
    else:
        probe = Probe(model, **options)  # type: ignore[arg-type]
    card = probe.card
    if wanted is None:
        wanted = make_suite(suite, card.elements)

    refused = {dimer: why for dimer in wanted if (why := _refusal(card, dimer))}
    asked = [dimer for dimer in wanted if dimer not in refused]
    repeating = bool(set(selected) & set(battery.CHANGES))
    steps = _Steps(progress, PER_DIMER * len(asked) if repeating else 0)
    curves = scan(probe.evaluator, asked, grid, steps)
    for dimer in wanted:
        if dimer.name in curves and _charge_blind(curves[dimer.name]):
            del curves[dimer.name]
            refused[dimer] = _blind(dimer, f"{card.name} gave the energy of the neutral pair")

    if isinstance(grid, str) and grid == "standard":
        for turn in range(_REFINEMENTS):
            asked = [dimer for dimer in asked if dimer.name in curves]
            more = {
                dimer: extra(
                    dimer,
                    curves[dimer.name],
                    cutoff=card.cutoff,
                    cap=chosen.cap,
                    at_cutoff=turn == 0,
                )
                for dimer in asked
            }
            curves = extend(probe.evaluator, asked, curves, more, steps.next())

    again: dict[str, Repeats] = {}
    if repeating:
        bound = [d for d in asked if d.name in curves and d.electrons]
        again = repeat(probe.evaluator, bound, curves, steps.next(last=True))

    references: dict[str, Mapping[str, Curve]] = {}
    findings: list[Finding] = []
    for dimer in wanted:
        if dimer in refused:
            findings.append(refused[dimer])
            continue
        curve = curves[dimer.name]
        found = tiers.references(dimer, curve.r, baselines)
        own = tiers.own_level(card, dimer, _DENSE)
        case = battery.Case(
            dimer=dimer,
            card=card,
            curve=curve,
            references=found,
            constants=tiers.constants(dimer),
            own_curves=() if isinstance(own, tiers.Unavailable) else own,
            own_missing=own.reason if isinstance(own, tiers.Unavailable) else "",
            profile=chosen,
            repeats=again.get(dimer.name),
        )
        references[dimer.name] = _named(
            found, tiers.own_level(card, dimer, curve.r) if case.own_curves else ()
        )
        findings += battery.run(case, selected)
    groups = battery.group_scores(findings)
    answered = [name for name, curve in curves.items() if np.isfinite(curve.energy).any()]
    return Audit(
        card=card,
        environment={
            **probe.evaluator.environment,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "suite": "custom" if dimers is not None else suite,
            "profile": chosen.name,
            "cap_eV": chosen.cap,
            "groups": list(chosen.groups),
            "thresholds": None if thresholds is None else os.fspath(thresholds),
            "grid": grid if isinstance(grid, str) else "custom",
            "dimers": [dimer.name for dimer in wanted],
            "points": sum(map(len, curves.values())),
            "refined": sum(int(c.provenance.get("refined", 0)) for c in curves.values()),
        },
        curves=curves,
        references=references,
        findings=tuple(findings),
        score=battery.total_score(groups, chosen.groups),
        group_scores=groups,
        coverage=len(answered) / len(wanted),
    )


def _named(
    found: Mapping[str, Curve], own: tuple[Curve, ...] | tiers.Unavailable
) -> dict[str, Curve]:
    """References by name, most telling first: the truth, the labels' level, the rest."""
    branches = () if isinstance(own, tiers.Unavailable) else own  # the grid lies outside of them
    several = len(branches) > 1
    ours = {
        f"labels: {c.provenance['tier']}{' ' + c.provenance['branch'] if several else ''}": c
        for c in branches
    }
    true = {tier: c for tier, c in found.items() if c.provenance["truth"]}
    return {**true, **ours, **found}


class _Steps:
    """One progress over several steps, each of which counts from nothing."""

    def __init__(self, progress: Progress | None, later: int) -> None:
        self.progress = progress
        self.before, self.total, self.later = 0, 0, later

    def __call__(self, done: int, total: int) -> None:
        self.total = total
        if self.progress is not None:
            self.progress(self.before + done, self.before + total + self.later)

    def next(self, *, last: bool = False) -> _Steps:
        """Begin another step; what comes later is counted by the last one itself."""
        self.before += self.total
        self.total = 0
        if last:
            self.later = 0
        return self


def _parse(dimers: Sequence[str | Dimer]) -> tuple[Dimer, ...]:
    names = [dimers] if isinstance(dimers, str) else list(dimers)
    if not names:
        raise InputError("No dimers given; name at least one, such as H2.")
    parsed = [item if isinstance(item, Dimer) else Dimer.parse(item) for item in names]
    return tuple(dict.fromkeys(parsed))


def _blind(dimer: Dimer, how: str) -> Finding:
    check = "coverage.charge" if dimer.electrons else "bare_nuclei.coulomb"
    return Finding(
        check=check,
        dimer=dimer.name,
        status="out-of-domain",
        reason=f"the model is charge-blind: {how}",
    )


def _refusal(card: ModelCard, dimer: Dimer) -> Finding | None:
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
        return _blind(dimer, f"{card.name} takes no charge")
    ground = ground_multiplicity(dimer.symbols, dimer.charge)
    if dimer.multiplicity != ground and card.uses_spin is False:
        return Finding(
            check="coverage.spin",
            dimer=dimer.name,
            status="out-of-domain",
            reason=f"the model takes no spin: it would give the curve of multiplicity {ground}",
        )
    return None


def _charge_blind(curve: Curve) -> bool:
    """Measured: the charge changes nothing in the energy but noise."""
    response = curve.provenance.get("charge_response_eV")
    return response is not None and response <= max(1e-6, 5 * battery.noise(curve))


def audit_many(
    models: Sequence[str | BaseCalculator],
    *,
    executor: Executor | None = None,
    **options: Any,
) -> list[Audit]:
    """Audit several models, in order.

    Parameters
    ----------
    models
        As for `audit`.
    executor
        Any `concurrent.futures.Executor` (process pool, Dask, Parsl, …); one after the other in
        this process when `None`.
    options
        As for `audit`.
    """
    if executor is None:
        return [audit(model, **options) for model in models]
    futures = [executor.submit(audit, model, **options) for model in models]
    return [future.result() for future in futures]
