import numpy as np
import pytest

pytest.importorskip("pyscf")

from ase_probe.baselines.quantum import branch, dft, scf
from ase_probe.baselines.quantum.atoms import atom
from ase_probe.baselines.quantum.checkpoint import Unit
from ase_probe.baselines.quantum.envelope import assembled
from ase_probe.baselines.quantum.guess import block
from ase_probe.baselines.quantum.masks import masks
from ase_probe.baselines.quantum.methods import method
from ase_probe.baselines.quantum.molecule import molecule
from ase_probe.baselines.tabulated import of_reference
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import HARTREE

TINY = method("dft:pbe", basis="sto-3g")


def row(r, energy, **changes):
    made = {"r": r, "energy": energy, "converged": True, "stable": True, "s2": 0.0, "seconds": 1.0}
    return {**made, **changes}


def paths(unit):
    return [(u.two_s, u.path, u.restricted) for u in dft.units(Dimer.parse(unit), TINY)]


def test_units():
    assert paths("H2") == [
        (0, "atoms", False), (0, "in", False), (0, "out", False), (0, "ionic", False),
        (0, "out", True),
    ]  # fmt: skip
    assert {two_s for two_s, _, _ in paths("O2")} == {0, 2, 4}
    assert not any(restricted for _, _, restricted in paths("O2"))
    assert not any(restricted for _, _, restricted in paths("Ar2"))
    assert "ionic" not in {path for _, path, _ in paths("H2+")}
    with pytest.raises(InputError, match="no electrons"):
        dft.units(Dimer.parse("H2++"), TINY)


def test_names_of_checkpoints_carry_everything():
    names = {u.name for t in ("6-31g", "sto-3g") for p in (30, 40) for n in ("H2", "O2")
             for u in dft.units(Dimer.parse(n), method("dft:pbe", basis=t), points=p)}  # fmt: skip
    assert len(names) == 4 * (5 + 8)


def test_o2_fixed_spin_ends_too_high_and_the_envelope_does_not():
    dimer = Dimer.parse("O2")
    mols = {s: molecule(dimer.symbols, TINY, r=4.0, two_s=s) for s in (0, 2, 4)}
    zero = 2 * atom("O", TINY).energy
    guess = {s: block(dimer, TINY, s) for s in (0, 4)}
    ends = {
        s: (scf.solve(mol, TINY, guess.get(s), follow=0).energy - zero) * HARTREE
        for s, mol in mols.items()
    }
    assert ends[2] > 0.3
    assert abs(ends[0]) < 0.03
    assert abs(ends[4]) < 0.03


def test_a_whole_dimer(tmp_path):
    dimer = Dimer.parse("H2")
    results = {u: branch.run(u, tmp_path) for u in dft.units(dimer, TINY, points=14)}
    made = dft.assemble(dimer, TINY, results, points=14)
    assert set(made.branches) == {"unrestricted", "restricted"}
    at = np.array([0.74, 10.0])
    curve = of_reference(made, at)
    assert abs(curve.energy[1]) < 5e-3
    restricted = of_reference(made, at, branch="restricted")
    assert restricted.energy[0] == pytest.approx(curve.energy[0], abs=5e-3)
    assert restricted.energy[1] > 1.0
    assert made.masks == ()
    assert all(made.branches["unrestricted"].converged)
    assert made.branches["unrestricted"].error_eV is not None
    with pytest.raises(InputError, match="not finished"):
        dft.assemble(dimer, TINY, dict(list(results.items())[1:]), points=14)


def test_hf_tail_is_masked(tmp_path):
    setup = method("dft:pbe", basis="def2-SVP", grid=1)
    dimer = Dimer.parse("HF")
    radii = (0.8, 0.92, 1.4, 2.0, 3.0, 4.0)
    unit = Unit(dimer="HF", method=setup, two_s=0, path="out", radii=radii)
    atoms = branch.run(Unit(dimer="HF", method=setup, two_s=0, path="atoms", radii=radii), tmp_path)
    rows = [x for x in branch.run(unit, tmp_path) if "r" in x]
    assert sorted(x["r"] for x in rows) == list(radii)
    made = assembled(0, {"out": rows}, sum(atoms[0]["energies"]), set(radii))
    found = masks(dimer, atoms[0], {"unrestricted": made})
    (mask,) = [m for m in found if "HOMO(H)" in m.reason]
    assert 1.4 <= mask.r_min <= 4.0
    assert mask.r_max == 4.0


ATOMS = {"charges": [0, 0], "transfer": None, "core": 0.0}


def test_the_lowest_converged_scan_wins_and_crossings_are_cut():
    radii = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    inward = [row(r, e) for r, e in zip(radii, [1, -1, -0.5, -0.2, -0.15, -0.1], strict=True)]
    outward = [row(r, e) for r, e in zip(radii, [1, -1, -0.6, -0.1, -0.1, 0.1], strict=True)]
    outward[4] = row(2.5, -9.0, converged=False)
    made = assembled(0, {"in": inward, "out": outward}, 0.0, set(radii))
    assert made.energy == (1, -1, -0.6, -0.2, -0.15, -0.1)
    assert made.state == ("=", "=", "out", "in", "in", "in")
    assert made.cuts == {2: "from out to in"}
    assert made.seconds == (2.0,) * 6
    assert all(made.converged)


def test_a_point_that_no_scan_converged_is_kept_flagged_and_masked():
    radii = [0.5, 1.0, 1.5, 2.0]
    rows = [row(r, -0.1 if r < 2 else 0.0, converged=r != 1.0) for r in radii]
    made = assembled(0, {"in": rows}, 0.0, set(radii))
    assert made.converged == (True, False, True, True)
    (mask,) = masks(Dimer.parse("N2"), ATOMS, {"unrestricted": made})
    assert (mask.r_min, mask.r_max) == (0.5, 1.5)
    assert "did not converge" in mask.reason


def test_a_scan_that_was_far_above_the_others_does_not_stand_in_for_them():
    """HF in ωB97M-V: at 10 Å only the restricted solution converged, 4.8 eV too high."""
    radii = [2.0, 4.0, 6.0, 8.0]
    inward = [row(r, -1.0 / r**6) for r in radii[:3]] + [row(8.0, 0.0, converged=False)]
    closed = [row(2.0, -1.0 / 2.0**6), *(row(r, 0.1) for r in radii[1:])]
    made = assembled(0, {"in": inward, "R": closed}, 0.0, set(radii))
    assert made.converged == (True, True, True, False)
    between = [*inward[:2], row(6.0, 0.0, converged=False), row(8.0, 0.0)]
    higher = [row(2.0, -1.0 / 2.0**6), *(row(r, 0.1) for r in radii[1:])]
    made = assembled(0, {"in": between, "out": higher}, 0.0, set(radii))  # O2, at 2 Å
    assert made.converged == (True, True, False, True)
    energies = [(-1.0, -1.0), (-0.5, -0.9), (-0.4, -0.39), (-0.45, -0.3), (-0.4, -0.2)]
    scans = [[row(r, e[i]) for r, e in zip((1, 2, 3, 4, 5), energies, strict=True)] for i in (0, 1)]
    scans[0][2], scans[1][2] = row(3, -0.39), row(3, -0.4)  # O2: both miss the lowest state
    scans[0][1], scans[1][1] = row(2, -0.9), row(2, -0.5)
    scans[0][3], scans[1][3] = row(4, -0.45), row(4, -0.2)
    made = assembled(0, dict(zip(("in", "out"), scans, strict=True)), 0.0, {1, 2, 3, 4, 5})
    assert made.converged == (True, True, False, True, True)
    alone = [row(r, x["energy"], converged=r < 6) for r, x in zip(radii, inward, strict=True)]
    same = [row(r, -1.0 / r**6) for r in radii]
    assert all(assembled(0, {"in": alone, "R": same}, 0.0, set(radii)).converged)


@pytest.mark.parametrize("end", [-0.005, 0.005])
def test_a_curve_that_does_not_end_at_its_atoms_is_masked(end):
    """LiF in ωB97M-V shares an electron at 10 Å, though its atoms' levels do not say so."""
    radii = [1.0, 1.1, 1.2, 2.0, 4.0, 10.0]
    rows = [row(r, e) for r, e in zip(radii, [-0.3, -0.4, -0.35, -0.1, end, end], strict=True)]
    made = assembled(0, {"in": rows}, 0.0, set(radii))
    (mask,) = masks(Dimer.parse("N2"), ATOMS, {"unrestricted": made, "restricted": made})
    assert (mask.r_min, mask.r_max, mask.branches) == (4.0, 10.0, ("unrestricted",))
    assert "0.136 eV from the sum of the atoms" in mask.reason


def test_points_off_the_grid_only_check():
    radii = [0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]
    rows = [row(r, 0.1 * np.exp(-r)) for r in radii]
    made = assembled(0, {"in": rows}, 0.0, set(radii) - {1.5})
    assert 1.5 not in made.r
    assert made.check_r == (1.5,)
    assert 0 < made.error_eV < 0.5


def test_cores_are_masked():
    rows = [row(r, 0.0) for r in (0.5, 1.0, 2.0)]
    made = assembled(0, {"in": rows}, 0.0, {0.5, 1.0, 2.0})
    (mask,) = masks(Dimer.parse("I2"), {**ATOMS, "core": 1.2}, {"unrestricted": made})
    assert (mask.r_min, mask.r_max) == (0.5, 1.2)
    assert "effective core potential" in mask.reason


@pytest.mark.parametrize(("name", "limit"), [("HeH+", 0.02), ("H2+", None)])
def test_ions(tmp_path, name, limit):
    dimer = Dimer.parse(name)
    setup = method("dft:pbe", basis="6-31g", grid=0)
    results = {u: branch.run(u, tmp_path) for u in dft.units(dimer, setup, points=12)}
    made = dft.assemble(dimer, setup, results, points=12)
    last = made.branches["unrestricted"].energy[-1] * HARTREE
    if limit is not None:
        assert abs(last) < limit
        assert made.masks == ()
    else:  # half an electron on each proton: self-interaction
        assert last < -0.5
        assert any("HOMO(H)" in mask.reason for mask in made.masks)
