import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.scaling.training.order import drawn


@given(size=st.integers(1, 30), batch=st.integers(1, 40), seed=st.integers(0, 5))
def test_every_pass_shows_every_molecule_once(size, batch, seed):
    steps = -(-3 * size // batch)
    batches = [drawn(step, size=size, batch=batch, seed=(seed, 0)) for step in range(steps)]
    assert all(len(one) == batch for one in batches)
    shown = np.concatenate(batches)[: 3 * size].reshape(3, size)
    assert (np.sort(shown, axis=1) == np.arange(size)).all()


def test_passes_and_seeds_differ():
    first, second = (drawn(step, size=50, batch=50, seed=(0, 0)) for step in (0, 1))
    other = drawn(0, size=50, batch=50, seed=(1, 0))
    assert len({tuple(order) for order in (first, second, other)}) == 3
