"""Pairs pushed together inside a structure, with potentials that are known in closed form."""

import itertools
from functools import partial

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from ase_probe import Dimer, Probe
from ase_probe.checks import CHECKS, Case
from ase_probe.embedded import embed
from ase_probe.embedded.geometry import GROWTH, repeats_for
from ase_probe.engine import Evaluator
from ase_probe.errors import InputError, UnsupportedElementError
from ase_probe.grids import _GROWTH, R_MIN
from ase_probe.model import ModelCard
from ase_probe.refine import extra
from ase_probe.scan import scan

CUTOFF = 3.5


def wall(r):
    """A smooth wall, in eV, with two derivatives of zero at the cutoff; its derivative, eV/Å."""
    x = np.clip(1 - np.asarray(r) / CUTOFF, 0, None)
    return 60 * x**3, -180 / CUTOFF * x**2


def with_hole(r, centre=0.5, width=0.1, depth=200.0):
    u, du = wall(r)
    g = depth * np.exp(-(((np.asarray(r) - centre) / width) ** 2))
    return u - g, du + 2 * (r - centre) / width**2 * g


class Pairs:
    """An adapter that is a sum over pairs and remembers what it was asked."""

    batch_size = 64

    def __init__(self, potential=wall):
        self.potential = potential
        self.seen = []

    def evaluate(self, calculator, structures):
        self.seen += structures
        answers = [self.one(atoms) for atoms in structures]
        return np.array([energy for energy, _ in answers]), [forces for _, forces in answers]

    def one(self, atoms):
        i, r, vectors = neighbor_list("idD", atoms, CUTOFF)
        u, du = self.potential(r)
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, (du / r)[:, None] * vectors)
        return 0.5 * u.sum() - 3.0 * len(atoms), forces


def evaluator(adapter, **facts):
    card = ModelCard(**{"name": "pairs", "family": "toy", "cutoff": CUTOFF, **facts})
    return Evaluator(adapter, card, None, {"dtype": "float64"})


def push(atoms, potential=wall, **options):
    adapter = Pairs(potential)
    return embed(evaluator(adapter), atoms, **options), adapter.seen


def images(atoms, reach=3):
    """Atoms of a crystal around the cell: positions (m, 3), which atom, which cell."""
    cells = np.array(
        list(itertools.product(*[range(-reach * p, reach * p + 1) for p in atoms.pbc]))
    )
    positions = atoms.positions[None] + (cells @ atoms.cell.array)[:, None]
    which = np.broadcast_to(np.arange(len(atoms)), positions.shape[:2])
    return positions.reshape(-1, 3), which.ravel(), np.repeat(cells, len(atoms), axis=0)


def lone_pair_energy(atoms, found, r, potential=wall):
    """E(r) − E(structure) when one pair of the infinite structure moves and none of its images."""
    positions, which, cells = images(atoms)
    first = (which == found.indices[0]) & np.all(cells == 0, axis=1)
    second = (which == found.indices[1]) & np.all(cells == found.image, axis=1)
    (a,), (b,) = positions[first], positions[second]
    rest = positions[~first & ~second]
    n, middle = (b - a) / np.linalg.norm(b - a), (a + b) / 2

    def total(distance):
        ends = middle - n * distance / 2, middle + n * distance / 2
        around = [np.linalg.norm(rest - end, axis=1) for end in ends]
        return potential(distance)[0] + sum(potential(d[d < CUTOFF])[0].sum() for d in around)

    return np.array([total(x) for x in r]) - total(np.linalg.norm(b - a))


CRYSTALS = {
    "diamond": bulk("Si", "diamond", 5.43),
    "cubic": bulk("Si", "diamond", 5.43, cubic=True),
    "bcc": bulk("Fe", "bcc", 2.866),  # one atom: pushed against its own image
    "rocksalt": bulk("NaCl", "rocksalt", 5.64),
    "sheared": Atoms(
        "CuZn",
        scaled_positions=[(0.05, 0, 0.02), (0.9, 0.8, 0.95)],
        cell=[(4.0, 0, 0), (2.9, 3.5, 0), (-1.0, 1.7, 4.2)],
        pbc=True,
    ),
    "slab": fcc111("Cu", (1, 1, 2), a=3.6, vacuum=4.0),
    "chain": Atoms("NO", [(0, 0, 0), (1.4, 0.2, 0)], cell=[3.1, 0, 0], pbc=[True, False, False]),
    "molecule": Atoms("OCO", [(-1.2, 0, 0), (0, 0.1, 0), (1.15, 0, 0.3)]),
}


# The sum over pairs ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_curve_is_that_of_one_pair_in_the_infinite_structure(name):
    atoms = CRYSTALS[name]
    found, _ = push(atoms)
    for one in found.values():
        curve = one.curve
        expected = lone_pair_energy(atoms, one, curve.r)
        assert curve.energy == pytest.approx(expected, abs=1e-8)
        assert curve.energy[-1] == 0.0
        assert one.distance == curve.r[-1]
        assert one.E_b == pytest.approx(curve.energy.max())
        assert one.r_b is None
        assert one.complete


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_axial_force_is_minus_the_derivative(name):
    atoms = CRYSTALS[name]
    for one in push(atoms)[0].values():
        r, h = one.curve.r[20:-1:7], 1e-5
        ends = (lone_pair_energy(atoms, one, r + sign * h) for sign in (1, -1))
        slope = np.subtract(*ends) / (2 * h)
        assert one.curve.axial_force[20:-1:7] == pytest.approx(-slope, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", ["diamond", "rocksalt"])
def test_a_planted_hole_and_its_barrier(name):
    atoms = CRYSTALS[name]
    for one in push(atoms, with_hole)[0].values():
        energy = lone_pair_energy(atoms, one, one.curve.r, with_hole)
        outside = one.curve.r > 0.5
        assert one.E_b == pytest.approx(energy[outside].max())
        assert one.r_b == one.curve.r[outside][np.argmax(energy[outside])]
        assert one.depth == pytest.approx(energy[~outside | (one.curve.r < one.r_b)].min())
        assert one.r_depth == pytest.approx(0.5, abs=0.05)
        assert "barrier" in one.reason


def test_the_neighbours_raise_the_barrier():
    pair = Dimer.parse("Si2").atoms(2.351)
    vacuum = push(pair, with_hole)[0]["Si2"]
    crystal = push(CRYSTALS["diamond"], with_hole)[0]["Si2"]
    u0 = with_hole(2.351)[0]
    r = vacuum.curve.r
    assert vacuum.curve.energy == pytest.approx(with_hole(r)[0] - u0)
    assert crystal.E_b != pytest.approx(vacuum.E_b, rel=0.02)


# What moves and what does not --------------------------------------------------------------------


def test_the_pair_moves_about_its_midpoint_and_nothing_else_does():
    atoms = CRYSTALS["diamond"]
    found, seen = push(atoms)
    start = atoms.repeat(found["Si2"].repeats).positions
    moved = np.array([structure.positions - start for structure in seen])  # (n, atoms, 3)
    assert np.count_nonzero(np.abs(moved[0]).max(axis=1) > 1e-9) == 2
    assert np.abs(moved.sum(axis=1)).max() < 1e-9


def test_distances_are_those_of_the_standard_wall():
    r = push(CRYSTALS["diamond"])[0]["Si2"].curve.r
    assert r[0] == R_MIN
    assert r[-1] == pytest.approx(5.43 * 3**0.5 / 4)
    ratios = r[1:] / r[:-1]
    assert np.ptp(ratios) < 1e-9
    assert 1.04 < ratios[0] <= _GROWTH == GROWTH


@given(
    st.lists(st.floats(-1.5, 1.5), min_size=9, max_size=9),
    st.lists(st.booleans(), min_size=3, max_size=3).filter(any),
    st.floats(0.3, 3.0),
)
@settings(max_examples=60)
def test_no_other_image_comes_within_the_cutoff(shears, pbc, distance):
    cell = np.diag([3.0, 2.5, 4.0]) + np.reshape(shears, (3, 3)) * 0.6
    if abs(np.linalg.det(cell)) < 5:
        return
    atoms = Atoms("H", cell=cell, pbc=pbc)
    repeats = repeats_for(atoms, CUTOFF + distance)
    assert all(n == 1 for n, p in zip(repeats, pbc, strict=True) if not p)
    lattice = cell * np.array(repeats)[:, None]
    steps = [range(-2 * p, 2 * p + 1) for p in pbc]
    vectors = [np.array(n) @ lattice for n in itertools.product(*steps) if any(n)]
    n = np.array([0.36, 0.48, 0.8])
    for r in (R_MIN, distance):
        assert min(np.linalg.norm(v + r * n) for v in vectors) >= CUTOFF - 1e-6
    assert min(map(np.linalg.norm, vectors)) >= CUTOFF


def test_the_closest_pair_of_each_combination_is_found():
    found, _ = push(CRYSTALS["rocksalt"])
    assert {name: round(one.distance, 3) for name, one in found.items()} == {
        "NaCl": 2.82,
        "Na2": 3.988,
        "Cl2": 3.988,
    }
    assert found["Na2"].indices == (0, 0)
    assert any(found["Na2"].image)
    assert push(CRYSTALS["molecule"])[0].keys() == {"CO", "O2"}  # there is one C only
    assert push(CRYSTALS["molecule"])[0]["CO"].indices == (1, 2)


def test_only_the_elements_asked_for():
    found, _ = push(CRYSTALS["rocksalt"], elements=["Na"])
    assert found.keys() == {"Na2"}


def test_the_structure_given_is_not_changed_and_its_constraints_play_no_part():
    atoms = CRYSTALS["molecule"].copy()
    atoms.set_constraint(FixAtoms([0, 1, 2]))
    atoms.info.update(charge=1, spin=2, note="x")
    before = atoms.copy()
    adapter = Pairs()
    found = embed(evaluator(adapter), atoms)
    assert atoms == before
    assert atoms.constraints
    assert atoms.info == before.info
    assert found["CO"].curve.energy.max() > 10
    assert adapter.seen[0].info == {"charge": 1, "spin": 2}
    blind = Pairs()
    embed(evaluator(blind, uses_charge=False, uses_spin=False), atoms)
    assert blind.seen[0].info == {}


def test_progress_counts_all_structures():
    calls = []
    found, seen = push(CRYSTALS["rocksalt"], progress=lambda *step: calls.append(step))
    assert calls[-1] == (len(seen), len(seen))
    assert len(seen) == sum(len(one.curve) for one in found.values())


def test_a_second_pass_finds_what_lies_between_the_steps():
    narrow = partial(with_hole, centre=1.345, width=0.01, depth=30.0)
    calls = []
    adapter = Pairs(narrow)
    atoms = CRYSTALS["diamond"]
    (first,) = push(atoms, narrow)[0].values()
    assert first.r_b is None
    (second,) = embed(
        evaluator(adapter),
        atoms,
        more=partial(extra, cap=50.0, spacing=0.03),
        progress=lambda *step: calls.append(step),
    ).values()
    assert second.r_b == pytest.approx(1.36, abs=0.03)
    assert len(second.curve) == len(adapter.seen) == calls[-1][0] == calls[-1][1]
    assert second.curve.provenance["refined"] == len(second.curve) - len(first.curve)


# Where the walk begins and ends ------------------------------------------------------------------


def morse(r, depth=3.0, a=1.5, r_e=2.0):
    x = np.exp(-a * (np.asarray(r) - r_e))
    return depth * (x * x - 2 * x), 2 * depth * a * (x - x * x)


def test_a_stretched_pair_first_falls_into_its_bond_and_that_is_no_hole():
    one = push(Dimer.parse("Si2").atoms(2.6), morse)[0]["Si2"]
    assert one.r_b is None
    assert one.curve.energy.min() < -0.5
    assert one.E_b == pytest.approx(one.curve.energy[0])


def test_a_hole_right_behind_the_structure_has_no_barrier():
    def collapsing(r):
        return -100.0 / np.asarray(r) ** 2, 200.0 / np.asarray(r) ** 3

    # Never above the structure: no wall at all.
    one = push(Dimer.parse("Si2").atoms(2.3), collapsing)[0]["Si2"]
    assert one.E_b is None
    assert "no repulsive wall" in one.reason

    def inner_wall(r):
        u, du = collapsing(r)
        return u + 10.0 / np.asarray(r) ** 4, du - 40.0 / np.asarray(r) ** 5

    one = push(Dimer.parse("Si2").atoms(2.3), inner_wall)[0]["Si2"]
    assert one.E_b == 0.0
    assert one.r_b == one.distance
    assert one.depth == pytest.approx(one.curve.energy.min())


def test_missing_energies_end_the_wall():
    def blind_inside(r):
        u, du = wall(r)
        return np.where(r < 0.4, np.nan, u), du

    one = push(Dimer.parse("Si2").atoms(2.3), blind_inside)[0]["Si2"]
    assert not one.complete
    assert one.E_b == pytest.approx(np.nanmax(one.curve.energy))
    assert "breaks off" in one.reason
    assert np.isnan(one.curve.energy[0])


def test_a_model_without_an_answer_gets_no_barrier():
    class Refuses(Pairs):
        def one(self, atoms):
            raise ValueError("not today")

    found = embed(evaluator(Refuses()), CRYSTALS["molecule"])
    assert all(one.E_b is None and not one.complete for one in found.values())
    assert "not today" in found["CO"].reason
    assert len(found["CO"].curve.failures) == len(found["CO"].curve)


def test_a_constant_model_has_no_wall():
    one = push(CRYSTALS["molecule"], lambda r: (0.0 * r, 0.0 * r))[0]["CO"]
    assert one.E_b is None
    assert one.complete


def test_a_model_without_forces_still_has_a_barrier():
    class Silent(Pairs):
        def one(self, atoms):
            return super().one(atoms)[0], None

    one = embed(evaluator(Silent()), CRYSTALS["molecule"])["CO"]
    assert one.curve.forces is None
    assert one.E_b > 10


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("atoms", "elements", "message"),
    [
        (CRYSTALS["rocksalt"], ["K"], "has no K; it has Cl, Na"),
        (Atoms("H"), None, "no pair of atoms"),
        (Atoms(), None, "no pair of atoms"),
        (Atoms("H2", [(0, 0, 0), (0, 0, 0.05)]), None, "0.05 Å apart"),
        (CRYSTALS["molecule"], ["C"], "no pair of atoms"),
    ],
)
def test_what_cannot_be_pushed_is_refused(atoms, elements, message):
    with pytest.raises(InputError, match=message):
        push(atoms, elements=elements)


@pytest.mark.parametrize(("key", "value"), [("charge", 1), ("spin", 3)])
def test_a_cell_with_charge_or_spin_is_not_repeated(key, value):
    atoms = CRYSTALS["diamond"].copy()
    atoms.info[key] = value
    with pytest.raises(InputError, match=f"has {key} {value} and .*2 × 2 × 2"):
        push(atoms)
    blind = evaluator(Pairs(), uses_charge=False, uses_spin=False)
    assert embed(blind, atoms)  # would not notice it
    atoms.info[key] = {"charge": 0, "spin": 1}[key]
    assert push(atoms)


def test_unknown_elements_are_refused():
    with pytest.raises(UnsupportedElementError, match="does not know Cl"):
        embed(evaluator(Pairs(), elements=("Na",)), CRYSTALS["rocksalt"])


# A real model ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_silicon_resists_longer_than_its_dimer():
    """7net-0: 31 eV in the crystal, 16 eV in the vacuum; minutes on one core."""
    pytest.importorskip("sevenn")
    model = Probe("7net-0", device="cpu").evaluator
    one = embed(model, bulk("Si", "diamond", 5.43))["Si2"]
    assert one.repeats == (3, 3, 3)
    assert one.E_b == pytest.approx(31.08, abs=0.1)
    assert one.r_b == pytest.approx(1.13, abs=0.06)
    curve = scan(model, [one.dimer])["Si2"]
    vacuum = CHECKS["compression.barrier"](Case(dimer=one.dimer, card=model.card, curve=curve))
    assert vacuum.value == pytest.approx(16.2, abs=0.2)
