"""``ase-probe models``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ase_probe.cli.shared import stop

if TYPE_CHECKING:
    from ase_probe.model import Adapter, ModelCard

__all__ = ["list_models"]


@click.command(name="models")
@click.argument("words", nargs=-1, metavar="[WORD...]")
@click.option("--json", "as_json", is_flag=True, help="Print every fact of every card as JSON.")
def list_models(words: tuple[str, ...], as_json: bool) -> None:
    """List every model known by name, and how to get it.

    With WORDs only those whose name, family, level of theory or training data holds all of them,
    such as: ase-probe models mace r2scan
    """
    from dataclasses import asdict

    from ase_probe.engine.opening import install_command, is_installed
    from ase_probe.registry import families

    wanted = {
        family.adapter: [card for card in family.adapter.cards if _holds(card, words)]
        for family in families()
        if family.adapter
    }
    if as_json:
        rows = [
            {
                **asdict(card),
                "installed": is_installed(adapter),
                "install": install_command(adapter),
            }
            for adapter, cards in wanted.items()
            for card in cards
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        _print_models({adapter: cards for adapter, cards in wanted.items() if cards})
    for family in families():
        if family.error:
            click.echo(f"Family {family.name} cannot be used: {family.error}", err=True)
    if not any(wanted.values()):
        stop(f"No model holds {' '.join(words)!r}; `ase-probe models` lists all.")


def _holds(card: ModelCard, words: tuple[str, ...]) -> bool:
    facts = (card.name, card.family, card.level_of_theory, card.training_data, *card.aliases)
    text = " ".join(filter(None, facts)).lower()
    return all(word.lower() in text for word in words)


def _print_models(wanted: dict[Adapter, list[ModelCard]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ase_probe.engine.opening import install_command, is_installed

    console = Console(highlight=False)
    width = max((len(card.name) for cards in wanted.values() for card in cards), default=0)
    for adapter, cards in wanted.items():
        here = is_installed(adapter)
        how = "installed" if here else f"not installed: {install_command(adapter)}"
        console.print(f"[bold]{escape(adapter.family)}[/bold]  [dim]{escape(how)}[/dim]")
        table = Table.grid(padding=(0, 2), expand=console.is_terminal)
        table.add_column(width=width + 2, no_wrap=True)
        table.add_column(ratio=3, no_wrap=console.is_terminal, overflow="ellipsis")
        table.add_column(ratio=2, no_wrap=console.is_terminal, overflow="ellipsis")
        table.add_column(width=16, no_wrap=True)
        for card in cards:
            weights = "gated download" if card.gated else "download"
            if not _needs_download(adapter, card):
                weights = "here" if here else "in the package"
            level, licence = card.level_of_theory or "not stated", card.licence or "not stated"
            row = (f"  {card.name}", level, licence, weights)
            table.add_row(*map(escape, row))
        console.print(table)
    if not all(map(is_installed, wanted)):
        click.echo("What is not installed runs in an environment of its own: --isolate")
    click.echo("Audit one with: ase-probe audit MODEL")


def _needs_download(adapter: Adapter, card: ModelCard) -> bool:
    remote = (card.source or "").startswith("http")
    return remote and adapter.checkpoint_file(card, None) is None
