import copy
import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ase_probe import Audit, Curve, Finding
from ase_probe.errors import AuditFileError, InputError
from ase_probe.model import ModelCard
from ase_probe.serialize import SCHEMA, audit_from_dict, audit_to_dict, write_atomic

any_float = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def curves(draw):
    n = draw(st.integers(1, 6))
    r = np.cumsum(draw(hnp.arrays(float, n, elements=st.floats(0.01, 2.0))))
    return Curve(
        r=r,
        energy=draw(hnp.arrays(float, n, elements=any_float)),
        forces=draw(st.none() | hnp.arrays(float, (n, 2, 3), elements=any_float)),
        atom_energies=draw(st.none() | hnp.arrays(float, 2, elements=any_float)),
        failures=draw(st.dictionaries(st.integers(0, n - 1), st.text(), max_size=2)),
        provenance={"dtype": draw(st.text()), "x": draw(st.floats(allow_nan=False))},
    )


findings = st.builds(
    Finding,
    check=st.sampled_from(["a.b", "c.d"]),
    dimer=st.text(),
    status=st.sampled_from(["pass", "warn", "fail", "not-run"]),
    value=st.none() | st.floats(allow_nan=False),
    reference=st.none() | st.floats(allow_nan=False),
    threshold=st.none() | st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
    score=st.none() | st.floats(0, 1),
    reason=st.text(),
)


def make_audit(curve, found=()):
    return Audit(
        card=ModelCard(name="m", family="f", elements=("H",), cutoff=5.0),
        environment={"device": "cpu", "versions": {"ase": "3"}},
        curves={"H2": curve},
        references={"H2": {"exact": curve}},
        findings=tuple(found),
        score=0.25,
        group_scores={"a": 0.25},
        coverage=1.0,
    )


@given(curves(), st.lists(findings, max_size=3))
def test_audit_round_trips_through_strict_json(curve, found):
    audit = make_audit(curve, found)
    text = json.dumps(audit_to_dict(audit), allow_nan=False)
    assert audit_from_dict(json.loads(text)) == audit


@given(curves())
def test_curves_pickle_and_copy(curve):
    assert pickle.loads(pickle.dumps(curve)) == curve
    assert copy.deepcopy(curve) == curve


def test_curves_differ_when_a_bit_differs():
    a = Curve(r=[1.0, 2.0], energy=[1.0, np.nan])
    assert a == Curve(r=[1.0, 2.0], energy=[1.0, np.nan])
    assert a != Curve(r=[1.0, 2.0], energy=[np.nextafter(1.0, 2), np.nan])
    assert a != Curve(r=[1.0, 2.0], energy=[1.0, np.nan], failures={0: "x"})


def test_arrays_are_read_only_copies():
    energy = np.zeros(2)
    curve = Curve(r=[1.0, 2.0], energy=energy)
    energy[0] = 7.0
    assert curve.energy[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        curve.energy[0] = 1.0
    with pytest.raises(TypeError):
        curve.failures[0] = "x"


@pytest.mark.parametrize(
    "bad",
    [
        {"r": [2.0, 1.0], "energy": [0.0, 0.0]},
        {"r": [0.0, 1.0], "energy": [0.0, 0.0]},
        {"r": [1.0, 2.0], "energy": [0.0]},
        {"r": [1.0], "energy": [0.0], "forces": np.zeros((1, 3))},
        {"r": [1.0], "energy": [0.0], "failures": {1: "x"}},
        {"r": [1.0], "energy": [0.0], "atom_energies": [1.0]},
    ],
)
def test_malformed_curves_are_refused(bad):
    with pytest.raises(InputError):
        Curve(**bad)


def test_points_find_their_places_with_what_belongs_to_them():
    rng = np.random.default_rng(3)
    r = np.sort(rng.uniform(0.1, 9.0, 40))
    whole = Curve(
        r=r, energy=rng.normal(size=40), forces=rng.normal(size=(40, 2, 3)),
        failures={4: "four", 17: "seventeen", 30: "thirty"}, provenance={"model": "m"},
    )  # fmt: skip
    late = rng.random(40) < 0.4
    parts = [
        Curve(
            r=r[mask], energy=whole.energy[mask], forces=whole.forces[mask],
            failures={int(mask[:i].sum()): why for i, why in whole.failures.items() if mask[i]},
            provenance={"model": "m"},
        )
        for mask in (~late, late)
    ]  # fmt: skip
    joined = parts[0].extended(parts[1])
    assert joined.provenance["refined"] == late.sum()
    assert replace(joined, provenance={"model": "m"}) == whole


def test_a_breakdown_later_on_takes_no_forces_away():
    first = Curve(r=[1.0, 3.0], energy=[0.0, 1.0], forces=np.ones((2, 2, 3)))
    later = Curve(r=[2.0], energy=[np.nan], failures={0: "out of memory"})
    for one, two, missing in ((first, later, [1]), (later, first, [1])):
        joined = one.extended(two)
        assert joined.forces is not None
        assert np.flatnonzero(np.isnan(joined.axial_force)).tolist() == missing


def test_axial_force_and_atom_limit():
    forces = np.zeros((1, 2, 3))
    forces[0, 1, 2] = 3.0
    curve = Curve(r=[1.0], energy=[0.0], forces=forces, atom_energies=[-1.0, -2.0])
    assert curve.axial_force.tolist() == [3.0]
    assert curve.atom_limit == -3.0
    assert Curve(r=[1.0], energy=[0.0], atom_energies=[np.nan, 1.0]).atom_limit is None


def test_finding_refuses_what_it_cannot_mean():
    with pytest.raises(InputError, match="Unknown status"):
        Finding(check="a.b", dimer="H2", status="bad")
    with pytest.raises(InputError, match="between 0 and 1"):
        Finding(check="a.b", dimer="H2", status="pass", score=2.0)
    assert Finding(check="a.b", dimer="H2", status="fail", value=float("nan")).value is None


@pytest.fixture
def saved(tmp_path):
    return make_audit(Curve(r=[1.0], energy=[0.0])).save(tmp_path / "a.json")


def test_saved_audit_loads(saved):
    assert Audit.load(saved).card.name == "m"


@pytest.mark.parametrize("keep", [0, 1, 50, 200])
def test_truncated_file_is_a_clear_error(saved, keep):
    saved.write_text(saved.read_text()[:keep])
    with pytest.raises(AuditFileError, match="truncated"):
        Audit.load(saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "holds no audit"),
        ("{}", "schema None"),
        ('{"schema": "ase-probe/audit/0"}', "Run the audit again"),
        (f'{{"schema": "{SCHEMA}"}}', "damaged"),
        (f'{{"schema": "{SCHEMA}", "card": {{"nonsense": 1}}}}', "damaged"),
    ],
)
def test_other_files_are_clear_errors(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(AuditFileError, match=message):
        Audit.load(path)


def test_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(AuditFileError, match="No such file"):
        Audit.load(tmp_path / "no.json")


@given(st.integers(0, 10_000))
def test_any_truncation_is_refused(tmp_path_factory, keep):
    folder = tmp_path_factory.mktemp("cut")
    path = make_audit(Curve(r=[1.0], energy=[0.0])).save(folder / "a.json")
    text = path.read_text().rstrip()
    path.write_text(text[: keep % len(text)])
    with pytest.raises(AuditFileError):
        Audit.load(path)


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    real, link, pipe = tmp_path / "real", tmp_path / "link", tmp_path / "pipe"
    real.write_text("old")
    link.symlink_to(real)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomic(pipe, "through")
    assert os.read(reader, 99) == b"through"
    os.close(reader)


def test_writing_is_atomic(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "half \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(InputError, match="folder that exists"):
        write_atomic(tmp_path / "no" / "a.txt", "x")
