"""``ase-probe export AUDIT…``."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from ase_probe.cli.shared import guarded, split

__all__ = ["export"]


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="AUDIT.json...")
@click.option(
    "--to",
    "target",
    type=click.Path(dir_okay=False),
    required=True,
    metavar="FILE",
    help="File to write: .csv (every curve) or .extxyz (the models' energies and forces).",
)
@click.option("--dimers", multiple=True, metavar="LIST", help="These dimers only.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def export(files: tuple[str, ...], target: str, dimers: tuple[str, ...], debug: bool) -> NoReturn:
    """Write the curves of one audit or of several for other programs.

    \b
    ase-probe export 7net-0.json --to curves.csv
    ase-probe export 7net-0.json --dimers N2 --to n2.extxyz
    """  # noqa: D301  click wants the backspace
    import ase_probe.export
    from ase_probe.curve import Audit

    audits = [guarded(lambda file=file: Audit.load(file), debug) for file in files]  # type: ignore[misc]
    if None in audits:
        sys.exit(2)
    names = split(dimers) if dimers else None
    written = guarded(lambda: ase_probe.export.export(audits, target, names), debug)
    sys.exit(2 if written is None else 0)
