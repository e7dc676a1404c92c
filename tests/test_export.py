"""Curves leave as CSV, extended XYZ, pandas and xarray, and come back the same."""

import csv
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read
from hypothesis import given
from hypothesis import strategies as st

from ase_probe import audit
from ase_probe.curve import Curve
from ase_probe.errors import AseProbeError, InputError
from ase_probe.export import (
    COLUMNS,
    export,
    rows,
    structures,
    to_csv,
    to_extxyz,
    to_pandas,
    to_xarray,
)

R = np.array([0.1, 1 / 3, 2.0, 4.0])
FORCES = np.zeros((4, 2, 3))
FORCES[:, 1, 2] = [1 / 7, -2.5, np.nan, 0.0]
FORCES[:, 0, 2] = -FORCES[:, 1, 2]
HARD = Curve(
    r=R,
    energy=np.array([-1.7e9, 0.1 + 0.2, np.nan, np.inf]),
    forces=FORCES,
    atom_energies=np.array([-1.0, -2.0]),
    failures={2: 'RuntimeError: "no" edges = 3\nnothing, nowhere'},
)
TRUTH = Curve(r=R[1:], energy=np.array([1.0, 2.0, 3.0]))


@pytest.fixture(scope="module")
def hard():
    found = audit("morse", dimers=["H2"], checks=["robustness"])
    return replace(found, curves={"H2": HARD}, references={"H2": {"a/b: c": TRUTH}})


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def test_csv_reads_back_to_the_last_bit(hard, tmp_path):
    with to_csv(hard, tmp_path / "a.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert tuple(found[0]) == COLUMNS
    model = [row for row in found if row["curve"] == "model"]
    assert [float(row["r_A"]) for row in model] == HARD.r.tolist()
    assert all(same(float(row["energy_eV"]), e) for row, e in zip(model, HARD.energy, strict=True))
    assert model[2]["failure"] == HARD.failures[2]
    assert {row["atoms_eV"] for row in model} == {"-3.0"}
    truth = [row for row in found if row["curve"] == "a/b: c"]
    assert [(row["atoms_eV"], row["force_eV_per_A"]) for row in truth] == [("0.0", "")] * 3


def test_two_audits_of_one_model_can_be_told_apart(hard, tmp_path):
    with to_csv([hard, hard], tmp_path / "a.csv").open(newline="") as stream:
        assert {row["model"] for row in csv.DictReader(stream)} == {"morse", "morse (2)"}


@given(st.lists(st.floats(), min_size=4, max_size=4))
def test_any_energy_survives_csv(tmp_path_factory, hard, energies):
    curve = replace(HARD, energy=np.array(energies))
    path = tmp_path_factory.mktemp("any") / "a.csv"
    with to_csv(replace(hard, curves={"H2": curve}), path).open(newline="") as stream:
        found = [float(row["energy_eV"]) for row in csv.DictReader(stream)]
    assert all(same(e, v) for e, v in zip(energies, found, strict=False))


def test_extxyz_reads_back_in_ase(hard, tmp_path):
    found = read(to_extxyz(hard, tmp_path / "a.extxyz"), ":")
    assert len(found) == len(HARD)
    for i, atoms in enumerate(found):
        assert same(atoms.calc.results["energy"], HARD.energy[i])
        np.testing.assert_allclose(atoms.calc.results["forces"], HARD.forces[i], atol=1e-8)
        assert atoms.info["r_A"] == HARD.r[i]
        assert atoms.get_distance(0, 1) == pytest.approx(HARD.r[i], abs=1e-8)
        assert (atoms.info["dimer"], atoms.info["charge"], atoms.info["spin"]) == ("H2", 0, 1)
    assert found[2].info["failure"] == 'RuntimeError: "no" edges = 3 nothing, nowhere'
    assert "failure" not in found[0].info


def test_no_forces_are_not_zero_forces(hard, tmp_path):
    bare = replace(hard, curves={"H2": replace(HARD, forces=None)})
    for atoms in (*structures(bare), *read(to_extxyz(bare, tmp_path / "a.xyz"), ":")):
        assert "forces" not in atoms.calc.results
    assert {row["force_eV_per_A"] for row in rows(bare)} == {None}


def test_charge_and_multiplicity_travel(hard):
    charged = replace(hard, curves={"H2+": HARD, "O2@1": HARD}, references={})
    states = {(a.info["dimer"], a.info["charge"], a.info["spin"]) for a in structures(charged)}
    assert states == {("H2+", 1, 2), ("O2@1", 0, 1)}


def test_pandas(hard):
    pytest.importorskip("pandas")
    table = to_pandas([hard, hard], ["H2"])
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * (len(HARD) + len(TRUTH))
    model = table[table.curve == "model"][: len(HARD)]
    np.testing.assert_array_equal(model.energy_eV, HARD.energy)
    np.testing.assert_array_equal(model.force_eV_per_A, HARD.axial_force)
    assert table[table.curve != "model"].force_eV_per_A.isna().all()


def test_xarray(hard):
    pytest.importorskip("xarray")
    tree = to_xarray(hard)
    assert tree.attrs["model"] == "morse"
    model = tree["H2/model"]
    np.testing.assert_array_equal(model["energy"], HARD.energy)
    np.testing.assert_array_equal(model["forces"].sel(axis="z")[:, 1], HARD.axial_force)
    assert model["r"].attrs["units"] == "Å"
    assert model["failure"].values[2] == HARD.failures[2]
    truth = tree["H2/a_b: c"]
    np.testing.assert_array_equal(truth["r"], TRUTH.r)  # grids of their own
    assert "forces" not in truth


@pytest.mark.parametrize(("package", "call"), [("pandas", to_pandas), ("xarray", to_xarray)])
def test_what_is_missing_is_named(hard, monkeypatch, package, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(AseProbeError, match=rf"{package}.*pip install 'ase-probe\[tables\]'"):
        call(hard)


def test_wrong_names(hard, tmp_path):
    with pytest.raises(InputError, match="no curve of N2; there are H2"):
        export(hard, tmp_path / "a.csv", ["N2"])
    with pytest.raises(InputError, match=r"\.csv, \.extxyz, \.xyz; got 'a\.nc'"):
        export(hard, tmp_path / "a.nc")


def test_the_command(hard, tmp_path):
    hard.save(tmp_path / "a.json")

    def run(*arguments):
        command = [sys.executable, "-m", "ase_probe.cli", "export", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    for name in ("a.csv", "a.extxyz"):
        done = run("a.json", "--dimers", "H2", "--to", name)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).stat().st_size > 100
    wrong = run("a.json", "--to", "a.nc")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
