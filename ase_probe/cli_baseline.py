"""``ase-probe baseline …``: look at reference curves, and compute more of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from ase_probe.errors import AseProbeError

__all__ = ["baseline"]

_COMPUTED = ("dft:pbe", "dft:r2scan", "dft:wb97m-v")


@click.group()
def baseline() -> None:
    """Reference curves: what is known of a dimer, and how to compute more."""


@baseline.command()
@click.argument("dimer")
@click.option("--folder", type=click.Path(exists=True), help="Also look for curves of your own.")
def show(dimer: str, folder: str | None) -> None:
    """Show every reference there is for one dimer, or why there is none."""
    import numpy as np

    from ase_probe.baselines import TIERS, Unavailable, constants, reference
    from ase_probe.baselines.tabulated import TABULATED, tabulated
    from ase_probe.dimer import Dimer
    from ase_probe.grids import grid

    try:
        pair = Dimer.parse(dimer)
        radii = grid("standard", pair)
        found = {tier: reference(pair, tier, radii) for tier in TIERS}
        if folder is not None:
            found |= {
                tier: tabulated(pair, radii, tier=tier, folder=Path(folder)) for tier in TABULATED
            }
        known = constants(pair)
    except AseProbeError as error:
        _stop(str(error))
    for tier, curve in found.items():
        if isinstance(curve, Unavailable):
            click.echo(f"{tier:18} none: {curve.reason}")
            continue
        low = int(np.argmin(curve.energy))
        level = curve.provenance["level"]
        click.echo(f"{tier:18} {curve.r[0]:.3g} to {curve.r[-1]:.3g} Å  {level}")
        if 0 < low < len(curve.r) - 1 and curve.energy[low] < 0:
            click.echo(f"{'':18} minimum {curve.energy[low]:.3f} eV near {curve.r[low]:.3f} Å")
    if known is None:
        click.echo(f"{'experiment':18} none: no constants of {pair} are known here")
    else:
        omega = "" if known.omega_e is None else f", ω_e {known.omega_e:.0f} cm⁻¹"
        click.echo(f"{'experiment':18} D_e {known.D_e:.3f} eV, r_e {known.r_e:.4f} Å{omega}")


@baseline.command()
@click.argument("dimers", nargs=-1, required=True, metavar="DIMER...")
@click.option("--tier", type=click.Choice(_COMPUTED), required=True, help="Level of theory.")
@click.option("--folder", type=click.Path(), default="curves", show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: one per core]")
@click.option("--points", type=click.IntRange(min=12), default=40, show_default=True)
def build(dimers: tuple[str, ...], tier: str, folder: str, jobs: int | None, points: int) -> None:
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
            _stop(str(error))
        except ImportError as error:
            _stop(f"{error}. PySCF computes the curves: pip install 'ase-probe[pyscf]'")
    for name, path in built.files.items():
        click.echo(f"{name}: {path}")
    for why in built.failed.values():
        click.echo(f"ase-probe: {why}", err=True)
    sys.exit(2 if built.failed else 0)


def _stop(message: str) -> NoReturn:
    click.echo(f"ase-probe: {message}", err=True)
    sys.exit(2)
