import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ase_probe import graphs
from ase_probe.errors import EvaluationError, UnsupportedElementError
from ase_probe.graphs import check_structures, find_pairs

COORDINATES = st.floats(-6, 6, allow_subnormal=False)
FREE = hnp.arrays(float, st.tuples(st.integers(1, 5), st.just(3)), elements=COORDINATES).map(
    lambda positions: Atoms(f"H{len(positions)}", positions=positions)
)
CRYSTALS = st.sampled_from(
    [bulk("Cu"), bulk("NaCl", "rocksalt", a=5.6), bulk("Si", cubic=True), bulk("Cu") * (1, 1, 2)]
)


def expected(atoms, cutoff):
    i, j, images, vectors = neighbor_list("ijSD", atoms, cutoff, self_interaction=False)
    order = np.lexsort((*images.T, j, i))
    return i[order], j[order], images[order], vectors[order]


@given(st.lists(st.one_of(FREE, CRYSTALS), max_size=6), st.floats(0.5, 6.5))
def test_pairs_are_those_of_ase(structures, cutoff):
    pairs = find_pairs(structures, cutoff)
    assert len(pairs.counts) == len(structures)
    assert (np.diff(pairs.first) >= 0).all()
    offset = start = 0
    for atoms, count in zip(structures, pairs.counts, strict=True):
        part = slice(start, start + count)
        i, j, images = (
            pairs.first[part] - offset,
            pairs.second[part] - offset,
            pairs.images[part],
        )
        order = np.lexsort((*images.T, j, i))
        for got, want in zip((i, j, images), expected(atoms, cutoff)[:3], strict=True):
            assert np.array_equal(got[order], want)
        assert pairs.vectors[part][order] == pytest.approx(expected(atoms, cutoff)[3], abs=1e-9)
        start += count
        offset += len(atoms)
    assert (pairs.distances < cutoff).all()


def test_blocks_and_large_molecules_give_the_same(monkeypatch):
    structures = [molecule("C6H6"), Atoms("H"), molecule("H2O"), molecule("C6H6")] * 3
    whole = find_pairs(structures, 3.0)
    monkeypatch.setattr(graphs, "_BLOCK", 150)
    monkeypatch.setattr(graphs, "DIRECT_PAIRS", 5)
    parts = find_pairs(structures, 3.0)
    assert np.array_equal(whole.first, parts.first)
    assert np.array_equal(whole.counts, parts.counts)


def test_a_finder_of_ones_own():
    cu = bulk("Cu")
    asked = []

    def finder(atoms, cutoff):
        asked.append((atoms, cutoff))
        return np.array([0]), np.array([0]), np.array([[1, 0, 0]])

    pairs = find_pairs([molecule("H2"), cu], 3.0, finder)
    assert asked == [(cu, 3.0)]
    assert list(pairs.first) == [0, 1, 2]
    assert pairs.vectors[-1] == pytest.approx(cu.cell.array[0])


def test_nothing_to_find():
    pairs = find_pairs([], 5.0)
    assert pairs.images.shape == pairs.vectors.shape == (0, 3)
    assert find_pairs([Atoms("H"), Atoms("H")], 5.0).counts.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("atoms", "error", "match"),
    [
        (Atoms("XeH", [(0, 0, 0), (0, 0, 1)]), UnsupportedElementError, "does not know Xe"),
        (Atoms(), EvaluationError, "without atoms"),
        (Atoms("H", [(0, np.nan, 0)]), EvaluationError, "not a finite number"),
        (Atoms("H", cell=[3, 3, 0], pbc=True), EvaluationError, "no cell vector"),
        (Atoms("H", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True), EvaluationError, "linearly"),
    ],
)
def test_structures_no_model_should_answer_for(atoms, error, match):
    check_structures([molecule("H2O")], ["H", "O"])
    with pytest.raises(error, match=match):
        check_structures([molecule("H2O"), atoms], ["H", "O"])
