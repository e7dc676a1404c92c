"""`audit`: one model through a suite. `audit_many`: several models, on any executor.

Dimers the model does not claim (elements, charge) are reported as out of domain and lower the
coverage; they never score, neither well nor badly.
"""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe import baselines as tiers
from ase_probe import checks as battery
from ase_probe.answering import answering, other_precision
from ase_probe.asking import (
    blind,
    charge_blind,
    pairs,
    parsed,
    read_structure,
    refusal,
    suite_name,
)
from ase_probe.calculator import Probe
from ase_probe.curve import Audit, Curve, Finding, Repeats
from ase_probe.dimer import Dimer
from ase_probe.embedded import barrier, embed
from ase_probe.engine import CachedEvaluator, Evaluator, Progress
from ase_probe.errors import InputError
from ase_probe.grids import grid as make_grid
from ase_probe.refine import extra
from ase_probe.repeats import PER_DIMER, repeat
from ase_probe.scan import extend, scan

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["audit", "audit_many"]

_AHEAD = (0.5, 0.2, 0.0)
"""How many times its points the first pass and each refinement are followed by, for the estimate of
what is left: the first refinement fills the wall, the second looks at what that found. The first
is 0.2 for a soft wall without holes and 1.0 for 7net-0 over all elements."""
_EMBEDDED_SPACING = 0.03  # Å; a structure costs a hundred times a dimer
_DENSE = np.geomspace(0.1, 10.0, 600)  # Å; where the labels' own curves are evaluated


def audit(
    model: str | BaseCalculator,
    *,
    suite: str | None = None,
    dimers: Sequence[str | Dimer] | None = None,
    elements: Sequence[str] | None = None,
    structure: Atoms | str | os.PathLike[str] | None = None,
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
    cache: bool = True,
    progress: Progress | None = None,
) -> Audit:
    """Audit one model: where does it stop being physics?

    Parameters
    ----------
    model
        Registered name, ``package.module:factory``, ``path/file.py:factory``, ASE calculator or
        `Probe`.
    suite
        ``quick``, ``standard`` (the default), ``homonuclear`` or ``all-pairs``; ignored when
        `dimers` is given.
    dimers
        Names such as ``"H2"``, ``"NaCl"``, ``"H2++"``, or `Dimer` objects.
    elements
        Chemical symbols: every pair of these, or, with a suite, those of its pairs that are made of
        these.
    structure
        A structure, or a file ASE can read: its closest pairs are pushed together inside it as
        well, and the pairs of its elements are the suite unless another is named.
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
    cache
        Take answers the model gave before from the disk, and keep new ones; only for models known
        by name or file. The key holds weights, packages, options and kind of machine.
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
    wanted = None if dimers is None else parsed(dimers)
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
        evaluator = model.evaluator
    else:
        evaluator = answering(model, options, cache=cache)
    card = evaluator.card
    if structure is not None:
        structure = read_structure(structure)
        if wanted is None and suite is None and elements is None:
            elements = list(dict.fromkeys(structure.symbols))
    if wanted is None:
        wanted = pairs(suite, elements, card)

    refused = {dimer: why for dimer in wanted if (why := refusal(card, dimer))}
    asked = [dimer for dimer in wanted if dimer not in refused]
    repeating = not battery.REPEATED.isdisjoint(selected)
    refining = isinstance(grid, str) and grid == "standard"
    steps = _Steps(
        progress, PER_DIMER * len(asked) if repeating else 0, _AHEAD[0] if refining else 0.0
    )
    curves = scan(evaluator, asked, grid, steps)
    for dimer in wanted:
        if dimer.name in curves and charge_blind(curves[dimer.name]):
            del curves[dimer.name]
            refused[dimer] = blind(dimer, f"{card.name} gave the energy of the neutral pair")

    if refining:
        for turn, ahead in enumerate(_AHEAD[1:]):
            asked = [dimer for dimer in asked if dimer.name in curves]
            more = {
                dimer: extra(
                    dimer,
                    curves[dimer.name],
                    cap=chosen.cap,
                    cutoff=None if turn else card.cutoff,
                )
                for dimer in asked
            }
            curves = extend(evaluator, asked, curves, more, steps.next(ahead=ahead))

    again: dict[str, Repeats] = {}
    if repeating:
        bound = [d for d in asked if d.name in curves and d.electrons]
        other = None
        if "consistency.precision" in selected and isinstance(model, str) and bound:
            other = other_precision(evaluator, model, options, cache=cache)
        again = repeat(evaluator, bound, curves, steps.next(last=True), other)

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
    if structure is not None:
        vacuum = {f.dimer: f.value for f in findings if f.check == "compression.barrier"}
        pushed = embed(
            evaluator,
            structure,
            more=partial(extra, cap=chosen.cap, spacing=_EMBEDDED_SPACING),
            progress=steps.next(last=True),
        )
        findings += [barrier(pair, chosen, vacuum) for pair in pushed.values()]
    peer = battery.PEERS.get(grid) if isinstance(grid, str) else None
    groups = battery.group_scores(findings)
    answered = [name for name, curve in curves.items() if np.isfinite(curve.energy).any()]
    return Audit(
        card=card,
        environment={
            **evaluator.environment,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "suite": suite_name(suite, dimers, elements),
            "checks": None if checks is None else list(selected),
            "profile": chosen.name,
            "cap_eV": chosen.cap,
            "groups": list(chosen.groups),
            "thresholds": None if thresholds is None else _named_file(thresholds),
            "grid": grid if isinstance(grid, str) else "custom",
            "dimers": [dimer.name for dimer in wanted],
            "points": sum(map(len, curves.values())),
            "refined": sum(int(c.provenance.get("refined", 0)) for c in curves.values()),
            "remembered": _remembered(evaluator),
        },
        curves=curves,
        references=references,
        findings=tuple(findings),
        score=battery.total_score(groups, chosen.groups),
        group_scores=groups,
        coverage=len(answered) / len(wanted),
        metrics={} if peer is None else {
            dimer.name: peer(curves[dimer.name], _label_curve(references, dimer), dimer=dimer)
            for dimer in wanted
            if dimer.name in curves
        },
    )  # fmt: skip


def _named_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """Path and SHA-256 of a file that decides how a model is judged."""
    content = Path(path).read_bytes()
    return {"path": os.fspath(path), "sha256": hashlib.sha256(content).hexdigest()}


def _remembered(evaluator: Evaluator) -> int:
    """How many answers were not computed anew."""
    return evaluator.remembered if isinstance(evaluator, CachedEvaluator) else 0


def _label_curve(references: Mapping[str, Mapping[str, Curve]], dimer: Dimer) -> Curve | None:
    """The curve of the labels' level, which is what matbench compares with."""
    found = references.get(dimer.name, {})
    return next((c for name, c in found.items() if name.startswith("labels")), None)


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
    """One progress over several steps, each of which counts from nothing.

    The total is an estimate until the last step: `later` structures are known to come, and as many
    as `ahead` times those of the present step are expected from the steps it leads to.
    """

    def __init__(self, progress: Progress | None, later: int, ahead: float) -> None:
        self.progress = progress
        self.before, self.total = 0, 0
        self.later, self.ahead = later, ahead

    def __call__(self, done: int, total: int) -> None:
        self.total = total
        if self.progress is not None:
            expected = self.before + total + self.later + round(self.ahead * total)
            self.progress(self.before + done, expected)

    def next(self, *, ahead: float = 0.0, last: bool = False) -> _Steps:
        """Begin another step; what comes later is counted by the last one itself."""
        self.before += self.total
        self.total, self.ahead = 0, ahead
        if last:
            self.later = 0
        return self


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
