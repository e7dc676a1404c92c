import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scaling.studies import moved, plan, result, results

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.early import ESTIMATORS
from ase_probe.scaling.summary import summarise
from ase_probe.scaling.summary.text import lines, markdown


@pytest.fixture
def specs(tmp_path):
    return plan(tmp_path)


def verdicts(summary):
    return [statement.verdict for statement in summary.statements]


def text(summary):
    return " ".join(" ".join(lines(summary)).split())


@pytest.mark.parametrize(
    ("stable", "with_h2", "without_h2", "said", "together"),
    [
        (False, True, False, ["yes", "yes", "no"], "what these models lack is that bond"),
        (False, True, True, ["yes", "yes", "yes"], "geometries far from equilibrium, not H2"),
        (False, False, False, ["yes", "no", "no"], "Neither size nor H2 geometries"),
        # k = 0 has the shape as well, so that shots have nothing to add.
        (True, True, True, ["no", "undecided", "undecided"], "cannot be read together"),
    ],
)
def test_the_claims(specs, stable, with_h2, without_h2, said, together):
    done = results(specs, stable=stable, with_h2=with_h2, without_h2=without_h2)
    summary = summarise(done, specs, repeats=9)
    assert verdicts(summary) == said
    assert not any(statement.provisional for statement in summary.statements)
    assert together in summary.conclusions["schnet w32 D300"]
    first = text(summary)
    assert ("Claim (1) reproduces" in first) == (said[0] == "yes")
    assert ("Claim (1) does not reproduce" in first) == (said[0] == "no")
    assert "INCOMPLETE" not in first


@pytest.mark.parametrize(("with_h2", "verdict"), [(True, "yes"), (False, "no")])
def test_the_shape_at_another_size_refutes_the_first_claim_only(specs, with_h2, verdict):
    """The fine-tuned cell is the largest: shape everywhere but there."""
    done = [
        result(spec, shaped=with_h2 and spec.shots.kind == "with-h2" if spec.shots else True)
        for spec in specs
    ]
    summary = summarise(done, specs, repeats=9)
    assert verdicts(summary) == ["no", verdict, "no"]
    assert "At some sizes" in summary.conclusions["schnet w32 D300"]


def test_the_shape_in_the_largest_cell_refutes_whatever_their_size(specs):
    stable = [spec for spec in specs if spec.shots is None]
    done = [result(spec, shaped=(spec.width, spec.molecules) == (32, 300)) for spec in stable]
    (statement,) = summarise(done, stable, repeats=9).statements
    assert statement.verdict == "no"
    assert "3 of 18 runs have the shape" in statement.reasons[0]


def test_one_seed_without_the_shape_leaves_the_second_claim_undecided(specs):
    done = results(specs)
    last = next(i for i, r in enumerate(done) if r.spec.shots and r.spec.shots.k == 100)
    assert done[last].spec.shots.kind == "with-h2"
    done[last] = result(done[last].spec, shaped=False)
    assert verdicts(summarise(done, specs, repeats=9))[1] == "undecided"


def test_a_sweep_that_is_not_complete_says_so_everywhere(specs):
    some = [r for r in results(specs) if r.spec.seed < 2 and r.spec.model == "schnet"]
    summary = summarise(some, specs, repeats=9)
    assert summary.count.runs < summary.count.planned_runs
    assert all(statement.provisional for statement in summary.statements)
    assert all(
        s.headline.startswith("So far") for s in summary.statements if s.verdict != "undecided"
    )
    assert summary.conclusions["schnet w32 D300"].startswith("So far, from a sweep")
    for page in (text(summary), markdown(summary)):
        assert "INCOMPLETE: 12 of 18 runs, 0 of 6 cells done" in page
        assert "From what ran (INCOMPLETE: 12 of 18 runs" in page
        assert "INCOMPLETE: 0 of 9 runs, 0 of 9 cells done" in page  # ChemGPT


def test_cells_without_a_run_keep_the_first_claim_open(specs):
    some = [r for r in results(specs) if (r.spec.width, r.spec.molecules) != (32, 300)]
    statement = summarise(some, specs, repeats=9).statements[0]
    assert statement.verdict == "undecided"
    assert "1 of 6 planned cells have no run yet." in statement.reasons


def test_too_few_runs_decide_nothing(specs):
    stable = [spec for spec in specs if spec.model == "schnet" and spec.shots is None][:3]
    summary = summarise(results(stable), stable, repeats=9)
    assert verdicts(summary) == ["undecided"]
    assert "No law: 3 cells cannot determine" in text(summary)


def test_nothing_with_shots_ran_yet(specs):
    some = [r for r in results(specs) if r.spec.shots is None]
    summary = summarise(some, specs, repeats=9)
    assert verdicts(summary) == ["yes", "not run", "not run"]
    assert "(2) not run" in summary.conclusions["schnet w32 D300"]


def test_without_a_plan_nothing_is_called_complete(specs):
    summary = summarise(results(specs), repeats=9)
    assert "what was planned is not known" in str(summary.count)
    assert all(statement.provisional for statement in summary.statements)


def test_runs_of_another_study_are_left_out_and_counted(specs):
    done = results(specs)
    summary = summarise([*done, *moved(done[:2], batch=99)], specs, repeats=9)
    assert (summary.others, summary.count.complete) == (2, True)
    with pytest.raises(InputError, match="no finished run"):
        summarise(moved(done[:2], batch=99), specs)


def test_recipes_are_kept_apart(specs):
    stable = [spec for spec in specs if spec.model == "schnet" and spec.shots is None]
    both = [*stable, *(replace(spec, batch=99) for spec in stable)]
    summary = summarise(results(both), both, repeats=9)
    assert [(f.name, len(f.rows)) for f in summary.families] == [("schnet 1", 18), ("schnet 2", 18)]


def test_early_losses_are_summed_over_as_many_epochs_in_every_run(specs):
    """Runs that stop by themselves differ in length; those that diverged end at once."""
    stable = [spec for spec in specs if spec.model == "schnet" and spec.shots is None]
    done = [
        replace(r, train_losses=[r.test_loss] * (20 + i)) for i, r in enumerate(results(stable))
    ]
    early = summarise(done, stable, repeats=9).families[0].early
    assert all(early[f"{name}, all runs"].spearman == pytest.approx(1) for name in ESTIMATORS)
    done[0] = replace(done[0], test_loss=math.nan, train_losses=[1e9, 1e9], curves={})
    with_one_gone = summarise(done, stable, repeats=9).families[0].early
    assert with_one_gone["TSE, all runs"].spearman == pytest.approx(1)


def test_a_run_that_diverged_is_left_out_and_said(specs):
    done = results(specs)
    done[0] = replace(done[0], test_loss=float("inf"))
    said = text(summarise(done, specs, repeats=9))
    assert "1 runs diverged and are left out" in said
    assert "6 cells, 17 runs" in said


def test_diverged_runs_have_no_curves_and_are_said(specs, tmp_path):
    """As `train` leaves them behind: without a loss, an error and curves."""
    pytest.importorskip("matplotlib")
    from ase_probe.scaling.figures import write_figures

    done = results(specs)
    gone = {"test_loss": math.nan, "validation_loss": math.nan, "test_mae": None, "curves": {}}
    stable = next(i for i, r in enumerate(done) if r.spec.model == "schnet" and not r.spec.shots)
    most = max(r.spec.shots.k for r in done if r.spec.shots)
    tuned = next(i for i, r in enumerate(done) if r.spec.shots and r.spec.shots.k == most)
    for place in (stable, tuned):
        done[place] = replace(done[place], **gone)
    summary = summarise(done, specs, repeats=9)
    first, *after = summary.statements
    assert "1 runs diverged and are left out." in first.reasons
    assert any("1 of these diverged" in reason for one in after for reason in one.reasons)
    assert "1 diverged" in text(summary)
    assert "h2" in write_figures(summary, tmp_path, ())


def test_json_holds_no_number_that_the_design_does_not_identify(specs):
    summary = summarise(results(specs), specs, repeats=9)
    data = json.loads(json.dumps(summary.json(), allow_nan=False))
    family = data["families"][0]
    assert len(family["runs"]) == 18
    for parameter in family["law"]["parameters"]:
        assert (parameter["value"] is None) == (parameter["unidentified"] is not None)
    assert any(parameter["value"] is None for parameter in family["law"]["parameters"])
    assert data["labels"] == "B3LYP/6-31G(2df,p), unrestricted"
    assert data["statements"][0]["headline"].startswith("Claim (1) reproduces")
    assert data["shots"][0]["table"][0]["kind"] == "none"


def test_the_loss_and_the_language_model_have_their_laws(specs):
    summary = summarise(results(specs), specs, repeats=9)
    schnet, chemgpt = summary.families
    assert schnet.powers["D"].exponent == pytest.approx(0.6, abs=0.2)
    assert list(chemgpt.powers) == ["N", "N at D = 10000", "D", "D at N = 164740"]
    assert set(chemgpt.powers["N at D = 10000"].prefactors) == {10_000}
    assert "exponent in N at D = 10000: " in text(summary)
    assert (chemgpt.unit, chemgpt.judged, chemgpt.follows) == ("nats", [], {})
    assert "exponent in D" in text(summary)
    seconds = [row.result.seconds for row in schnet.front]
    losses = [row.result.test_loss for row in schnet.front]
    assert seconds == sorted(seconds)
    assert losses == sorted(losses, reverse=True)


def test_shots_are_averaged_over_seeds(specs):
    (table,) = summarise(results(specs), specs, repeats=9).shots
    assert [(s.kind, s.k, len(s.rows), s.planned) for s in table.table] == [
        ("none", 0, 3, 3), ("with-h2", 10, 3, 3), ("with-h2", 100, 3, 3),
        ("without-h2", 10, 3, 3), ("without-h2", 100, 3, 3),
    ]  # fmt: skip
    last = table.table[2]
    errors = [row.h2.log10_rmse for row in last.rows]
    assert last.mean("log10_rmse") == pytest.approx(np.mean(errors))
    assert last.spread("log10_rmse") == pytest.approx(np.std(errors, ddof=1))
    assert table.changes["with-h2"].verdict == "falls"
    assert table.changes["without-h2"].verdict == "none"


def test_the_controls_are_judged_by_their_own_length(specs):
    summary = summarise(results(specs), specs, repeats=9)
    controls = summary.families[0].rows[0].controls
    assert controls["CH4 C-H"].r_e == pytest.approx(1.09, abs=0.02)
    assert controls["C2H6 C-C"].r_e == pytest.approx(1.53, abs=0.02)
    assert all(found.well and found.log10_rmse < -1 for found in controls.values())


def test_the_other_branch_of_the_labels(specs):
    summary = summarise(results(specs), specs, kind="restricted", repeats=9)
    assert set(summary.yardsticks) == {"labels' level, unrestricted", "exact"}
    assert "6-31G(2df,p), restricted" in text(summary)
