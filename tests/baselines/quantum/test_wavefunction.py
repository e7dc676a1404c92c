import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pyscf")

from ase_probe.baselines.exact import exact
from ase_probe.baselines.quantum import wavefunction
from ase_probe.baselines.quantum.build import build
from ase_probe.baselines.quantum.checkpoint import checkpoint, points
from ase_probe.baselines.quantum.cluster import System
from ase_probe.baselines.quantum.constants_table import compared, table
from ase_probe.baselines.quantum.honest import REFUSED, case
from ase_probe.baselines.quantum.multireference import Space, multireference
from ase_probe.baselines.quantum.recipe import recipe
from ase_probe.baselines.quantum.splice import splice
from ase_probe.baselines.quantum.store import read
from ase_probe.baselines.tabulated import of_reference
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import HARTREE

SMALL = recipe(basis="6-31g")


def made(name, folder, points=16):
    with ThreadPoolExecutor(1) as pool:
        return build(
            [name], "wavefunction", folder=folder, executor=pool, basis="6-31g", points=points
        )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    result = made("HF", folder)
    assert result.failed == {}
    return folder, read(result.files["HF"])


def test_the_curve(built):
    _, reference = built
    branch = reference.branches["unrestricted"]
    assert reference.truth
    assert len(branch.r) == 16
    assert all(branch.converged)
    assert branch.state[0] == "composite"
    assert branch.state[-1] == "nevpt2"
    energy = np.array(branch.energy) * HARTREE
    assert -6.5 < energy.min() < -4.0
    assert abs(energy[-1]) < 1e-3
    assert branch.t1[0] > 0
    assert branch.t1[-1] is None
    at = of_reference(reference, np.geomspace(0.2, 9.0, 50))
    assert at.provenance["truth"]
    assert at.provenance["uncertainty_eV"] >= wavefunction.NEAR_EV


def test_it_stands_beside_experiment(built):
    rows = compared([built[1]])
    assert rows[0].found[0] == pytest.approx(rows[0].known[0], abs=2.0)
    assert rows[0].found[1] == pytest.approx(rows[0].known[1], abs=0.1)
    lines = table(rows)
    assert lines[1].startswith("HF")
    assert lines[-1].startswith("mean absolute error over 1")


def test_every_range_states_its_error(built):
    wall, near, far = built[1].ranges
    assert wall.error_relative == wavefunction.WALL_RELATIVE
    assert wall.r_max == near.r_min
    assert near.error_eV == wavefunction.NEAR_EV
    assert near.r_max == far.r_min
    assert far.error_eV > near.error_eV


def test_nothing_is_computed_twice(built, monkeypatch):
    folder, reference = built
    monkeypatch.setattr(wavefunction, "parts", None)
    monkeypatch.setattr(wavefunction, "multireference", None)
    assert read(made("HF", folder).files["HF"]) == reference
    (folder / "wavefunction" / "HF.json").unlink()
    assert read(made("HF", folder).files["HF"]) == reference


@pytest.mark.parametrize("which", [1, 2])
def test_a_torn_unit_goes_on(built, which):
    folder, _ = built
    unit = wavefunction.units(Dimer.parse("HF"), SMALL, points=16)[which]
    path = checkpoint(unit, folder / ".scratch")
    whole = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole[:-3]) + whole[-3][:25])
    again = wavefunction.run(unit, folder / ".scratch")
    assert [x.get("r") for x in again] == [json.loads(x).get("r") for x in whole]
    key, close = ("nevpt2", 5e-5) if which == 2 else ("s2", 1e-6)
    for new, old in zip(again, map(json.loads, whole), strict=True):
        assert new.get(key) == pytest.approx(old.get(key), abs=close)
        for name, value in old.get("parts", {}).items():
            assert new["parts"][name] == pytest.approx(value, abs=1e-6)


def test_the_way_back_finds_the_lowest_state(tmp_path):
    """From outside alone, CASSCF of F2 stays in another state 0.1 eV above, from 4 to 2.4 Å."""
    task = wavefunction.units(Dimer.parse("F2"), SMALL, points=24)[2]
    rows = [x for x in wavefunction.run(task, tmp_path) if "r" in x]
    inward, best = rows[: len(task.radii)], wavefunction.lowest(rows)
    assert {x["r"] for x in best} == set(task.radii)
    apart = next(x["casscf"] for x in inward if x["r"] == max(task.radii))
    stretched = [x for x in best if x["r"] > 1.5]
    assert max(x["casscf"] for x in stretched) < apart + 1e-5
    assert max(x["casscf"] for x in inward if x["r"] > 1.5) > apart + 1e-3  # else nothing is tested


def test_either_component_of_a_pi_shell_is_the_same_state():
    shells = wavefunction.shells
    assert shells({"A1": [3, 3], "B1": [1, 0]}) == shells({"A1": [3, 3], "B2": [1, 0]})
    assert shells({"A1": [3, 3], "B1": [1, 1], "B2": [1, 0]}) == shells(
        {"A1": [3, 3], "B1": [1, 0], "B2": [1, 1]}
    )
    assert shells({"A1": [3, 3], "B1": [1, 0]}) != shells({"A1": [4, 3]})
    assert shells({"Ag": 6, "B2u": 2}) != shells({"Ag": 6, "B2g": 2})


def test_a_valence_pair_needs_no_splice(tmp_path):
    reference = read(made("LiH", tmp_path, points=12).files["LiH"])
    assert reference.zero["kind"] == "pair"
    assert reference.zero["splice"] is None
    energy = np.array(reference.branches["unrestricted"].energy) * HARTREE
    assert abs(energy[-1]) < 0.02
    assert -2.6 < energy.min() < -1.2


def test_two_closed_shells_carry_their_own_zero(tmp_path):
    reference = read(made("He2", tmp_path, points=12).files["He2"])
    branch = reference.branches["unrestricted"]
    assert reference.zero["kind"] == "closed"
    assert abs(branch.energy[-1]) < 2e-6
    assert all(np.diff(branch.energy[:6]) < 0)


@pytest.mark.parametrize("which", [1, 2])
def test_an_unconverged_point_is_flagged_and_masked(built, which):
    scratch = built[0] / ".scratch"
    tasks = wavefunction.units(Dimer.parse("HF"), SMALL, points=16)
    records = {unit: points(checkpoint(unit, scratch)) for unit in tasks}
    bad = tasks[which].radii[2 if which == 1 else -4]
    records[tasks[which]] = [
        {**x, "converged": False, "failed": ["high"]} if x.get("r") == bad else x
        for x in records[tasks[which]]
    ]
    reference = wavefunction.assemble(Dimer.parse("HF"), SMALL, records, points=16)
    branch = reference.branches["unrestricted"]
    assert [r for r, ok in zip(branch.r, branch.converged, strict=True) if not ok] == [bad]
    (mask,) = reference.masks
    assert mask.r_min < bad < mask.r_max
    assert "did not converge" in mask.reason


def test_a_slow_fall_counts_in_all():
    """9 meV from each point to the next is 27 meV from the first to the last."""
    r = tuple(map(float, range(1, 8)))
    ev = (-1.0, -0.5, -0.3, -0.309, -0.318, -0.327, 0.0)
    rows = {x: {"raw": 0.0, "energy": e / HARTREE} for x, e in zip(r, ev, strict=True)}
    assert wavefunction._unsteady(SimpleNamespace(r=r), rows) == 3.0
    rising = {x: {**row, "energy": -1.0 / x**6} for x, row in rows.items()}
    assert wavefunction._unsteady(SimpleNamespace(r=r), rising) is None


def test_a_tail_that_falls_again_is_masked(built):
    scratch = built[0] / ".scratch"
    tasks = wavefunction.units(Dimer.parse("HF"), SMALL, points=16)
    records = {unit: points(checkpoint(unit, scratch)) for unit in tasks}
    assert wavefunction.assemble(Dimer.parse("HF"), SMALL, records, points=16).masks == ()
    far = sorted({x["r"] for x in records[tasks[2]] if "r" in x})
    records[tasks[2]] = [
        {**x, "nevpt2": x["nevpt2"] and x["nevpt2"] - 0.02 * (x.get("r") == far[-4])}
        if "r" in x else x
        for x in records[tasks[2]]
    ]  # fmt: skip
    (mask,) = wavefunction.assemble(Dimer.parse("HF"), SMALL, records, points=16).masks
    assert far[-6] < mask.r_min < far[-4]
    assert "fall again" in mask.reason


def test_a_doubtful_reference_is_masked(built):
    scratch = built[0] / ".scratch"
    tasks = wavefunction.units(Dimer.parse("HF"), SMALL, points=16)
    records = {unit: points(checkpoint(unit, scratch)) for unit in tasks}
    near = min((x for x in records[tasks[1]] if "r" in x), key=lambda x: abs(x["r"] - 0.92))
    records[tasks[1]] = [{**x, "t1": 0.2} if x is near else x for x in records[tasks[1]]]
    reference = wavefunction.assemble(Dimer.parse("HF"), SMALL, records, points=16)
    assert "singles norm 0.200" in reference.masks[0].reason


def test_a_splice_is_smooth():
    """Value and slope of the outer curve on the inner one's scale meet at the junction."""
    r = np.linspace(1.0, 1.3, 4)

    def inner(x):
        return -np.exp(-((x - 1) ** 2))

    def outer(x):
        return inner(x) / (1.04 + 0.1 * (x - 1.3) - 0.3 * (x - 1.3) ** 2)

    found = splice(r, inner(r), outer(r))
    step = 1e-4
    beyond = outer(1.3 + step) * found.scale(np.array(1.3 + step))
    assert found.factor == pytest.approx(1.04)
    assert found.slope == pytest.approx(0.1, abs=1e-9)
    assert (beyond - inner(1.3)) / step == pytest.approx(
        (inner(1.3) - inner(1.3 - step)) / step, abs=1e-2
    )
    assert found.scale(np.array(5.0)) == pytest.approx(1.04 + 0.1 * 0.13, abs=1e-6)


def test_a_splice_needs_a_bond():
    r = np.array([1.0, 1.1, 1.2])
    with pytest.raises(InputError, match="3 common points"):
        splice(r[:2], r[:2], r[:2])
    with pytest.raises(InputError, match="differ in sign"):
        splice(r, r, -r)


def test_scaled_to_an_exact_well_nevpt2_follows_the_exact_curve():
    """H2 is the one bond whose whole curve is known: the splice errs by 0.04 eV where D is 0.19."""
    plan = recipe(basis="cc-pVTZ")
    outside, energy, orbitals = [50.0, 3.0, 2.0, 1.6, 0.963, 0.9, 0.85], {}, None
    for r in outside:
        record, orbitals = multireference(System(symbols=("H", "H"), r=r), plan, orbitals)
        energy[r] = record["nevpt2"] * HARTREE
    inside = np.array([0.85, 0.9, 0.963])
    truth = {r: exact(Dimer.parse("H2"), np.array([r])).energy[0] for r in outside}
    joined = splice(
        inside,
        np.array([truth[r] for r in inside]),
        np.array([energy[r] - energy[50.0] for r in inside]),
    )
    for r in (1.6, 2.0, 3.0):
        scaled = (energy[r] - energy[50.0]) * float(joined.scale(np.array(r)))
        assert scaled == pytest.approx(truth[r], abs=0.045)


def test_the_active_space_is_the_valence_shell():
    space = Space(System(symbols=("N", "O"), two_s=1))
    assert (space.orbitals, space.electrons, space.inactive) == (8, (6, 5), 2)
    assert Space(System(symbols=("H", "Cl"))).orbitals == 5


def test_stretched_nitrogen_is_two_atoms():
    further, orbitals = multireference(System(symbols=("N", "N"), r=50.0), SMALL)
    record, _ = multireference(System(symbols=("N", "N"), r=12.0), SMALL, orbitals)
    assert record["converged"]
    assert record["s2"] == pytest.approx(0.0, abs=1e-4)
    assert record["nevpt2"] == pytest.approx(further["nevpt2"], abs=5e-5)


@pytest.mark.parametrize(
    "name", ["C2", "MgO", "BeO", "AlF", "Br2", "Kr2", "KCl", "OH+", "O2@7", "LiHe"]
)
def test_no_curve_is_better_than_a_dishonest_one(name, tmp_path):
    assert case(Dimer.parse(name)).reason
    with pytest.raises(InputError, match="no wavefunction curve"):
        made(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Li2", "pair"), ("NaH", "pair"), ("He2", "closed"), ("LiF", "ionic"), ("NaCl", "ionic"),
     ("N2", "bond"), ("OH", "bond"), ("O2", "bond")],
)  # fmt: skip
def test_kinds(name, kind):
    assert case(Dimer.parse(name)).kind == kind


def test_multiple_bonds_hand_over_earlier():
    single, triple = (case(Dimer.parse(x)).junction for x in ("F2", "N2"))
    assert single == pytest.approx(1.3 * 1.41193)
    assert triple == pytest.approx(1.2 * 1.097685)
    assert case(Dimer.parse("NaCl")).junction == pytest.approx(0.6 * 9.4, abs=0.1)
    assert all(Dimer.parse(name).name == name for name in REFUSED)
