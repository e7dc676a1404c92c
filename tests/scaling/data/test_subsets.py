import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.errors import InputError
from ase_probe.scaling.data.subsets import ordered, split

NAMES = [f"molecule {i}" for i in range(200)]
SIZES = st.integers(0, 160)
SEEDS = st.integers(0, 50)


@given(SIZES, SIZES, SEEDS)
def test_the_smaller_set_is_the_first_of_the_larger(a, b, seed):
    small, large = (split(NAMES, n, seed=seed, validation=9, test=9) for n in sorted((a, b)))
    assert small.training.tolist() == large.training[: min(a, b)].tolist()


@given(SIZES, SIZES, SEEDS, SEEDS)
def test_no_seed_learns_from_what_another_is_judged_by(size, other, seed, another):
    one = split(NAMES, size, seed=seed, validation=20, test=20)
    two = split(NAMES, other, seed=another, validation=7, test=7)
    learnt = {*one.training.tolist(), *two.training.tolist()}
    judged = [*one.validation.tolist(), *one.test.tolist()]
    assert len(judged) == len(set(judged)) == 40
    assert not learnt & set(judged)
    assert two.validation.tolist() == one.validation[:7].tolist()
    assert two.test.tolist() == one.test[:7].tolist()


@given(st.permutations(NAMES[:40]), SEEDS)
def test_a_subset_does_not_depend_on_the_order_of_the_file(shuffled, seed):
    def chosen(names):
        found = split(names, 20, seed=seed, validation=4, test=4)
        parts = (found.training, found.validation, found.test)
        return [[names[i] for i in part] for part in parts]

    assert chosen(shuffled) == chosen(NAMES[:40])


def test_seeds_differ():
    first, second = (split(NAMES, 160, seed=s, validation=1, test=1).training for s in (0, 1))
    assert sorted(first) == sorted(second)
    assert np.mean(first == second) < 0.1


def test_the_order_never_changes():
    """Sets in published results: a new order would be another study."""
    assert ordered(["a", "b", "c", "d", "e"], "seed 0").tolist() == [1, 0, 4, 3, 2]


@pytest.mark.parametrize(
    "wrong", [{"size": 161}, {"validation": 21}, {"test": 21}, {"size": -1}, {"seed": -1}]
)
def test_more_than_there_are_is_refused(wrong):
    with pytest.raises(InputError, match=r"-1|161|21"):
        split(NAMES, **{"size": 1, "seed": 0, "validation": 1, "test": 1, **wrong})


def test_a_name_that_is_there_twice_is_refused():
    with pytest.raises(InputError, match="twice"):
        split(["a", "a"], 1, seed=0, validation=0, test=0)
