"""Which reference stands for a model's own labels."""

import numpy as np
import pytest

from ase_probe import Curve, Dimer
from ase_probe.baselines import Unavailable, labels, own_level
from ase_probe.model import ModelCard
from ase_probe.registry import models

R = np.geomspace(0.2, 9.0, 60)
NONE = None
LEVELS = {
    "PBE(+U), VASP PAW (MPtrj)": "dft:pbe",
    "PBE(+U)": "dft:pbe",
    "PBE without +U, VASP PAW (MatPES)": "dft:pbe",
    "PBE (MatPES)": "dft:pbe",
    "PBE(+U)-D3": "dft:pbe",
    "PBE-D3, VASP (ODAC25)": "dft:pbe",
    "r2SCAN (MP-r2SCAN), transferred from PBE(+U)": "dft:r2scan",
    "r2SCAN, VASP PAW (MatPES)": "dft:r2scan",
    "r2SCAN, not spin-polarized (MAD-1.6)": "dft:r2scan",
    "ωB97M-V/def2-TZVPD (OMol25)": "dft:wb97m-v",
    "ωB97M-D3(BJ)/def2-TZVPPD (SPICE)": "dft:wb97m-v",
    "ωB97M-D4rev": "dft:wb97m-v",
    "ωB97M-D3(BJ), unrestricted": "dft:wb97m-v",
    "PBE0+MBD": NONE,
    "PBEsol (MAD-1)": NONE,
    "RPBE-D3(zero), VASP (OC25)": NONE,
    "r2SCAN-3c/def2-mTZVPP": NONE,
    "ωB97X/6-31G(d)": NONE,
    "B97-3c": NONE,
    "GFN2-xTB": NONE,
    "analytic": NONE,
    "by task: PBE(+U) (omat), ωB97M-V (omol)": NONE,
}


def card(level, **facts):
    return ModelCard(name="m", family="f", level_of_theory=level, **facts)


@pytest.mark.parametrize(("level", "tier"), LEVELS.items())
def test_level_to_tier(level, tier):
    found = labels(card(level))
    if tier is None:
        assert isinstance(found, Unavailable)
        assert found.reason.endswith(".")
    else:
        assert found.tier == tier


def test_every_card_has_a_level_or_a_reason():
    tiers = {}
    for one in models():
        found = labels(one)
        tiers[one.level_of_theory] = None if isinstance(found, Unavailable) else found.tier
    assert tiers["ωB97M-V/def2-TZVPD, ORCA 6 (OMol25)"] == "dft:wb97m-v"
    unmatched = {level for level, tier in tiers.items() if tier is None}
    # A functional for which there are tiers must not slip through for want of a pattern.
    assert not [x for x in unmatched if x and x.startswith(("PBE(", "PBE,", "PBE ", "ωB97M-"))]


def test_an_unstated_level_has_none():
    assert "does not state" in labels(card(None)).reason
    assert "depends on the task" in labels(card("by task: PBE, r2SCAN")).reason


def test_plus_u_has_no_row():
    assert "+U" in own_level(card("PBE(+U)"), Dimer.parse("FeO"), R).reason
    assert "+U" not in own_level(card("PBE (MatPES)"), Dimer.parse("FeO"), R).reason
    assert "+U" not in own_level(card("PBE(+U)"), Dimer.parse("Fe2"), R).reason


def test_another_dispersion_says_nothing_of_a_van_der_waals_pair():
    assert "dispersion" in own_level(card("PBE(+U)-D3"), Dimer.parse("Ar2"), R).reason
    assert not isinstance(own_level(card("PBE(+U)-D3"), Dimer.parse("N2"), R), Unavailable)


@pytest.mark.parametrize(
    ("level", "same"),
    [("ωB97M-V/def2-TZVPD (OMol25)", True), ("ωB97M-D3(BJ)", False), ("PBE (VASP)", False)],
)
def test_total_energies_are_those_of_the_functional_with_its_own_dispersion(level, same):
    card = ModelCard(name="a", family="b", level_of_theory=level)
    assert labels(card).all_electron is same


def test_pbe_nitrogen():
    (found,) = own_level(card("PBE (MatPES)"), Dimer.parse("N2"), np.geomspace(0.9, 9.0, 900))
    assert isinstance(found, Curve)
    assert found.energy.min() == pytest.approx(-10.564, abs=2e-3)
    assert found.energy[-1] == pytest.approx(0.0, abs=5e-3)
    assert found.provenance["tier"] == "dft:pbe"


def test_molecular_singlets_may_be_restricted():
    found = own_level(card("r2SCAN, not spin-polarized (MAD-1.6)"), Dimer.parse("H2"), R)
    if not isinstance(found, Unavailable):
        assert [c.provenance["branch"] for c in found] == ["restricted"]


def test_what_is_not_shipped_says_how_to_make_it():
    missing = own_level(card("PBE (MatPES)"), Dimer.parse("CsI"), R)
    assert "baseline build CsI --tier dft:pbe" in missing.reason
