from importlib.util import find_spec

import numpy as np
import pytest

from ase_probe.errors import InputError
from ase_probe.scaling.data.bonds import BONDS, equilibria, nearest_hydrogens


@pytest.mark.parametrize("bond", BONDS.values(), ids=BONDS)
def test_only_the_bond_changes(bond):
    rest, moved = equilibria()[bond.molecule], bond.at(2.5)
    assert moved.get_distance(bond.fixed, bond.moving[0]) == pytest.approx(2.5)
    side = np.isin(np.arange(len(rest)), bond.moving)
    for half in (side, ~side):
        before, after = (a.get_all_distances()[np.ix_(half, half)] for a in (rest, moved))
        assert after == pytest.approx(before)
    apart = moved.get_all_distances()[np.ix_(side, ~side)]
    assert apart.min() > 2.3  # no other bond crosses from side to side


@pytest.mark.parametrize("bond", BONDS.values(), ids=BONDS)
def test_its_name_says_which_bond_it_is(bond):
    atoms = bond.at(bond.length)
    assert sorted(bond.name.split()[1].split("-")) == sorted(
        atoms.symbols[[bond.fixed, bond.moving[0]]]
    )
    assert atoms.positions == pytest.approx(equilibria()[bond.molecule].positions)
    assert bond.length < 1.6  # a bond


@pytest.mark.parametrize("r", [0.0, -1.0, float("nan")])
def test_what_is_no_length_is_refused(r):
    with pytest.raises(InputError, match="no bond length"):
        BONDS["H2 H-H"].at(r)


def test_distance_between_hydrogens():
    assert nearest_hydrogens(BONDS["H2 H-H"].at(0.9)) == pytest.approx(0.9)
    assert nearest_hydrogens(equilibria()["HF"]) == float("inf")
    assert nearest_hydrogens(equilibria()["H2O"]) == pytest.approx(1.5134, abs=1e-4)


@pytest.mark.skipif(find_spec("qm9pack") is None, reason="needs qm9pack")
def test_shipped_geometries_are_those_of_qm9():
    from ase_probe.scaling.data.qm9 import first

    structures = first(10).structures()
    for atoms in equilibria().values():
        source, _, number = atoms.info["source"].partition(" ")
        if source == "QM9":
            original = structures[int(number) - 1]
            assert list(atoms.symbols) == list(original.symbols)
            assert atoms.positions == pytest.approx(original.positions, abs=1e-7)
