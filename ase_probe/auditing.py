"""`audit`: one model through a suite. `audit_many`: several models, on any executor.

Dimers the model does not claim (elements, charge) are reported as out of domain and lower the
coverage; they never score, neither well nor badly.
"""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe import checks as battery
from ase_probe.answering import answering, other_precision
from ase_probe.asking import pairs, parsed, read_structure, refusal, suite_name
from ase_probe.calculator import Probe
from ase_probe.curve import Audit, Finding
from ase_probe.dimer import Dimer
from ase_probe.embedded import barrier, embed
from ase_probe.engine import CachedEvaluator, Evaluator, Progress
from ase_probe.errors import InputError
from ase_probe.grids import grid as make_grid
from ase_probe.judging import Judged, judge, label_curve
from ase_probe.measuring import Plan, Work, groups, measure
from ase_probe.refine import extra

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

__all__ = ["audit", "audit_many"]

_EMBEDDED_SPACING = 0.03  # Å; a structure costs a hundred times a dimer


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
    bound = any(dimer.electrons for dimer in asked)
    other = None
    if "consistency.precision" in selected and isinstance(model, str) and bound:
        other = other_precision(evaluator, model, options, cache=cache)
    repeating = not battery.REPEATED.isdisjoint(selected)
    plan = Plan(grid=grid, cap=chosen.cap, repeating=repeating, other=other)
    work = Work(progress, len(asked))
    judged: dict[Dimer, Judged] = {}
    for group in groups(asked):
        for dimer, answer in measure(evaluator, group, plan, work).items():
            if isinstance(answer, Finding):
                refused[dimer] = answer
                continue
            judged[dimer] = judge(
                dimer, answer, card=card, baselines=baselines, profile=chosen, checks=selected
            )
    findings: list[Finding] = []
    for dimer in wanted:
        findings += [refused[dimer]] if dimer in refused else judged[dimer].findings
    if structure is not None:
        vacuum = {f.dimer: f.value for f in findings if f.check == "compression.barrier"}
        work.begin(0)
        pushed = embed(
            evaluator,
            structure,
            more=partial(extra, cap=chosen.cap, spacing=_EMBEDDED_SPACING),
            progress=work,
        )
        findings += [barrier(pair, chosen, vacuum) for pair in pushed.values()]
    peer = battery.PEERS.get(grid) if isinstance(grid, str) else None
    marks = battery.group_scores(findings)
    found = {dimer: judged[dimer] for dimer in wanted if dimer in judged}
    curves = {dimer.name: j.curve for dimer, j in found.items()}
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
        references={dimer.name: j.references for dimer, j in found.items()},
        findings=tuple(findings),
        score=battery.total_score(marks, chosen.groups),
        group_scores=marks,
        coverage=len(answered) / len(wanted),
        metrics={} if peer is None else {
            dimer.name: peer(j.curve, label_curve(j.references), dimer=dimer)
            for dimer, j in found.items()
        },
    )  # fmt: skip


def _named_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """Path and SHA-256 of a file that decides how a model is judged."""
    content = Path(path).read_bytes()
    return {"path": os.fspath(path), "sha256": hashlib.sha256(content).hexdigest()}


def _remembered(evaluator: Evaluator) -> int:
    """How many answers were not computed anew."""
    return evaluator.remembered if isinstance(evaluator, CachedEvaluator) else 0


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
