"""``ase-probe baseline …``: look at reference curves, and compute more of them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ase_probe.cli.shared import stop
from ase_probe.errors import AseProbeError

__all__ = ["baseline"]

_COMPUTED = ("dft:pbe", "dft:r2scan", "dft:wb97m-v", "wavefunction", "exact")
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def baseline() -> None:
    """Reference curves: what is known of a dimer, and how to compute more."""


@baseline.command()
@click.argument("dimer")
@click.option("--folder", type=_FOLDER, help="Also look for curves of your own.")
@click.option("--plot/--no-plot", default=True, show_default=True, help="Draw the curves.")
def show(dimer: str, folder: Path | None, plot: bool) -> None:
    """Show every reference there is for one dimer, or why there is none."""
    import numpy as np

    from ase_probe.baselines import TIERS, Unavailable, constants, reference
    from ase_probe.baselines.catalogue import entries
    from ase_probe.baselines.tabulated import TABULATED, tabulated
    from ase_probe.dimer import Dimer
    from ase_probe.grids import R_MIN, grid
    from ase_probe.report.references import show_lines

    try:
        pair = Dimer.parse(dimer)
        # Some formulas hold at shorter distances only than the grid has.
        radii = np.union1d(np.geomspace(0.005, R_MIN, 20), grid("standard", pair))
        found = {tier: reference(pair, tier, radii) for tier in TIERS}
        stored = {entry.tier: entry for entry in entries([pair.name]) if entry.date}
        if folder is not None:
            own = {tier: tabulated(pair, radii, tier=tier, folder=folder) for tier in TABULATED}
            found |= {tier: c for tier, c in own.items() if not isinstance(c, Unavailable)}
            stored |= {e.tier: e for e in entries([pair.name], TABULATED, folder=folder)}
        lines = show_lines(pair, found, constants(pair), stored=stored, plot=plot)
    except AseProbeError as error:
        stop(str(error))
    click.echo("\n".join(lines))


@baseline.command(name="list")
@click.argument("words", nargs=-1, metavar="[WORD...]")
@click.option("--tier", "tiers", multiple=True, metavar="TIER", help="This tier only; repeatable.")
@click.option("--folder", type=_FOLDER, help="Stored curves of your own instead of the shipped.")
@click.option("--json", "as_json", is_flag=True, help="Print every fact as JSON.")
def list_curves(
    words: tuple[str, ...], tiers: tuple[str, ...], folder: Path | None, as_json: bool
) -> None:
    """List the curves there are, of the standard suite and of every other dimer with stored ones.

    A WORD that is a dimer or an element picks those dimers; any other must occur in the tier or the
    level of theory: ase-probe baseline list NaCl H2 pbe
    """
    from ase_probe.baselines.catalogue import entries, known_dimers
    from ase_probe.report.references import list_lines

    try:
        known = known_dimers(folder)
        names, rest = _picked(words, known)
        rows = [
            entry
            for entry in entries(names, tiers or None, folder=folder)
            if all(word.lower() in f"{entry.tier} {entry.level}".lower() for word in rest)
        ]
    except AseProbeError as error:
        stop(str(error))
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in rows], indent=2, ensure_ascii=False))
    elif rows:
        click.echo("\n".join(list_lines(rows)))
    if not rows:
        stop("No curve fits; `ase-probe baseline list` shows all.")


def _picked(
    words: tuple[str, ...], known: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Dimers that the words pick, and the words that pick none; all dimers where none picks."""
    from ase.data import atomic_numbers

    from ase_probe.dimer import Dimer
    from ase_probe.errors import DimerError

    names: list[str] = []
    rest = []
    for word in words:
        if word in atomic_numbers:
            names += [name for name in known if word in Dimer.parse(name).symbols]
            continue
        try:
            names.append(Dimer.parse(word).name)
        except DimerError:
            rest.append(word)
    picked = tuple(dict.fromkeys(names))
    return (picked if len(rest) < len(words) else known), tuple(rest)


@baseline.command()
@click.argument("dimers", nargs=-1, required=True, metavar="DIMER...")
@click.option("--tier", type=click.Choice(_COMPUTED), required=True, help="Level of theory.")
@click.option("--folder", type=click.Path(), default="curves", show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
@click.option("--points", type=click.IntRange(min=12), help="[default: 40; wavefunction 30]")
def build(
    dimers: tuple[str, ...], tier: str, folder: str, jobs: int | None, points: int | None
) -> None:
    """Compute reference curves with PySCF; run it again after an interruption, it goes on.

    A point takes seconds, a dimer minutes to an hour. Finished points are kept in FOLDER/.scratch.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from ase_probe.baselines.quantum.build import build as compute

    console = Console(stderr=True)
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("points, at most"), TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(tier, total=None)

        def told(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what or tier)

        try:
            built = compute(dimers, tier, folder=folder, jobs=jobs, points=points, progress=told)
        except AseProbeError as error:
            stop(str(error))
        except ImportError as error:
            stop(f"{error}. PySCF computes the curves: pip install 'ase-probe[pyscf]'")
    for name, path in built.files.items():
        click.echo(f"{name}: {path}")
    for why in built.failed.values():
        click.echo(f"ase-probe: {why}", err=True)
    sys.exit(2 if built.failed else 0)
