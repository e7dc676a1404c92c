import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.errors import InputError
from ase_probe.scaling.data.bonds import BONDS, CONTROLS, nearest_hydrogens
from ase_probe.scaling.data.level import own_curve, own_curves
from ase_probe.scaling.data.shots import CONTROL_RADII, KINDS, MOST, controls, plan, shots

SEEDS = st.integers(0, 10_000)
COUNTS = st.integers(0, MOST)


@given(st.sampled_from(KINDS), COUNTS, COUNTS, SEEDS)
def test_the_smaller_set_is_the_first_of_the_larger(kind, a, b, seed):
    small, large = (shots(kind, k, seed=seed) for k in sorted((a, b)))
    assert len(small) == min(a, b)
    assert small.names == large.names[: len(small)]
    assert small.energies.tolist() == large.energies[: len(small)].tolist()


@given(st.integers(1, MOST), SEEDS)
def test_any_set_is_spread_over_the_whole_range(k, seed):
    everything = [f"{bond.name} {r:.4f}" for bond, r in plan("without-h2")]
    ranks = sorted(everything.index(name) for name in shots("without-h2", k, seed=seed).names)
    gaps = np.diff([*ranks, ranks[0] + MOST])
    assert gaps.max() <= 2.7 * MOST / k + 1


def test_seeds_choose_differently():
    assert len({frozenset(shots("with-h2", 3, seed=seed).names) for seed in range(10)}) == 10


def test_with_h2_is_h2_on_its_own_curve():
    found = shots("with-h2", MOST, seed=0)
    r = np.array([atoms.get_distance(0, 1) for atoms in found.structures()])
    assert all(str(atoms.symbols) == "H2" for atoms in found.structures())
    assert (r.min(), r.max()) == pytest.approx((0.2, 5.0))
    assert (r < 0.7428).sum() == 41
    assert found.energies == pytest.approx(own_curves(r)["unrestricted"].energy, abs=1e-3)


def test_without_h2_has_no_h2_and_nothing_of_the_controls():
    found = shots("without-h2", MOST, seed=0)
    bonds = [BONDS[name.rpartition(" ")[0]] for name in found.names]
    assert min(nearest_hydrogens(atoms) for atoms in found.structures()) > 1.4
    assert not {bond.molecule for bond in bonds} & {"H2", *(c.molecule for c in CONTROLS)}
    stretched = [
        atoms.get_distance(bond.fixed, bond.moving[0]) > bond.length
        for atoms, bond in zip(found.structures(), bonds, strict=True)
    ]
    assert sum(stretched) == 59
    assert len(set(bonds)) == 13


@pytest.mark.parametrize("kind", KINDS)
def test_energies_are_in_the_range_that_the_kind_promises(kind):
    energies = shots(kind, MOST, seed=0).energies
    assert np.abs(energies).max() < 35
    assert energies.min() < -4
    assert energies.max() > 10


@pytest.mark.parametrize("rank", [3, 20, 45, 60, 99])
def test_shipped_labels_are_what_the_level_gives(rank):
    pytest.importorskip("pyscf")
    from ase_probe.scaling.data.scf import flipped, solve

    bond, r = plan("without-h2")[rank]
    structure = bond.at(r)
    guesses = [None] if rank < 41 else [None, flipped(structure, bond.moving, bond.pairs)]
    (label,) = (
        energy
        for name, energy in zip(*_everything("without-h2"), strict=True)
        if name == structure.info["name"]
    )
    assert solve(structure, guesses=guesses, forces=False).energy == pytest.approx(label, abs=1e-3)


def _everything(kind):
    found = shots(kind, MOST, seed=0)
    return found.names, found.energies


def test_controls_have_labels_at_their_radii():
    for name, (radii, structures) in controls().items():
        bond = BONDS[name]
        assert np.array_equal(radii, CONTROL_RADII)
        assert [a.get_distance(bond.fixed, bond.moving[0]) for a in structures] == pytest.approx(
            radii.tolist()
        )
        own = own_curve(name, radii)["unrestricted"]
        assert own.r[own.energy.argmin()] == pytest.approx(bond.length, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "k", "seed"),
    [("H2", 1, 0), ("with-h2", 101, 0), ("with-h2", -1, 0), ("with-h2", 1, -1)],
)
def test_sets_that_do_not_exist_are_refused(kind, k, seed):
    with pytest.raises(InputError, match=r"with-h2|shots|Seed"):
        shots(kind, k, seed=seed)
