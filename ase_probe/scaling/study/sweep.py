"""`run_study`: many runs on any executor; what is done is skipped, what fails is reported.

Each run writes its own files into one folder, which all workers must see. A run that fine-tunes
waits for the run it starts from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    wait,
)
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ase_probe.engine import Raised, attempt
from ase_probe.errors import InputError
from ase_probe.scaling.study.cost import remaining
from ase_probe.scaling.study.preset import read_study, with_bases
from ase_probe.scaling.training.result import RunResult, paths
from ase_probe.scaling.training.spec import RunSpec
from ase_probe.workers import process_pool

__all__ = ["Status", "Study", "read_results", "run_study"]


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a sweep stands.

    Attributes
    ----------
    done, total
        Runs with a result, and runs in all.
    failed
        Runs that failed in this sweep.
    last
        The run that ended just now, if any.
    running
        Runs under way.
    seconds_left
        Estimate, s.
    """

    done: int
    total: int
    failed: int
    last: RunSpec | None
    running: tuple[RunSpec, ...]
    seconds_left: float

    def __str__(self) -> str:
        hours, minutes = divmod(round(self.seconds_left / 60), 60)
        failed = f", {self.failed} failed" if self.failed else ""
        now = f", now {'; '.join(spec.label for spec in self.running)}" if self.running else ""
        return f"{self.done}/{self.total} runs{failed}, {hours} h {minutes:02d} min left{now}"


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a sweep left behind.

    Attributes
    ----------
    results
        Of every run that has one, in the order of the study.
    failures
        Run -> why it has none.
    """

    results: list[RunResult]
    failures: Mapping[RunSpec, str]


def run_study(
    source: str | Path | Sequence[RunSpec],
    out: str | Path,
    *,
    executor: Executor | None = None,
    jobs: int = 1,
    progress: Callable[[Status], None] | None = None,
    device: str = "auto",
    checkpoint_every: float = 60.0,
    train: Callable[..., RunResult] | None = None,
) -> Study:
    """Run what the folder `out` does not hold yet.

    Killed, the same call goes on: finished runs are found by the hash of their spec, a run under
    way goes on from its last checkpoint.

    Parameters
    ----------
    source
        Preset, path of a TOML file (see `read_study`), or specs.
    out
        Folder, made if missing; with an executor on other machines, one that they share.
    executor
        Any `concurrent.futures.Executor`; it gets every run at once. `None`: processes here.
    jobs
        Processes, one thread each; with 1 the runs go one after another in this process.
    progress
        Called with a `Status` at the start and whenever a run starts or ends.
    device, checkpoint_every
        As for `ase_probe.scaling.training.run.train`.
    train
        Trains one run instead of that function; must be picklable unless `jobs` is 1.

    Raises
    ------
    InputError
        The study cannot be read, or `jobs` is less than 1 or given with an executor.
    """
    if jobs < 1 or (executor is not None and jobs != 1):
        raise InputError(f"jobs is {jobs}; give 1 or more, and leave it out with an executor.")
    specs = read_study(source) if isinstance(source, str | Path) else with_bases(source)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    call = partial(_timed, train, folder, device, checkpoint_every)
    sweep = _Sweep(specs, folder, jobs if executor is None else None, progress)
    pool, running = executor or _own(jobs), dict[Future[float], RunSpec]()
    sweep.report()
    try:
        while sweep.waiting or running:
            for spec in sweep.start():
                try:
                    future = pool.submit(call, spec)
                except BrokenExecutor:  # a worker was killed; whoever ran beside it failed too
                    if executor is not None:
                        raise
                    pool = _own(jobs)
                    future = pool.submit(call, spec)
                running[future] = spec
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                sweep.end(running.pop(future), future)
    finally:
        if executor is None:
            pool.shutdown(cancel_futures=True)
    ordered = [spec for spec in specs if spec in sweep.done]
    results = [RunResult.load(paths(folder, spec)["result"]) for spec in ordered]
    return Study(results=results, failures=sweep.failures)


def read_results(out: str | Path) -> list[RunResult]:
    """Read every result in a folder, in the order of the names of their files.

    Raises
    ------
    InputError
        A file is no result of a run, or one of another version's recipe.
    """
    found = []
    for path in sorted(Path(out).glob("*.json")):
        found.append(RunResult.load(path))
        if path.stem != found[-1].spec.key():
            raise InputError(
                f"{path} was trained by another version's recipe, or renamed; remove it, or start "
                "in another folder."
            )
    return found


class _Sweep:
    """Which runs wait, which are under way, which are over."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        folder: Path,
        jobs: int | None,
        progress: Callable[[Status], None] | None,
    ) -> None:
        self.total, self.jobs, self.progress = len(specs), jobs, progress
        self.done = {spec for spec in specs if paths(folder, spec)["result"].exists()}
        self.waiting = [spec for spec in specs if spec not in self.done]
        self.running: list[RunSpec] = []
        self.failures: dict[RunSpec, str] = {}
        self.taken: dict[RunSpec, float] = {}
        self.started = time.monotonic()

    def start(self) -> Iterator[RunSpec]:
        """Hand out the runs that can start now; give up those whose start has failed."""
        for spec in list(self.waiting):
            if spec.base in self.failures:
                assert spec.base is not None
                self.waiting.remove(spec)
                self.failures[spec] = f"{spec.base.label} failed"
            elif (self.jobs is None or len(self.running) < self.jobs) and (
                spec.base is None or spec.base in self.done
            ):
                self.waiting.remove(spec)
                self.running.append(spec)
                self.report()
                yield spec

    def end(self, spec: RunSpec, future: Future[float]) -> None:
        """Take note of a run that is over."""
        self.running.remove(spec)
        wrong = future.exception()
        if wrong is None:
            self.done.add(spec)
            self.taken[spec] = future.result()
        else:
            self.failures[spec] = f"{type(wrong).__name__}: {wrong}"
        self.report(spec)

    def report(self, last: RunSpec | None = None) -> None:
        """Tell where the sweep stands."""
        if self.progress is None:
            return
        workers = float(self.jobs or 0)
        if self.jobs is None:  # as many as have been at work so far
            workers = sum(self.taken.values()) / (time.monotonic() - self.started)
        left = remaining([*self.running, *self.waiting], self.taken.items(), max(1.0, workers))
        status = Status(
            done=len(self.done),
            total=self.total,
            failed=len(self.failures),
            last=last,
            running=tuple(self.running),
            seconds_left=left,
        )
        self.progress(status)


def _timed(
    train: Callable[..., RunResult] | None,
    folder: Path,
    device: str,
    checkpoint_every: float,
    spec: RunSpec,
) -> float:
    """Train in a worker, on one thread; return the seconds it took."""
    import torch

    from ase_probe.scaling.training import run

    started, threads = time.monotonic(), torch.get_num_threads()
    torch.set_num_threads(1)  # sums over more threads round differently
    try:
        (train or run.train)(spec, folder, device=device, checkpoint_every=checkpoint_every)
    finally:
        torch.set_num_threads(threads)
    return time.monotonic() - started


def _own(jobs: int) -> Executor:
    return _Here() if jobs == 1 else process_pool(jobs)


class _Here(Executor):
    """Runs a call when it is handed in."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        answer = attempt(partial(call, *args, **keywords))
        if isinstance(answer, Raised):
            future.set_exception(answer.error)
        else:
            future.set_result(answer)
        return future
