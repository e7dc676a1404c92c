"""The published JSON Schema describes every audit there is, and nothing looser."""

import json
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from report.synthetic import good_audit, hostile_audit, large_audit, quick_audit

from ase_probe import audit
from ase_probe.curve import STATUSES, Audit, Curve, Finding
from ase_probe.model import ModelCard
from ase_probe.serialize import SCHEMA, audit_schema, audit_to_dict

jsonschema = pytest.importorskip("jsonschema")

PUBLISHED = json.loads(audit_schema())


def saved(result, tmp_path):
    return json.loads(result.save(tmp_path / "a.json").read_text())


def real():
    """One with charged pairs, refusals, another benchmark's metrics and a NaN."""
    return audit("lj", dimers=["Ar2", "H2", "Ar2+", "H2++"], grid="arena")


def test_the_schema_is_one_and_of_this_version():
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    assert PUBLISHED["properties"]["schema"] == {
        "description": PUBLISHED["properties"]["schema"]["description"],
        "const": SCHEMA,
    }
    assert PUBLISHED["$id"] == "urn:" + SCHEMA.replace("/", ":")


@pytest.mark.parametrize("make", [real, quick_audit, good_audit, hostile_audit, large_audit])
def test_every_audit_is_valid(make, tmp_path):
    jsonschema.validate(saved(make(), tmp_path), PUBLISHED)


@pytest.mark.parametrize(
    ("name", "kind"), [("card", ModelCard), ("finding", Finding), ("curve", Curve)]
)
def test_no_field_is_forgotten(name, kind):
    stated = PUBLISHED["$defs"][name]
    assert list(stated["properties"]) == [f.name for f in fields(kind)] == stated["required"]
    assert all(field["description"] for field in stated["properties"].values())


def test_statuses_and_top_level():
    assert tuple(PUBLISHED["$defs"]["finding"]["properties"]["status"]["enum"]) == STATUSES
    assert set(PUBLISHED["properties"]) == {"schema", *(f.name for f in fields(Audit))}


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(schema="ase-probe/audit/0"),
        lambda d: d.update(extra=1),
        lambda d: d.pop("card"),
        lambda d: d["findings"][0].update(status="passed"),
        lambda d: d["findings"][0].update(score=2),
        lambda d: d["findings"][0].update(value="4.7"),
        lambda d: d["curves"]["H2"].update(r=[-1.0]),
        lambda d: d["curves"]["H2"].update(energy=["nan"]),
        lambda d: d["curves"]["H2"].update(forces=[[0.0, 0.0, 0.0]]),
        lambda d: d["card"].update(cutof=5.0),
    ],
)
def test_what_is_wrong_is_refused(damage):
    data = json.loads(json.dumps(audit_to_dict(quick_audit())))
    jsonschema.validate(data, PUBLISHED)
    damage(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, PUBLISHED)


def test_non_finite_numbers_have_one_spelling(tmp_path):
    curve = Curve(r=[1.0, 2.0], energy=[np.nan, -np.inf], atom_energies=[np.nan, 0.0])
    rare = Finding(check="a.b", dimer="H2", status="fail", value=np.inf, threshold=(0.0, np.inf))
    found = audit("morse", dimers=["H2"], checks=["robustness"])
    data = saved(
        Audit(**{f.name: getattr(found, f.name) for f in fields(Audit)}
              | {"curves": {"H2": curve}, "findings": (rare,)}), tmp_path,
    )  # fmt: skip
    jsonschema.validate(data, PUBLISHED)
    assert data["curves"]["H2"]["energy"] == ["NaN", "-Infinity"]
    assert data["findings"][0]["value"] == {"float": "Infinity"}


def test_the_command_prints_it():
    command = [sys.executable, "-m", "ase_probe.cli", "schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == PUBLISHED
