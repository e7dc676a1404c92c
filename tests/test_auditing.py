import json
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import broken_models
import numpy as np
import pytest
from ase.calculators.emt import EMT
from hypothesis import given
from hypothesis import strategies as st

from ase_probe import Audit, Dimer, audit, audit_many
from ase_probe.errors import DimerError, InputError, UnknownModelError
from ase_probe.measuring import groups
from ase_probe.repeats import PER_DIMER


def statuses(result, check):
    return {f.dimer: f.status for f in result.findings if f.check == check}


def test_morse_is_right_where_it_should_be():
    result = audit("morse", dimers=["H2"])
    by_check = {f.check: f for f in result.findings}
    for check in ("r_e", "D_e", "omega_e", "extra_extremum"):
        assert by_check[f"dissociation.{check}"].status == "pass"
    assert by_check["dissociation.D_e"].value == pytest.approx(4.7477, abs=2e-3)
    assert by_check["consistency.force"].status == "pass"
    assert result.coverage == 1.0
    assert 0 < result.score <= 1


def test_an_audit_survives_its_file(tmp_path):
    result = audit("morse", dimers=["H2", "H2+"])
    assert Audit.load(result.save(tmp_path / "a.json")) == result
    assert json.loads((tmp_path / "a.json").read_text())["schema"] == "ase-probe/audit/1"


def test_charge_blind_models_are_called_that():
    result = audit("morse", dimers=["H2", "H2+", "H2++"])
    assert statuses(result, "bare_nuclei.coulomb") == {"H2++": "out-of-domain"}
    assert statuses(result, "coverage.charge") == {"H2+": "out-of-domain"}
    assert all("charge-blind" in f.reason for f in result.findings if f.dimer != "H2")
    assert result.coverage == pytest.approx(1 / 3)
    assert set(result.curves) == {"H2"}


def test_charge_blindness_is_measured_where_no_card_tells():
    result = audit(broken_models.Pair(), dimers=["N2", "H2++"])
    assert statuses(result, "bare_nuclei.coulomb") == {"H2++": "out-of-domain"}
    assert "gave the energy of the neutral pair" in result.findings[-1].reason


def test_charge_blindness_is_seen_through_noise_and_spin():
    class Noisy(broken_models.Pair):
        def answer(self, atoms, energy, forces):
            rng = np.random.default_rng()
            return {"energy": energy + 1e-7 * rng.standard_normal(), "forces": forces}

    class SpinOnly(broken_models.Pair):
        def answer(self, atoms, energy, forces):
            return {"energy": energy + 0.5 * atoms.info.get("spin", 0), "forces": forces}

    for model in (Noisy(), SpinOnly()):
        found = audit(model, dimers=["N2", "H2++", "N2+"])
        assert statuses(found, "bare_nuclei.coulomb") == {"H2++": "out-of-domain"}
        assert statuses(found, "coverage.charge") == {"N2+": "out-of-domain"}


def test_a_spin_blind_model_is_not_asked_for_excited_spins():
    found = audit("lj", dimers=["Ar2", "Ar2@3"])
    assert statuses(found, "coverage.spin") == {"Ar2@3": "out-of-domain"}
    assert list(found.curves) == ["Ar2"]


def test_an_energy_only_calculator_loses_its_forces_only():
    calculator = broken_models.Pair()
    calculator.implemented_properties = ["energy"]
    found = audit(calculator, dimers=["N2"])
    by_check = {f.check: f for f in found.findings}
    assert by_check["robustness.forces"].status == "fail"
    assert "offers no forces" in by_check["robustness.forces"].reason
    assert by_check["consistency.force"].status == "not-run"
    assert by_check["dissociation.D_e"].status == "pass"
    assert by_check["robustness.exception"].status == "pass"


@pytest.mark.parametrize(("module", "size"), [("scan", "_AT_ONCE"), ("measuring", "_GROUP")])
def test_large_suites_are_evaluated_in_groups(monkeypatch, module, size):
    names = ["N2", "O2", "CO", "N2+", "O2++"]
    whole = audit(broken_models.Coulomb(), dimers=names)
    monkeypatch.setattr(f"ase_probe.{module}.{size}", 1)
    seen = []
    parts = audit(
        broken_models.Coulomb(), dimers=names, progress=lambda *counts: seen.append(counts)
    )
    assert parts.curves == whole.curves
    assert list(parts.curves) == list(whole.curves)
    assert parts.findings == whole.findings
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]


def test_every_element_has_a_dimer():
    from ase.data import chemical_symbols

    from ase_probe.dimer import atom_multiplicity

    for number, symbol in enumerate(chemical_symbols[1:], start=1):
        assert (number - atom_multiplicity(symbol) + 1) % 2 == 0


@pytest.mark.parametrize("radii", [[0.7], [0.01, 0.02, 0.03], [0.5, 0.6, 0.7, 0.8, 0.9, 5.0]])
def test_tiny_grids_are_audited_to_the_end(radii):
    found = audit(broken_models.Coulomb(), dimers=["H2", "H2++", "H2+"], grid=radii)
    assert found.findings


def test_a_model_that_knows_coulomb_passes():
    result = audit(broken_models.Coulomb(), dimers=["H2++"])
    finding = next(f for f in result.findings if f.check == "bare_nuclei.coulomb")
    assert finding.status == "pass"
    assert finding.value < 1e-12


def test_unknown_elements_lower_the_coverage():
    result = audit("morse", dimers=["H2", "N2"])
    assert statuses(result, "coverage.elements") == {"N2": "out-of-domain"}
    assert result.coverage == 0.5


def test_all_nan_scores_nothing():
    result = audit(broken_models.AllNaN(), dimers=["N2", "O2", "Ar2"])
    assert result.score == 0.0
    assert result.coverage == 0.0
    assert set(result.group_scores.values()) == {0.0}
    assert set(statuses(result, "robustness.finite").values()) == {"fail"}
    assert result.worst == "fail"


@pytest.mark.parametrize(
    ("model", "most", "failing"),
    [
        (broken_models.HalfNaN, 0.45, "robustness.finite"),
        (broken_models.Noisy, 0.60, "smoothness.noise"),
        (broken_models.Exploding, 0.0, "robustness.finite"),
        (broken_models.Refusing, 0.0, "robustness.exception"),
    ],
)
def test_broken_models_get_what_they_deserve(model, most, failing):
    sound = audit(broken_models.Pair(), dimers=["N2"])
    result = audit(model(), dimers=["N2"])
    assert result.score <= most < sound.score
    assert statuses(result, failing) == {"N2": "fail"}
    scores = {f.check: f.score for f in result.findings}
    assert scores[failing] == 0.0
    assert not any(f.score and f.value is not None and np.isnan(f.value) for f in result.findings)


def test_a_constant_energy_scores_nothing():
    result = audit(broken_models.Constant(), suite="quick")
    assert result.score == 0.0
    assert statuses(result, "compression.barrier")["N2"] == "fail"
    assert statuses(result, "dissociation.D_e")["N2"] == "fail"
    assert [f.check for f in result.findings if f.score] == []


def test_wrong_shaped_forces_cost_the_forces_only():
    result = audit(broken_models.WrongShape(), dimers=["N2"])
    scores = {f.check: f.score for f in result.findings}
    assert scores["robustness.forces"] == 0.0
    assert scores["consistency.force"] == 0.0
    assert scores["dissociation.D_e"] == 1.0
    finding = next(f for f in result.findings if f.check == "robustness.forces")
    assert "forces of shape (2, 2), expected (2, 3)" in finding.reason


def test_one_raising_distance_is_one_finding():
    result = audit(broken_models.RaisesNear(), dimers=["N2"])
    finding = next(f for f in result.findings if f.check == "robustness.exception")
    assert finding.status == "fail"
    assert finding.score == 0.0
    assert "RuntimeError: the model broke" in finding.reason
    assert "\n" not in finding.reason
    assert statuses(result, "dissociation.D_e") == {"N2": "pass"}
    bad = result.curves["N2"].r[list(result.curves["N2"].failures)]
    assert len(bad)
    assert np.all((bad >= 2.0) & (bad <= 2.05))


def test_refused_atoms_are_a_result():
    result = audit(broken_models.RefusesAtoms(), dimers=["N2"])
    finding = next(f for f in result.findings if f.check == "robustness.atoms")
    assert finding.status == "fail"
    assert "no edges" in finding.reason


def test_a_hole_is_found_end_to_end():
    result = audit(broken_models.Hole(), dimers=["N2"])
    finding = next(f for f in result.findings if f.check == "compression.barrier")
    assert finding.details["depth"] < -100
    assert finding.status == "fail"
    assert 0.7 < finding.details["r_b"] < 1.0


def test_any_ase_calculator_can_be_audited():
    result = audit(EMT(), dimers=["Cu2", "Fe2"], grid="matbench")
    assert len(result.curves["Cu2"]) == 119
    assert statuses(result, "robustness.exception")["Fe2"] == "fail"
    assert result.coverage == 0.5
    assert result.environment["suite"] == "custom"


def test_own_distances_and_dimer_objects():
    result = audit("morse", dimers=[Dimer.parse("H2"), "HH"], grid=[0.5, 0.7, 0.9])
    assert list(result.curves) == ["H2"]
    assert result.curves["H2"].r.tolist() == [0.5, 0.7, 0.9]


def test_selected_checks_and_tiers():
    result = audit("morse", dimers=["H2"], checks=["compression"], baselines=["exact"])
    assert {f.group for f in result.findings} == {"compression"}
    assert set(result.references["H2"]) == {"exact"}


def test_homonuclear_runs_over_the_models_elements():
    assert list(audit("morse", suite="homonuclear").curves) == ["H2"]
    with pytest.raises(InputError, match="does not state"):
        audit(EMT(), suite="homonuclear")


def test_progress_counts_every_structure():
    seen = []
    result = audit("morse", dimers=["H2"], progress=lambda done, total: seen.append((done, total)))
    everything = len(result.curves["H2"]) + 1 + PER_DIMER
    assert seen[-1] == (everything, everything)


def test_the_work_ahead_is_foreseen():
    """What an estimate of the time left is made of: 30 % from the first second on."""
    seen = []
    audit(
        broken_models.Pair(),
        suite="quick",
        progress=lambda done, total: seen.append((done, total)),
    )
    end = seen[-1][1]
    assert len(seen) > 10
    assert all(abs(total - end) < 0.3 * end for _, total in seen[1:])
    assert all(a[0] <= b[0] for a, b in pairwise(seen))


def test_finished_groups_foretell_the_others(monkeypatch):
    """The first groups of a model full of holes say how many points the later ones need."""
    monkeypatch.setattr("ase_probe.measuring._GROUP", 4)
    monkeypatch.setattr("ase_probe.measuring._AHEAD", (0.0, 0.0, 0.0))  # as wrong as can be
    seen = []
    audit(
        broken_models.Pair(),
        suite="standard",
        progress=lambda done, total: seen.append((done, total)),
    )
    end = seen[-1][1]
    later = [total for done, total in seen if done > 0.25 * end]
    assert seen[-1][0] == end
    assert all(abs(total - end) < 0.15 * end for total in later)


@given(count=st.integers(0, 300))
def test_groups_are_alike_and_lose_nothing(count):
    dimers = list(range(count))
    found = list(groups(dimers))
    assert sorted(d for group in found for d in group) == dimers
    assert all(0 < len(group) <= 50 for group in found)
    assert max(map(len, found), default=0) - min(map(len, found), default=0) <= 1
    for group in found:  # from everywhere in the suite
        assert all(b - a == len(found) for a, b in pairwise(group))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"suite": "all"}, InputError),
        ({"dimers": []}, InputError),
        ({"dimers": ["Xx2"]}, DimerError),
        ({"dimers": ["H2"], "grid": "fine"}, InputError),
        ({"dimers": ["H2"], "checks": ["nonsense"]}, InputError),
        ({"dimers": ["H2"], "baselines": ["nonsense"]}, InputError),
    ],
)
def test_bad_requests(options, error):
    with pytest.raises(error):
        audit("morse", **options)


def test_several_models_in_order_and_on_an_executor():
    models = ["morse", "lj"]
    here = audit_many(models, dimers=["H2", "Ar2"])
    assert [result.card.name for result in here] == models
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:  # JAX forbids fork
        there = audit_many(models, dimers=["H2", "Ar2"], executor=executor)
    assert [result.curves for result in there] == [result.curves for result in here]
    with pytest.raises(UnknownModelError):
        audit_many(["morse", "nothing"], dimers=["H2"])
