import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.errors import InputError
from ase_probe.scaling import Molecules


def make(counts, prefix="m"):
    atoms = sum(counts)
    return Molecules(
        names=tuple(f"{prefix}{i}" for i in range(len(counts))),
        numbers=np.arange(1, atoms + 1),
        positions=np.arange(3.0 * atoms).reshape(-1, 3),
        counts=np.array(counts, dtype=int),
        energies=-np.arange(float(len(counts))),
    )


@given(st.lists(st.integers(1, 5), max_size=8), st.data())
def test_a_selection_is_the_same_molecules_in_another_order(counts, data):
    molecules = make(counts)
    which = data.draw(st.lists(st.sampled_from(range(len(counts))), unique=True) if counts
                      else st.just([]))  # fmt: skip
    chosen = molecules[np.array(which, dtype=int)]
    before, after = molecules.structures(), chosen.structures()
    assert chosen.names == tuple(molecules.names[i] for i in which)
    assert chosen.energies.tolist() == molecules.energies[which].tolist()
    assert [a.info["name"] for a in after] == list(chosen.names)
    assert all(a == before[i] for a, i in zip(after, which, strict=True))


@given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.data())
def test_parts_join_to_the_whole(counts, data):
    molecules = make(counts)
    cut = data.draw(st.integers(0, len(counts)))
    whole = molecules[:cut].join(molecules[cut:])
    assert whole.names == molecules.names
    for field in ("numbers", "positions", "counts", "energies"):
        assert np.array_equal(getattr(whole, field), getattr(molecules, field))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("a", "a")}, "'a' is there twice"),
        ({"counts": [1, 1]}, "add up to 2 for 3"),
        ({"counts": [3, 0]}, "below 1"),
        ({"energies": [0.0]}, "energies has shape"),
        ({"energies": [0.0, np.nan]}, "not a finite number"),
        ({"positions": [[0.0, 0.0]] * 3}, "positions has shape"),
        ({"numbers": [1, 0, 1]}, "0 is no atomic number"),
    ],
)
def test_what_is_no_set_of_molecules_is_refused(change, message):
    good = {
        "names": ("a", "b"), "numbers": [1, 1, 1], "positions": np.zeros((3, 3)),
        "counts": [1, 2], "energies": [0.0, 0.0],
    }  # fmt: skip
    Molecules(**good)
    with pytest.raises(InputError, match=message):
        Molecules(**{**good, **change})


def test_one_molecule_alone_is_asked_for_as_a_slice():
    with pytest.raises(InputError, match="i:i"):
        make([1, 2])[0]


def test_arrays_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        make([1])[:1].energies[0] = 1.0
