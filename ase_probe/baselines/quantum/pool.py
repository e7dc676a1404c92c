"""The default pool of workers: one OpenMP thread each, and none outlives its build."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

__all__ = ["executor_or_pool"]

_POLL = 1.0  # s


def _worker(parent: int) -> None:
    """End this worker soon after the build that owns it has died."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _pool(jobs: int) -> Iterator[Executor]:
    """Spawned workers with one OpenMP thread each."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker loads BLAS
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_worker, initargs=(os.getpid(),)
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
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
        with _pool(jobs or os.cpu_count() or 1) as pool:
            yield pool
