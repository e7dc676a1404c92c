"""The documentation is true: its examples run, its links lead somewhere, nothing is left out."""

import doctest
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ase_probe
from ase_probe import errors
from ase_probe.checks import CHECKS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
DIRECTIVE = re.compile(r"^```\{(?:include|literalinclude|figure|image)\} (\S+)", re.MULTILINE)


def tables():
    spec = importlib.util.spec_from_file_location("reference_tables", DOCS / "reference_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: make() for name, make in module.TABLES.items()}


def examples(page):
    """Fenced blocks with a prompt, at the lines where they stand, as one doctest."""
    kept = []
    for line_block in re.split(r"(^```.*?^```$)", page.read_text(), flags=re.MULTILINE | re.DOTALL):
        body = line_block.split("\n")
        if line_block.startswith("```") and ">>> " in line_block:
            kept += ["", *body[1:-1]]  # the fences must not count as expected output
        else:
            kept += [""] * (len(body) - 1)
    return doctest.DocTestParser().get_doctest("\n".join(kept), {}, page.name, str(page), 0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_give_what_they_show(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples write files
    test = examples(page)
    flags = doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS
    said = []
    result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
    assert result.failed == 0, "".join(said)


def test_examples_are_found():
    counts = {page.name: len(examples(page).examples) for page in PAGES}
    assert counts["tutorial.md"] > 15
    assert counts["baseline_exact.md"] > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    text = page.read_text()
    prose = FENCE.sub("", text)
    found = [first or second for first, second in LINK.findall(prose)]
    missing = []
    for target in [*found, *DIRECTIVE.findall(text)]:
        path = target.partition("#")[0]
        if path and "://" not in target and not path.startswith(("mailto:", "_generated/")):
            missing += [] if (page.parent / path).exists() else [target]
        elif path.startswith("_generated/"):
            missing += [] if Path(path).stem in tables() else [target]
    assert missing == []


def test_cross_references_name_pages():
    pages = {page.stem for page in DOCS.glob("*.md")}
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`", page.read_text()):
            assert target in pages, f"{page.name}: {target}"


def test_every_check_has_a_section_and_a_row():
    text, table = (DOCS / "checks.md").read_text(), tables()["checks"]
    sections = re.findall(r"^### `(.+)`$", text, flags=re.MULTILINE)
    assert sections == list(CHECKS)
    assert all(f"`{check}`" in table for check in CHECKS)


def test_every_public_name_is_in_the_reference():
    text = (DOCS / "api.md").read_text()
    documented = set(re.findall(r"^\.\. auto(?:class|function):: (\w+)", text, flags=re.MULTILINE))
    assert set(ase_probe.__all__) <= documented
    assert {"ModelCard", "Adapter", "AdapterBase", "Environment"} <= documented
    assert ".. automodule:: ase_probe.errors" in text
    assert all(getattr(errors, name).__doc__ for name in errors.__all__)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("models", ["7net-0", "morse"]),
        ("cards", ["MPtrj", "[10."]),
        ("thresholds", ["`compression.barrier`", "≥ 50 eV", "max(0.1 eV, 3 %)"]),
        ("allowances", ["`dissociation.r_e`"]),
        ("statuses", ["`unresolved`", "`trivial`"]),
        ("suites", ["H2++", "`all-pairs`"]),
        ("grids", ["`standard`", "119 points"]),
        ("tiers", ["`analytic:zbl`", "`exact`"]),
        ("cli", ["--fail-on", "ase-probe models"]),
    ],
)
def test_reference_tables_hold_what_they_promise(table, words):
    text = tables()[table]
    assert [word for word in words if word not in text] == []


def test_every_threshold_has_a_source():
    rows = tables()["thresholds"].splitlines()[2:]
    assert rows
    assert all(len(row.split("|")[5].strip()) > 5 for row in rows)


def test_the_plugin_of_the_adapter_page_works(tmp_path):
    """Installed the way a wheel would be: a module and its entry points on the path."""
    info = tmp_path / "ase_probe_exp6-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ase-probe-exp6\nVersion: 0.1.0\n")
    entry = re.search(
        r'^\[project\.entry-points\."(.+)"\]\n(.+)$',
        (DOCS / "plugin" / "pyproject.toml").read_text(),
        flags=re.MULTILINE,
    )
    group, line = entry.groups()
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    code = (
        "import numpy as np\n"
        "from ase import Atoms\n"
        "from ase_probe import Probe, audit\n"
        "a = audit('exp6-argon', dimers=['Ar2'])\n"
        "status = {f.check: f.status for f in a.findings}\n"
        "barrier = next(f.value for f in a.findings if f.check == 'compression.barrier')\n"
        "print(status['compression.barrier'], round(barrier), status['consistency.force'],\n"
        "      status['dissociation.D_e'], a.environment['versions']['ase-probe-exp6'])\n"
        "atoms = Atoms('Ar3', [[0, 0, 0], [3, 0, 0], [1, 2.5, 0]])\n"
        "atoms.calc = Probe('exp6-argon')\n"
        "from ase.calculators.fd import calculate_numerical_forces as numerical\n"
        "print(np.abs(atoms.get_forces() - numerical(atoms, eps=1e-4)).max() < 1e-6)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(DOCS / "plugin")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["warn", "21", "pass", "pass", "0.1.0", "True"]


@pytest.mark.parametrize("picture", ["7net-0-holes.svg", "terminal.svg"])
def test_pictures_load_nothing_from_anywhere(picture):
    text = (DOCS / "images" / picture).read_text()
    assert text.lstrip().startswith(("<?xml", "<svg"))
    outside = re.findall(r"(?:href|src|url)\s*[=(]\s*[\"']?(https?:[^\"')]+)", text)
    assert outside == []
    assert "<dc:date>" not in text


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    pytest.importorskip("furo")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("index", "tutorial", "checks", "api"):
        assert (tmp_path / "html" / f"{name}.html").is_file()
    api = (tmp_path / "html" / "api.html").read_text()
    missing = [name for name in errors.__all__ if f"ase_probe.errors.{name}" not in api]
    assert missing == []


def test_the_screenshots_show_the_page_as_it_is():
    spec = importlib.util.spec_from_file_location("screenshots", DOCS / "screenshots.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    recorded = json.loads(module.RECORD.read_text())["sha256"]
    assert recorded == module.content(), "run: python docs/screenshots.py"
