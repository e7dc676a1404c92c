"""The pytest plugin as a project meets it: options in, test items and their messages out."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ase_probe.testing  # noqa: F401  NumPy must outlive the runs inside this process
from ase_probe.cli.audit import audit as cli_audit
from ase_probe.pytest_plugin.options import AUDIT, OPTIONS

pytest_plugins = "pytester"

HERE = Path(__file__).parent
SAMPLE = HERE / "sample_project"
XDIST = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])


@pytest.fixture
def project(pytester, monkeypatch):
    """An empty project with the sample's two potentials in it, and no other plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "ase_probe.pytest_plugin,xdist.plugin")
    shutil.copy(SAMPLE / "sample_potential.py", pytester.path)
    # Settings of its own, else those of a folder above would count: ours, within nox. And what
    # these runs import the outer one has imported already.
    pytester.makeini("[pytest]\nfilterwarnings = ignore:Module already imported")
    pytester.syspathinsert()
    return pytester


def model(name):
    return ("--probe-model", f"sample_potential:{name}")


def text(result):
    return "\n".join(result.outlines)


N2 = ("--probe-dimers", "N2")


# --- items -----------------------------------------------------------------------------------


def test_one_item_per_check_and_dimer(project):
    result = project.runpytest("--collect-only", "-q", "--probe-model", "morse")
    ids = [line for line in result.outlines if line.startswith("ase-probe::")]
    assert len(ids) == len(set(ids)) > 100
    assert "ase-probe::compression.barrier[N2]" in ids
    assert "ase-probe::bare_nuclei.coulomb[H2++]" in ids
    assert "ase-probe::compression.barrier[H2++]" not in ids  # two bare nuclei have no bond
    assert result.outlines[-1].startswith(f"{len(ids)} tests collected")


def test_the_sound_potential_passes(project):
    result = project.runpytest(*model("repaired"), *N2)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("collected 0 items")
    result.stdout.fnmatch_lines(["ase-probe: sample_potential:repaired, * checks on 1 dimer"])


@XDIST
def test_a_failure_says_everything_without_a_traceback(project, workers):
    result = project.runpytest(*model("broken"), *N2, "--probe-checks", "compression", *workers)
    assert result.ret == 1
    said = text(result)
    block = said[said.index("N2: compression.barrier fails") :].partition("report.html")[0]
    assert "inside 0.87 Å the energy falls to" in block
    assert "value     −5.015 eV" in block
    assert "limits    passes from 50 eV up, fails below 10 eV" in block
    assert "source    thermal rates at 3000 K" in block
    assert "┊ compression.barrier at 0.866 Å" in block
    assert any("\u2800" < char <= "\u28ff" for char in block)  # the curve itself
    assert block.endswith("Next: ase-probe audit sample_potential:broken --dimers N2 --html ")
    shown = (HERE.parent / "docs" / "output" / "pytest-failure.txt").read_text()
    assert block in shown  # what the documentation quotes
    assert "Traceback" not in said
    assert ".py:" not in block
    result.stdout.fnmatch_lines(
        ["FAILED ase-probe::compression.barrier?N2? - N2: compression.barrier fails"]
    )


def test_xdist_changes_nothing_and_asks_the_model_once(project):
    project.makepyfile(
        counted="""
        from pathlib import Path
        from sample_potential import WithAHole
        def make():
            with open(Path(__file__).with_name("made"), "a") as file:
                file.write("x")
            return WithAHole()
        """
    )
    asked = ("--probe-model", "counted:make", "--probe-dimers", "N2,O2", "-rA", "-v")
    found = []
    for workers in ((), ("-n", "3")):
        made = project.path / "made"
        made.unlink(missing_ok=True)
        result = project.runpytest(*asked, *workers)
        said = text(result)
        assert made.read_text() == "x"
        found.append(
            (
                result.parseoutcomes(),
                sorted(line for line in result.outlines if line.startswith(("FAILED", "SKIPPED"))),
                said[said.index("= ase-probe:") : said.index("short test summary")],
            )
        )
    assert found[0] == found[1]


def test_only_the_dimers_of_selected_items_are_evaluated(project):
    project.makepyfile(
        seen="""
        from pathlib import Path
        from sample_potential import PairPotential
        class Seen(PairPotential):
            def calculate(self, atoms, *args):
                with open(Path(__file__).with_name("seen.txt"), "a") as file:
                    file.write(str(atoms.symbols) + " ")
                super().calculate(atoms, *args)
        """
    )
    asked = ("--probe-model", "seen:Seen", "--probe-dimers", "N2,O2,H2")
    assert project.runpytest(*asked, "-k", "finite and O2").ret == 0
    assert set((project.path / "seen.txt").read_text().split()) == {"O2", "O"}


# --- statuses --------------------------------------------------------------------------------


def test_what_is_not_judged_is_skipped_with_its_reason(project):
    result = project.runpytest(*model("repaired"), *N2, "--probe-checks", "cutoff", "-rs", "-v")
    result.assert_outcomes(failed=1, skipped=1)  # nothing at all could be judged
    result = project.runpytest(
        *model("repaired"), *N2, "--probe-checks", "cutoff,robustness", "-rs"
    )
    result.assert_outcomes(passed=4, skipped=2)
    result.stdout.fnmatch_lines(
        ["SKIPPED ?2? ase-probe: not-run: the model's cutoff is not known*"]
    )


def test_a_warning_passes_under_a_name_of_its_own_or_fails(project):
    asked = (*model("repaired"), *N2, "--probe-checks", "compression.zbl")
    result = project.runpytest(*asked, "-v")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*compression.zbl?N2? WARN*", "*1 warn*"])
    result = project.runpytest(*asked, "--probe-fail-on", "warn")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["N2: compression.zbl warns"])


def test_a_group_that_the_profile_does_not_count_cannot_fail(project):
    project.makepyfile(
        rough="""
        from sample_potential import PairPotential
        class Rough(PairPotential):
            def pair(self, r):
                u, slope = super().pair(r)
                return u + 5 * max(0, 1.5 - r), slope - 5 * (r < 1.5)
        """
    )
    asked = ("--probe-model", "rough:Rough", *N2, "--probe-checks", "smoothness,robustness")
    assert project.runpytest(*asked).parseoutcomes()["failed"] >= 1
    result = project.runpytest(*asked, "--probe-profile", "search", "-rs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED*does not count in this profile: fail*"])


# --- known exceptions ------------------------------------------------------------------------

COMPRESSION = (*model("broken"), *N2, "--probe-checks", "compression.barrier,robustness")


@XDIST
def test_a_known_exception_is_expected_with_its_reason(project, workers):
    project.makeini("[pytest]\nprobe_expected_failures =\n  compression.barrier[N2]: a known hole")
    result = project.runpytest(*COMPRESSION, "-rx", *workers)
    result.assert_outcomes(passed=4, xfailed=1)
    result.stdout.fnmatch_lines(["XFAIL ase-probe::compression.barrier?N2? - a known hole"])
    result = project.runpytest(*COMPRESSION, "--runxfail")
    result.assert_outcomes(passed=4, failed=1)


def test_an_exception_of_no_test_is_told(project):
    project.makeini("[pytest]\nprobe_expected_failures =\n  compression.barrier[O2]: a known hole")
    result = project.runpytest(*COMPRESSION, "--collect-only")
    result.stdout.fnmatch_lines(["*that belong to none of them: compression.barrier?O2?"])


def test_an_exception_that_is_none_any_more_is_an_error(project):
    project.makeini("[pytest]\nprobe_expected_failures =\n  robustness.finite[N2]: once it was")
    result = project.runpytest(*COMPRESSION[:4], "--probe-checks", "robustness")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["*robustness.finite?N2? was expected to fail (once it was)*Delete*"]
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("compression.barrier[N2]", "needs a reason"),
        ("compression.barier[N2]: typo", "names no check"),
        ("compression.barrier[Nn]: typo", "is not a dimer"),
        ("N2 has a hole", "is no expected failure"),
    ],
)
def test_a_malformed_exception_is_a_usage_error(project, line, words):
    project.makeini(f"[pytest]\nprobe_expected_failures =\n  {line}")
    result = project.runpytest(*model("repaired"), *N2)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()


# --- what cannot be --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--probe-model", "7net-O"), "Did you mean 7net-0"),
        (("--probe-model", "7net-O", "-n", "2"), "Did you mean 7net-0"),
        ((*model("repaired"), "--probe-checks", "bonds", "-n", "2"), "Unknown check 'bonds'"),
        ((*model("absent"),), "has no 'absent'"),
        ((*model("repaired"), "--probe-dimers", "Nn"), "is not a dimer"),
        ((*model("repaired"), "--probe-checks", "compresion"), "Unknown check 'compresion'"),
        ((*model("repaired"), *N2, "--probe-checks", "bare_nuclei"), "bare_nuclei applies to N2"),
        ((*model("repaired"), "--probe-suite", "fast"), "Unknown suite 'fast'"),
        ((*model("repaired"), "--probe-suite", "homonuclear"), "does not state them"),
        ((*model("repaired"), "--probe-grid", "fine"), "Unknown grid 'fine'"),
        ((*model("repaired"), "--probe-profile", "nvt"), "Unknown profile 'nvt'"),
        ((*model("repaired"), "--probe-fail-on", "never"), "allowed: fail, warn"),
        ((*model("repaired"), "--probe-timeout", "soon"), "takes a number"),
        ((*model("repaired"), "--probe-suite", "quick", *N2), "Dimers exclude a suite"),
    ],
)
def test_a_mistake_is_one_sentence(project, options, words):
    result = project.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in " ".join(result.stderr.str().split())
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@XDIST
def test_a_model_that_cannot_be_loaded_is_told_once(project, workers):
    project.makepyfile(lost="def make():\n    raise OSError('weights not found')")
    result = project.runpytest("--probe-model", "lost:make", *N2, "-rs", *workers)
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == 1
    assert outcomes.keys() == {"failed", "skipped"}
    assert text(result).count("weights not found") == 1
    result.stdout.fnmatch_lines(["*no audit, see the failure of ase-probe::robustness.exception*"])


def test_a_model_about_which_nothing_can_be_judged_fails(project):
    result = project.runpytest("--probe-model", "morse", *N2)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*Nothing could be judged about morse. N2: the model does not*"])


def test_warnings_as_errors_do_not_become_failures_of_the_model(project):
    project.makepyfile(
        chatty="""
        import warnings
        from sample_potential import PairPotential
        class Chatty(PairPotential):
            def calculate(self, *args):
                warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
                super().calculate(*args)
        """
    )
    strict = ("-W", "error", "-W", "ignore:Module already imported")
    result = project.runpytest("--probe-model", "chatty:Chatty", *N2, *strict)
    assert result.ret == 0


# --- ini file --------------------------------------------------------------------------------

INI = """
    [pytest]
    probe_model = sub/model.py:repaired
    probe_dimers = N2, O2
    probe_checks =
        robustness
        compression.barrier
"""


@pytest.fixture
def configured(project):
    project.makeini(INI)
    project.mkdir("sub")
    shutil.copy(SAMPLE / "sample_potential.py", project.path / "sub" / "model.py")
    project.makepyfile("def test_mine():\n    pass")
    return project


def test_the_ini_file_is_enough(configured):
    configured.runpytest().assert_outcomes(passed=11)


def test_a_path_in_the_ini_file_stands_beside_it(configured, monkeypatch):
    monkeypatch.chdir(configured.path / "sub")
    configured.runpytest("--rootdir", "..").assert_outcomes(passed=10)


def test_the_command_line_wins_over_the_ini_file(configured):
    configured.runpytest("--probe-dimers", "N2").assert_outcomes(passed=6)


def test_naming_a_file_runs_that_file_alone(configured):
    file = "test_naming_a_file_runs_that_file_alone.py"
    result = configured.runpytest(file)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["ase-probe: *model.py:repaired is not audited, because files*"])
    configured.runpytest(".").assert_outcomes(passed=11)
    configured.runpytest(file, *model("repaired")).assert_outcomes(passed=11)


def test_items_can_be_chosen_by_marker(configured):
    configured.runpytest("-m", "not probe", "--strict-markers").assert_outcomes(passed=1)


# --- fixtures --------------------------------------------------------------------------------


@XDIST
def test_fixtures_share_the_audit_of_the_items(project, workers):
    project.makepyfile(
        """
        def test_audit(probe_audit):
            assert probe_audit.environment["suite"] == "custom"
            assert list(probe_audit.curves) == ["N2"]

        def test_curve(probe_curve, probe_audit):
            assert probe_curve("N2") is probe_audit.curves["N2"]

        def test_calculator(probe_model):
            from ase.build import molecule
            atoms = molecule("N2")
            atoms.calc = probe_model
            assert atoms.get_potential_energy() < -9
        """
    )
    result = project.runpytest(*model("repaired"), *N2, "-k", "test_", *workers)
    result.assert_outcomes(passed=3)
    assert text(result).count("= ase-probe: ") == 1


def test_a_project_overrides_the_model(project):
    project.makeconftest(
        """
        import pytest
        from sample_potential import WithAHole

        @pytest.fixture(scope="session")
        def probe_model():
            return WithAHole()
        """
    )
    project.makepyfile(
        """
        import pytest

        @pytest.mark.probe(dimers=["N2"], checks=["compression"])
        def test_hole(probe_audit):
            assert probe_audit.card.name == "WithAHole"
            assert probe_audit.worst == "fail"
        """
    )
    result = project.runpytest("--strict-markers")
    result.assert_outcomes(passed=1)
    assert "Next: " in text(result)


def test_a_marker_names_another_model(project):
    project.makepyfile(
        """
        import pytest
        from ase_probe.errors import InputError

        @pytest.mark.probe(model="morse", suite="quick")
        def test_another(probe_audit, probe_curve):
            assert list(probe_audit.curves) == ["H2"]
            with pytest.raises(InputError, match="charge-blind"):
                probe_curve("H2++")

        @pytest.mark.probe(model="sample_potential:repaired", dimers=["N2"])
        def test_a_curve_beyond_the_suite(probe_curve):
            assert probe_curve("O2").energy.min() < 0
            assert probe_curve("N2").energy.min() < 0
        """
    )
    result = project.runpytest(*model("broken"), "-k", "test_")
    result.assert_outcomes(passed=2)
    assert "ase-probe: sample_potential:repaired (N2) =" in text(result)
    assert "(O2) =" not in text(result)


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("", "No model to test: give --probe-model"),
        ("@pytest.mark.probe(model='morse', dimer='H2')", "takes keywords only"),
        ("@pytest.mark.probe('morse')", "takes keywords only"),
        ("@pytest.mark.probe(model='morse', dimers=['Hh'])", "is not a dimer"),
        ("@pytest.mark.probe(model='morse', dimers=['H2'], suite='quick')", "Dimers exclude"),
    ],
)
def test_a_fixture_that_cannot_be_had_says_why(project, marker, words):
    project.makepyfile(f"import pytest\n{marker}\ndef test_it(probe_audit):\n    pass")
    result = project.runpytest()
    result.assert_outcomes(errors=1)
    assert words in text(result)
    assert "Traceback" not in text(result)


# --- summary ---------------------------------------------------------------------------------


@XDIST
def test_two_audits_of_the_same_pair_each_have_their_summary(project, workers):
    project.makepyfile(
        """
        import pytest

        @pytest.mark.probe(dimers=["N2"], profile="md")
        def test_md(probe_audit): pass

        @pytest.mark.probe(dimers=["N2"], profile="search")
        def test_search(probe_audit): pass
        """
    )
    result = project.runpytest(*model("broken"), *N2, "-k", "test_", *workers)
    result.assert_outcomes(passed=2)
    assert text(result).count("= ase-probe: ") == 2


@XDIST
def test_the_summary_ends_with_the_next_command(project, workers):
    asked = (*model("broken"), *N2, "--probe-profile", "search")
    result = project.runpytest(*asked, *workers)
    said = text(result)
    section = said[said.index("= ase-probe: ") : said.index("= short test summary")]
    section = section.splitlines()[:-1]  # the last is what is left of a rule
    assert "sample_potential:broken" in section[1]
    assert any("a hole" in line or "the energy falls to" in line for line in section)
    assert section[-1] == (
        "Next: ase-probe audit sample_potential:broken --dimers N2 --profile search "
        "--html report.html"
    )


def test_junit_files_hold_the_status(project):
    project.runpytest(*model("repaired"), *N2, "--junit-xml", "out.xml")
    xml = (project.path / "out.xml").read_text()
    assert '<property name="ase_probe_status" value="warn"' in xml


# --- cost and parity -------------------------------------------------------------------------

LIGHT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.mark.parametrize("options", [(), ("--probe-model", "morse")], ids=["unused", "collecting"])
def test_neither_an_unused_plugin_nor_collecting_imports_numpy(tmp_path, options):
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass")
    arguments = ["-q", "--collect-only", "-p", "ase_probe.pytest_plugin", *options]
    code = f"import pytest, sys; assert pytest.main({arguments}) == 0; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **LIGHT},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded.isdisjoint({"numpy", "ase", "torch", "rich", "click", "plotly"})
    ours = {name for name in loaded if name.startswith("ase_probe")}
    light = {"ase_probe", "ase_probe.pytest_plugin", "ase_probe.pytest_plugin.options"}
    assert (ours == light) == (not options)


def test_options_are_those_of_the_command_line():
    of_command = {option.name for option in cli_audit.params if option.name}
    renamed = {"tasks": "task", "checkpoints": "checkpoint"}
    for_audits = {renamed.get(name, name) for name in of_command}
    assert {*AUDIT, "fail_on"} <= for_audits
    # What is left writes files, prints, or would make other tests than checks on dimers.
    left = for_audits - {option.name for option in OPTIONS}
    assert left >= {"models", "structure", "python", "json_file", "html_file", "verbose", "debug"}
    assert not left & {"elements", "suite", "grid", "profile", "device", "dtype", "thresholds"}


# --- a project outside this repository -------------------------------------------------------


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A copy of the sample project, with its own environment, and the wheel of ase-probe in it."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("outside")
    shutil.copytree(SAMPLE, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    wheel = run(sys.executable, "-m", "build", "--outdir", folder / "dist", HERE.parent)
    assert wheel.returncode == 0, wheel.stdout + wheel.stderr
    python = folder / "env" / "bin" / "python"
    assert run(sys.executable, "-m", "venv", folder / "env").returncode == 0
    pip = (python, "-m", "pip", "install", "-q", "-c", HERE.parent / "constraints.txt")
    packages = (next((folder / "dist").glob("*.whl")), f"{folder / 'project'}[test]")
    done = run(*pip, *packages)
    assert done.returncode == 0, done.stdout + done.stderr

    def pytest_in_it(*options, cwd=folder / "project"):
        variables = {**os.environ, "OMP_NUM_THREADS": "1"}
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        return run(python, "-m", "pytest", *options, cwd=cwd, env=variables)

    return pytest_in_it


@pytest.mark.slow
@XDIST
def test_the_sample_project_fails_broken_and_passes_repaired(installed, workers):
    assert installed(*workers).returncode == 0  # its own tests
    repaired = installed(*model("repaired"), *workers)
    assert repaired.returncode == 0, repaired.stdout
    broken = installed(*model("broken"), *workers)
    assert broken.returncode == 1
    assert "N2: compression.barrier fails" in broken.stdout
    assert "inside 0.87 Å the energy falls to" in broken.stdout
    assert "Traceback" not in broken.stdout + broken.stderr


@pytest.mark.slow
def test_starting_pytest_stays_fast(installed, tmp_path):
    """Medians of starts side by side, without the plugin, with it, and with a model to test."""
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass")
    ways = {"without": ("-p", "no:ase_probe"), "unused": (), "collecting": model("repaired")}
    processor = {way: [] for way in ways}
    clock = {way: [] for way in ways}
    for _ in range(15):
        for way, options in ways.items():
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            result = installed("--collect-only", "-q", *options, cwd=tmp_path)
            clock[way].append(time.perf_counter() - start)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert result.returncode == 0, result.stdout + result.stderr
            processor[way].append(
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            )
    medians = {way: round(statistics.median(times), 3) for way, times in processor.items()}
    print(f"processor {medians}")
    print(f"clock { ({way: round(statistics.median(times), 3) for way, times in clock.items()}) }")
    # A busy machine stretches the clock, not the work.
    assert medians["unused"] - medians["without"] < 0.1
    assert medians["collecting"] - medians["without"] < 0.1
