"""The command line: arguments in, exit codes out, no science.

Exit code 0: nothing found at or above ``--fail-on``. 1: findings. 2: could not run. An error is one
paragraph on stderr; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import itertools
import json
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import ase_probe
from ase_probe.cli_baseline import baseline

if TYPE_CHECKING:
    from ase_probe.curve import Audit
    from ase_probe.engine import Progress
    from ase_probe.model import Adapter, ModelCard

__all__ = ["main"]

_SUITES = ("quick", "standard", "homonuclear", "all-pairs")
_PROFILES = ("md", "search", "radiation", "molecules")
_GRIDS = ("standard", "matbench", "arena", "ml-peg")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(ase_probe.__version__, prog_name="ase-probe")
def main() -> None:
    """Find out where a machine-learned interatomic potential stops being physics.

    \b
    ase-probe audit 7net-0                        the standard suite of about 40 dimers
    ase-probe audit 7net-0 --suite quick          six dimers, a few seconds
    ase-probe audit my_package.my_module:make     your own ASE calculator
    ase-probe models                              every model known by name
    """  # noqa: D301  click wants the backspace


@main.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--suite",
    type=click.Choice(_SUITES),
    default="standard",
    show_default=True,
    help="Which dimers: six, about forty, every element with itself, every pair of elements.",
)
@click.option(
    "--dimers",
    multiple=True,
    metavar="LIST",
    help="Dimers instead of a suite, e.g. H2,N2,NaCl,H2+,H2++ (two bare protons), O2@1 "
    "(singlet O2).",
)
@click.option(
    "--grid",
    type=click.Choice(_GRIDS),
    default="standard",
    show_default=True,
    help="Distances: ours, 0.1 Å to beyond the cutoff, or those of another benchmark.",
)
@click.option(
    "--checks", multiple=True, metavar="LIST", help="Checks or groups to run, e.g. compression."
)
@click.option(
    "--profile",
    type=click.Choice(_PROFILES),
    default="md",
    show_default=True,
    help="What the model is wanted for: how high walls are judged, and what counts.",
)
@click.option(
    "--t-max",
    type=click.FloatRange(min=0, min_open=True),
    metavar="EV",
    help="Largest energy of a collision; needed by --profile radiation.",
)
@click.option(
    "--thresholds",
    type=click.Path(exists=True, dir_okay=False),
    metavar="TOML",
    help="Limits of your own.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Default: the vendor's.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="[MODEL=]TASK",
    help="Task, head or modal of a model that has several; of one of many models: MODEL=TASK.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="[MODEL=]PATH",
    help="Other weights for the named architecture.",
)
@click.option(
    "--trust-checkpoint", is_flag=True, help="Load --checkpoint even if that can run code it holds."
)
@click.option(
    "--isolate",
    is_flag=True,
    help="Run each model in a process of its own: with this Python if its package is installed "
    "here, else in an environment that is built once. Two packages that exclude each other run "
    "side by side, and a crash costs one distance.",
)
@click.option(
    "--python",
    type=click.Path(),
    metavar="PATH",
    help="Run the models with this Python, which has their packages; implies --isolate.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Longest that an isolated model may take for one batch.  [default: 600]",
)
@click.option("--json", "json_file", type=click.Path(), help="Write the audit as JSON.")
@click.option("--html", "html_file", type=click.Path(), help="Write one self-contained page.")
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn", "never"]),
    default="fail",
    show_default=True,
    help="Exit with code 1 on findings of this severity.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show every finding, passed ones too.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def audit(
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    checkpoints: tuple[str, ...],
    python: str | None,
    json_file: str | None,
    html_file: str | None,
    fail_on: str,
    verbose: bool,
    debug: bool,
    **options: Any,
) -> NoReturn:
    """Audit one or more models.

    MODEL is a name from `ase-probe models`; or family:path/to/checkpoint, such as mace:my.model;
    or package.module:factory or path/file.py:factory, where the factory takes no arguments and
    returns an ASE calculator.

    With several models --json writes one file each, NAME-MODEL.json; --html puts all on one page.

    Exit code: 0 clean, 1 findings (see --fail-on), 2 could not run or nothing could be judged.
    """
    from rich.console import Console

    import ase_probe.auditing
    from ase_probe.registry import resolve
    from ase_probe.report import print_audit, write_html

    options["dimers"] = _split(options["dimers"]) if options["dimers"] else None
    options["checks"] = _split(options["checks"]) if options["checks"] else None
    source = click.get_current_context().get_parameter_source("suite")
    if options["dimers"] is not None and source is click.core.ParameterSource.COMMANDLINE:
        _stop("--suite and --dimers exclude each other: name a suite or the dimers.")
    for target in (json_file, html_file):
        if target and (not Path(target).parent.is_dir() or Path(target).is_dir()):
            _stop(f"Cannot write {target!r}: its folder does not exist, or it is a folder itself.")
    options["isolate"] = python or options["isolate"]
    elsewhere = bool(options["isolate"])
    known = [_guarded(lambda n=name: resolve(n, elsewhere=elsewhere), debug) for name in models]  # type: ignore[misc]
    if None in known:
        sys.exit(2)  # a typo in the last name costs no audit of the others
    audits: list[Audit] = []
    written: set[Path] = set()
    console, broken = Console(), False
    for model in models:
        try:
            with _progress(model) as progress:
                result = _guarded(
                    lambda model=model, progress=progress: ase_probe.auditing.audit(  # type: ignore[misc]
                        model,
                        progress=progress,
                        task=_for_model(tasks, model, models),
                        checkpoint=_for_model(checkpoints, model, models),
                        **options,
                    ),
                    debug,
                )
        except KeyboardInterrupt:
            click.echo(f"ase-probe: interrupted; nothing was written for {model}.", err=True)
            sys.exit(130)
        if result is None:
            broken = True
            continue
        result = _with_command(result)
        audits.append(result)
        if json_file:
            path = _json_path(json_file, result, many=len(models) > 1, earlier=written)
            written.add(path)
            broken |= _guarded(lambda result=result, path=path: result.save(path), debug) is None  # type: ignore[misc]
        with _closed_pipe_ignored():
            print_audit(result, console, verbose=verbose)
    if html_file and audits:
        broken |= _guarded(lambda: write_html(audits, html_file), debug) is None
    found = {result.worst for result in audits}
    for result in audits:
        if not any(f.status in ("pass", "warn", "fail") for f in result.findings):
            click.echo(f"ase-probe: nothing could be judged about {result.card.name}.", err=True)
            broken = True
    severe = {"fail": {"fail"}, "warn": {"fail", "warn"}, "never": set()}[fail_on]
    sys.exit(2 if broken else 1 if found & severe else 0)


@main.command(name="models")
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
        _stop(f"No model holds {' '.join(words)!r}; `ase-probe models` lists all.")


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


main.add_command(baseline)


@main.group()
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

    done = [_guarded(lambda name=name: build(name), debug) for name in names]  # type: ignore[misc]
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


def _needs_download(adapter: Adapter, card: ModelCard) -> bool:
    remote = (card.source or "").startswith("http")
    return remote and adapter.checkpoint_file(card, None) is None


def _split(lists: Any) -> list[str]:
    return [item.strip() for text in lists for item in text.split(",") if item.strip()]


def _for_model(values: tuple[str, ...], model: str, models: tuple[str, ...]) -> str | None:
    """Return what MODEL=VALUE says about a model, else the one VALUE for all."""
    chosen = None
    for text in values:
        name, separator, value = text.partition("=")
        if not separator or name not in models:
            chosen = chosen or text
        elif name == model:
            return value
    return chosen


def _json_path(path: str, result: Audit, *, many: bool, earlier: set[Path]) -> Path:
    target = Path(path)
    if not many:
        return target
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in result.card.name)
    numbered = (name if n == 1 else f"{name}-{n}" for n in itertools.count(1))
    paths = (target.with_name(f"{target.stem}-{each}{target.suffix}") for each in numbered)
    return next(path for path in paths if path not in earlier)


def _with_command(result: Audit) -> Audit:
    from dataclasses import replace

    command = shlex.join(["ase-probe", *sys.argv[1:]])
    return replace(result, environment={**result.environment, "command": command})


def _stop(message: str) -> NoReturn:
    click.echo(f"ase-probe: {message}", err=True)
    sys.exit(2)


def _guarded(call: Callable[[], Any], debug: bool) -> Any:
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


@contextmanager
def _closed_pipe_ignored() -> Iterator[None]:
    """Go on without output when the reader has seen enough (``… | head``)."""
    try:
        yield
    except SystemExit:  # how rich's Console ends on a closed pipe, output now going nowhere
        return


@contextmanager
def _progress(model: str) -> Iterator[Progress | None]:
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


if __name__ == "__main__":
    main()
