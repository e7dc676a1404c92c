from itertools import combinations_with_replacement

import pytest
from ase.data import chemical_symbols
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.curve import Finding
from ase_probe.dimer import Dimer
from ase_probe.report.elements import layout, position
from ase_probe.report.heatmap import NO_SHADE, QUANTITIES, brief, shades

NUMBERS = range(1, 119)


@pytest.mark.parametrize(
    ("symbol", "place"),
    [
        ("H", (1, 1)), ("He", (1, 18)), ("Be", (2, 2)), ("B", (2, 13)), ("Cl", (3, 17)),
        ("Sc", (4, 3)), ("Zn", (4, 12)), ("Xe", (5, 18)), ("La", (8, 3)), ("Lu", (8, 17)),
        ("Hf", (6, 4)), ("Rn", (6, 18)), ("Ac", (9, 3)), ("Lr", (9, 17)), ("Rf", (7, 4)),
        ("Og", (7, 18)),
    ],
)  # fmt: skip
def test_places_in_the_periodic_table(symbol, place):
    assert position(chemical_symbols.index(symbol)) == place


def test_no_two_elements_share_a_place():
    assert len({position(number) for number in NUMBERS}) == len(NUMBERS)


def pairs(symbols):
    return [Dimer(pair).name for pair in combinations_with_replacement(symbols, 2)]


def test_homonuclear_dimers_make_a_periodic_table():
    found = layout(["H2", "N2", "O2", "F2", "Li2", "U2", "H2+", "O2@1", ""])
    assert found.periodic[92] == "U2"
    assert len(found.periodic) == 6
    assert found.elements == ()
    assert found.elsewhere == ("H2+", "O2@1", "")


def test_pairs_of_few_elements_make_a_matrix_only():
    found = layout([*pairs(["P", "Li", "S"]), "Li2+"])
    assert found.periodic == {}
    assert found.elements == (3, 15, 16)
    assert found.pairs[3, 16] == "LiS"
    assert found.elsewhere == ("Li2+",)


def test_a_large_matrix_stands_beside_a_periodic_table():
    found = layout(pairs(chemical_symbols[1:27]))
    assert len(found.periodic) == len(found.elements) == 26
    assert found.elsewhere == ()


def test_scattered_pairs_make_no_matrix():
    found = layout(["HF", "NaCl", "MgO", "CO"])
    assert (found.periodic, found.elements) == ({}, ())
    assert len(found.elsewhere) == 4


@given(st.sets(st.sampled_from(chemical_symbols[1:]), max_size=20))
def test_every_dimer_has_a_place_or_is_elsewhere(symbols):
    names = pairs(symbols)
    found = layout(names)
    placed = {*found.periodic.values(), *found.pairs.values()}
    assert placed | set(found.elsewhere) == set(names)
    assert not placed & set(found.elsewhere)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite)
def test_classes_are_ordered(a, b):
    low, high = sorted((a, b))
    for quantity in QUANTITIES:
        first, second = (int(quantity.level(value)[1]) for value in (low, high))
        assert (second <= first) if quantity.better == "low" else (first <= second)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda q: q.key)
def test_the_scale_has_all_seven_classes_and_says_their_limits(quantity):
    scale = quantity.scale()
    assert len({level for level, _ in scale}) == 7
    assert list(quantity.limits) == sorted(quantity.limits)
    signed = quantity.better == "zero"
    for limit, (level, words) in zip(quantity.limits, scale[1:], strict=True):
        assert quantity.level(limit) == level
        assert words.removeprefix("≥ ").startswith(brief(limit, signed=signed))


def find(check, value=None, **more):
    return Finding(check=check, dimer="N2", status=more.pop("status", "warn"), value=value, **more)


def shade(key, finding):
    found = shades(["N2"], {"N2": [finding]})
    return found[key][0] if key in found else NO_SHADE


@pytest.mark.parametrize(
    ("key", "finding", "level", "text"),
    [
        ("barrier", find("compression.barrier", 240.0, status="pass"), "s6", "≥240"),
        ("barrier", find("compression.barrier", -4.6, status="fail"), "s0", "−4.6"),
        ("r_trust", find("compression.r_trust", 0.70), "s4", "0.49"),  # Σr_cov = 1.42 Å
        ("r_trust", find("compression.r_trust", status="fail"), "s0", "none"),
        ("E_trust", find("compression.r_trust", 0.6, details={"E_trust": 49.4, "censored": True}),
         "s6", "≥49"),
        ("E_trust", find("compression.r_trust", 0.6, details={"E_trust": 0.2}), "s0", "0.2"),
        ("D_e", find("dissociation.D_e", 9.0, reference=9.9), "d1", "−0.9"),
        ("D_e", find("dissociation.D_e", status="fail"), "", "–"),
        ("r_e", find("dissociation.r_e", 1.1), "", "–"),
    ],
)  # fmt: skip
def test_shades(key, finding, level, text):
    found = shade(key, finding)
    assert (found.level, found.text) == (level, text)


def test_a_hole_behind_a_barrier_that_passes_has_no_at_least():
    hole = {"E_b": 80.0, "r_b": 0.57, "depth": -6307.0, "r_depth": 0.32}
    finding = find("compression.barrier", 80.0, status="pass", details={"holes": [hole]})
    assert shade("barrier", finding).text == "80"
