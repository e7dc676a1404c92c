"""Pairs of a chemistry, pairs inside a structure, and the table that both fill."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from ase_probe import Audit, audit
from ase_probe.errors import InputError
from ase_probe.report.trust_table import COLUMNS, trust_rows, write_trust_table

CLUSTER = Atoms("Ar4", np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 3.72 / 2**0.5)


@pytest.fixture(scope="module")
def crystal(tmp_path_factory):
    path = tmp_path_factory.mktemp("structures") / "ar.xyz"
    CLUSTER.write(path)
    return path


def names(found):
    return [str(d) for d in found.environment["dimers"]]


def test_every_pair_of_some_elements():
    found = audit("lj", elements=["Ar", "Ne"], checks=["compression"])
    assert len(names(found)) == 3
    assert {"Ar2", "Ne2"} < set(names(found))
    assert found.environment["suite"] == "custom"


def test_a_suite_narrowed_to_some_elements():
    found = audit("lj", suite="homonuclear", elements=["Ar"], checks=["compression"])
    assert names(found) == ["Ar2"]
    with pytest.raises(InputError, match="leave the suite out"):
        audit("lj", suite="quick", elements=["Xe"])
    with pytest.raises(InputError, match="at least one"):
        audit("lj", elements=[])


def test_inside_a_structure(crystal):
    found = audit("lj", structure=crystal)
    assert names(found) == ["Ar2"]
    (inside,) = [f for f in found.findings if f.check == "embedded.barrier"]
    assert inside.dimer == "Ar2"
    assert inside.details["vacuum"] is not None
    assert inside.details["distance"] == pytest.approx(3.72, abs=0.1)
    assert "the pair alone has" in inside.reason
    same = audit("lj", structure=CLUSTER, checks=["compression"])
    (again,) = [f for f in same.findings if f.check == "embedded.barrier"]
    assert again.value == pytest.approx(inside.value, rel=1e-3)


def test_a_structure_round_trips(crystal, tmp_path):
    found = audit("lj", structure=crystal, checks=["compression"])
    assert Audit.load(found.save(tmp_path / "a.json")).findings == found.findings


def test_an_unreadable_structure_is_explained(tmp_path):
    bad = tmp_path / "x.cif"
    bad.write_text("nothing")
    with pytest.raises(InputError, match="Cannot read a structure"):
        audit("lj", structure=bad)


def test_a_molecule_is_a_structure_too():
    found = audit("morse", structure=molecule("H2"), checks=["compression"])
    assert {f.check for f in found.findings} >= {"embedded.barrier", "compression.barrier"}


def test_the_table_has_a_row_for_every_pair():
    found = audit("lj", dimers=["Ar2", "Xe2", "Fe2"])
    rows = trust_rows([found])
    assert [row["dimer"] for row in rows] == ["Ar2", "Xe2", "Fe2"]
    assert all(tuple(row) == COLUMNS for row in rows)
    unknown = next((row for row in rows if row["status"] == "not-run"), None)
    assert unknown is None or unknown["r_trust_A"] is None


def test_csv_and_json_say_the_same(tmp_path):
    found = audit("morse", dimers=["H2"])
    write_trust_table([found], tmp_path / "t.csv")
    write_trust_table([found], tmp_path / "t.json")
    with (tmp_path / "t.csv").open() as file:
        (row,) = csv.DictReader(file)
    (same,) = json.loads((tmp_path / "t.json").read_text())
    assert float(row["r_trust_A"]) == same["r_trust_A"]
    assert row["stopped_by"] == same["stopped_by"]
    with pytest.raises(InputError, match=r"\.csv or \.json"):
        write_trust_table([found], tmp_path / "t.xlsx")


def test_as_a_user_types_it(crystal, tmp_path):
    command = [sys.executable, "-m", "ase_probe.cli", "audit", "lj"]
    done = subprocess.run(
        [*command, "--structure", str(crystal), "--trust-table", "t.csv", "--fail-on", "never"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Inside the structure" in " ".join(done.stdout.split())
    assert (tmp_path / "t.csv").read_text().startswith("model,profile")
    for wrong in (["--elements", "Ar", "--dimers", "Ar2"], ["--trust-table", "t.txt"]):
        done = subprocess.run([*command, *wrong], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


def test_the_peers_own_metrics_are_shown_on_their_grids():
    found = audit("morse", dimers=["H2"], grid="arena", checks=["compression"])
    assert set(found.metrics["H2"]) >= {"tortuosity", "energy-jump", "conservation-deviation"}
    assert audit("morse", dimers=["H2"], checks=["compression"]).metrics == {}
    assert np.isfinite(found.metrics["H2"]["tortuosity"])
