"""Where elements and pairs stand: in the periodic table, and in a matrix of elements."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from ase_probe.dimer import Dimer, ground_multiplicity
from ase_probe.errors import DimerError

__all__ = ["DENSE", "LAST", "Layout", "layout", "position"]

LAST = 103
"""The last element of the table; heavier ones are drawn only where they were audited."""

_PERIODS = ((1, 2), (3, 8), (11, 8), (19, 18), (37, 18), (55, 32), (87, 32))  # first Z, length
DENSE = 24
"""Elements beyond which the cells of a matrix are too small for text."""

_FEWEST_ELEMENTS = 6  # in a periodic table
_FEWEST_IN_MATRIX = 3
_FILLED = 0.5  # of a matrix; a sparser one shows little but gaps


def position(number: int) -> tuple[int, int]:
    """Return (row, column) in the table of 18 columns, both from 1.

    La to Lu and Ac to Lr stand below the table, in rows 8 and 9.

    Parameters
    ----------
    number
        Atomic number, 1 to 118.
    """
    for row, first in ((8, 57), (9, 89)):
        if first <= number < first + 15:
            return row, number - first + 3
    period = bisect_right(_PERIODS, (number, 99))
    first, length = _PERIODS[period - 1]
    index = number - first
    if index == 0 or (index == 1 and period > 1):
        return period, index + 1
    return period, 19 - (length - index)


@dataclass(frozen=True)
class Layout:
    """Which dimers have a place in which picture.

    Attributes
    ----------
    periodic
        Atomic number -> homonuclear dimer; empty where there are few, or a matrix shows them.
    elements
        Atomic numbers of rows and columns of the matrix, ascending; empty where there is none.
    pairs
        (smaller, larger atomic number) -> dimer; what the matrix holds.
    elsewhere
        Dimers without a place in any picture: charged, in an excited state, in no picture.
    """

    periodic: dict[int, str]
    elements: tuple[int, ...]
    pairs: dict[tuple[int, int], str]
    elsewhere: tuple[str, ...]


def layout(names: Iterable[str]) -> Layout:
    """Find the pictures that suit these dimers.

    Homonuclear dimers make a periodic table, the pairs of some elements a matrix of elements.

    Parameters
    ----------
    names
        Dimers; what is no neutral dimer in its ground state has no place.
    """
    names = list(dict.fromkeys(names))
    found: dict[tuple[int, int], str] = {}
    for name in names:
        try:
            dimer = Dimer.parse(name)
        except DimerError:  # a finding about the whole model
            continue
        if dimer.charge == 0 and dimer.multiplicity == ground_multiplicity(dimer.symbols):
            first, second = sorted(dimer.numbers)
            found[first, second] = name
    periodic = {first: name for (first, second), name in found.items() if first == second}
    if len(periodic) < _FEWEST_ELEMENTS:
        periodic = {}
    elements = tuple(sorted({number for pair in found for number in pair}))
    n = len(elements)
    mixed = any(first != second for first, second in found)
    full = n >= _FEWEST_IN_MATRIX and mixed and len(found) >= _FILLED * n * (n + 1) / 2
    if full and n <= DENSE:
        periodic = {}  # the matrix has them, and room for their values
    placed = set(found.values()) if full else set(periodic.values())
    return Layout(
        periodic=periodic,
        elements=elements if full else (),
        pairs=found if full else {},
        elsewhere=tuple(name for name in names if name not in placed),
    )
