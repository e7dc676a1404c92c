import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.engine import Evaluator, Raised, attempt
from ase_probe.model import AdapterBase, ModelCard


class Fake(AdapterBase):
    """Energy = first z coordinate; remembers the batches; raises where told to."""

    family = "fake"

    def __init__(self, batch_size, bad=(), error=RuntimeError):
        self.batch_size, self.bad, self.error = batch_size, set(bad), error
        self.batches = []

    def evaluate(self, calculator, structures):
        ids = [round(float(atoms.positions[0, 2])) for atoms in structures]
        self.batches.append(ids)
        if self.bad & set(ids):
            raise self.error("broken by " + str(self.bad & set(ids)))
        return np.array(ids, dtype=float), [
            np.full((len(a), 3), float(i)) for i, a in zip(ids, structures, strict=True)
        ]


def make(adapter, **card):
    return Evaluator(adapter, ModelCard(name="fake", family="fake", **card), None, {})


def structures(sizes):
    return [
        Atoms("H" * n, positions=[(0, 0, i)] + [(0, 0, 99)] * (n - 1)) for i, n in enumerate(sizes)
    ]


@given(
    st.lists(st.integers(1, 7), max_size=30),
    st.integers(1, 9),
    st.sets(st.integers(0, 29), max_size=6),
)
def test_every_structure_is_answered_or_blamed(sizes, batch_size, bad):
    bad = {i for i in bad if i < len(sizes)}
    adapter = Fake(batch_size, bad)
    seen = []
    result = make(adapter).evaluate(
        structures(sizes), lambda done, total: seen.append((done, total))
    )
    assert set(result.failures) == bad
    good = [i for i in range(len(sizes)) if i not in bad]
    assert result.energy[good].tolist() == good
    assert np.isnan(result.energy[sorted(bad)]).all()
    assert [f.shape for f in result.forces] == [(n, 3) for n in sizes]
    assert all(len(b) == 1 or sum(sizes[i] for i in b) <= 2 * batch_size for b in adapter.batches)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    if sizes:
        assert seen[-1] == (len(sizes), len(sizes))


def test_healthy_batches_are_full():
    adapter = Fake(8)
    make(adapter).evaluate(structures([2] * 20))
    assert [len(b) for b in adapter.batches] == [8, 8, 4]


def test_out_of_memory_halves_the_batches_for_good():
    class Small(Fake):
        def evaluate(self, calculator, structures):
            if len(structures) > 4:
                self.batches.append(None)
                raise MemoryError
            return super().evaluate(calculator, structures)

    adapter = Small(16)
    result = make(adapter).evaluate(structures([2] * 64))
    assert not result.failures
    assert result.energy.tolist() == list(range(64))
    assert sum(batch is None for batch in adapter.batches) <= 4


class Gpu(Fake):
    """Holds so many structures."""

    holds = 100

    def evaluate(self, calculator, structures):
        if len(structures) > self.holds:
            self.batches.append(None)
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return super().evaluate(calculator, structures)


def test_batches_grow_on_a_gpu_until_its_memory_is_full():
    adapter = Gpu(8)
    evaluator = Evaluator(adapter, ModelCard(name="f", family="f"), None, {"device": "cuda:0"})
    result = evaluator.evaluate(structures([2] * 1000))
    assert not result.failures
    assert result.energy.tolist() == list(range(1000))
    assert adapter.batches.count(None) == 1
    evaluator.evaluate(structures([2] * 1000))  # remembers
    assert adapter.batches.count(None) == 1
    sizes = [len(batch) for batch in adapter.batches if batch is not None]
    assert sizes[:4] == [8, 16, 32, 64]
    assert set(sizes[4:]) == {64, 48, 40}  # 48 and 40 are what was left over


def test_batches_grow_to_a_limit_and_on_a_cpu_not_at_all():
    adapter = Gpu(1)
    evaluator = Evaluator(adapter, ModelCard(name="f", family="f"), None, {"device": "cuda"})
    evaluator.evaluate(structures([2] * 200))
    assert max(map(len, adapter.batches)) == 32
    adapter = Gpu(1)
    Evaluator(adapter, ModelCard(name="f", family="f"), None, {"device": "cpu"}).evaluate(
        structures([2] * 10)
    )
    assert set(map(len, adapter.batches)) == {1}


def test_alike_structures_share_a_batch():
    adapter = Fake(4)
    make(adapter).evaluate(structures([2, 100, 1, 2, 100, 2, 1]))
    assert adapter.batches == [[2, 6, 0, 3, 5], [1], [4]]


def test_one_structure_too_large_does_not_shrink_the_batches():
    adapter = Fake(8, {5}, MemoryError)
    result = make(adapter).evaluate(structures([2] * 80))
    assert list(result.failures) == [5]
    assert max(len(batch) for batch in adapter.batches[-3:]) == 8


def test_failure_keeps_the_message_short():
    result = make(Fake(1, {0})).evaluate(structures([1]))
    assert result.failures == {0: "RuntimeError: broken by {0}"}


@pytest.mark.parametrize("error", [KeyError, ZeroDivisionError, MemoryError])
def test_any_exception_is_a_failure_of_the_point(error):
    result = make(Fake(4, {1}, error)).evaluate(structures([2, 2, 2]))
    assert list(result.failures) == [1]
    assert error.__name__ in result.failures[1]


def test_interrupt_passes_through():
    with pytest.raises(KeyboardInterrupt):
        make(Fake(4, {1}, KeyboardInterrupt)).evaluate(structures([2, 2, 2]))


def test_wrong_force_shape_keeps_the_energy():
    class Flat(Fake):
        def evaluate(self, calculator, structures):
            energies, forces = super().evaluate(calculator, structures)
            return energies, [f.ravel() for f in forces]

    result = make(Flat(4)).evaluate(structures([2, 2]))
    assert result.energy.tolist() == [0, 1]
    assert result.failures[1] == "forces of shape (6,), expected (2, 3)"
    assert np.isnan(result.forces[1]).all()


@pytest.mark.parametrize("energies", [np.zeros(3), 0.0, np.zeros((2, 1))])
def test_wrong_energy_shape_is_a_failure(energies):
    class Short(Fake):
        def evaluate(self, calculator, structures):
            return energies, [np.zeros((2, 3))] * len(structures)

    result = make(Short(4)).evaluate(structures([2, 2]))
    assert sorted(result.failures) == [0, 1]
    assert np.isnan(result.energy).all()


def test_non_finite_numbers_are_data():
    class Infinite(Fake):
        def evaluate(self, calculator, structures):
            return np.full(len(structures), -np.inf), [np.zeros((2, 3))] * len(structures)

    result = make(Infinite(4)).evaluate(structures([2]))
    assert result.energy.tolist() == [-np.inf]
    assert not result.failures


def test_unknown_elements_never_reach_the_model():
    adapter = Fake(4)
    result = make(adapter, elements=("He",)).evaluate(structures([2]))
    assert result.failures == {0: "the model does not know H"}
    assert adapter.batches == []


def test_attempt():
    assert attempt(lambda: 1) == 1
    raised = attempt(lambda: 1 / 0)
    assert isinstance(raised, Raised)
    assert raised.message == "ZeroDivisionError: division by zero"
    assert not raised.out_of_memory
