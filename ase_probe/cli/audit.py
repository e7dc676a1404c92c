"""``ase-probe audit MODEL…``."""

from __future__ import annotations

import itertools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ase_probe.cli.progress import progress_bar
from ase_probe.cli.shared import (
    guarded,
    output_options,
    show,
    split,
    stop,
    terminal_width,
)

if TYPE_CHECKING:
    from ase_probe.curve import Audit

__all__ = ["audit", "for_model"]

_SUITES = ("quick", "standard", "homonuclear", "all-pairs")
_PROFILES = ("md", "search", "radiation", "molecules")
_GRIDS = ("standard", "matbench", "arena", "ml-peg")


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--suite",
    type=click.Choice(_SUITES),
    help="Which dimers: six, about forty, every element with itself, every pair of elements.  "
    "[default: standard]",
)
@click.option(
    "--dimers",
    multiple=True,
    metavar="LIST",
    help="Dimers instead of a suite, e.g. H2,N2,NaCl,H2+,H2++ (two bare protons), O2@1 "
    "(singlet O2).",
)
@click.option(
    "--elements",
    multiple=True,
    metavar="LIST",
    help="Every pair of these elements, e.g. Li,P,S; with --suite those of its pairs.",
)
@click.option(
    "--structure",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Also push the closest pairs together inside this structure (CIF, POSCAR, XYZ, …).",
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
@click.option(
    "--cache/--no-cache",
    default=True,
    help="Take from the disk what the model answered before, and keep new answers.  "
    "[default: cache]",
)
@click.option("--json", "json_file", type=click.Path(), help="Write the audit as JSON.")
@click.option("--html", "html_file", type=click.Path(), help="Write one self-contained page.")
@click.option(
    "--trust-table",
    "trust_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write how far down each pair can be trusted, as .csv or .json.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn", "never"]),
    default="fail",
    show_default=True,
    help="Exit with code 1 on findings of this severity.",
)
@output_options
def audit(
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    checkpoints: tuple[str, ...],
    python: str | None,
    json_file: str | None,
    html_file: str | None,
    trust_file: str | None,
    fail_on: str,
    style: str,
    quiet: bool,
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
    import ase_probe.auditing
    from ase_probe.registry import resolve
    from ase_probe.report import write_html
    from ase_probe.report.github import audit_annotations
    from ase_probe.report.text import report_lines, verdict_line
    from ase_probe.report.trust_table import write_trust_table

    options["dimers"] = split(options["dimers"]) if options["dimers"] else None
    options["checks"] = split(options["checks"]) if options["checks"] else None
    options["elements"] = split(options["elements"]) if options["elements"] else None
    if options["dimers"] is not None and (options["suite"] or options["elements"]):
        stop("--dimers excludes --suite and --elements: name the dimers, or what to choose from.")
    if trust_file and Path(trust_file).suffix not in (".csv", ".json"):
        stop(f"A trust table is written as .csv or .json, not {trust_file!r}.")
    for target in (json_file, html_file, trust_file):
        if target and (not Path(target).parent.is_dir() or Path(target).is_dir()):
            stop(f"Cannot write {target!r}: its folder does not exist, or it is a folder itself.")
    options["isolate"] = python or options["isolate"]
    elsewhere = bool(options["isolate"])
    known = [guarded(lambda n=name: resolve(n, elsewhere=elsewhere), debug) for name in models]  # type: ignore[misc]
    if None in known:
        sys.exit(2)  # a typo in the last name costs no audit of the others
    audits: list[Audit] = []
    written: set[Path] = set()
    width, broken = terminal_width(), False
    for model in models:
        try:
            with progress_bar(model) as progress:
                result = guarded(
                    lambda model=model, progress=progress: ase_probe.auditing.audit(  # type: ignore[misc]
                        model,
                        progress=progress,
                        task=for_model(tasks, model, models),
                        checkpoint=for_model(checkpoints, model, models),
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
            broken |= guarded(lambda result=result, path=path: result.save(path), debug) is None  # type: ignore[misc]
        show(
            [verdict_line(result)],
            report_lines(result, width=width, verbose=verbose),
            annotations=audit_annotations(result),
            style=style,
            quiet=quiet,
        )
    if html_file and audits:
        broken |= guarded(lambda: write_html(audits, html_file), debug) is None
    if trust_file and audits:
        broken |= guarded(lambda: write_trust_table(audits, trust_file), debug) is None
    found = {result.worst for result in audits}
    for result in audits:
        if not any(f.status in ("pass", "warn", "fail") for f in result.findings):
            click.echo(f"ase-probe: nothing could be judged about {result.card.name}.", err=True)
            broken = True
    severe = {"fail": {"fail"}, "warn": {"fail", "warn"}, "never": set()}[fail_on]
    sys.exit(2 if broken else 1 if found & severe else 0)


def for_model(values: tuple[str, ...], model: str, models: tuple[str, ...]) -> str | None:
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
