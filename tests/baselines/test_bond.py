"""The constants of a reference's minimum."""

import numpy as np
import pytest

from ase_probe import Dimer
from ase_probe.baselines import TIERS, Unavailable, constants
from ase_probe.baselines.bond import bond
from ase_probe.baselines.tier import Level, curve


def test_exact_h2():
    found = bond(Dimer.parse("H2"), TIERS["exact"])
    assert found.r_e == pytest.approx(0.74142, abs=1e-4)
    assert found.D_e == pytest.approx(4.74773, abs=1e-4)
    assert found.omega_e == pytest.approx(4401.2, abs=5.0)


@pytest.mark.parametrize(("depth", "a", "r_e"), [(1.0, 2.0, 1.5), (9.9, 2.69, 1.1), (0.01, 1, 4)])
def test_morse(depth, a, r_e):
    def potential(r):
        x = np.exp(-a * (r - r_e))
        return depth * (x * x - 2 * x), 2 * a * depth * (x - x * x)

    def tier(dimer, r):
        return curve(Level(tier="t", level="Morse", source="-"), r, potential)

    n2 = Dimer.parse("N2")
    found = bond(n2, tier)
    assert found.r_e == pytest.approx(r_e, abs=1e-6)
    assert found.D_e == pytest.approx(depth, rel=1e-6)
    # ω_e = a/(2πc)·sqrt(2D/μ); 521.47 = sqrt(eV/u)/Å/(2πc) in cm⁻¹
    assert found.omega_e == pytest.approx(521.47 * a * np.sqrt(2 * depth / 7.0015), rel=2e-3)


def test_no_minimum_no_bond():
    assert isinstance(bond(Dimer.parse("H2++"), TIERS["analytic:coulomb"]), Unavailable)
    assert isinstance(bond(Dimer.parse("N2"), TIERS["exact"]), Unavailable)


def test_exact_h2_plus_is_in_the_table():
    known = constants(Dimer.parse("H2+"))
    assert bond(Dimer.parse("H2+"), TIERS["exact"]).D_e == pytest.approx(known.D_e, abs=1e-3)
