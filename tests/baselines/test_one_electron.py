import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from scipy.optimize import brentq

from ase_probe.baselines import one_electron
from ase_probe.baselines.one_electron import electronic_energy
from ase_probe.dimer import Dimer
from ase_probe.errors import EvaluationError, InputError
from ase_probe.units import BOHR, HARTREE

H2_ION = Dimer.parse("H2+")
CHARGE = st.integers(1, one_electron.MAX_Z)


def energy(charges, R):
    return float(electronic_energy(charges, np.array([R]))[0][0])


def slope(charges, R):
    return float(electronic_energy(charges, np.array([R]))[1][0])


@pytest.mark.parametrize(
    ("R", "expected"),
    [
        # Riccati–Padé method, 13 to 30 digits: https://doi.org/10.5281/zenodo.5044229
        (0.5, -1.7349879999736),
        (1.0, -1.4517863133784512),
        (1.5, -1.248989872121644),
        (2.0, -1.1026342144949465),
        (3.0, -0.9108961973823069),
        (5.0, -0.7244202951676077),
        (10.0, -0.6005787289439264),
        (20.0, -0.5500142593309156),
        (30.0, -0.533336124076954),
        (40.0, -0.5250008810848),
    ],
)
def test_h2_ion_against_published_energies(R, expected):
    assert energy((1, 1), R) == pytest.approx(expected, abs=2e-13)


def test_h2_ion_minimum():
    r_e = brentq(lambda R: slope((1, 1), R) - 1 / R**2, 1.5, 2.5, xtol=1e-14)
    total = energy((1, 1), r_e) + 1 / r_e
    assert r_e == pytest.approx(1.997193319969992, abs=1e-11)
    assert total == pytest.approx(-0.6026346191065399, abs=1e-13)
    assert -(total + 0.5) * HARTREE == pytest.approx(2.7928, abs=5e-5)


def two_dimensional(charges, R, radial=26, angular=22):
    """Ground state without separating the variables: one generalised eigenproblem by quadrature.

    H = −½∇² − Z₁/r₁ − Z₂/r₂ times the volume element R³(ξ² − η²)/8 in products of
    exp(−b(ξ − 1)) Lₙ(2b(ξ − 1)) and Pₗ(η); the exponent b is fixed, not the solution's own.
    """
    b = R * max(charges) / 2 + 0.5
    x, wx = np.polynomial.laguerre.laggauss(radial + 20)
    xi, wx = 1 + x / (2 * b), wx / (2 * b)
    eta, we = np.polynomial.legendre.leggauss(angular + 20)
    lag = np.polynomial.laguerre.lagvander(x, radial - 1)
    dlag = np.stack(
        [
            np.polynomial.laguerre.lagval(x, np.polynomial.laguerre.lagder(row))
            for row in np.eye(radial)
        ],
        axis=1,
    )
    dlag = 2 * b * dlag - b * lag
    leg = np.polynomial.legendre.legvander(eta, angular - 1)
    dleg = np.stack(
        [
            np.polynomial.legendre.legval(eta, np.polynomial.legendre.legder(row))
            for row in np.eye(angular)
        ],
        axis=1,
    )

    def of_xi(f, values=lag):
        return values.T @ (values * (wx * f)[:, None])

    def of_eta(f, values=leg):
        return values.T @ (values * (we * f)[:, None])

    one_x, one_e = of_xi(np.ones_like(xi)), of_eta(np.ones_like(eta))
    kinetic = np.kron(of_xi(xi**2 - 1, dlag), one_e) + np.kron(one_x, of_eta(1 - eta**2, dleg))
    attraction = sum(charges) * np.kron(of_xi(xi), one_e) - (charges[0] - charges[1]) * np.kron(
        one_x, of_eta(eta)
    )
    overlap = np.kron(of_xi(xi**2), one_e) - np.kron(one_x, of_eta(eta**2))
    return eigh(
        kinetic - R * attraction, overlap * R**2 / 2, eigvals_only=True, subset_by_index=[0, 0]
    )[0]


@pytest.mark.parametrize(
    ("charges", "R"),
    [((1, 1), 2.0), ((2, 1), 1.0), ((2, 1), 3.0), ((3, 1), 1.5), ((3, 2), 2.0), ((1, 5), 0.7)],
)
def test_against_an_independent_solver(charges, R):
    assert energy(charges, R) == pytest.approx(two_dimensional(charges, R), abs=1e-10)


@settings(deadline=None, max_examples=40)
@given(CHARGE, st.floats(0.1, 30.0))
def test_equal_charges_scale(charge, R):
    # E_Z(R) = Z² E_1(Z R): the whole curve of every homonuclear ion follows from H2+.
    expected = charge**2 * energy((1, 1), charge * R)
    assert energy((charge, charge), R) == pytest.approx(expected, rel=1e-13)


@settings(deadline=None, max_examples=40)
@given(CHARGE, CHARGE, st.floats(0.05, 60.0))
def test_energy_stays_between_united_atom_and_separated_fragments(z1, z2, R):
    value = energy((z1, z2), R)
    assert -((z1 + z2) ** 2) / 2 < value < -(max(z1, z2) ** 2) / 2
    # Hellmann–Feynman upper bound: the atom's own electron feels the other nucleus.
    atom, other = max(z1, z2), min(z1, z2)
    penetration = other * (1 / R - (atom + 1 / R) * np.exp(-2 * atom * R))
    assert value <= -(atom**2) / 2 - penetration + 1e-12 * atom**2


@settings(deadline=None, max_examples=40)
@given(CHARGE, CHARGE, st.floats(0.05, 40.0))
def test_nuclei_may_be_swapped(z1, z2, R):
    assert energy((z1, z2), R) == pytest.approx(energy((z2, z1), R), rel=1e-13)


@settings(deadline=None, max_examples=40)
@given(CHARGE, CHARGE, st.floats(0.2, 20.0))
def test_slope_is_the_numerical_derivative(z1, z2, R):
    h = 1e-3 * R
    step = np.array([-3, -2, -1, 1, 2, 3]) * h
    values, _ = electronic_energy((z1, z2), R + step)
    numeric = values @ np.array([-1, 9, -45, 45, -9, 1]) / (60 * h)
    assert slope((z1, z2), R) == pytest.approx(numeric, rel=1e-6, abs=1e-9 * max(z1, z2) ** 2)


@pytest.mark.parametrize("charges", [(1, 1), (2, 1), (10, 10), (10, 1)])
def test_united_atom(charges):
    # E = −Z²/2 + (2/3) Z₁Z₂Z² R² (1 − ZR) + O(R⁴), up to a logarithm, Z = Z₁ + Z₂
    total = sum(charges)
    R = 0.02 / total
    rise = 2 / 3 * charges[0] * charges[1] * total**2 * R**2
    expected = -(total**2) / 2 + rise * (1 - total * R)
    assert energy(charges, R) == pytest.approx(expected, abs=5e-4 * rise)


@pytest.mark.parametrize("charges", [(2, 1), (3, 1), (10, 3), (1, 1), (4, 4)])
def test_long_range_is_an_ion_polarising_an_atom(charges):
    # −Z²/2 − z/R − (9/4) z²/(Z⁴R⁴) − (15/2) z²/(Z⁶R⁶) − …: dipole and quadrupole polarisability.
    atom, other = max(charges), min(charges)
    R = 120.0 / atom
    expected = -(atom**2) / 2 - other / R
    expected -= 9 / 4 * other**2 / (atom * R) ** 4
    expected -= 15 / 2 * other**2 / (atom * R) ** 6
    missing = 213 / 4 * other**3 / (atom * (atom * R) ** 7)
    assert energy(charges, R) == pytest.approx(expected, abs=2 * missing + 1e-13 * atom**2)


def test_heh_ion_dissociates_to_the_lowest_fragments():
    # HeH²⁺ leads to He⁺ + H⁺ and repels everywhere.
    made = one_electron.one_electron(Dimer.parse("HeH++"), np.geomspace(0.05, 50.0, 100))
    assert made.energy[-1] == pytest.approx(14.399645478456184 / 50.0, rel=1e-4)
    assert np.all(made.axial_force > 0)


def test_curve_in_electronvolt():
    r = np.array([0.5, 2.0, 4.0]) * BOHR
    made = one_electron.one_electron(H2_ION, r)
    total = np.array(
        [-1.7349879999736 + 2.0, -1.1026342144949465 + 0.5, -0.7960848837129382 + 0.25]
    )
    np.testing.assert_allclose(made.energy, (total + 0.5) * HARTREE, rtol=0, atol=1e-11)
    assert made.provenance["truth"] is True
    assert made.provenance["uncertainty_eV"] < 1e-8


@given(st.floats(0.05, 20.0))
@settings(deadline=None, max_examples=40)
def test_force_is_the_numerical_derivative_in_electronvolt(r):
    h = 1e-3 * r
    step = np.array([-3, -2, -1, 0, 1, 2, 3]) * h
    made = one_electron.one_electron(H2_ION, r + step)
    numeric = made.energy @ np.array([-1, 9, -45, 0, 45, -9, 1]) / (60 * h)
    assert made.axial_force[3] == pytest.approx(-numeric, rel=1e-7, abs=1e-8)


def test_a_point_does_not_depend_on_its_neighbours():
    r = np.geomspace(0.05, 20.0, 220)
    whole = one_electron.one_electron(H2_ION, r).energy
    alone = [one_electron.one_electron(H2_ION, r[i : i + 1]).energy[0] for i in range(0, 220, 20)]
    np.testing.assert_allclose(whole[::20], alone, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("dimer", [Dimer(("Ne", "Ne"), 19), Dimer(("Ne", "H"), 10), H2_ION])
def test_the_whole_range_is_solved(dimer):
    made = one_electron.one_electron(dimer, np.geomspace(0.001, 1000.0, 60))
    assert len(made) == 60
    assert np.all(np.isfinite(made.energy))
    assert np.all(np.isfinite(made.forces))


def test_no_radii_no_work():
    values, slopes = electronic_energy((1, 1), np.array([]))
    assert values.shape == slopes.shape == (0,)


def test_a_basis_that_is_too_small_fails_loudly(monkeypatch):
    monkeypatch.setattr(one_electron, "_MAX_BASIS", 30)
    with pytest.raises(EvaluationError, match=r"did not converge: angular, .* R = 40 a0"):
        electronic_energy((1, 1), np.array([40.0]))


def test_a_root_that_is_not_found_fails_loudly(monkeypatch):
    monkeypatch.setattr(one_electron, "_MAX_STEPS", 1)
    with pytest.raises(EvaluationError, match="after 1 steps"):
        electronic_energy((1, 1), np.array([2.0]))


@pytest.mark.parametrize(
    "dimer",
    [Dimer.parse("H2"), Dimer.parse("H2++"), Dimer(("Na", "H"), 11), Dimer(("Ar", "H"), 18)],
)
def test_anything_else_is_refused(dimer):
    assert not one_electron.covers(dimer)
    with pytest.raises(InputError, match="cannot describe"):
        one_electron.one_electron(dimer, np.array([1.0]))
