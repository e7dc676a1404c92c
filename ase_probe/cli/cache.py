"""``ase-probe cache …``: what models answered before, on disk."""

from __future__ import annotations

import click

__all__ = ["cache"]


@click.group()
def cache() -> None:
    """Answers of models that were audited before: a second audit does not load the model."""


@cache.command(name="list")
def list_answers() -> None:
    """List the models with answers on disk, and how much room these take."""
    from ase_probe.engine.answers_folder import answers_folder, contents

    found = contents()
    for entry in found:
        what = ", ".join(filter(None, (entry.device, entry.dtype, entry.task)))
        click.echo(f"{entry.model} ({what}): {entry.bytes / 1e6:.1f} MB in {entry.folder}")
    if not found:
        folder = answers_folder()
        click.echo(f"No answers in {folder}." if folder else "ASE_PROBE_NO_CACHE is set.")


@cache.command(name="clear")
@click.argument("models", nargs=-1, metavar="[MODEL...]")
def clear_answers(models: tuple[str, ...]) -> None:
    """Remove the answers of some models, or of all."""
    from ase_probe.engine.answers_folder import contents, remove

    known = {entry.model for entry in contents()}
    if unknown := sorted(set(models) - known):
        raise click.BadParameter(
            f"no answers of {', '.join(unknown)}; there are answers of "
            f"{', '.join(sorted(known)) or 'no model'}."
        )
    chosen = [entry for entry in contents() if not models or entry.model in models]
    for entry in chosen:
        remove(entry)
    size = sum(entry.bytes for entry in chosen) / 1e6
    click.echo(f"Removed the answers of {len(chosen)} model(s), {size:.1f} MB.")
