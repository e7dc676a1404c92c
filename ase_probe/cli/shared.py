"""What several commands need: ending with a sentence, lists, showing a report."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from ase_probe.report.text_layout import Line

__all__ = ["guarded", "output_options", "show", "split", "stop", "terminal_width"]


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


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --format, --quiet, --verbose and --debug, the same for every command with a report."""
    options = (
        click.option(
            "--format",
            "style",
            type=click.Choice(["text", "github"]),
            default="text",
            show_default=True,
            help="A report; or annotations for a GitHub workflow, the report in the job's summary.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="One line instead of the report."),
        click.option("-v", "--verbose", is_flag=True, help="Show everything, also what is well."),
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def terminal_width() -> int:
    """Columns that a report fills at most."""
    from rich.console import Console

    from ase_probe.report.text_layout import WIDTH

    return min(Console().width, WIDTH)


def show(
    verdicts: Sequence[Line],
    report: Sequence[Line],
    *,
    annotations: Sequence[str],
    style: str,
    quiet: bool,
) -> None:
    """Print a report as asked for: in full, as its one line, or for a GitHub workflow.

    A reader that has seen enough (``… | head``) closes the pipe; what follows goes nowhere.
    """
    from rich.console import Console

    from ase_probe.report.github import write_summary
    from ase_probe.report.text_layout import joined, print_lines

    shown = list(report)
    if quiet or style == "github":
        shown = list(verdicts)
    if style == "github":
        shown = [*([(line, "")] for line in annotations), *verdicts]
        write_summary(joined(verdicts), joined(report))
    try:
        print_lines(shown, Console())
    except SystemExit:  # how rich's Console ends on a closed pipe, output now going nowhere
        return
