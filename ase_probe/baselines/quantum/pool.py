"""The default pool of workers: one OpenMP thread each, and none outlives its build."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from ase_probe.workers import process_pool

__all__ = ["executor_or_pool"]


@contextmanager
def _pool(jobs: int) -> Iterator[Executor]:
    """Spawned workers with one OpenMP thread each."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker loads BLAS
    workers = process_pool(jobs)
    try:
        yield workers
    finally:
        workers.shutdown(wait=False, cancel_futures=True)
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


@contextmanager
def executor_or_pool(given: Executor | None, jobs: int | None) -> Iterator[Executor]:
    """Yield the caller's executor, or a pool that is shut down afterwards."""
    if given is not None:
        yield given
    else:
        with _pool(jobs or os.cpu_count() or 1) as own:
            yield own
