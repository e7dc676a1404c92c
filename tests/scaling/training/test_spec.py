import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scaling.synthetic import spec

from ase_probe.errors import InputError
from ase_probe.scaling.training.spec import RunSpec, Shots

SHOTS = Shots(kind="with-h2", k=3, steps=9, learning_rate=1e-4)


@given(
    width=st.integers(1, 99),
    shots=st.none() | st.builds(replace, st.just(SHOTS), k=st.integers(0, 9)),
    length=st.sampled_from([{"steps": 5}, {"epochs": 5}]),
)
def test_a_spec_survives_json_with_its_key(width, shots, length):
    before = spec(width=width, shots=shots, **length)
    after = RunSpec.from_dict(json.loads(json.dumps(asdict(before))))
    assert after == before
    assert after.key() == before.key()


def test_every_field_changes_the_key():
    plain = spec()
    other = {
        "model": "visnet", "width": 9, "layers": 3, "molecules": 21, "seed": 1, "batch": 7,
        "warmup": 4, "steps": 25, "learning_rate": 1e-3, "weight_decay": 0.1, "clip": 9.0,
        "validation": 9, "test": 9, "shots": SHOTS,
    }  # fmt: skip
    changed = [replace(plain, **{name: value}) for name, value in other.items()]
    changed.append(replace(plain, steps=None, epochs=24))
    assert set(other) | {"epochs"} == set(asdict(plain))
    assert len({one.key() for one in [plain, *changed]}) == len(changed) + 1


def test_no_shots_are_one_run_of_both_kinds():
    none = [replace(SHOTS, kind=kind, k=0) for kind in ("with-h2", "without-h2")]
    assert none[0] == none[1]
    assert none[0].kind == "none"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "painn"}, "schnet, visnet, chemgpt"),
        ({"width": 0}, "width is 0; give a whole number, 1"),
        ({"molecules": 10.0}, "molecules is 10.0"),
        ({"seed": -1}, "seed is -1"),
        ({"steps": 5, "epochs": 5}, "exactly one"),
        ({"steps": None, "epochs": None}, "exactly one"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"model": "chemgpt", "shots": asdict(SHOTS)}, "geometries"),
        ({"shots": {**asdict(SHOTS), "kind": "few"}}, "with-h2, without-h2"),
        ({"shots": {**asdict(SHOTS), "size": 3}}, "Unknown key size; allowed: kind, k"),
        ({"cutoff": 6.0}, "Unknown key cutoff"),
        ({"batch": 1, "shots": asdict(SHOTS)}, "give 2 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        RunSpec.from_dict({**asdict(spec()), **change})


def test_a_missing_field_is_named():
    with pytest.raises(InputError, match="width"):
        RunSpec.from_dict({"model": "schnet"})
