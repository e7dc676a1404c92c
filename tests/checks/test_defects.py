"""Planted defects: each is caught by its check and by no unrelated one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe import Curve, Dimer
from ase_probe.baselines import constants, references
from ase_probe.checks import CHECKS, Case, group_scores, run, select, total_score
from ase_probe.errors import InputError
from ase_probe.grids import grid
from ase_probe.model import ModelCard

N2 = Dimer.parse("N2")
R = grid("standard", N2, cutoff=5.0)
DEPTH, A, R_E = 9.9023 + 1e-4, 2.6886, 1.097685  # Morse parameters that give N2's constants


def potential(r):
    x = np.exp(-A * (r - R_E))
    return DEPTH * (x * x - 2 * x), 2 * A * DEPTH * (x * x - x)


def case(change=None, dimer=N2, r=R, **options):
    """Build a case from a Morse curve with a change: (r, E, F) -> (E, F)."""
    energy, force = potential(r)
    if change is not None:
        energy, force = change(r, energy, force)
    forces = np.zeros((len(r), 2, 3))
    forces[:, 1, 2], forces[:, 0, 2] = force, -force
    options.setdefault("atom_energies", [0.0, 0.0])
    curve = Curve(r=r, energy=energy, forces=forces, provenance={"dtype": "float64"}, **options)
    return Case(
        dimer=dimer,
        card=ModelCard(name="m", family="f", cutoff=5.0),
        curve=curve,
        references=references(dimer, r, ["exact", "analytic:coulomb", "analytic:zbl"]),
        constants=constants(dimer),
    )


def outcome(some_case):
    """Check id -> status, of everything that is no pass and no abstention."""
    findings = run(some_case, select(None))
    return {f.check: f.status for f in findings if f.status in ("warn", "fail")}


def bump(centre, width, height):
    """A Gaussian with the matching force."""

    def change(r, energy, force):
        g = height * np.exp(-(((r - centre) / width) ** 2))
        return energy + g, force + 2 * (r - centre) / width**2 * g

    return change


def test_a_clean_curve_has_only_its_soft_wall():
    # Morse's wall ends at 360 eV, so that only ZBL has something to say.
    assert outcome(case()) == {"compression.zbl": "warn"}


def test_a_hole():
    found = case(bump(0.45, 0.08, -900.0))
    assert outcome(found).keys() - {"compression.zbl"} <= {
        "compression.barrier",
        "compression.hole",
        "compression.r_trust",
    }
    barrier = CHECKS["compression.barrier"](found)
    energy = found.curve.energy - found.e_inf
    outside = (found.curve.r > 0.45) & (found.curve.r < R_E)
    assert barrier.value == pytest.approx(energy[outside].max())
    assert barrier.details["depth"] == pytest.approx(energy[found.curve.r < 0.6].min())
    assert barrier.details["r_b"] == pytest.approx(0.60, abs=0.05)
    assert CHECKS["compression.hole"](found).status in ("pass", "warn")
    assert CHECKS["compression.zbl"](found).status == "not-run"  # judged once, by the barrier


@pytest.mark.parametrize("centre", [0.15, 0.25, 0.4, 0.5, 0.6])
def test_holes_are_found_wherever_they_are(centre):
    found = case(bump(centre, 0.05, -3000.0))
    barrier = CHECKS["compression.barrier"](found)
    assert barrier.details["depth"] < 0
    assert centre - 0.01 < barrier.details["r_b"] < centre + 0.25
    assert CHECKS["compression.r_trust"](found).value >= barrier.details["r_b"] - 1e-9


def test_two_holes_are_both_listed():
    def change(r, energy, force):
        energy, force = bump(0.6, 0.03, -150.0)(r, energy, force)
        return bump(0.25, 0.03, -900.0)(r, energy, force)

    assert len(CHECKS["compression.barrier"](case(change)).details["holes"]) == 2


def test_a_hump_on_the_way_out():
    found = case(bump(2.6, 0.2, 0.4))
    assert outcome(found).keys() - {"compression.zbl"} == {"dissociation.extra_extremum"}
    hump = CHECKS["dissociation.extra_extremum"](found)
    assert hump.status == "warn"  # no reference: never more
    assert hump.value == pytest.approx(0.24, abs=0.05)
    assert hump.details["r_top"] == pytest.approx(2.7, abs=0.1)


def test_a_wrong_force():
    found = case(lambda r, energy, force: (energy, 1.02 * force))
    assert outcome(found).keys() - {"compression.zbl"} == {"consistency.force"}
    assert CHECKS["consistency.force"](found).score == 0.0


def test_roughness_of_a_conservative_model_is_not_a_wrong_force():
    def rough(r, energy, force):
        # What features finer than any stencil look like on the grid.
        return energy, force + np.random.default_rng(1).uniform(-1, 1, len(r))

    found = case(rough)
    by_construction = Case(N2, ModelCard(name="m", family="f", conservative=True), found.curve)
    assert CHECKS["consistency.force"](found).status == "fail"
    assert CHECKS["consistency.force"](by_construction).status in ("pass", "unresolved")
    scaled = case(lambda r, energy, force: (energy, 1.02 * force)).curve
    liar = Case(N2, by_construction.card, scaled)
    assert CHECKS["consistency.force"](liar).status == "fail"


def test_a_force_of_a_model_that_promises_nothing_only_warns():
    found = case(lambda r, energy, force: (energy, 1.02 * force))
    honest = Case(found.dimer, ModelCard(name="m", family="f", conservative=False), found.curve)
    assert CHECKS["consistency.force"](honest).status == "warn"


def test_a_wrong_limit():
    found = case(atom_energies=[0.0, -0.3])
    assert outcome(found).keys() - {"compression.zbl"} == {"dissociation.limit"}
    assert CHECKS["dissociation.limit"](found).value == pytest.approx(0.3, abs=1e-4)


def test_refused_atoms():
    found = case(atom_energies=[np.nan, np.nan])
    assert outcome(found).keys() - {"compression.zbl"} == {"robustness.atoms"}
    assert CHECKS["dissociation.limit"](found).status == "not-run"


def test_a_strictly_local_model_has_a_trivial_limit():
    def cut(r, energy, force):
        near = r < 5.0
        return np.where(near, energy, 0.0), np.where(near, force, 0.0)

    assert CHECKS["dissociation.limit"](case(cut)).status == "trivial"


def test_a_limit_built_on_a_table_is_neither_trivial_nor_the_models_own():
    def cut(r, energy, force):
        near = r < 5.0
        return np.where(near, energy, 0.0), np.where(near, force, 0.0)

    found = case(cut)
    found = replace(found, card=replace(found.card, lone_atoms="table"))
    finding = CHECKS["dissociation.limit"](found)
    assert finding.status == "pass"
    assert "table of isolated atoms" in finding.reason


def test_nan_in_the_well():
    def change(r, energy, force):
        hit = (r > 1.0) & (r < 1.2)
        return np.where(hit, np.nan, energy), np.where(hit, np.nan, force)

    found = case(change)
    assert outcome(found)["robustness.finite"] == "fail"
    # What is left of the well still shows where the minimum must be.
    assert CHECKS["dissociation.r_e"](found).value == pytest.approx(R_E, abs=0.01)


def test_one_missing_point_costs_robustness_only():
    missing = int(np.argmin(np.abs(R - 1.164)))

    def change(r, energy, force):
        energy, force = energy.copy(), force.copy()
        energy[missing] = force[missing] = np.nan
        return energy, force

    assert outcome(case(change)).keys() - {"compression.zbl"} == {"robustness.finite"}


def test_a_model_that_stops_at_its_cutoff_keeps_its_well():
    def change(r, energy, force):
        return np.where(r > 6.0, np.nan, energy), np.where(r > 6.0, np.nan, force)

    found = case(change)
    assert outcome(found).keys() - {"compression.zbl"} == {"robustness.finite"}
    assert CHECKS["dissociation.D_e"](found).status == "pass"


def test_a_hole_in_place_of_the_bond_is_no_bond():
    for centre in (0.9, 0.95, 1.0):
        found = case(bump(centre, 0.05, -400.0))
        assert CHECKS["compression.barrier"](found).status == "fail", centre
        assert CHECKS["dissociation.D_e"](found).status != "unresolved", centre


def test_a_short_bond_is_no_hole_behind_a_ripple():
    u2 = Dimer.parse("U2")  # Σr_cov = 3.92 Å
    r = grid("standard", u2, 6.0)
    x = np.exp(-1.5 * (r - 2.1))
    energy = 5.4 * (x * x - 2 * x) - 0.02 * np.exp(-(((r - 6.0) / 0.2) ** 2))
    found = Case(u2, ModelCard(name="m", family="f"), Curve(r=r, energy=energy))
    assert found.well.r_e == pytest.approx(2.1, abs=1e-3)
    assert CHECKS["compression.barrier"](found).status == "pass"


def test_a_metastable_ion_is_no_hole():
    dimer = Dimer.parse("He2++")
    r = grid("standard", dimer, 5.0)
    x = np.exp(-3 * (r - 0.7))
    energy = 14.4 / r + 14.0 * (x * x - 2 * x)
    found = Case(dimer, ModelCard(name="m", family="f"), Curve(r=r, energy=energy))
    assert found.well is None
    assert found.minimum is not None
    assert not found.walk.holes
    assert CHECKS["compression.barrier"](found).status == "pass"


def test_a_wall_that_never_rises_is_not_trusted():
    found = case(lambda r, e, f: (np.where(r < 0.9, 2.7, e), np.where(r < 0.9, 0.0, f)))
    assert CHECKS["compression.barrier"](found).status == "fail"
    trust = CHECKS["compression.r_trust"](found)
    assert trust.status == "warn"
    assert "never reaches 50 eV" in trust.reason


def test_a_jump_of_the_energy_is_seen_between_the_stencils():
    def jump(r, energy, force):
        return energy + np.where(r < 2.63, 0.0, 1.5), force

    found = CHECKS["consistency.force"](case(jump))
    assert found.status == "fail"
    assert found.details["r"] == pytest.approx(2.63, abs=0.1)


def test_forces_must_balance_and_point_along_the_bond():
    clean = case()
    for atom, axis in ((0, 2), (1, 0)):
        forces = clean.curve.forces.copy()
        forces[:, atom, axis] += 5.0
        curve = Curve(
            r=R, energy=clean.curve.energy, forces=forces, provenance={"dtype": "float64"}
        )
        finding = CHECKS["consistency.force"](Case(N2, clean.card, curve))
        assert finding.status == "fail"
        assert "F₁ = −F₂" in finding.reason


def test_an_energy_offset_hides_nothing():
    for offset in (0.0, -1e5):
        curve = case(lambda r, e, f, offset=offset: (e + offset, 1.2 * f)).curve
        unknown = Curve(r=R, energy=curve.energy, forces=curve.forces)  # no dtype stated
        finding = CHECKS["consistency.force"](Case(N2, ModelCard(name="m", family="f"), unknown))
        assert finding.status == "fail"
        assert finding.score == 0.0


@pytest.mark.parametrize("seed", range(10))
def test_noise_does_not_hide_a_deep_well(seed):
    nacl = Dimer.parse("NaCl")
    r = grid("standard", nacl, 5.0)
    x = np.exp(-0.9 * (r - 2.36))
    rng = np.random.default_rng(seed)
    energy = 4.29 * (x * x - 2 * x) + 1e-3 * rng.standard_normal(len(r))
    found = Case(nacl, ModelCard(name="m", family="f"), Curve(r=r, energy=energy))
    assert found.noise == pytest.approx(1e-3, rel=0.9)
    assert found.well.r_e == pytest.approx(2.36, abs=0.02)


@pytest.mark.parametrize("name", ["standard", "matbench", "ml-peg"])
@pytest.mark.parametrize("dimer", ["H2", "H2+", "HeH++"])
def test_the_truth_passes_on_every_grid(name, dimer):
    dimer = Dimer.parse(dimer)
    r = grid(name, dimer, 5.0)
    exact = references(dimer, r)["exact"]
    change = lambda *_: (exact.energy + 7.0, exact.axial_force)  # noqa: E731
    found = case(change, dimer, r, atom_energies=[3.5, 3.5])
    assert {k: v for k, v in outcome(found).items() if v == "fail"} == {}
    assert all(f.score in (None, 1.0) for f in run(found, select(None)) if f.status == "pass")


def test_a_false_bond_of_helium_fails():
    he2 = Dimer.parse("He2")
    r = grid("standard", he2, 5.0)
    x = np.exp(-3 * (r - 1.0))
    found = Case(
        he2,
        ModelCard(name="m", family="f", level_of_theory="PBE"),
        Curve(r=r, energy=1.43 * (x * x - 2 * x), provenance={"dtype": "float64"}),
        constants=constants(he2),
    )
    finding = CHECKS["dissociation.D_e"](found)
    assert finding.status == "fail"
    assert finding.value == pytest.approx(1.43, abs=1e-3)


def test_a_short_grid_cannot_judge_an_ionic_tail():
    nacl = Dimer.parse("NaCl")
    r = np.linspace(1.0, 6.0, 200)
    energy = -14.4 / r + 300 * np.exp(-3 * r) * 10
    found = Case(
        nacl, ModelCard(name="m", family="f"), Curve(r=r, energy=energy), constants=constants(nacl)
    )
    finding = CHECKS["dissociation.D_e"](found)
    assert finding.status == "unresolved"
    assert "uncertain by" in finding.reason


def test_nan_on_the_wall_breaks_it_off():
    def change(r, energy, force):
        return np.where(r < 0.8, np.nan, energy), np.where(r < 0.8, np.nan, force)

    found = case(change)
    barrier = CHECKS["compression.barrier"](found)
    assert barrier.status == "fail"
    assert barrier.score == 0.0
    trust = CHECKS["compression.r_trust"](found)
    assert trust.details["reason"] == "no energies inside"
    assert trust.value == pytest.approx(0.8, abs=0.03)


def test_nan_below_a_tenth_of_nothing_is_shown_not_judged():
    found = case(lambda r, energy, force: (np.where(r < 0.15, np.inf, energy), force))
    finite = CHECKS["robustness.finite"](found)
    assert finite.status == "pass"
    assert "below 0.2 Å" in finite.reason


def test_exceptions_are_counted_by_distance():
    bad = {int(i): "KeyError: 7" for i in np.flatnonzero((R > 2.0) & (R < 2.3))}
    energy = potential(R)[0].copy()
    energy[list(bad)] = np.nan
    found = case(lambda r, e, f: (energy, f), failures=bad)
    finding = CHECKS["robustness.exception"](found)
    assert finding.value == len(bad)
    assert finding.status == "fail"
    assert "KeyError: 7" in finding.reason
    assert CHECKS["robustness.finite"](found).value == 0


def test_h2_is_judged_against_the_exact_wall():
    h2 = Dimer.parse("H2")
    r = grid("standard", h2, 5.0)
    exact = references(h2, r)["exact"]

    def shifted(by):
        energy = np.interp(r - by, r, exact.energy, left=exact.energy[0])
        return case(lambda *_: (energy, -np.gradient(energy, r)), dimer=h2, r=r)

    truth = CHECKS["compression.wall"](case(lambda *_: (exact.energy, exact.axial_force), h2, r))
    assert truth.status == "pass"
    assert truth.value == pytest.approx(0.0, abs=1e-4)
    assert CHECKS["compression.wall"](shifted(0.06)).value == pytest.approx(0.06, abs=5e-3)
    assert CHECKS["compression.wall"](shifted(0.06)).status == "warn"
    assert CHECKS["compression.wall"](shifted(-0.12)).status == "fail"
    assert "off the reference wall" in CHECKS["compression.r_trust"](shifted(-0.12)).reason


def test_exact_h2_passes_everything():
    h2 = Dimer.parse("H2")
    r = grid("standard", h2, 5.0)
    exact = references(h2, r)["exact"]
    found = case(lambda *_: (exact.energy, exact.axial_force), h2, r)
    assert outcome(found) == {}
    assert total_score(group_scores(run(found, select(None)))) == 1.0


@pytest.mark.parametrize(
    ("r_e_shift", "status"), [(0.005, "pass"), (0.05, "unresolved"), (0.1, "fail")]
)
def test_labels_get_the_benefit_of_the_doubt(r_e_shift, status):
    energy, force = potential(R - r_e_shift)
    finding = CHECKS["dissociation.r_e"](case(lambda *_: (energy, force)))
    assert finding.status == status
    assert finding.reference == 1.097685
    assert finding.value == pytest.approx(R_E + r_e_shift, abs=1e-5)


def coulomb_case(change=lambda energy: energy, card=None):
    dimer = Dimer.parse("H2++")
    r = grid("standard", dimer, 5.0)
    expected = references(dimer, r)["analytic:coulomb"]
    return Case(
        dimer,
        card or ModelCard(name="m", family="f"),
        Curve(r=r, energy=change(expected.energy), forces=expected.forces),
        references(dimer, r),
    )


def test_bare_nuclei():
    check = CHECKS["bare_nuclei.coulomb"]
    assert check(coulomb_case()).value == pytest.approx(0.0, abs=1e-12)
    assert check(coulomb_case(lambda e: e - 700.0)).status == "pass"  # any zero will do
    assert check(coulomb_case(lambda e: 1.1 * e)).status == "warn"
    flat = check(coulomb_case(lambda e: 0 * e))
    assert flat.status == "warn"
    assert flat.value == pytest.approx(1.0)
    assert flat.score is None
    assert check(coulomb_case(lambda e: np.nan * e)).value is None
    assert {f.check for f in run(coulomb_case(), select(None))} == {
        "bare_nuclei.coulomb",
        "robustness.exception",
        "robustness.finite",
        "robustness.forces",
    }


@given(st.floats(-1e4, 1e4))
def test_no_verdict_depends_on_the_zero_of_energy(shift):
    clean = case(bump(0.45, 0.08, -900.0))
    moved = case(
        lambda r, e, f: (
            bump(0.45, 0.08, -900.0)(r, e, f)[0] + shift,
            bump(0.45, 0.08, -900.0)(r, e, f)[1],
        ),
        atom_energies=[shift / 2, shift / 2],
    )
    assert [(f.check, f.status) for f in run(clean, select(None))] == [
        (f.check, f.status) for f in run(moved, select(None))
    ]


def test_selection():
    assert select(["compression"]) == tuple(c for c in CHECKS if c.startswith("compression."))
    assert select(["dissociation.D_e"]) == ("dissociation.D_e",)
    with pytest.raises(InputError, match="allowed: bare_nuclei, charged, compression"):
        select(["beauty"])


def test_findings_carry_what_the_reader_needs():
    for finding in run(case(bump(0.45, 0.08, -900.0)), select(None)):
        assert finding.reason
        assert finding.check in CHECKS
        if finding.status in ("pass", "warn", "fail") and finding.check != "compression.r_trust":
            assert finding.unit
            assert finding.threshold is not None
            assert finding.source


def test_nlh_is_the_pairs_own_and_warns_at_most():
    with_nlh = replace(case(), references=references(N2, R, ["analytic:nlh"]))
    soft = CHECKS["compression.nlh"](with_nlh)
    assert soft.status == "warn"  # a Morse wall ends at 360 eV
    assert soft.score is None
    nlh = with_nlh.references["analytic:nlh"]
    energy = potential(R)[0].copy()
    energy[np.isin(R, nlh.r)] = nlh.energy * 1.05
    sound = replace(with_nlh, curve=replace(with_nlh.curve, energy=energy))
    found = CHECKS["compression.nlh"](sound)
    assert found.status == "pass"
    assert found.value == pytest.approx(1.05, abs=0.03)
    assert CHECKS["compression.nlh"](case()).status == "not-run"


def test_a_table_of_atoms_behind_a_local_model_is_detected():
    """Beyond the cutoff the pair is two atoms, so other lone atoms come from somewhere else."""

    def local(r, energy, force):
        inside = r < 5.0
        return np.where(inside, energy - energy[r > 5.0][0], 0.0), np.where(inside, force, 0.0)

    found = CHECKS["dissociation.limit"](case(local, atom_energies=[-1.5, -1.5]))
    assert found.status == "fail"
    assert "not the network's own" in found.reason
    assert CHECKS["dissociation.limit"](case(local)).status == "trivial"
    spread = CHECKS["dissociation.limit"](case(atom_energies=[-1.5, -1.5]))
    assert "not the network's own" not in spread.reason
