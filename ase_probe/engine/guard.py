"""The one place where foreign code may raise anything.

A vendor's model on a hostile geometry, a user's factory, a broken plugin: none of them promises
which exceptions it raises. `attempt` turns whatever comes into a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Raised", "attempt"]

T = TypeVar("T")


@dataclass(frozen=True)
class Raised:
    """The exception a call ended with."""

    error: Exception | SystemExit

    @property
    def message(self) -> str:
        """Type and text of the exception in one line, 300 characters at most."""
        text = " ".join(str(self.error).split())
        name = type(self.error).__name__
        return (f"{name}: {text}" if text else name)[:300]

    @property
    def out_of_memory(self) -> bool:
        """Did the call run out of memory (of the host or of a GPU)?"""
        return isinstance(self.error, MemoryError) or "out of memory" in str(self.error).lower()


def attempt(call: Callable[[], T]) -> T | Raised:
    """Return what `call` returns, or what it raised; an interrupt passes through."""
    try:
        return call()
    except (Exception, SystemExit) as error:  # noqa: BLE001  foreign code, see above
        return Raised(error)
