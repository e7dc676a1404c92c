"""The unit in which the study's networks learn energies."""

from __future__ import annotations

from scipy.constants import N_A, calorie, electron_volt

__all__ = ["UNIT"]

UNIT = 25 * 1000 * calorie / N_A / electron_volt
"""25 kcal/mol in eV: the study's targets are atomization energies in kcal/mol over 25."""
