from importlib.util import find_spec

import numpy as np
import pytest

from ase_probe.errors import InputError, ModelNotInstalledError
from ase_probe.scaling.data import qm9
from ase_probe.units import HARTREE

packaged = pytest.mark.skipif(find_spec("qm9pack") is None, reason="needs qm9pack")


@packaged
def test_methane():
    methane = qm9.first(1)
    atoms = -37.846772 - 4 * 0.500273  # Eh, as published with QM9
    assert methane.structures()[0].get_chemical_formula() == "CH4"
    assert methane.energies[0] == pytest.approx((-40.523679 - atoms) * HARTREE, abs=1e-4)


@packaged
def test_all_of_qm9_is_there_and_comes_back_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("ASE_PROBE_NO_CACHE")
    monkeypatch.setenv("ASE_PROBE_CACHE", str(tmp_path))
    molecules = qm9.qm9()
    assert len(molecules) == 130_831
    assert set(np.unique(molecules.numbers)) == {1, 6, 7, 8, 9}
    monkeypatch.setattr(qm9, "_files", lambda: pytest.fail("read the package again"))
    again = qm9.qm9()
    assert again.names == molecules.names
    for field in ("numbers", "positions", "counts", "energies"):
        assert np.array_equal(getattr(again, field), getattr(molecules, field))


@packaged
def test_a_damaged_cache_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.delenv("ASE_PROBE_NO_CACHE")
    monkeypatch.setenv("ASE_PROBE_CACHE", str(tmp_path))
    monkeypatch.setattr(qm9, "_verify", lambda files: None)
    monkeypatch.setattr(qm9, "MOLECULES", 3)
    few = qm9.first(3)
    monkeypatch.setattr(qm9, "_parse", lambda rows: few)
    qm9.qm9()
    (cached,) = tmp_path.rglob("*.npz")
    cached.write_bytes(cached.read_bytes()[:500])
    assert qm9.qm9().names == few.names
    assert len(cached.read_bytes()) > 500


def test_other_files_are_refused(tmp_path):
    changed = tmp_path / "qm9_part1.csv"
    changed.write_text("XYZ_file\n")
    with pytest.raises(InputError, match=r"qm9pack==1\.0\.3"):
        qm9._verify([changed])


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(qm9, "find_spec", lambda name: None)
    with pytest.raises(ModelNotInstalledError, match="scaling"):
        qm9.first(1)


def row(**change):
    water = {
        "XYZ_file": "water.xyz", "Elements": "['O','H','H']",
        "XYZ_Ang": "[[0.,0.,0.119],[0.,0.763,-0.477],[1.E-6,-0.763,-0.477]]",
        "InternalEnergy_0K_au": "-76.404702", "ZPVE_au": "0.021375",
    }  # fmt: skip
    return {**water, **change}


def test_a_row_of_the_package_becomes_a_molecule():
    water = qm9._parse(iter([row()]))
    assert water.names == ("water",)
    assert water.positions[2].tolist() == [1e-6, -0.763, -0.477]
    qm9.check(water)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"XYZ_Ang": "[[0,0,0.119],[0,0.5,-0.477],[0,-0.763,-0.477]]"}, r"0\.778 Å apart"),
        ({"XYZ_Ang": "[[0,0,0.119],[0,0.74,-0.55],[0,-0.74,-0.55]]"}, r"1\.480 Å apart"),
        ({"ZPVE_au": "1.0"}, "eV an atom"),
        ({"InternalEnergy_0K_au": "76.4"}, "eV an atom"),
    ],
)
def test_what_no_stable_molecule_has_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        qm9.check(qm9._parse(iter([row(**change)])))


def test_another_element_is_refused():
    with pytest.raises(InputError, match="Cl"):
        qm9._parse(iter([row(Elements="['Cl','H','H']")]))
