"""`rows`: a bundled CSV table, read strictly. Comment lines, one header, then equally long rows."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

from ase_probe.errors import InputError

__all__ = ["bundled", "number", "rows"]


def bundled(name: str) -> str:
    """Return the text of a file in ``baselines/data``."""
    path = files("ase_probe.baselines") / "data" / name
    return path.read_text(encoding="utf-8")


def rows(text: str, columns: Sequence[str], what: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table as column -> cell.

    Parameters
    ----------
    text
        Lines that start with ``#``, the header `columns`, then one line per row.
    columns
        The header, exactly.
    what
        Name of the table, for the message.

    Raises
    ------
    InputError
        Another header, no rows, or a row of another length.
    """
    kept = (line for line in text.splitlines() if line and not line.startswith("#"))
    header, *lines = [*csv.reader(kept)] or [[]]
    if header != list(columns) or not lines:
        raise InputError(
            f"The table of {what} must have rows under the columns {list(columns)}, "
            f"found {len(lines)} under {header}."
        )
    for cells in lines:
        if len(cells) != len(columns):
            raise InputError(f"Bad row {','.join(cells)!r} in the table of {what}: wrong length.")
        yield dict(zip(columns, cells, strict=True))


def number(row: Mapping[str, str], column: str, *, low: float = -math.inf) -> float:
    """Return one cell as a finite number, at least `low`.

    Raises
    ------
    ValueError
        It is none.
    """
    value = float(row[column])
    if not math.isfinite(value) or value < low:
        raise ValueError(f"{column} is {row[column]}")
    return value
