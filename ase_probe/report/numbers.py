"""Numbers as a reader wants them: sensible digits, the unit beside them, a real minus sign.

Number and unit are joined by a no-break space (`NBSP`), so that no line ever ends between them.
"""

from __future__ import annotations

import math
import unicodedata

from ase_probe.curve import Finding

__all__ = ["MISSING", "NBSP", "clean", "limits", "number", "percent", "quantity"]

MISSING = "–"
NBSP = "\u00a0"
_MINUS = "−"
_CONTINUOUS = {"eV", "meV", "eV/Å", "Å", "cm⁻¹", "cm-1", "Å⁻¹"}
_TINY = 0.01  # eV and eV/Å below this read better with the prefix milli
_HUGE = 1e5


def clean(text: object) -> str:
    """Return `text` on one line, without control characters, escape codes or lone surrogates."""
    line = " ".join(str(text).split())
    return "".join(
        "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char for char in line
    )


def _digits(value: float, digits: int, *, keep_zeros: bool) -> str:
    size = abs(value)
    if value == 0:
        shown = "0"
    elif size >= _HUGE or size < 1e-3:
        mantissa, _, exponent = f"{value:.{min(digits, 2) - 1}e}".partition("e")
        shown = f"{mantissa}e{int(exponent)}"
    elif size >= 10.0 ** (digits - 1):
        shown = f"{value:.0f}"
    else:
        shown = f"{value:{'#' if keep_zeros else ''}.{digits}g}".rstrip(".")
    return shown.replace("-", _MINUS)


def _split(value: float, unit: str, *, brief: bool) -> tuple[str, str]:
    """Return number and unit; `brief` is for limits, which are round numbers."""
    if math.isnan(value):
        return "NaN", ""
    if math.isinf(value):
        return ("∞" if value > 0 else f"{_MINUS}∞"), unit
    if unit not in _CONTINUOUS and value.is_integer() and abs(value) < _HUGE:
        return f"{value:.0f}".replace("-", _MINUS), unit
    digits = 3 if brief or abs(value) < 1 else 4
    if unit in ("eV", "eV/Å") and 1e-6 <= abs(value) < _TINY:
        return _digits(value * 1000, 2, keep_zeros=not brief), f"m{unit}"
    return _digits(value, digits, keep_zeros=not brief), unit


def _join(shown: str, unit: str) -> str:
    return f"{shown}{NBSP}{unit}" if unit else shown


def number(value: float | None, unit: str = "") -> str:
    """Return the number alone; `–` when there is none."""
    return MISSING if value is None else _split(float(value), unit, brief=False)[0]


def quantity(value: float | None, unit: str = "", *, brief: bool = False) -> str:
    """Return number and unit; `–` when there is none. `brief` is for limits, round numbers.

    >>> [quantity(v, "eV").replace(NBSP, " ") for v in (-2.6e8, 4.748, 0.0012)]
    ['−2.6e8 eV', '4.748 eV', '1.2 meV']
    """
    return MISSING if value is None else _join(*_split(float(value), clean(unit), brief=brief))


def percent(fraction: float) -> str:
    """Return a fraction in percent; never rounds up to 100 or down to 0."""
    rounded = round(100 * fraction)
    if math.isfinite(fraction) and 0 < fraction < 1:
        rounded = min(max(rounded, 1), 99)
    return f"{rounded}{NBSP}%"


def limits(finding: Finding) -> str:
    """Return both thresholds of a finding, the one for pass first: `≤ 0.02 | ≥ 0.1 Å`.

    A `±` says that they apply to the distance from the reference.
    """
    if finding.threshold is None:
        return MISSING
    good, bad = finding.threshold
    unit = clean(finding.unit)
    (left, left_unit), (right, right_unit) = (
        _split(float(limit), unit, brief=True) for limit in (good, bad)
    )
    if finding.reference is not None and bad >= good:
        signs = ("±", "±")
    else:
        signs = (f"≤{NBSP}", f"≥{NBSP}") if bad >= good else (f"≥{NBSP}", f"≤{NBSP}")
    if good == bad:
        return _join(signs[0] + left, left_unit)
    if left_unit == right_unit or good == 0:
        left_unit = ""
    return f"{_join(signs[0] + left, left_unit)} | {_join(signs[1] + right, right_unit)}"
