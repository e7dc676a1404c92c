"""Figures for papers: what is drawn, what is marked, and that the file embeds its fonts."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ase_probe.curve import Curve
from ase_probe.errors import AseProbeError, InputError
from ase_probe.report.notebook import summary_html

from .synthetic import GRID, HOSTILE, good_audit, hostile_audit, morse, quick_audit

matplotlib = pytest.importorskip("matplotlib")

from ase_probe.report.figures import FORMATS, WIDTHS, figure, write_figure  # noqa: E402


def texts(drawn):
    return [t.get_text() for t in drawn.findobj(matplotlib.text.Text) if t.get_text()]


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("layout", ["symlog", "split"])
def test_width_is_that_of_the_columns(columns, layout):
    drawn = figure([quick_audit()], ["H2", "N2", "O2"], columns=columns, layout=layout)
    assert drawn.get_size_inches()[0] == WIDTHS[columns]
    scales = [panel.get_yscale() for panel in drawn.axes if panel.axison]
    assert scales.count("symlog") == 3
    assert scales.count("linear") == (3 if layout == "split" else 0)


def test_models_truth_cutoff_and_trust_are_named():
    audit = quick_audit()
    truth = replace(audit.references["H2"]["exact"], provenance={"truth": True})
    labels = replace(truth, energy=truth.energy * 0.9)
    references = {"H2": {"exact": truth, "labels: dft:pbe": labels, "analytic:zbl": labels}}
    two = replace(audit, card=replace(audit.card, name="other", cutoff=4.0))
    drawn = figure([replace(audit, references=references), two], ["H2"])
    names = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert names[:4] == ["7net-0", "other", "truth: exact", "labels: dft:pbe"]
    assert "cutoff" in names
    assert "zbl" not in names  # a formula is drawn only where nothing better is known
    vertical = {round(float(line.get_xdata()[0]), 3) for line in drawn.axes[0].lines
                if len(set(line.get_xdata())) == 1}  # fmt: skip
    assert {4.0, 5.0} <= vertical


def test_the_curve_is_relative_to_the_atoms_and_not_changed():
    curve = morse(1.0, 3.0, 2.0, zero=-200.0)
    broken = np.where((curve.r > 2) & (curve.r < 2.3), np.nan, curve.energy)
    audit = replace(good_audit(), curves={"H2": Curve(
        r=curve.r, energy=broken, atom_energies=curve.atom_energies)})  # fmt: skip
    drawn = figure([audit], ["H2"], columns=1)
    line = next(one for one in drawn.axes[0].lines if len(one.get_xdata()) == len(GRID))
    np.testing.assert_allclose(line.get_ydata(), broken + 200.0)
    assert "morse: no finite energy" in texts(drawn)
    assert drawn.axes[0].get_ylabel() == "E − E(atoms) / eV"


def test_what_leaves_the_frame_is_said():
    energy = np.where(GRID < 0.5, -2.6e8, morse(1.0, 3.0, 2.0).energy)
    audit = replace(good_audit(), curves={"H2": Curve(r=GRID, energy=energy)})
    drawn = figure([audit], ["H2"], columns=1)
    assert drawn.axes[0].get_ylim()[0] > -2e4
    assert "−2.6e8 eV" in texts(drawn)
    assert drawn.axes[0].get_ylabel() == "E − E(far) / eV"


def test_by_default_the_worst_dimers_are_drawn():
    audit = quick_audit()
    failing = {f.dimer for f in audit.findings if f.status == "fail"}
    titles = [panel.get_title(loc="left") for panel in figure([audit], columns=1).axes]
    assert failing & set(audit.curves) <= set(titles)
    assert len(titles) == 3


def test_nothing_finite_is_still_a_figure():
    nothing = Curve(r=GRID, energy=np.full(len(GRID), np.nan))
    drawn = figure([replace(good_audit(), curves={"H2": nothing})])
    assert "morse: no finite energy" in texts(drawn)


@pytest.mark.parametrize("ending", FORMATS)
def test_files_are_the_same_every_time(tmp_path, ending):
    first, second = (
        write_figure([quick_audit()], tmp_path / f"{name}{ending}", ["H2"]).read_bytes()
        for name in "ab"
    )
    assert first == second
    assert len(first) > 5000
    if ending == ".pdf":
        assert b"/Type3" not in first  # what journals refuse
        assert b"/FontFile2" in first  # TrueType, embedded


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"dimers": ["Xe2"]}, "no audit has a curve of Xe2; there are H2"),
        ({"dimers": []}, "nothing to draw"),
        ({"columns": 3}, "1 or 2 columns, got 3"),
        ({"layout": "polar"}, "Unknown layout 'polar'; allowed: symlog, split"),
    ],
)
def test_wrong_options(options, word):
    with pytest.raises(InputError, match=f"(?i){re.escape(word)}"):
        figure([quick_audit()], **options)


def test_wrong_files(tmp_path):
    with pytest.raises(InputError, match="at least one audit"):
        figure([])
    with pytest.raises(InputError, match=r"\.pdf, \.svg, \.png; got 'a\.txt'"):
        write_figure([good_audit()], tmp_path / "a.txt")
    with pytest.raises(InputError, match="folder that exists"):
        write_figure([good_audit()], tmp_path / "no" / "a.pdf")


def test_without_matplotlib_the_command_to_install_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(AseProbeError, match=r"pip install 'ase-probe\[plot\]'"):
        good_audit().plot()


def test_notebooks_show_audits_and_figures():
    assert good_audit().plot(["H2"])._repr_svg_().lstrip().startswith("<?xml")
    shown = quick_audit()._repr_html_()
    assert "score 0.61" in shown
    assert "<th>not judged</th>" in shown
    hostile = summary_html(hostile_audit())
    assert "<script" not in hostile
    assert "&lt;script&gt;" in hostile
    figure([hostile_audit()], [HOSTILE])._repr_svg_()


def test_a_notebooks_summary_loads_neither_matplotlib_nor_plotly():
    code = (
        "import sys; from ase_probe import audit\n"
        "audit('morse', dimers=['H2'], checks=['robustness'])._repr_html_()\n"
        "print(sorted({'matplotlib', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command(tmp_path):
    quick_audit().save(tmp_path / "a.json")
    good_audit().save(tmp_path / "b.json")

    def plot(*arguments):
        command = [sys.executable, "-m", "ase_probe.cli", "plot", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    made = plot("a.json", "b.json", "--dimers", "H2,N2", "--columns", "1", "--out", "fig.svg")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "fig.svg").read_text().lstrip().startswith("<?xml")
    wrong = plot("a.json", "--out", "fig.bmp")
    assert wrong.returncode == 2
    assert "got 'fig.bmp'" in wrong.stderr
    assert plot("missing.json", "--out", "fig.pdf").returncode == 2
