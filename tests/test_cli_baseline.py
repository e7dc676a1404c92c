"""`ase-probe baseline show` and `list`, as a user types them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from ase_probe.baselines import TIERS
from ase_probe.baselines.catalogue import entries, known_dimers
from ase_probe.baselines.exact import exact
from ase_probe.baselines.quantum.plan import radii
from ase_probe.baselines.quantum.reference import Branch, Mask, Reference
from ase_probe.baselines.quantum.store import write
from ase_probe.cli import main
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.suites import STANDARD
from ase_probe.units import HARTREE

H2 = Dimer.parse("H2")


def run(*arguments):
    return CliRunner().invoke(main, ["baseline", *arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path):
    """Curves of one's own: H2 with two branches and a mask, and Xe2, which is in no suite."""
    r = radii(H2)
    branch = Branch(
        two_s=0, r=tuple(r), energy=tuple(exact(H2, r).energy / HARTREE),
        converged=(True,) * len(r), error_eV=2e-4, error_relative=1e-5,
    )  # fmt: skip
    reference = Reference(
        dimer="H2", tier="dft:r2scan", level="r2SCAN/test", method={}, versions={},
        date="2026-01-02", zero={}, default="unrestricted", source="a test",
        branches={"unrestricted": branch, "restricted": branch},
        masks=(Mask(r_min=6.0, r_max=10.0, reason="A reason to leave it out."),),
    )  # fmt: skip
    write(reference, tmp_path)
    write(replace(reference, dimer="Xe2", masks=()), tmp_path)
    return tmp_path


def row(text, dimer, tier):
    """The row of one tier below the heading of one dimer."""
    lines = iter(text.splitlines())
    for line in lines:
        if line == dimer:
            break
    for line in lines:
        if not line.startswith("  "):
            break
        if line.split()[0] == tier:
            return line
    return None


def test_show_says_what_each_reference_is_worth():
    done = run("show", "H2")
    assert done.exit_code == 0
    text = " ".join(done.output.split())
    assert "exact every r, truth within ±3 meV" in text
    assert "analytic:united-atom up to 0.124 Å, truth within" in text
    assert "analytic:zbl up to 0.0952 Å, no truth, stated error ±20 %" in text
    assert "minimum −4.748 eV near 0.74" in text
    assert "experiment D_e 4.748 eV ± 0.01 meV, r_e 0.7414 Å, ω_e 4401 cm⁻¹" in text
    assert "analytic:coulomb none: H2 has electrons" in text
    assert "⣿ exact" in text


def test_show_is_aligned_and_fits():
    for name in ("H2", "NaCl", "O2", "HeH++", "H2++", "MgO", "He2"):
        lines = run("show", name).output.splitlines()
        assert max(map(len, lines)) <= 100
        for line in lines[2:]:
            if not line or line.startswith(f"{name}: E"):
                break
            assert line[:22].strip() in {"", "experiment", "not computed", *TIERS}
            assert line[22] != " "


def test_show_without_a_plot():
    assert "symlog" in run("show", "H2").output
    assert "symlog" not in run("show", "H2", "--no-plot").output
    assert "symlog" not in run("show", "MgF").output  # repulsion alone is not worth one


def test_show_spin_orbit_and_doubt():
    assert "D_e 2.587 eV without spin–orbit coupling" in run("show", "Cl2").output
    assert "uncertain: judges nothing" in run("show", "MgO").output
    assert "none: no constants of Au2 are known here." in run("show", "Au2").output
    assert "D_e 0.948 meV ± 0.001 meV" in run("show", "He2").output


def test_show_how_to_compute_what_is_missing():
    text = run("show", "KrXe").output
    assert "not computed          dft:pbe, dft:r2scan, dft:wb97m-v, wavefunction" in text
    assert "ase-probe baseline build XeKr --tier wavefunction" in text


def test_show_ones_own_curves(folder):
    text = " ".join(run("show", "H2", "--folder", str(folder)).output.split())
    assert "r2SCAN/test, unrestricted branches: unrestricted, restricted; this is" in text
    assert "to compare like with like, interpolated to ±0.2 meV or ±0.001 %" in text
    assert "left out 6 to 10 Å: A reason to leave it out." in text
    assert "computed 2026-01-02" in text
    assert "dft:r2scan none" not in text
    assert "exact every r" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "Xy2"), "Unknown element 'Xy'"),
        (("show", "O2@2"), "Multiplicity 2 is impossible"),
        (("list", "--tier", "dft"), "allowed: exact, wavefunction"),
        (("list", "nonsense"), "`ase-probe baseline list` shows all"),
        (("list", "--tier", "analytic:coulomb", "N2"), "No curve fits"),
    ],
)
def test_errors_are_one_sentence(arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_list_has_a_row_for_every_dimer_and_tier():
    done = run("list")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert max(map(len, lines)) <= 100
    headings = [line for line in lines if line in STANDARD]
    assert headings == [name for name in STANDARD if name in headings]
    assert set(STANDARD) == set(headings)
    assert row(done.output, "H2", "exact").split()[1:4] == ["every", "r", "±3"]
    assert "2.93 to 5.79 Å" in row(done.output, "LiF", "analytic:ion-pair")
    assert row(done.output, "N2", "analytic:united-atom") is None
    assert lines[-1].endswith("ase-probe baseline show H2")


def test_list_of_ones_own_curves(folder):
    text = run("list", "--tier", "dft:r2scan", "--folder", str(folder)).output
    assert row(text, "H2", "dft:r2scan").split(maxsplit=1)[1].split() == [
        "0.1", "to", "10", "Å", "–", "r2SCAN/test;", "U", "R;", "masked;", "2026-01-02",
    ]  # fmt: skip
    assert "masked;" not in row(text, "Xe2", "dft:r2scan")


@pytest.mark.parametrize(
    ("words", "dimers"),
    [
        (("H2",), {"H2"}),
        (("Cl", "--tier", "analytic:nlh"), {"HCl", "Cl2", "ClF", "LiCl", "NaCl", "KCl"}),
        (("H2", "N2", "zbl"), {"H2", "N2"}),
        (("ZBL", "N2"), {"N2"}),
        (("point", "nuclei"), {"H2+", "H2++"}),
        (("CO", "--tier", "analytic:zbl"), {"CO"}),
        (("ClNa",), {"NaCl"}),
        (("AuH", "--tier", "analytic:nlh"), {"AuH"}),
    ],
)
def test_words_pick_dimers_or_levels(words, dimers):
    lines = run("list", *words).output.splitlines()
    found = {line for line in lines[:-2] if line and not line.startswith(" ")}
    assert {name for name in found if not name.startswith("±")} == dimers


def test_list_as_json():
    rows = json.loads(run("list", "H2", "NaCl", "--json").output)
    assert {entry["dimer"] for entry in rows} == {"H2", "NaCl"}
    best = rows[0]
    assert (best["tier"], best["r_max"], best["uncertainty_eV"]) == ("exact", None, 0.003)
    assert {"branches", "masked", "date", "level", "truth", "r_min"} <= set(best)


def test_nothing_as_json_is_an_empty_list():
    done = run("list", "nonsense", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout) == []


def test_help_names_the_commands():
    text = run("--help").output
    assert all(command in text for command in ("show", "list", "build"))
    assert "NaCl H2 pbe" in run("list", "--help").output


def test_the_catalogue():
    names = known_dimers()
    assert names[: len(STANDARD)] == STANDARD
    assert len(set(names)) == len(names)
    with pytest.raises(InputError, match="'dft:b3lyp'"):
        list(entries(["H2"], ["dft:b3lyp"]))
    for entry in entries(["LiF", "H2+"]):
        assert entry.r_min < (np.inf if entry.r_max is None else entry.r_max)
        assert entry.level
