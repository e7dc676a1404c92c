import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.baselines import Unavailable, constants
from ase_probe.baselines.ion_pair import UNCERTAINTY, crossing, ion_pair, parse, table
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import COULOMB

METALS = ["Li", "Na", "K", "Rb", "Cs"]
HALOGENS = ["F", "Cl", "Br", "I"]
HALIDES = st.tuples(st.sampled_from(METALS), st.sampled_from(HALOGENS)).map(Dimer)
GRID = np.geomspace(1.0, 60.0, 300)

# Energy relative to the two ions, eV; CCSD(T), PySCF 2.14. NaCl: cc-pVTZ (Na), aug-cc-pVTZ with
# one more diffuse s, p and d function (Cl), counterpoise-corrected. LiF: aug-cc-pCVTZ, aug-cc-pVTZ.
COUPLED_CLUSTER = {
    "NaCl": {3.0: -5.0142, 4.0: -3.7905, 5.0: -2.9708, 6.0: -2.4412, 7.0: -2.0772},
    "LiF": {2.5: -6.0234, 3.0: -5.0347, 3.5: -4.2848, 4.0: -3.7155, 4.5: -3.2761, 5.0: -2.9298},
}


def to_ions(dimer):
    """IP − EA as the tier takes it, eV."""
    metal, halogen = (table()[s, q] for s, q in zip(dimer.symbols, (1, -1), strict=True))
    return metal.energy - halogen.energy - halogen.spin_orbit


@pytest.mark.parametrize("name", COUPLED_CLUSTER)
def test_coupled_cluster_lies_within_the_stated_uncertainty(name):
    dimer = Dimer.parse(name)
    r, energy = map(np.array, zip(*COUPLED_CLUSTER[name].items(), strict=True))
    curve = ion_pair(dimer, r)
    assert curve.provenance["uncertainty_eV"] == UNCERTAINTY
    inside = np.isin(r, curve.r)
    error = curve.energy - to_ions(dimer) - energy[inside]
    assert np.max(np.abs(error)) < UNCERTAINTY
    assert np.all(error > 0)  # dispersion and mixing are missing
    # Farther in the ions overlap, and the tier does not go there.
    assert r[~inside].size
    alpha = sum(table()[s, q].polarizability for s, q in zip(dimer.symbols, (1, -1), strict=True))
    bare = -COULOMB / r[~inside] - COULOMB * alpha / (2 * r[~inside] ** 4)
    assert np.all(energy[~inside] - bare > UNCERTAINTY)


@pytest.mark.parametrize(
    ("name", "distance"), [("NaCl", 9.4), ("LiF", 7.2), ("NaI", 6.9), ("MgO", 2.3), ("LiH", 3.1)]
)
def test_crossing(name, distance):
    assert crossing(Dimer.parse(name)) == pytest.approx(distance, abs=0.06)


def test_sodium_chloride_at_5_angstrom():
    energy = ion_pair(Dimer.parse("NaCl"), np.array([5.0])).energy[0]
    assert energy == pytest.approx(-1.454, abs=1e-3)
    # 1.53 eV − k/r, without the induction energy and with the spin–orbit coupling of Cl:
    assert energy == pytest.approx(1.53 - COULOMB / 5.0, abs=0.11)


@given(HALIDES)
def test_every_alkali_halide_has_a_range(dimer):
    curve = ion_pair(dimer, GRID)
    low, high = curve.provenance["valid_r"]
    assert 2.9 < low < high < crossing(dimer)
    assert curve.provenance["truth"] is False
    assert np.all(curve.energy < 0)
    assert np.all(curve.axial_force < 0)


@given(HALIDES, st.floats(3.0, 20.0))
def test_slope_is_the_numerical_derivative(dimer, r):
    h = 1e-4 * r
    curve = ion_pair(dimer, np.array([r - h, r, r + h]))
    if not isinstance(curve, Unavailable) and len(curve) == 3:
        numeric = (curve.energy[0] - curve.energy[2]) / (2 * h)
        assert curve.axial_force[1] == pytest.approx(numeric, rel=1e-6)


@given(HALIDES)
def test_the_minimum_is_out_of_reach(dimer):
    """The range starts outside of r_e, where the experiment says what the depth is."""
    known = constants(dimer)
    if known is not None:
        assert known.r_e < 0.7 * ion_pair(dimer, GRID).r[0]


@pytest.mark.parametrize(
    "name", ["MgO", "LiH", "CaF", "CsO", "NaCl@3", "NaCl+", "HF", "OH", "Na2", "H2", "ClF", "He2"]
)
def test_unavailable_with_a_reason(name):
    answer = ion_pair(Dimer.parse(name), GRID)
    assert isinstance(answer, Unavailable)
    assert answer.reason.endswith(".")
    if name in ("MgO", "LiH", "CaF", "CsO"):
        assert f"{crossing(Dimer.parse(name)):.2f} Å" in answer.reason


def test_spin_orbit_is_that_of_the_constants():
    for name, halogen in (("HF", "F"), ("HCl", "Cl"), ("HBr", "Br"), ("HI", "I"), ("OH", "O")):
        known = constants(Dimer.parse(name)).spin_orbit_atoms
        assert table()[halogen, -1].spin_orbit == pytest.approx(known, abs=1e-4)


HEADER = "symbol,charge,energy_eV,so_eV,polarizability_bohr3,radius_A\n"


@pytest.mark.parametrize(
    "row",
    [
        "Xx,1,5.1,0,1,1",
        "Na,2,5.1,0,1,1",
        "Na,1,-5.1,0,1,1",
        "Na,1,5.1,nan,1,1",
        "Na,1,5.1,0,,1",
        "Na,1,5.1,0,1,0",
        "Na,1,5.1,0,1",
        "Na,1,5.1,0,1,1\nNa,1,5.1,0,1,1",
    ],
)
def test_a_bad_row_is_named(row):
    with pytest.raises(InputError, match="Bad row '"):
        parse(HEADER + row)


def test_a_row_without_a_range():
    assert parse(HEADER + "Mg,1,7.6,0,,")["Mg", 1].radius is None
