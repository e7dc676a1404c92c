"""Build reference curves: resumable, on any executor, one file per dimer.

Each branch of each dimer is one task. Tasks checkpoint every point in the scratch folder, keyed by
everything the numbers depend on, so a build may be killed at any moment and started again, by this
process or another one, with the same or with more dimers. Nothing is computed twice.

Any `concurrent.futures.Executor` will do whose workers see the scratch folder: a process pool by
default; Dask with ``Client(...).get_executor()``; on SLURM executorlib's ``SlurmClusterExecutor``
or Parsl's ``ParslPoolExecutor``.

A script that uses the default pool needs ``if __name__ == "__main__":``, because its workers are
started afresh and import it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    wait,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase_probe.baselines.quantum import dft
from ase_probe.baselines.quantum.branch import run
from ase_probe.baselines.quantum.checkpoint import Unit, checkpoint, points
from ase_probe.baselines.quantum.methods import Method, method
from ase_probe.baselines.quantum.pool import executor_or_pool
from ase_probe.baselines.quantum.store import file_name, read, write
from ase_probe.dimer import Dimer
from ase_probe.errors import AseProbeError, EvaluationError

__all__ = ["Built", "Progress", "build"]

Records = list[dict[str, Any]]
Progress = Callable[[int, int, str], None]
"""Called with points done, points in all, and what happened."""

_POLL = 1.0  # s


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    files
        Dimer -> its file.
    failed
        Dimer -> why it has none.
    """

    files: dict[str, Path] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def _done(plan: Sequence[Unit], scratch: Path) -> int:
    """Points on disk."""
    return sum("r" in x for unit in plan for x in points(checkpoint(unit, scratch)))


def _current(path: Path, setup: Method, points: int) -> bool:
    """Is there a file already, made with these settings?"""
    if not path.exists():
        return False
    found = read(path)
    branch = found.branches[found.default]
    return dict(found.method) == setup.settings and len(branch.r) == points


def build(
    dimers: Sequence[Dimer | str],
    tier: str,
    *,
    folder: Path | str,
    scratch: Path | str | None = None,
    executor: Executor | None = None,
    jobs: int | None = None,
    threads: int = 1,
    points: int = 40,
    basis: str | None = None,
    grid: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Compute the reference curves of some dimers at one level of theory.

    Parameters
    ----------
    dimers
        Dimers or their names.
    tier
        A density-functional tier, such as ``dft:pbe``.
    folder
        Where the files go, as ``dft-pbe/N2.json``.
    scratch
        Where the checkpoints go; ``folder/.scratch`` by default. All workers must see it.
    executor
        Runs the tasks; a process pool of `jobs` workers by default. It is not shut down.
    jobs
        Workers of the default pool; as many as there are cores by default.
    threads
        OpenMP threads of one task.
    points
        Distances per curve.
    basis, grid
        Other than the tier's own.
    overwrite
        Assemble again what has a current file already? Finished points are still taken from
        the scratch folder.
    progress
        Called with points done, points in all (an upper limit), and what happened, at least once
        a second.

    Returns
    -------
    Built
        The files, and why a dimer has none: one failure does not stop the others.

    Raises
    ------
    InputError
        Unknown tier, impossible dimer or number of points.
    KeyboardInterrupt
        Stopped by the user; call again to go on.
    """
    setup = method(tier, basis=basis, grid=grid)
    folder = Path(folder)
    scratch = Path(scratch) if scratch is not None else folder / ".scratch"
    wanted = [Dimer.parse(d) if isinstance(d, str) else d for d in dimers]
    result = Built()
    plan: dict[Dimer, tuple[Unit, ...]] = {}
    for dimer in dict.fromkeys(wanted):
        path = folder / file_name(dimer.name, tier)
        tasks = dft.units(dimer, setup, points=points)
        if not overwrite and _current(path, setup, points):
            result.files[dimer.name] = path
        else:
            plan[dimer] = tasks
    everything = [unit for tasks in plan.values() for unit in tasks]
    total = sum(len(unit.order) for unit in everything)

    def tell(what: str) -> None:
        if progress is not None:
            progress(min(_done(everything, scratch), total), total, what)

    tell(f"{len(everything)} tasks for {len(plan)} dimers")
    with executor_or_pool(executor, jobs) as pool:
        pending: dict[Future[Records], tuple[Dimer, Unit]] = {}
        try:
            for dimer, tasks in plan.items():
                for unit in tasks:
                    pending[pool.submit(run, unit, scratch, threads)] = (dimer, unit)
            finished: dict[Dimer, dict[Unit, Records]] = {dimer: {} for dimer in plan}
            while pending:
                done, _ = wait(pending, timeout=_POLL, return_when=FIRST_COMPLETED)
                for future in done:
                    dimer, unit = pending.pop(future)
                    message = _collect(future, unit, finished[dimer])
                    if message:
                        result.failed.setdefault(dimer.name, message)
                    elif len(finished[dimer]) == len(plan[dimer]):
                        made = dft.assemble(dimer, setup, finished[dimer], points=points)
                        result.files[dimer.name] = write(made, folder)
                    tell(message or f"{unit.dimer} {unit.path}")
                if not done:
                    tell("")
        finally:
            for future in pending:
                future.cancel()
    return result


def _collect(future: Future[Records], unit: Unit, found: dict[Unit, Records]) -> str:
    """Take a task's records; return why there are none."""
    try:
        found[unit] = future.result()
    except BrokenExecutor as error:
        raise EvaluationError(
            f"A worker died while computing {unit.dimer} ({unit.path}); too little memory? "
            "Build again with fewer jobs: finished points are kept."
        ) from error
    except (AseProbeError, ArithmeticError, ValueError, RuntimeError) as error:
        return f"{unit.dimer} {unit.path}: {error}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m ase_probe.baselines.quantum.build --tier dft:pbe H2 N2 --folder curves``."""
    parser = argparse.ArgumentParser(description="Compute reference curves with PySCF.")
    parser.add_argument("dimers", nargs="+")
    parser.add_argument("--tier", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--scratch")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--basis")
    options = vars(parser.parse_args(arguments))
    started = time.monotonic()

    def show(done: int, total: int, what: str) -> None:
        if what:
            print(f"{time.monotonic() - started:8.1f} s  {done}/{total}  {what}", flush=True)

    dimers, tier = options.pop("dimers"), options.pop("tier")
    try:
        built = build(dimers, tier, progress=show, **options)
    except AseProbeError as error:
        print(error, file=sys.stderr)
        return 2
    for name, path in built.files.items():
        print(f"{name}: {path}")
    for why in built.failed.values():
        print(why, file=sys.stderr)
    return 1 if built.failed else 0


if __name__ == "__main__":
    sys.exit(main())
