"""A progress bar with the time left, for work whose total is an estimate."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase_probe.engine import Progress

__all__ = ["Pace", "progress_bar"]

_PERIOD = 300.0  # s; several groups of dimers, in each of which the last points are slow
_REFRESH = 0.5  # s


class Pace:
    """Seconds left, at the pace of the last minutes.

    rich measures the pace anew whenever the total changes, which here it does all the time.
    """

    def __init__(self) -> None:
        self.seen: deque[tuple[float, int]] = deque()

    def left(self, now: float, done: int, total: int) -> float | None:
        """Take note of what is done at the time `now`, s; `None` while there is no pace yet."""
        self.seen.append((now, done))
        while now - self.seen[0][0] > _PERIOD:
            self.seen.popleft()
        since, before = self.seen[0]
        if done == before:
            return None
        return (total - done) * (now - since) / (done - before)


@contextmanager
def progress_bar(model: str) -> Iterator[Progress | None]:
    """Show a progress bar on a terminal, nothing in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    if not sys.stderr.isatty():  # FORCE_COLOR makes rich take a pipe for a terminal
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("points"),
        TextColumn("[cyan]{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(model, total=None, left="")
        pace, shown = Pace(), -_REFRESH

        def show(done: int, total: int) -> None:
            nonlocal shown
            now = monotonic()
            if now - shown < _REFRESH and done != total:
                return
            shown, seconds = now, pace.left(now, done, total)
            left = "" if seconds is None else f"{timedelta(seconds=round(seconds))} left"
            bar.update(task, completed=done, total=total, left=left)

        yield show
