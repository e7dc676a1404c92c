"""Physical constants in eV and Å (CODATA 2018, https://doi.org/10.1103/RevModPhys.93.025010)."""

from __future__ import annotations

__all__ = ["BOHR", "COULOMB", "EV_PER_CM", "HARTREE"]

HARTREE = 27.211386245988
"""Hartree energy, eV."""

BOHR = 0.529177210903
"""Bohr radius, Å."""

COULOMB = HARTREE * BOHR
"""e²/(4πε0) = 14.3996454… eV Å."""

EV_PER_CM = 1.239841984332003e-4
"""hc: energy of one cm⁻¹, eV."""
