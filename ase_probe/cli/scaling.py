"""``ase-probe scaling …``: train the networks of the scaling study and report on them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ase_probe.cli.shared import guarded, stop

if TYPE_CHECKING:
    from ase_probe.scaling.study.sweep import Status
    from ase_probe.scaling.summary import Summary
    from ase_probe.scaling.training.spec import RunSpec

__all__ = ["scaling"]

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_STUDY = click.option(
    "--study",
    metavar="PRESET|FILE.toml",
    help="What FOLDER was meant to hold, if it holds no plan.jsonl.",
)
_DEBUG = click.option("--debug", is_flag=True, help="Show the traceback of an error.")


@click.group()
def scaling() -> None:
    """Does a larger model, or more data, learn the physics of a bond? The scaling study.

    \b
    ase-probe scaling run smoke --out smoke       minutes: every road once
    ase-probe scaling run laptop --out laptop     hours; Ctrl-C, and the same line goes on
    ase-probe scaling status laptop               what is done, what is missing
    ase-probe scaling report laptop               tables, verdicts, figures, from what is there

    Training needs: pip install 'ase-probe[scaling]', and for MOSES pip install --no-deps molsets
    """  # noqa: D301  click wants the backspace


@scaling.command()
@click.argument("study", metavar="PRESET|FILE.toml")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Where results and weights go; what is there already is not run again.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@_DEBUG
def run(study: str, out: Path, jobs: int, device: str, debug: bool) -> None:
    """Train what FOLDER does not hold yet.

    The study is a preset, smoke, laptop or paper, or a TOML file of your own. A run under way keeps
    a checkpoint every minute: after Ctrl-C, or a crash, the same command goes on from there.

    Exit code: 0 all runs done, 1 some failed, 2 could not start, 130 interrupted.
    """
    specs = guarded(lambda: _prepared(study, out), debug)
    if specs is None:
        sys.exit(2)
    from ase_probe.scaling.study.sweep import run_study

    again = f"ase-probe scaling run {study} --out {out}" + (f" --jobs {jobs}" if jobs > 1 else "")
    try:
        with _progress() as told:
            done = guarded(
                lambda: run_study(specs, out, jobs=jobs, device=device, progress=told), debug
            )
    except KeyboardInterrupt:
        click.echo(f"ase-probe: interrupted. To go on: {again}", err=True)
        sys.exit(130)
    if done is None:
        sys.exit(2)
    for spec, why in done.failures.items():
        click.echo(f"ase-probe: {spec.label} failed: {why}", err=True)
    click.echo(f"{len(done.results)} of {len(specs)} runs are done in {out}.")
    if done.failures:
        click.echo(f"To try the others again: {again}")
    click.echo(f"Next: ase-probe scaling report {out}")
    sys.exit(1 if done.failures else 0)


def _prepared(study: str, out: Path) -> list[RunSpec]:
    """Read the study, see that what it trains with is installed, and keep the plan."""
    from importlib.util import find_spec

    from ase_probe.errors import ModelNotInstalledError
    from ase_probe.scaling.models import LANGUAGE, require
    from ase_probe.scaling.study.preset import read_study
    from ase_probe.scaling.summary.plan import keep

    specs = read_study(study)
    models = {spec.model for spec in specs}
    needed = ["torch"]
    needed += ["torch_geometric", "qm9pack"] if models - set(LANGUAGE) else []
    needed += ["transformers", "selfies"] if models & set(LANGUAGE) else []
    for module in needed:
        if not find_spec(module):
            require(module)  # says how to install it
    if models & set(LANGUAGE) and not find_spec("moses"):
        raise ModelNotInstalledError(
            "Language models learn from MOSES, which comes with: pip install --no-deps molsets"
        )
    keep(specs, out)
    return specs


@contextmanager
def _progress() -> Iterator[Callable[[Status], None]]:
    """Show a bar that counts down on a terminal; in a pipe, one line whenever a run ends."""
    import time

    if not sys.stderr.isatty():
        yield (
            lambda status: (
                click.echo(str(status), err=True) if status.last or not status.running else None
            )
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Left(ProgressColumn):
        """Time left by the sweep's own estimate, which knows how runs differ."""

        def render(self, task: Any) -> Text:
            left = max(0.0, task.fields["until"] - time.monotonic())
            hours, minutes = divmod(round(left / 60), 60)
            return Text(f"{hours} h {minutes:02d} min left")

    columns = (
        *(BarColumn(), MofNCompleteColumn(), TextColumn("runs"), Left()),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, until=time.monotonic())

        def told(status: Status) -> None:
            now = "; ".join(spec.label for spec in status.running)
            failed = f"{status.failed} failed; " if status.failed else ""
            until = time.monotonic() + status.seconds_left
            bar.update(
                task,
                completed=status.done,
                total=status.total,
                description=failed + now,
                until=until,
            )

        yield told


@scaling.command()
@click.argument("folder", type=_FOLDER)
@_STUDY
@_DEBUG
def status(folder: Path, study: str | None, debug: bool) -> None:
    """Say what is done in FOLDER, what is under way and what is missing."""
    lines = guarded(lambda: _status(folder, study), debug)
    if lines is None:
        sys.exit(2)
    click.echo("\n".join(lines))


def _status(folder: Path, study: str | None) -> list[str]:
    from ase_probe.scaling.study.cost import remaining
    from ase_probe.scaling.study.sweep import read_results
    from ase_probe.scaling.summary import parts
    from ase_probe.scaling.summary.plan import planned
    from ase_probe.scaling.training.result import paths

    results, plan = read_results(folder), planned(folder, study)
    lines = [f"{name}: {count}" for name, count in parts([r.spec for r in results], plan)]
    if plan is None:
        return [*lines, "What was planned is not known; name it: --study laptop"]
    done = {result.spec: result.seconds for result in results}
    todo = [spec for spec in plan if spec not in done]
    begun = [spec for spec in todo if paths(folder, spec)["checkpoint"].exists()]
    lines += [f"begun: {spec.label}" for spec in begun]
    if todo:
        hours = remaining(todo, done.items(), 1) / 3600
        lines.append(f"Left: {len(todo)} runs, about {hours:.1f} CPU hours.")
    return [*lines, f"Next: ase-probe scaling {'run … --out' if todo else 'report'} {folder}"]


@scaling.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write report.txt, report.md, summary.json and the figures there.",
)
@_STUDY
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="This figure only; repeatable: h2, loss, outcomes, shots, controls, chemgpt, front.",
)
@click.option(
    "--labels",
    type=click.Choice(["unrestricted", "restricted"]),
    default="unrestricted",
    show_default=True,
    help="Curve of the labels' own level that outcomes are counted from.",
)
@_DEBUG
def report(
    folder: Path,
    out: Path | None,
    study: str | None,
    figures: tuple[str, ...],
    labels: str,
    debug: bool,
) -> None:
    """Report on the runs in FOLDER, however many there are: verdicts, tables, laws, figures."""
    if figures and out is None:
        stop("--figure needs --out: say where figures go.")
    if out is not None and out.resolve() == folder.resolve():
        stop(f"--out is {folder}, where the runs lie; give another folder.")
    summary = guarded(lambda: _summary(folder, study, labels), debug)
    if summary is None:
        sys.exit(2)
    from ase_probe.scaling.summary.text import lines

    click.echo("\n".join(lines(summary)))
    if out is not None:
        target = out
        written = guarded(lambda: _write(summary, target, figures), debug)
        if written is None:
            sys.exit(2)
        click.echo(f"\nWritten to {out}: {', '.join(written)}")


def _summary(folder: Path, study: str | None, labels: str) -> Summary:
    from ase_probe.scaling.study.sweep import read_results
    from ase_probe.scaling.summary import summarise
    from ase_probe.scaling.summary.plan import planned

    return summarise(read_results(folder), planned(folder, study), kind=labels)


def _write(summary: Summary, out: Path, figures: Sequence[str]) -> list[str]:
    from ase_probe.scaling.figures import write_figures
    from ase_probe.scaling.summary.write import write_summary

    captions = write_figures(summary, out, figures)
    if figures:
        return sorted(captions)
    write_summary(summary, out, captions)
    return ["report.txt", "report.md", "summary.json", *(f"{name}.svg/.png" for name in captions)]


@scaling.command()
@click.argument("files", nargs=-1, required=True, metavar="AUDIT.json...")
@_DEBUG
def released(files: tuple[str, ...], debug: bool) -> None:
    """Show released models in the study's view: H2 outcomes beside parameters and training data.

    Descriptive only. Make an audit with: ase-probe audit 7net-0 --dimers H2 --json 7net-0.json
    """
    found = guarded(lambda: _released(files), debug)
    if found is None:
        sys.exit(2)
    click.echo("\n".join(found))


def _released(files: Sequence[str]) -> list[str]:
    from ase_probe.curve import Audit
    from ase_probe.scaling.released import describe, lines

    audits = [Audit.load(file) for file in files]
    return lines([describe(audit.card, audit.curves.get("H2")) for audit in audits])
