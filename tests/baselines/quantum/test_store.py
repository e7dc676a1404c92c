import json
from dataclasses import replace

import pytest

from ase_probe.baselines.quantum.reference import Branch, Mask, Reference
from ase_probe.baselines.quantum.store import file_name, loads, read, write
from ase_probe.errors import InputError

BRANCH = Branch(
    two_s=0,
    r=(0.1, 0.74, 1.0, 10.0),
    energy=(3.5195, -0.1666, None, 4e-9),
    converged=(True, True, False, True),
    stable=(True, None, False, True),
    s2=(0.0, 0.0, 0.3, 1.0),
    state=("=", "=", "in", "out"),
    seconds=(0.1, 0.2, 0.3, 0.4),
    cuts={2: "from in to out"},
    bends=(1,),
    check_r=(0.5,),
    check_energy=(-0.01,),
    error_eV=1e-4,
)
REFERENCE = Reference(
    dimer="H2",
    tier="dft:pbe",
    level="PBE/test",
    method={"xc": "pbe"},
    versions={"pyscf": "2.14.0"},
    date="2026-01-01",
    zero={"energies": [-0.5, -0.5]},
    branches={"unrestricted": BRANCH, "restricted": replace(BRANCH, cuts={})},
    default="unrestricted",
    masks=(Mask(r_min=0.74, r_max=10.0, reason="why", branches=("unrestricted",)),),
    source="a test",
)


def test_round_trip(tmp_path):
    path = write(REFERENCE, tmp_path)
    assert path == tmp_path / "dft-pbe" / "H2.json"
    assert read(path) == REFERENCE
    assert [p.name for p in path.parent.iterdir()] == ["H2.json"]


def test_energies_are_kept_to_a_billionth_of_a_hartree(tmp_path):
    exact = replace(BRANCH, energy=(1 / 3, -1 / 7, None, 1e-12))
    made = read(write(replace(REFERENCE, branches={"unrestricted": exact}), tmp_path))
    assert made.branches["unrestricted"].energy == (0.333333333, -0.142857143, None, 0.0)


def test_a_number_that_is_none_is_no_energy(tmp_path):
    bad = replace(BRANCH, energy=(1.0, 1.0, float("nan"), 1.0))
    made = read(write(replace(REFERENCE, branches={"unrestricted": bad}), tmp_path))
    assert made.branches["unrestricted"].energy[2] is None


def test_it_is_small(tmp_path):
    assert write(REFERENCE, tmp_path).stat().st_size < 2000


@pytest.fixture
def text(tmp_path):
    return write(REFERENCE, tmp_path).read_text()


def test_a_changed_digit_is_noticed(text):
    with pytest.raises(InputError, match=r"checksum.*baseline build"):
        loads(text.replace("-0.1666", "-0.1667"))


@pytest.mark.parametrize("cut", [0, 1, 100, -2])
def test_a_truncated_file_is_refused(text, cut):
    with pytest.raises(InputError, match="is no JSON"):
        loads(text[:cut])


def test_another_schema_is_refused(text):
    with pytest.raises(InputError, match=r"schema 'ase-probe/reference/1x', expected"):
        loads(text.replace("reference/1", "reference/1x"))


@pytest.mark.parametrize("content", ["[]", "null", "{}", "3"])
def test_other_json_is_refused(content):
    with pytest.raises(InputError, match="schema"):
        loads(content)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json cannot be read"):
        read(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r": (0.1, 1.0, 0.74, 10.0)}, "do not increase"),
        ({"r": (0.0, 0.74, 1.0, 10.0)}, "two positive distances"),
        ({"r": (0.1, 0.74, 1.0)}, "has not 3 entries"),
        ({"s2": (1.0,)}, "'s2'"),
        ({"converged": (True,) * 4}, "without energy"),
        ({"cuts": {3: "x"}}, "no interval"),
    ],
)
def test_columns_that_are_no_curve_are_not_even_written(tmp_path, changes, message):
    bad = replace(REFERENCE, branches={"unrestricted": replace(BRANCH, **changes)})
    with pytest.raises(InputError, match=message):
        write(bad, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"default": "restrictd"}, "default branch 'restrictd'"),
        ({"envelope": ("2S=4",)}, "envelope"),
        ({"dimer": "ClNa"}, "canonical"),
        ({"masks": (Mask(r_min=2.0, r_max=1.0, reason="x"),)}, "mask"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        write(replace(REFERENCE, **changes), tmp_path)


def test_an_unknown_field_is_refused(text):
    data = json.loads(text)
    data["colour"] = "blue"
    with pytest.raises(InputError, match="checksum"):
        loads(json.dumps(data))


def test_file_names():
    assert file_name("H2+", "dft:wb97m-v") == "dft-wb97m-v/H2+.json"
