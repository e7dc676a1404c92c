import numpy as np
import pytest
from ase import Atoms

from ase_probe.errors import EvaluationError, InputError
from ase_probe.scaling.data.bonds import BONDS, equilibria
from ase_probe.scaling.data.level import ATOMS
from ase_probe.scaling.data.scf import flipped, solve

pytest.importorskip("pyscf")

QM9 = {"CH4": -40.523679, "NH3": -56.560245, "H2O": -76.426077, "HCN": -93.428490}
PUBLISHED = {"H": -0.500273, "C": -37.846772, "N": -54.583861, "O": -75.064579, "F": -99.718730}
TWO_S = {"H": 1, "C": 2, "N": 3, "O": 2, "F": 1}


@pytest.mark.parametrize("molecule", QM9)
def test_the_level_is_that_of_qm9(molecule):
    found = solve(equilibria()[molecule], restricted=True, forces=False)
    assert found.total == pytest.approx(QM9[molecule], abs=3e-6)  # U0 − ZPVE, Eh


@pytest.mark.parametrize("symbol", ATOMS)
def test_atoms_are_those_of_the_level(symbol):
    found = solve(Atoms(symbol), two_s=TWO_S[symbol], forces=False)
    assert found.total == pytest.approx(ATOMS[symbol], abs=1e-6)  # an SCF ends where it ends
    assert found.total == pytest.approx(PUBLISHED[symbol], abs=2e-6)


@pytest.mark.parametrize(("restricted", "atom", "axis"), [(True, 1, 2), (False, 0, 0)])
def test_forces_are_the_slope_of_the_energy(restricted, atom, axis):
    water = equilibria()["H2O"].copy()
    water.positions[1] += [0.1, 0.4, 0.2]
    found = solve(water, restricted=restricted)
    step, energy = 1e-3, []  # Å, eV
    for side in (1, -1):
        moved = water.copy()
        moved.positions[atom, axis] += side * step
        energy.append(solve(moved, restricted=restricted, forces=False).energy)
    slope = (energy[0] - energy[1]) / (2 * step)
    assert found.forces[atom, axis] == pytest.approx(-slope, abs=1e-3)


def test_the_lowest_of_several_guesses_wins_and_lets_a_triple_bond_open():
    bond = BONDS["N2 N-N"]
    apart = bond.at(2.2)
    guess = flipped(apart, bond.moving, bond.pairs)
    found = solve(apart, guesses=[None, guess], forces=False)  # alone, None ends at +1.4 eV
    assert found.energy == pytest.approx(-0.50, abs=0.01)
    assert found.spin_squared == pytest.approx(2.55, abs=0.02)
    assert found.density.shape == guess.shape
    assert found.forces is None


def test_what_does_not_converge_is_no_label(monkeypatch):
    monkeypatch.setattr("ase_probe.scaling.data.scf.converge", lambda mf, *_, **__: None)
    with pytest.raises(EvaluationError, match="did not converge"):
        solve(Atoms("H2", [[0, 0, 0], [0, 0, 0.7]]))


def test_an_element_that_qm9_lacks_is_refused():
    with pytest.raises(InputError, match="no Cl"):
        solve(Atoms("HCl", [[0, 0, 0], [0, 0, 1.3]]))


def test_the_pure_f_functions_span_what_gaussian_has():
    from ase_probe.scaling.data.scf import _molecule, _pure_f

    inside = _pure_f(_molecule(Atoms("C"), 2))
    assert inside.shape == (3 + 6 + 2 * 6 + 10, 3 + 6 + 2 * 6 + 7)
    assert np.linalg.matrix_rank(inside) == inside.shape[1]
