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

from ase_probe.baselines.quantum.checkpoint import Setup, Unit, checkpoint, points
from ase_probe.baselines.quantum.plan import radii
from ase_probe.baselines.quantum.pool import executor_or_pool
from ase_probe.baselines.quantum.store import file_name, read, write
from ase_probe.baselines.quantum.tiers import engine
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
    """Points on disk; a finished task counts in full, whatever it could leave out."""
    found = 0
    for unit in plan:
        rows = points(checkpoint(unit, scratch))
        finished = bool(rows) and "done" in rows[-1]
        found += len(unit.order) if finished else sum("r" in x for x in rows)
    return found


def _current(path: Path, dimer: Dimer, setup: Setup, points: int) -> bool:
    """Is there a file already, made with these settings? It may end early, but not start late."""
    if not path.exists():
        return False
    found = read(path)
    r = found.branches[found.default].r
    return (
        dict(found.method) == setup.settings
        and list(r) == radii(dimer, points=points).tolist()[: len(r)]
    )


def build(
    dimers: Sequence[Dimer | str],
    tier: str,
    *,
    folder: Path | str,
    scratch: Path | str | None = None,
    executor: Executor | None = None,
    jobs: int | None = None,
    threads: int = 1,
    points: int | None = None,
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
        A computed tier: ``dft:pbe`` and the like, or ``wavefunction``.
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
        Distances per curve; 40 of a functional and 30 of ``wavefunction`` by default.
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
    maker = engine(tier)
    setup = maker.setup(tier, basis=basis, grid=grid)
    points = maker.points if points is None else points
    folder = Path(folder)
    scratch = Path(scratch) if scratch is not None else folder / ".scratch"
    wanted = [Dimer.parse(d) if isinstance(d, str) else d for d in dimers]
    result = Built()
    plan: dict[Dimer, tuple[Unit, ...]] = {}
    for dimer in dict.fromkeys(wanted):
        path = folder / file_name(dimer.name, tier)
        tasks = maker.units(dimer, setup, points=points)
        if not overwrite and _current(path, dimer, setup, points):
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
                    pending[pool.submit(maker.run, unit, scratch, threads)] = (dimer, unit)
            finished: dict[Dimer, dict[Unit, Records]] = {dimer: {} for dimer in plan}
            while pending:
                done, _ = wait(pending, timeout=_POLL, return_when=FIRST_COMPLETED)
                for future in done:
                    dimer, unit = pending.pop(future)
                    message = _collect(future, unit, finished[dimer])
                    if message:
                        result.failed.setdefault(dimer.name, message)
                    elif len(finished[dimer]) == len(plan[dimer]):
                        message = _finish(dimer, setup, finished[dimer], points, folder, result)
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


def _finish(
    dimer: Dimer,
    setup: Setup,
    finished: dict[Unit, Records],
    points: int,
    folder: Path,
    result: Built,
) -> str:
    """Write the curve of a finished dimer; return why there is none."""
    try:
        made = engine(setup.tier).assemble(dimer, setup, finished, points=points)
        result.files[dimer.name] = write(made, folder)
    except (AseProbeError, ArithmeticError, ValueError) as error:
        result.failed.setdefault(dimer.name, f"{dimer}: {error}")
        return result.failed[dimer.name]
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m ase_probe.baselines.quantum.build --tier dft:pbe H2 N2 --folder curves``."""
    parser = argparse.ArgumentParser(description="Compute reference curves with PySCF.")
    parser.add_argument("dimers", nargs="+")
    parser.add_argument("--tier", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--scratch")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--points", type=int)
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
