"""The GitHub action runs: its steps, as the runner would run them, on a toy model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / ".github" / "actions" / "audit" / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}


def run(step, folder, **inputs):
    """Run one step with bash's options on a runner; inputs fill its environment."""
    values = {name: about.get("default", "") for name, about in ACTION["inputs"].items()}
    values |= {name.replace("_", "-"): value for name, value in inputs.items()}
    given = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: values[m[1]], text)
        for name, text in step["env"].items()
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    summary = folder / "summary.md"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder, capture_output=True, text=True,
        env={**os.environ, **given, "PATH": path, "GITHUB_STEP_SUMMARY": str(summary)},
    )  # fmt: skip


def test_the_action_is_composite_and_its_inputs_are_used():
    assert ACTION["runs"]["using"] == "composite"
    assert all(step["shell"] == "bash" for step in STEPS.values())
    text = str(ACTION["runs"])
    assert [name for name in ACTION["inputs"] if f"inputs.{name} " not in text] == []
    # an input inside a script would be run as code; they travel in the environment
    assert not any("${{" in step["run"] for step in STEPS.values())


def test_findings_fail_the_job_and_are_annotated(tmp_path):
    options = "--dimers H2 --checks compression"
    done = run(STEPS["Audit"], tmp_path, model="morse", options=options)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error title=morse%3A compression.wall on H2::")
    assert {p.name for p in (tmp_path / "ase-probe").iterdir()} == {"audit.json", "report.html"}
    assert "### FAIL  morse" in (tmp_path / "summary.md").read_text()


def test_against_a_baseline_only_what_got_worse_counts(tmp_path):
    audit = {"model": "morse", "options": "--dimers H2 --checks compression"}
    run(STEPS["Audit"], tmp_path, output="before", **audit)
    baseline = "before/audit.json"
    same = run(STEPS["Audit"], tmp_path, baseline=baseline, **audit)
    assert same.returncode == 0, same.stderr
    assert "NO REGRESSION" in same.stdout
    less = {**audit, "options": "--dimers H2 --checks compression.barrier"}
    worse = run(STEPS["Audit"], tmp_path, baseline=baseline, **less)
    assert worse.returncode == 1
    assert "vanished%2C compression.wall on H2::not there any more" in worse.stdout
    broken = run(STEPS["Audit"], tmp_path, baseline=baseline, **{**audit, "model": "mors"})
    assert broken.returncode == 2


def test_the_page_about_ci_shows_the_action_as_it_is():
    page = (ROOT / "docs" / "ci.md").read_text()
    workflow = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[1])
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    (ours,) = [step for step in steps if "actions/audit" in step.get("uses", "")]
    assert set(ours["with"]) <= set(ACTION["inputs"])
    required = {name for name, about in ACTION["inputs"].items() if about.get("required")}
    assert required <= set(ours["with"])
