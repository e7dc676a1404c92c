import json

import pytest

from ase_probe.errors import EvaluationError
from ase_probe.scaling.data import build
from ase_probe.scaling.data.bonds import BONDS, H2
from ase_probe.scaling.data.level import own_curves

pytest.importorskip("pyscf")


@pytest.mark.parametrize("kind", ["restricted", "unrestricted"])
def test_a_scan_gives_the_shipped_curve(kind):
    radii = [2.0, 0.6, 3.5]  # in any order
    found = build.scan(H2, radii, restricted=kind == "restricted")
    shipped = own_curves(radii)[kind]
    assert [s.energy for s in found] == pytest.approx(shipped.energy.tolist(), abs=1e-3)
    forces = [build._force(H2, solution) for solution in found]
    assert forces == pytest.approx(shipped.force.tolist(), abs=1e-2)


def test_files_say_where_they_come_from_and_a_failure_writes_none(tmp_path, monkeypatch, capsys):
    def fail(scratch):
        raise EvaluationError("N2 did not converge")

    monkeypatch.setattr(build, "_HERE", tmp_path)
    monkeypatch.setattr(build, "curves", lambda scratch: {"curves": {}})
    monkeypatch.setattr(build, "shots", fail)
    assert build.main(["shots", "curves", "--scratch", str(tmp_path)]) == 2
    assert "N2 did not converge" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["curves.json"]
    written = json.loads((tmp_path / "curves.json").read_text("utf-8"))
    assert written["level"] == "B3LYP/6-31G(2df,p)"
    assert "python -m ase_probe.scaling.data.build curves" in written["source"]


def test_the_force_of_a_rigid_bond_is_that_on_its_moving_side():
    from ase_probe.scaling.data.scf import Solution

    bond = BONDS["C2H6 C-C"]
    axis = bond.at(1.0).positions[bond.moving[0]] - bond.at(1.0).positions[bond.fixed]
    forces = bond.at(1.0).positions * 0.0
    forces[list(bond.moving)] = 0.5 * axis
    solution = Solution(total=0.0, energy=0.0, forces=forces, spin_squared=0.0, density=forces)
    assert build._force(bond, solution) == pytest.approx(0.5 * len(bond.moving))
