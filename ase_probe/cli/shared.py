"""What several commands need: ending with a sentence, lists, a progress bar."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from ase_probe.engine import Progress

__all__ = ["guarded", "progress_bar", "split", "stop"]


def stop(message: str) -> NoReturn:
    """End with exit code 2 and one sentence on stderr."""
    click.echo(f"ase-probe: {message}", err=True)
    sys.exit(2)


def guarded(call: Callable[[], Any], debug: bool) -> Any:
    """Return what `call` returns; on an error print one paragraph and return `None`."""
    from ase_probe.engine import Raised, attempt
    from ase_probe.errors import AseProbeError

    answer = attempt(call)
    if not isinstance(answer, Raised):
        return answer
    if debug:
        traceback.print_exception(answer.error)
        return None
    known = isinstance(answer.error, AseProbeError)
    text = str(answer.error) if known else f"unexpected error: {answer.message}"
    click.echo(f"ase-probe: {text}", err=True)
    if not known:
        click.echo("This is a bug; --debug shows the traceback to report.", err=True)
    return None


def split(lists: Any) -> list[str]:
    """Items of comma-separated lists."""
    return [item.strip() for text in lists for item in text.split(",") if item.strip()]


@contextmanager
def progress_bar(model: str) -> Iterator[Progress | None]:
    """Show a progress bar on a terminal, nothing in a pipe."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("points"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(model, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
