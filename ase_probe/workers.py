"""Processes that work for ours: none outlives its owner, and Ctrl-C ends them quietly.

The owner says that it was interrupted; a traceback of every idle worker would only hide that. They
end wherever they are, so what they write has to be whole or not there.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

__all__ = ["process_pool"]

_POLL = 1.0  # s
_INTERRUPTED = 130  # exit code, as shells have it


def process_pool(jobs: int) -> ProcessPoolExecutor:
    """Return a pool of so many spawned workers; its owner is the process that calls this."""
    return ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
    )


def _begin(owner: int) -> None:
    """Make this worker end soon after its owner has died, and at once on Ctrl-C."""

    def watch() -> None:
        while os.getppid() == owner:
            time.sleep(_POLL)
        os._exit(1)

    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    threading.Thread(target=watch, daemon=True).start()
