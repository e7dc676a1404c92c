"""`Interval`: what is known of a number."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interval"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval, ends included.

    Attributes
    ----------
    low, high
        Its ends; where it is open the end of what was considered, such as 0 or infinity.
    open_low, open_high
        Do the data leave this side open?
    """

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high
