"""What `ase-probe baseline list` and `show` print: lines of text, built by pure functions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ase_probe.baselines import Unavailable
from ase_probe.baselines.tabulated import TABULATED
from ase_probe.curve import Constants, Curve
from ase_probe.report.numbers import NBSP, clean, quantity
from ase_probe.report.plot import text_plot

if TYPE_CHECKING:
    from ase_probe.baselines.catalogue import Entry
    from ase_probe.dimer import Dimer

__all__ = ["list_lines", "show_lines"]

WIDTH = 100
_TIER = 22  # the longest id and two blanks
_RANGE = 16
_ERROR = 11
_SHORT = {"unrestricted": "U", "restricted": "R"}
_FIRST = ("exact", "wavefunction", "dft:wb97m-v", "dft:r2scan", "dft:pbe")  # drawn as the line
_PLOT_FROM = 0.1  # Å


def _text(value: str) -> str:
    return clean(value).replace(NBSP, " ")


def _range(low: float, high: float | None) -> str:
    if high is None:
        return "every r" if low == 0 else f"from {low:.3g} Å"
    end = f"{float(f'{high:.3g}'):g} Å"
    return f"up to {end}" if low == 0 else f"{low:.3g} to {end}"


def _size(eV: float) -> str:
    if eV < 1e-6:
        return "0.001 meV"
    return f"{eV:.2g} eV" if eV >= 0.01 else f"{1000 * eV:.2g} meV"


def _error(eV: float | None, relative: float | None, *, missing: str = "–") -> str:
    """Stated error in one cell: ``exact``, ``±3 meV``, ``±20 %``."""
    if eV == 0.0 and not relative:
        return "exact"
    parts = [] if eV is None else [_size(eV)]
    if relative:
        parts.append(f"{max(100 * relative, 0.001):.2g} %")
    return "±" + " or ±".join(parts) if parts else missing


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _row(entry: Entry) -> str:
    notes = [" ".join(_SHORT.get(name, name) for name in entry.branches)]
    notes += ["masked" if entry.masked else "", entry.date]
    rest = "".join(f"; {_text(note)}" for note in notes if note)
    head = (
        f"  {entry.tier:{_TIER}}{_range(entry.r_min, entry.r_max):{_RANGE}}"
        f"{_error(entry.uncertainty_eV, entry.relative_uncertainty):{_ERROR}}"
    )
    room = max(WIDTH - len(head) - len(rest), 12)
    return (head + _cut(_text(entry.level), room) + rest).rstrip()


def list_lines(found: Iterable[Entry]) -> list[str]:
    """Lines of ``baseline list``: a heading per dimer, a row per tier, a legend, what next.

    Parameters
    ----------
    found
        Grouped by dimer.
    """
    lines, last = [], ""
    for dimer, rows in groupby(found, key=lambda entry: entry.dimer):
        last = last or dimer
        lines += [dimer, *map(_row, rows)]
    if not lines:
        return []
    return [
        *lines,
        "",
        "± stated error; U unrestricted, R restricted, 2S=n at fixed spin; masked: a range is left "
        "out.",
        f"Reasons, branches and a plot: ase-probe baseline show {last}",
    ]


def _paragraph(text: str, head: str = "") -> list[str]:
    return textwrap.wrap(
        _text(text),
        WIDTH,
        initial_indent=f"{head:{_TIER}}",
        subsequent_indent=" " * _TIER,
        break_long_words=False,
    )


def _minimum(curve: Curve) -> str:
    low = int(np.argmin(curve.energy))
    if not 0 < low < len(curve.r) - 1 or curve.energy[low] >= 0:
        return ""
    return f"minimum {quantity(float(curve.energy[low]), 'eV')} near {curve.r[low]:.3f} Å"


def _curve(tier: str, curve: Curve, entry: Entry | None) -> list[str]:
    facts = curve.provenance
    low, high = facts["valid_r"]
    error = _error(facts["uncertainty_eV"], facts["relative_uncertainty"], missing="")
    if "branch" in facts and not facts["truth"]:
        # The error of a functional is unknown; what is stated is that of the interpolation.
        stated = "to compare like with like" + (f", interpolated to {error}" if error else "")
    else:
        worth = "truth within" if facts["truth"] else "no truth, stated error"
        stated = "exact" if error == "exact" else f"{worth} {error}" if error else "no stated error"
    head = f"{_range(low, high if np.isfinite(high) else None)}, {stated}"
    lines = [*_paragraph(head, tier), *_paragraph(str(facts["level"]))]
    if "branch" in facts:
        branches = entry.branches if entry is not None else (facts["branch"],)
        lines += _paragraph(f"branches: {', '.join(branches)}; this is {facts['branch']}")
    for mask in facts.get("masks", ()):
        start, end = mask["r"]
        lines += _paragraph(f"left out {start:.3g} to {end:.3g} Å: {mask['reason']}")
    if facts.get("date"):
        lines += _paragraph(f"computed {facts['date']}")
    return lines + (_paragraph(minimum) if (minimum := _minimum(curve)) else [])


def _depth(eV: float) -> str:
    return f"{eV:.3f} eV" if eV >= 0.1 else f"{1000 * eV:.3f} meV"


def _experiment(known: Constants | None, name: str) -> list[str]:
    if known is None:
        return _paragraph(f"none: no constants of {name} are known here.", "experiment")
    error = known.D_e_uncertainty
    stated = "" if error is None else f" ± {_size(error)}"
    omega = "" if known.omega_e is None else f", ω_e {known.omega_e:.0f} cm⁻¹"
    lines = _paragraph(
        f"D_e {_depth(known.D_e)}{stated}, r_e {known.r_e:.4f} Å{omega}", "experiment"
    )
    if known.D_e_without_spin_orbit != known.D_e:
        corrected = _depth(known.D_e_without_spin_orbit)
        lines += _paragraph(f"D_e {corrected} without spin–orbit coupling")
    if known.uncertain:
        lines += _paragraph("uncertain: judges nothing")
    return [*lines, *_paragraph(f"{known.term}; {known.source}")]


def _plot(curves: Mapping[str, Curve], name: str) -> list[str]:
    """Best curve as a line, the others as marks, from `_PLOT_FROM` on; none without a well."""
    shown = {}
    best_first = [tier for tier in _FIRST if tier in curves]
    for tier in (*best_first, *curves) if best_first else ():
        curve = curves[tier]
        far = curve.r >= _PLOT_FROM
        if far.sum() > 2 and tier not in shown:
            # Two atoms of energy zero: reference curves count from separated fragments.
            shown[tier] = Curve(r=curve.r[far], energy=curve.energy[far], atom_energies=np.zeros(2))
    if not shown:
        return []
    first, *_ = shown
    best = shown.pop(first)
    return text_plot(best, shown, name=name, drawn=first).splitlines()


def show_lines(
    dimer: Dimer,
    found: Mapping[str, Curve | Unavailable],
    known: Constants | None,
    *,
    stored: Mapping[str, Entry] | None = None,
    plot: bool = True,
) -> list[str]:
    """Lines of ``baseline show``: every tier or why there is none, and a plot.

    Parameters
    ----------
    dimer
        The dimer.
    found
        Tier -> its curve or why there is none.
    known
        Experimental constants.
    stored
        Tier -> entry of a stored curve, for the names of its branches.
    plot
        Add the plot?
    """
    charge = f", charge {dimer.charge:+d}" if dimer.charge else ""
    count = f"{dimer.electrons} electron{'' if dimer.electrons == 1 else 's'}"
    lines = [f"{dimer}: {count}, multiplicity {dimer.multiplicity}{charge}", ""]
    stored = stored or {}
    curves = {tier: curve for tier, curve in found.items() if isinstance(curve, Curve)}
    for tier, curve in curves.items():
        lines += _curve(tier, curve, stored.get(tier))
    lines += _experiment(known, str(dimer))
    absent = [tier for tier in TABULATED if tier in found and tier not in (*curves, *stored)]
    for tier, answer in found.items():
        if isinstance(answer, Unavailable) and tier not in absent:
            lines += _paragraph(f"none: {answer.reason}", tier)
    if absent:
        lines += ["", *_paragraph(", ".join(absent), "not computed")]
        lines += [f"{'':{_TIER}}ase-probe baseline build {dimer} --tier {absent[-1]}"]
    drawn = _plot(curves, str(dimer)) if plot else []
    return [*lines, "", *drawn] if drawn else lines
