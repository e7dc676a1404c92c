import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ase_probe.curve import Curve, Finding
from ase_probe.report import print_audit, text, text_plot
from ase_probe.report.digest import next_command, telling, unjudged, zero
from ase_probe.report.numbers import NBSP, clean, limits, percent, quantity
from ase_probe.report.overview import listed_holes

from .synthetic import (
    GRID,
    HOSTILE,
    good_audit,
    hostile_audit,
    large_audit,
    morse,
    n2_with_a_hole,
    nothing,
    quick_audit,
)

AUDITS = [quick_audit, good_audit, hostile_audit, large_audit]


def shown(value, unit=""):
    return quantity(value, unit).replace(NBSP, " ")


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (-2.6e8, "eV", "−2.6e8 eV"),
        (4.748, "eV", "4.748 eV"),
        (0.0012, "eV", "1.2 meV"),
        (3e-9, "eV", "3.0e-9 eV".replace("-", "−")),
        (2358.57, "cm⁻¹", "2359 cm⁻¹"),
        (0.6, "Å", "0.600 Å"),
        (0.0, "eV", "0 eV"),
        (12.0, "points", "12 points"),
        (0.25, "", "0.250"),
        (None, "eV", "–"),
        (float("inf"), "Å", "∞ Å"),
        (float("-inf"), "", "−∞"),
    ],
)
def test_quantity(value, unit, expected):
    assert shown(value, unit) == expected


@given(
    st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf]),
    st.sampled_from(["eV", "Å", "", "eV/Å"]),
)
def test_quantity_never_lies_by_much(value, unit):
    said = shown(value, unit)
    if not np.isfinite(value):
        assert said.split()[0] in ("NaN", "∞", "−∞")
        return
    number, _, said_unit = said.replace("−", "-").partition(" ")
    scale = 1e-3 if said_unit.startswith("m") else 1.0
    assert float(number) * scale == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize(
    ("threshold", "reference", "expected"),
    [
        ((0.02, 0.1), 1.1, "±0.02 | ±0.1 Å"),
        ((0.02, 0.1), None, "≤ 0.02 | ≥ 0.1 Å"),
        ((3.0, 1.0), None, "≥ 3 | ≤ 1 Å"),
        ((0.0, 0.0), None, "≤ 0 Å"),
        (None, None, "–"),
    ],
)
def test_limits(threshold, reference, expected):
    finding = Finding(
        check="a.b", dimer="N2", status="pass", threshold=threshold, reference=reference, unit="Å"
    )
    assert limits(finding).replace(NBSP, " ") == expected


def test_percent_never_rounds_to_the_ends():
    assert [percent(f).replace(NBSP, " ") for f in (0.0, 0.001, 0.999, 1.0)] == [
        "0 %", "1 %", "99 %", "100 %",
    ]  # fmt: skip


@given(st.text())
def test_clean_leaves_one_printable_line(raw):
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", clean(raw))


def test_verdict_comes_first_and_the_next_command_last():
    lines = text(quick_audit()).splitlines()
    assert lines[0].startswith("FAIL  7net-0 (PBE(+U), VASP PAW, trained on MPtrj) scores 0.61")
    assert "5 findings fail on 3 of 6 dimers and 1 warns" in " ".join(lines[:3])
    assert any("guards a hole" in line and "compression.barrier" in line for line in lines[:14])
    assert lines[-1].strip() == "ase-probe audit 7net-0 --suite quick --html report.html"


def test_failures_stand_in_rows_and_passes_are_counted():
    said = text(quick_audit())
    row = next(line for line in said.splitlines() if "dissociation.D_e      9.134" in line)
    assert row.split() == ["warn", "dissociation.D_e", "9.134", "eV", "9.905", "eV", "±0.3", "|",
                           "±2", "eV"]  # fmt: skip
    assert "−2.6e8 eV" in said
    assert "pass  H2 (4 findings)" in said
    assert "dissociation.omega_e" not in said
    assert "dissociation.omega_e" in text(quick_audit(), verbose=True)


def test_the_same_reason_is_said_once():
    said = text(quick_audit())
    assert said.count("No ZBL comparison") == 1
    assert "3 × No ZBL comparison for the dimer. [compression.zbl on H2, O2, NaCl]" in said
    heaps = unjudged(quick_audit().findings)
    assert sum(heap.findings for heap in heaps) == 7


def test_only_statuses_used_are_explained():
    assert "inherited: the training labels" in text(quick_audit())
    assert "inherited" not in text(good_audit())


def test_many_unjudged_findings_do_not_bury_a_failure():
    noise = tuple(
        Finding(check="compression.zbl", dimer=f"X{i}", status="not-run", reason=f"Reason {i * i}.")
        for i in range(400)
    )
    audit = quick_audit()
    lines = text(replace(audit, findings=noise + audit.findings)).splitlines()
    assert len(lines) < 90
    assert "more, for other reasons" in "\n".join(lines)
    assert any("compression.barrier" in line for line in lines[:16])


def test_a_long_list_of_failing_dimers_is_cut_but_names_all():
    said = text(large_audit())
    assert len(said.splitlines()) < 260
    assert all(name in said for name in large_audit().curves)


def test_telling_takes_one_failure_per_group():
    groups = [finding.group for finding, _ in telling(quick_audit())]
    assert sorted(groups) == ["compression", "dissociation", "robustness"]


def test_next_command_without_a_recorded_one():
    assert next_command(good_audit()) == "ase-probe audit morse --suite standard --html report.html"
    spaced = replace(good_audit(), card=replace(good_audit().card, name="my model.py:f"))
    assert "'my model.py:f'" in next_command(spaced)
    listed = replace(good_audit(), environment={"command": ["ase-probe", "audit", "a b"]})
    assert next_command(listed) == "ase-probe audit 'a b' --html report.html"


def test_nothing_judged_is_no_pass():
    audit = replace(good_audit(), findings=(), score=0.0, group_scores={})
    assert text(audit).startswith("NO VERDICT")
    assert "Nothing could be judged" in text(audit)


@pytest.mark.parametrize("make", AUDITS)
@pytest.mark.parametrize("width", [30, 46, 80, 100, 140])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_too_wide_and_none_holds_an_escape_code(make, width, verbose):
    said = text(make(), width=width, verbose=verbose)
    assert max(map(len, said.splitlines())) <= width
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u00a0]", said)


@pytest.mark.parametrize("make", AUDITS)
@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_the_console_shows_the_same_characters(make, width):
    stream = io.StringIO()
    print_audit(make(), Console(file=stream, width=width))
    assert stream.getvalue().rstrip("\n") == text(make(), width=min(width, 100))


def test_the_console_colours():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=100)
    print_audit(quick_audit(), console)
    assert "\x1b[1;31mFAIL" in stream.getvalue()


def test_a_console_without_unicode_gets_ascii():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_audit(quick_audit(), Console(file=stream, width=100))
    stream.flush()
    said = raw.getvalue().decode("ascii")
    assert "-2.6e8 eV" in said
    assert ">= 1000 | <= 100 eV" in said


def test_text_plot_draws_curve_reference_and_hole():
    plot = text_plot(n2_with_a_hole(), {"exact": morse(1.1, 9.9, 2.7)}, name="N2")
    lines = plot.splitlines()
    assert lines[0] == "N2: E / eV on a symlog scale, relative to the isolated atoms"
    assert len(lines) == 1 + 12 + 2 + 1
    assert max(map(len, lines)) <= 68
    assert "o exact" in lines[-1]
    # the hole: the leftmost column of the curve lies below the well
    first = next(i for i, line in enumerate(lines) if line[8:9] > "\u2800")
    assert first > next(i for i, line in enumerate(lines) if line.startswith("   −10 "))


def test_text_plot_marks_what_it_cannot_show():
    energy = np.array([-2.6e8, 5e6, np.nan, np.inf, 1.0, -1.0, 0.0])
    plot = text_plot(Curve(r=np.linspace(0.5, 3.5, 7), energy=energy))
    assert "▼ below, down to −2.6e8 eV" in plot
    assert "▲ above, up to 5.0e6 eV" in plot
    assert "× no finite energy, 2 points" in plot
    assert "relative to its value at 3.5 Å" in plot


def test_text_plot_of_nothing_says_why():
    assert text_plot(nothing()) == (
        "nothing to plot, no finite energy at 200 distances (RuntimeError: no edges)"
    )
    assert zero(nothing())[0] == 0.0


energies = st.one_of(st.floats(), st.floats(-100, 100))


@given(st.lists(energies, min_size=1, max_size=30), st.integers(24, 100), st.integers(4, 30))
def test_text_plot_survives_any_curve(values, width, height):
    curve = Curve(r=GRID[: len(values)], energy=np.array(values))
    lines = text_plot(curve, {HOSTILE: curve}, width=width, height=height).splitlines()
    assert len(lines) >= height or len(lines) == 1


def test_text_plot_of_an_empty_curve():
    assert "0 distances" in text_plot(Curve(r=np.array([]), energy=np.array([])))


def test_the_overview_puts_value_beside_reference_and_names_the_hole():
    said = text(quick_audit())
    assert re.search(
        r"N2 +behind 77.04 eV at 0.600 Å the energy falls to −2900 eV at 0.400 Å", said
    )
    assert re.search(r"^  N2 .*77.04 at 0.600 Å", said, re.MULTILINE)
    head = next(line for line in said.splitlines() if "barrier / eV" in line)
    assert head.index("r_e / Å") < head.index("barrier / eV")


def test_a_hole_that_is_not_described_is_not_invented():
    odd = Finding(check="x.y", dimer="H2", status="fail", details={"holes": [{"E_b": "high"}]})
    assert listed_holes(odd) == []
    assert listed_holes(replace(odd, details={"holes": 3})) == []
