"""``ase-probe env …``: environments for models whose packages exclude each other."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from ase_probe.cli.shared import guarded

__all__ = ["env"]


@click.group()
def env() -> None:
    """Environments of model families, for --isolate: built once, kept in the user's cache."""


@env.command(name="create")
@click.argument("names", nargs=-1, required=True, metavar="FAMILY...")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def create_environment(names: tuple[str, ...], debug: bool) -> NoReturn:
    """Build the environment of a family (or of a model's family) with uv.

    pip's configuration is followed: indexes, find-links, constraints. Prints the path of the
    environment's Python.
    """
    from ase_probe.engine.environments import create, recipe
    from ase_probe.registry import families, origin, resolve

    adapters = {family.name: family.adapter for family in families() if family.adapter}

    def build(name: str) -> bool:
        adapter, card = (adapters[name], None) if name in adapters else resolve(name)
        click.echo(create(recipe(adapter, origin(adapter, card)[1])))
        return True

    done = [guarded(lambda name=name: build(name), debug) for name in names]  # type: ignore[misc]
    sys.exit(0 if all(done) else 2)


@env.command(name="list")
def list_environments() -> None:
    """List the environments there are, with what was asked for."""
    from ase_probe.engine.environments import cache_folder, installed

    found = installed()
    for folder, facts in found:
        if facts:
            requirements = ", ".join(facts["requirements"])
            click.echo(f"{folder}\n    {len(facts['frozen'])} packages for {requirements}")
        else:
            click.echo(f"{folder}\n    unfinished: being built, or left by an interrupted build")
    if not found:
        click.echo(f"No environments in {cache_folder()}.")


@env.command(name="remove")
@click.argument("families", nargs=-1, required=True, metavar="FAMILY...|all")
def remove_environments(families: tuple[str, ...]) -> NoReturn:
    """Delete every environment of a family, or all of them."""
    from ase_probe.engine.environments import remove

    missing = False
    for family in families:
        gone = remove(family)
        for folder in gone:
            click.echo(f"removed {folder}")
        if not gone:
            missing = True
            click.echo(
                f"ase-probe: no environment of {family!r}; see `ase-probe env list`.", err=True
            )
    sys.exit(2 if missing else 0)
