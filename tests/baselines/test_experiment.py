import pytest

from ase_probe.baselines import constants
from ase_probe.baselines.experiment import COLUMNS, parse, table
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import EV_PER_CM, HARTREE

# (2J + 1, cm⁻¹) of the ground terms, NIST Atomic Spectra Database. Atoms left out have S states.
FINE_STRUCTURE = {
    "B": [(2, 0.0), (4, 15.287)],
    "C": [(1, 0.0), (3, 16.4167), (5, 43.4135)],
    "O": [(5, 0.0), (3, 158.265), (1, 226.977)],
    "F": [(4, 0.0), (2, 404.141)],
    "Al": [(2, 0.0), (4, 112.061)],
    "Si": [(1, 0.0), (3, 77.115), (5, 223.157)],
    "S": [(5, 0.0), (3, 396.055), (1, 573.640)],
    "Cl": [(4, 0.0), (2, 882.3515)],
    "Br": [(4, 0.0), (2, 3685.24)],
    "I": [(4, 0.0), (2, 7602.970)],
}


def lowering(symbol):
    levels = FINE_STRUCTURE.get(symbol, [(1, 0.0)])
    return sum(g * e for g, e in levels) / sum(g for g, _ in levels) * EV_PER_CM


@pytest.mark.parametrize(
    ("name", "r_e", "omega_e", "D_e", "term"),
    [
        ("H2", 0.74144, 4401.213, 4.74773, "1Sigma_g+"),
        ("H2+", 1.0569, 2321.7, 2.7928, "2Sigma_g+"),
        ("N2", 1.097685, 2358.57, 9.9023, "1Sigma_g+"),
        ("O2", 1.20752, 1580.193, 5.2132, "3Sigma_g-"),
        ("NaCl", 2.360795, 366.0, 4.2526, "1Sigma+"),
    ],
)
def test_values(name, r_e, omega_e, D_e, term):
    row = constants(Dimer.parse(name))
    assert (row.r_e, row.omega_e, row.D_e, row.term) == (r_e, omega_e, D_e, term)
    assert row.source
    assert not row.uncertain


def test_unknown_is_unknown():
    assert constants(Dimer.parse("He2")).omega_e is None
    assert constants(Dimer.parse("Au2")) is None
    assert constants(Dimer.parse("O2@1")) is None
    assert constants(Dimer.parse("H2++")) is None


def test_uncertain_rows_say_so():
    assert constants(Dimer.parse("MgO")).uncertain
    assert constants(Dimer.parse("HeH+")).uncertain


def test_every_row_is_a_ground_state():
    assert [d.name for d in table() if "@" in d.name] == []
    assert len(table()) == 56


@pytest.mark.parametrize("dimer", table(), ids=str)
def test_dissociation_energy_is_consistent(dimer):
    row = table()[dimer]
    if row.uncertain or row.omega_e is None:
        assert row.D_e > 0
        return
    zero_point = (row.omega_e / 2 - (row.omega_e_x_e or 0.0) / 4) * EV_PER_CM
    assert row.D_e - row.D_0 == pytest.approx(zero_point, abs=2e-3)


@pytest.mark.parametrize("dimer", table(), ids=str)
def test_spin_orbit_of_the_atoms(dimer):
    expected = sum(map(lowering, dimer.symbols))
    assert table()[dimer].spin_orbit_atoms == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("name", "lowered"),
    [
        ("O2", 0.019), ("F2", 0.033), ("Cl2", 0.073), ("HBr", 0.152),
        ("Br2", 0.305), ("HI", 0.314), ("ICl", 0.351), ("I2", 0.628),
    ],
)  # fmt: skip
def test_spin_orbit_is_the_published_size(name, lowered):
    assert constants(Dimer.parse(name)).spin_orbit_atoms == pytest.approx(lowered, abs=1e-3)


@pytest.mark.parametrize("name", ["H2", "H2+", "HeH+", "N2", "Na2"])
def test_s_state_atoms_have_no_spin_orbit(name):
    assert constants(Dimer.parse(name)).spin_orbit_atoms == 0.0


# cm⁻¹; K. P. Huber and G. Herzberg, Constants of Diatomic Molecules (1979)
SPLITTING = {"CH": 28.1, "OH": -139.2, "SiH": 142.8, "SH": -376.8, "NO": 123.1}


@pytest.mark.parametrize("dimer", table(), ids=str)
def test_spin_orbit_of_the_molecule(dimer):
    """The lower component of a ²Π term lies |A|/2 below its mean; Σ terms are not split."""
    row = table()[dimer]
    assert ("Pi" in row.term) == (dimer.name in SPLITTING)
    expected = abs(SPLITTING.get(dimer.name, 0.0)) / 2 * EV_PER_CM
    assert row.spin_orbit_molecule == pytest.approx(expected, abs=6e-6)


def test_what_a_calculation_without_spin_orbit_coupling_should_find():
    row = constants(Dimer.parse("OH"))
    assert row.D_e_without_spin_orbit == pytest.approx(4.64 + 0.0097 - 0.00863)
    assert constants(Dimer.parse("N2")).D_e_without_spin_orbit == 9.9023


@pytest.mark.parametrize("dimer", table(), ids=str)
def test_certain_rows_state_an_uncertainty_and_others_none(dimer):
    row = table()[dimer]
    assert (row.D_e_uncertainty is None) == row.uncertain
    if row.D_e_uncertainty is not None:
        assert 1e-6 <= row.D_e_uncertainty <= 0.1
        assert row.D_e_uncertainty < 0.04 * row.D_e


@pytest.mark.parametrize(
    ("name", "column", "other"),
    [
        ("C2", "D_0", 6.24), ("C2", "D_0", 6.30), ("ClF", "D_0", 2.557), ("F2", "D_0", 1.606),
        ("LiH", "D_e", 2.5154), ("Li2", "D_e", 8516.8 * EV_PER_CM),
        ("Na2", "D_e", 6022.03 * EV_PER_CM), ("K2", "D_e", 4450.9 * EV_PER_CM),
        ("Mg2", "D_e", 430.5 * EV_PER_CM), ("Ar2", "D_e", 99.3 * EV_PER_CM),
        ("Ne2", "D_e", 29.4 * EV_PER_CM), ("Xe2", "D_e", 196.1 * EV_PER_CM),
        ("Kr2", "D_e", 0.0173), ("H2", "D_e", 0.17447593 * HARTREE),
    ],
)  # fmt: skip
def test_values_in_the_notes_lie_within_it(name, column, other):
    row = constants(Dimer.parse(name))
    assert abs(getattr(row, column) - other) <= row.D_e_uncertainty * (1 + 1e-9)


def test_the_table_is_read_only():
    with pytest.raises(TypeError):
        table()[Dimer.parse("H2")] = None


ROW = {
    "symbol1": "H", "symbol2": "H", "charge": "0", "multiplicity": "1", "term": "1Sigma_g+",
    "re_A": "0.74", "we_cm": "4401", "wexe_cm": "", "D0_eV": "4.478", "De_eV": "4.748",
    "De_uncertainty_eV": "", "so_atoms_eV": "", "so_molecule_eV": "", "source": "somebody",
    "flag": "", "note": "",
}  # fmt: skip


def text(**changes):
    return "# a comment\n" + ",".join(COLUMNS) + "\n" + ",".join({**ROW, **changes}.values())


def test_empty_cells_are_none():
    row = parse(text())[Dimer.parse("H2")]
    assert row.spin_orbit_atoms is None
    assert row.omega_e_x_e is None
    assert row.D_e_uncertainty is None
    assert row.spin_orbit_molecule is None
    assert row.D_e == 4.748


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol1": "Xx"},
        {"multiplicity": "2"},
        {"term": "3Sigma"},
        {"charge": "one"},
        {"re_A": ""},
        {"re_A": "0"},
        {"D0_eV": "-1"},
        {"De_eV": "nan"},
        {"we_cm": "fast"},
        {"flag": "perhaps"},
        {"De_uncertainty_eV": "0"},
        {"De_uncertainty_eV": "5"},
        {"De_uncertainty_eV": "much"},
        {"so_molecule_eV": "0.01"},
        {"so_molecule_eV": "-0.01"},
        {"source": ""},
        {"note": "one,too many"},
    ],
)
def test_a_bad_row_is_named(changes):
    with pytest.raises(InputError, match="Bad row '"):
        parse(text(**changes))


def test_a_wrong_header_is_refused():
    with pytest.raises(InputError, match="columns"):
        parse(text().replace("re_A", "re_bohr"))


def test_a_dimer_may_appear_once():
    with pytest.raises(InputError, match="H2 appears twice"):
        parse(text() + "\n" + ",".join(ROW.values()))
