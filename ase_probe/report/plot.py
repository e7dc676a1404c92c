"""`text_plot`: a curve in a few lines of characters, for terminals and failing tests.

The energy axis is linear near zero and logarithmic away from it, y = sign(E)·log10(1 + |E|/eV), so
that a well of 5 eV and a hole of 3000 eV are both seen. What lies outside the window is marked, and
so is every point without a finite energy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ase_probe.curve import Curve
from ase_probe.report.digest import zero
from ase_probe.report.numbers import clean, quantity

__all__ = ["text_plot", "well_index"]

_LOWEST, _HIGHEST = -1e4, 1e3  # eV from the zero; beyond, arrows
_MARKS = "o+x*"
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # [row][column] of a 4 × 2 cell
_Array = np.ndarray


def _squeeze(energy: _Array) -> _Array:
    squeezed: _Array = np.sign(energy) * np.log10(1.0 + np.abs(energy))
    return squeezed


def well_index(energy: _Array) -> int:
    """Return the index of the outermost minimum with a wall of 1 eV inside it (for framing)."""
    best = len(energy) - 1
    for index in range(len(energy) - 1, -1, -1):
        if energy[index] < energy[best]:
            best = index
        elif energy[index] > energy[best] + 1.0:
            return best
    return len(energy) - 1


def _spans(x: _Array, y: _Array, edges: _Array) -> list[tuple[float, float] | None]:
    """Lowest and highest y of the polyline between neighbouring edges; NaN breaks the line."""
    found: list[tuple[float, float] | None] = []
    at_edges = np.interp(edges, x, y, left=np.nan, right=np.nan)
    for i in range(len(edges) - 1):
        inside = y[(x >= edges[i]) & (x <= edges[i + 1])]
        values = np.array([*at_edges[i : i + 2], *inside])
        values = values[np.isfinite(values)]
        found.append((float(values.min()), float(values.max())) if len(values) else None)
    return found


def _ticks(low: float, high: float, height: int) -> dict[int, str]:
    """Row -> label; zero and powers of ten of the energy, as many as fit."""
    rows: dict[int, str] = {}
    decades = [0.0, *(sign * 10.0**power for power in range(5) for sign in (-1, 1))]
    for energy in decades:
        y = float(_squeeze(np.array(energy)))
        if low <= y <= high:
            row = round((high - y) / (high - low) * (height * 4 - 1)) // 4
            if not {row - 1, row, row + 1} & rows.keys() or energy == 0:
                rows[row] = f"{energy:.0f}".replace("-", "−")
    return rows


def text_plot(
    curve: Curve,
    references: Mapping[str, Curve] | None = None,
    *,
    name: str = "",
    drawn: str = "model",
    width: int = 60,
    height: int = 12,
    mark: tuple[float, str] | None = None,
) -> str:
    """Return a plot of energy (eV) against distance (Å), `width` × `height` characters inside.

    Parameters
    ----------
    curve
        The model's curve; drawn as a line, relative to its isolated atoms where it has them.
    references
        Tier -> curve, relative to the separated fragments; drawn as letters.
    name
        Put into the title.
    drawn
        What the line is called in the legend.
    mark
        A distance (Å) to draw a vertical line at, and what to call it in the legend.
    """
    references = references or {}
    base, base_name = zero(curve)
    finite = np.isfinite(curve.energy)
    title = f"{clean(name)}: " if name else ""
    if not finite.any():
        why = clean(next(iter(curve.failures.values()), "every energy is NaN or infinite"))
        return f"{title}nothing to plot, no finite energy at {len(curve)} distances ({why})"
    with np.errstate(over="ignore", invalid="ignore"):
        energy = np.where(finite, curve.energy - base, np.nan)
    finite = np.isfinite(energy)

    here = curve.r[finite]
    bottom = float(here[well_index(energy[finite])])
    r0, r1 = float(curve.r[0]), float(min(curve.r[-1], max(4.0, 3.0 * bottom)))
    if r1 <= r0:
        r0, r1 = r0 - 0.5, r0 + 0.5
    shown = finite & (curve.r <= r1)
    known = [energy[shown]] + [
        ref.energy[np.isfinite(ref.energy) & (ref.r >= r0) & (ref.r <= r1)]
        for ref in references.values()
    ]
    window = np.clip(np.concatenate(known), _LOWEST, _HIGHEST)
    window = window if len(window) else np.zeros(1)
    low, high = (float(v) for v in _squeeze(np.array([window.min(), window.max()])))
    low, high = min(low, 0.0) - 0.15, max(high, 0.0) + 0.15

    fine = 4 * height - 1

    def row_of(y: float) -> int:
        return round((high - y) / (high - low) * fine)

    cells = [[0] * width for _ in range(height)]
    glyphs: dict[tuple[int, int], str] = {}
    edges = np.linspace(r0, r1, 2 * width + 1)
    for column, span in enumerate(_spans(curve.r, _squeeze(energy), edges)):
        if span is None:
            continue
        if span[1] > high:
            glyphs[0, column // 2] = "▲"
        if span[0] < low:
            glyphs[height - 1, column // 2] = "▼"
        if span[1] < low or span[0] > high:
            continue
        for row in range(row_of(min(span[1], high)), row_of(max(span[0], low)) + 1):
            cells[row // 4][column // 2] |= _BRAILLE[row % 4][column % 2]
    legend = []
    centres = (edges[:-1:2] + edges[2::2]) / 2
    for letter, (tier, ref) in zip(_MARKS, references.items(), strict=False):
        legend.append(f"{letter} {clean(tier)}")
        y = np.interp(centres, ref.r, _squeeze(ref.energy), left=np.nan, right=np.nan)
        for cell in np.flatnonzero(np.isfinite(y) & (y >= low) & (y <= high)).tolist():
            if cell % 2 == _MARKS.index(letter) % 2:
                glyphs.setdefault((row_of(float(y[cell])) // 4, cell), letter)
    if mark is not None and r0 <= mark[0] <= r1:
        legend.insert(0, f"┊ {clean(mark[1])}")
        column = min(int((mark[0] - r0) / (r1 - r0) * width), width - 1)
        for row in range(height):
            glyphs.setdefault((row, column), "┊")

    ticks = _ticks(low, high, height)
    lines = [f"{title}E / eV on a symlog scale, relative to {base_name}"]
    for row in range(height):
        label = ticks.get(row, "")
        inside = "".join(
            glyphs[row, column]
            if (row, column) in glyphs and (not mask or glyphs[row, column] in "▲▼")
            else chr(0x2800 + mask)
            if mask
            else " "
            for column, mask in enumerate(cells[row])
        )
        lines.append(f"{label:>6} {'┤' if label else '│'}{inside}".rstrip())
    axis = ["─"] * width
    lost = ~np.isfinite(energy) & (curve.r >= r0) & (curve.r <= r1)
    for r in curve.r[lost].tolist():
        axis[min(int((r - r0) / (r1 - r0) * width), width - 1)] = "×"
    lines.append(" " * 7 + "└" + "".join(axis))
    left, right = f"{r0:.2g}", f"{r1:.3g}"
    middle = "r / Å"
    gap = width - len(left) - len(right) - len(middle)
    lines.append(" " * 8 + left + " " * (gap // 2) + middle + " " * (gap - gap // 2) + right)

    if np.nanmin(energy) < _LOWEST:
        legend.append(f"▼ below, down to {quantity(float(np.nanmin(energy)), 'eV')}")
    if np.nanmax(energy) > _HIGHEST:
        legend.append(f"▲ above, up to {quantity(float(np.nanmax(energy)), 'eV')}")
    if (~np.isfinite(energy)).any():
        legend.append(f"× no finite energy, {int((~np.isfinite(energy)).sum())} points")
    line = " " * 8 + f"⣿ {clean(drawn)}"
    for item in legend:
        if len(line) + len(item) + 3 > width + 8:
            lines.append(line)
            line = " " * 8 + item
        else:
            line += f"   {item}"
    return "\n".join([*lines, line]).replace("\u00a0", " ")
