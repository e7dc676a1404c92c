"""``ase-probe plot AUDIT…``."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from ase_probe.cli.shared import guarded, split

__all__ = ["plot"]


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="AUDIT.json...")
@click.option(
    "--dimers", multiple=True, metavar="LIST", help="Dimers to draw.  [default: the worst three]"
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    required=True,
    metavar="FILE",
    help="Figure to write: .pdf or .svg (vectors) or .png.",
)
@click.option(
    "--columns",
    type=click.IntRange(1, 2),
    default=2,
    show_default=True,
    help="Columns of a journal that the figure fills: 3.37 or 7.0 inches.",
)
@click.option(
    "--layout",
    type=click.Choice(["symlog", "split"]),
    help="Wall and well on one axis, or side by side.  [default: symlog in one column, else split]",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def plot(
    files: tuple[str, ...],
    dimers: tuple[str, ...],
    out: str,
    columns: int,
    layout: str | None,
    debug: bool,
) -> NoReturn:
    """Draw curves of one audit or of several for a paper, with embedded fonts.

    \b
    ase-probe plot 7net-0.json --dimers H2,N2 --out fig.pdf
    ase-probe plot mace.json 7net-0.json --dimers NaCl --columns 1 --out fig.svg

    Needs matplotlib: pip install 'ase-probe[plot]'
    """  # noqa: D301  click wants the backspace
    from ase_probe.curve import Audit
    from ase_probe.report.figures import write_figure

    audits = [guarded(lambda file=file: Audit.load(file), debug) for file in files]  # type: ignore[misc]
    if None in audits:
        sys.exit(2)
    names = split(dimers) if dimers else None
    written = guarded(
        lambda: write_figure(audits, out, names, columns=columns, layout=layout), debug
    )
    sys.exit(2 if written is None else 0)
