import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from ase_probe.scaling.models.neighbours import neighbours  # noqa: E402


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    loops=st.booleans(),
)
def test_every_near_pair_of_one_molecule_and_no_other(counts, seed, loops):
    batch = np.repeat(np.arange(len(counts)), counts)
    positions = np.random.default_rng(seed).uniform(0, 4, (len(batch), 3))
    pairs, vectors = neighbours(torch.tensor(positions), torch.tensor(batch), 2.0, loops=loops)
    expected = {
        (i, j)
        for i in range(len(batch))
        for j in range(len(batch))
        if batch[i] == batch[j]
        and (i != j or loops)
        and np.linalg.norm(positions[i] - positions[j]) < 2.0
    }
    found = list(map(tuple, pairs.T.tolist()))
    assert len(found) == len(expected)
    assert set(found) == expected
    first, second = pairs.numpy()
    np.testing.assert_allclose(vectors.numpy(), positions[first] - positions[second])
