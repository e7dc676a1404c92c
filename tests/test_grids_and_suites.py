import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe import Dimer
from ase_probe.baselines import constants
from ase_probe.dimer import _SEQUENCE
from ase_probe.errors import InputError
from ase_probe.grids import GRIDS, STENCIL, grid
from ase_probe.suites import QUICK, STANDARD, suite

symbols = st.sampled_from(_SEQUENCE)


@given(symbols, symbols, st.sampled_from(sorted(GRIDS)), st.none() | st.floats(1.0, 20.0))
def test_grids_increase_and_are_positive(first, second, name, cutoff):
    r = grid(name, Dimer((first, second)), cutoff)
    assert r[0] > 0
    assert np.all(np.diff(r) > 0)


@given(symbols, symbols, st.none() | st.floats(1.0, 20.0))
def test_standard_grid_reaches_from_the_core_to_beyond_the_cutoff(first, second, cutoff):
    dimer = Dimer((first, second))
    r = grid("standard", dimer, cutoff)
    assert r[0] == 0.1
    assert r[-1] >= max(10.0, (cutoff or 0) + 1)
    assert 100 < len(r) < 400
    near = (r > 0.6 * dimer.covalent_sum) & (r < 1.6 * dimer.covalent_sum)
    # A stencil replaces the points it would all but touch, which widens one gap at each end.
    assert np.diff(r[near]).max() <= 0.021 * dimer.covalent_sum + 0.5 * STENCIL * r[near][-1]


def test_published_grids():
    n2, nacl = Dimer.parse("N2"), Dimer.parse("NaCl")
    assert len(grid("matbench", n2)) == 119
    assert grid("ml-peg", n2)[[0, -1]].tolist() == [0.18, 6.0]
    assert grid("arena", n2)[0] == pytest.approx(0.9 * 0.71)
    assert grid("arena", n2)[-1] == pytest.approx(3.1 * 1.66, abs=0.01)
    assert grid("arena", nacl)[0] == pytest.approx(0.9 * (1.66 + 1.02) / 2)


@pytest.mark.parametrize(
    "bad", [[], [1.0, 1.0], [2.0, 1.0], [0.0, 1.0], [1.0, float("nan")], [[1.0]]]
)
def test_bad_distances_are_refused(bad):
    with pytest.raises(InputError, match="strictly increasing"):
        grid(bad, Dimer.parse("H2"))


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="allowed: standard, matbench"):
        grid("fine", Dimer.parse("H2"))
    with pytest.raises(InputError, match="allowed: quick, standard"):
        suite("everything")


def test_suites():
    assert [dimer.name for dimer in suite("quick")] == list(QUICK)
    assert [dimer.name for dimer in suite("standard")] == list(STANDARD)
    assert [d.name for d in suite("homonuclear", ["H", "O"])] == ["H2", "O2"]
    assert [d.name for d in suite("all-pairs", ["H", "O"])] == ["H2", "OH", "O2"]
    assert len(suite("all-pairs", _SEQUENCE[:89])) == 89 * 90 // 2


def test_suites_over_elements_need_elements():
    with pytest.raises(InputError, match="does not state them"):
        suite("homonuclear", None)


def test_every_standard_dimer_has_constants_with_the_same_multiplicity():
    missing = [dimer.name for dimer in suite("standard") if constants(dimer) is None]
    assert missing == ["H2++"]
