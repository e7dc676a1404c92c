"""``ase-probe schema``."""

from __future__ import annotations

import click

__all__ = ["schema"]


@click.command()
def schema() -> None:
    """Print the JSON Schema of the files that `audit --json` writes."""
    from ase_probe.serialize import audit_schema

    click.echo(audit_schema(), nl=False)
