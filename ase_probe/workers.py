"""How a worker process of ours begins: it never outlives its owner, and Ctrl-C ends it quietly.

The owner says that it was interrupted; a traceback of every idle worker would only hide that.
"""

from __future__ import annotations

import os
import signal
import threading
import time

__all__ = ["begin"]

_POLL = 1.0  # s
_INTERRUPTED = 130  # exit code, as shells have it


def begin(owner: int) -> None:
    """Make this worker end soon after its owner has died, and at once on Ctrl-C.

    Parameters
    ----------
    owner
        Process ID of who started it. Meant as the ``initializer`` of a `ProcessPoolExecutor`.
    """

    def watch() -> None:
        while os.getppid() == owner:
            time.sleep(_POLL)
        os._exit(1)

    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    threading.Thread(target=watch, daemon=True).start()
