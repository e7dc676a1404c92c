import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import make_interp_spline
from scipy.optimize import brentq

from ase_probe.baselines import exact_h2
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import BOHR, HARTREE

H2 = Dimer.parse("H2")
JOINS = [0.4 * BOHR, 8.0 * BOHR]


def curve(r):
    return exact_h2.hydrogen(H2, np.atleast_1d(np.asarray(r, dtype=float)))


def energy(r):
    return float(curve(r).energy[0])


def force(r):
    return float(curve(r).axial_force[0])


def test_every_published_point_is_reproduced():
    R, total = exact_h2.table().T
    np.testing.assert_allclose(curve(R * BOHR).energy, (total + 1.0) * HARTREE, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("r", "expected", "tolerance"),
    [
        (0.05, 236.95, 0.005),
        (0.1, 94.715, 0.001),
        (0.2, 27.343, 0.0005),
        (0.3, 8.115, 0.0005),
        (0.4, 0.490, 0.0005),
    ],
)
def test_wall(r, expected, tolerance):
    assert energy(r) == pytest.approx(expected, abs=tolerance)


def test_minimum():
    r_e = brentq(force, 0.6, 0.9, xtol=1e-13)
    assert r_e / BOHR == pytest.approx(1.40108, abs=5e-6)
    assert -energy(r_e) == pytest.approx(4.74773, abs=5e-6)


@pytest.mark.parametrize("join", JOINS)
def test_joins_are_smooth(join):
    # Two radii 1e-12 Å apart, one on either side: what is left is the slope times that.
    r = np.array([join - 5e-13, join + 5e-13])
    made = curve(r)
    assert abs(np.diff(made.energy)[0]) < 1e-9  # eV
    assert abs(np.diff(made.axial_force)[0]) < 1e-8  # eV/Å


@pytest.mark.parametrize("join", JOINS)
def test_curvature_is_continuous_at_the_joins(join):
    h = 1e-5
    inner = (force(join - h) - force(join - 2 * h)) / h
    outer = (force(join + 2 * h) - force(join + h)) / h
    assert inner == pytest.approx(outer, rel=2e-3, abs=1e-6)


@given(st.floats(0.02, 12.0))
def test_force_is_the_numerical_derivative(r):
    h = 1e-4 * r
    step = np.array([-2 * h, -h, h, 2 * h])
    numeric = curve(r + step).energy @ np.array([1, -8, 8, -1]) / (12 * h)
    assert force(r) == pytest.approx(-numeric, rel=1e-6, abs=1e-8)


def test_one_minimum_and_one_inflection():
    r = np.geomspace(1e-3, 15.0, 5000)
    axial = curve(r).axial_force
    assert np.count_nonzero(np.diff(np.sign(axial))) == 1
    curvature = -np.diff(axial) / np.diff(r)
    assert np.count_nonzero(np.diff(np.sign(curvature))) == 1


def test_united_atom():
    # E·r/k -> 1 only as r -> 0: 0.658 at 0.1 Å.
    assert energy(1e-5) * 1e-5 / 14.39964547 == pytest.approx(1.0, abs=1e-4)
    assert energy(0.1) * 0.1 / 14.39964547 == pytest.approx(0.658, abs=5e-4)
    # The electrons of the united atom: E − k/r -> E(He) + 1 Eh.
    assert (energy(1e-5) - 14.399645478456184 / 1e-5) / HARTREE == pytest.approx(
        -2.903724377 + 1.0, abs=1e-5
    )


def test_long_range_is_dispersion():
    # −C6/R⁶ − C8/R⁸ − C10/R¹⁰ at 15 Å, where exchange has died out.
    R = 15.0 / BOHR
    expected = -(6.499026705 / R**6 + 124.3990835 / R**8 + 3285.828415 / R**10) * HARTREE
    assert energy(15.0) == pytest.approx(expected, rel=1e-6)


def test_points_are_predicted_from_the_others():
    # Leave one point out inside 1–5 a0: a spline of order 7 through the rest finds it to 1e-3 meV.
    R, total = exact_h2.table().T
    for i in np.flatnonzero((R >= 1.2) & (R <= 4.8)):
        rest = np.arange(len(R)) != i
        guess = make_interp_spline(R[rest], (total - 1 / R)[rest], k=7)(R[i]) + 1 / R[i]
        assert abs(guess - total[i]) * HARTREE < 1e-6


@pytest.mark.parametrize(("r", "expected"), [(0.1, 3e-3), (0.25, 1e-4), (0.74, 2e-5), (6.0, 2e-5)])
def test_uncertainty_is_that_of_the_worst_radius(r, expected):
    assert curve([r]).provenance["uncertainty_eV"] == expected
    assert curve([0.01, r + 0.01]).provenance["uncertainty_eV"] == 3e-3


def test_it_is_the_truth_everywhere():
    provenance = curve([0.01, 50.0]).provenance
    assert provenance["truth"] is True
    assert provenance["valid_r"] == [0.0, np.inf]


@pytest.mark.parametrize("name", ["H2@3", "H2+", "He2"])
def test_anything_else_is_refused(name):
    assert not exact_h2.covers(Dimer.parse(name))
    with pytest.raises(InputError, match="cannot describe"):
        exact_h2.hydrogen(Dimer.parse(name), np.array([1.0]))


def rows(first="0.4"):
    R, total = exact_h2.table().T
    cells = [f"{a!r},{b!r}" for a, b in zip(R.tolist(), total.tolist(), strict=True)]
    cells[0] = f"{first},{float(total[0])!r}"
    return "\n".join(["# comment", "R_bohr,E_hartree", *cells])


def test_parse_reads_what_is_bundled():
    np.testing.assert_array_equal(exact_h2.parse(rows()), exact_h2.table())


@pytest.mark.parametrize("first", ["x", "nan", "0.6", "-0.4", "0.4,0.4"])
def test_parse_refuses_bad_rows(first):
    with pytest.raises(InputError, match="H2 table"):
        exact_h2.parse(rows(first))


def test_parse_refuses_a_missing_row_and_a_wrong_header():
    text = rows()
    with pytest.raises(InputError, match="48 rows"):
        exact_h2.parse(text[: text.rindex("\n")])
    with pytest.raises(InputError, match="expected 'R_bohr"):
        exact_h2.parse(text.replace("bohr", "angstrom"))
