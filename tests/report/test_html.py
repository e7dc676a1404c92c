import base64
import gzip
import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from ase_probe.curve import Curve
from ase_probe.errors import InputError
from ase_probe.report import write_html
from ase_probe.report.page.deck import FIRST

from .synthetic import (
    GRID,
    HOSTILE,
    good_audit,
    hostile_audit,
    large_audit,
    morse,
    nothing,
    pairs_audit,
    quick_audit,
)

VOID = {"meta", "input", "br", "wbr", "link", "img", "hr"}


class Page(HTMLParser):
    """Tags, attributes and texts; complains about tags that do not match."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.scripts, self.body, self.open = [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.body.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.body))

    @property
    def data(self):
        return json.loads(self.scripts[0])


@pytest.fixture
def page(tmp_path):
    def build(*audits):
        return Page(write_html(audits, tmp_path / "report.html").read_text(encoding="utf-8"))

    return build


def floats(text):
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def test_the_page_is_well_formed_and_says_the_verdict_first(page):
    built = page(quick_audit())
    assert built.open == []
    assert next(tag for tag, _ in built.tags if tag in ("h1", "h2")) == "h1"
    said = built.text
    assert said.index("5 findings fail on 3 of 6 dimers") < said.index("Summary")
    assert "ase-probe audit 7net-0 --suite quick" in said
    assert "ab" * 32 in said
    assert "NVIDIA H100" in said
    assert "packages.torch" in said


@pytest.mark.parametrize("make", [quick_audit, large_audit, hostile_audit])
def test_every_dimer_and_every_finding_is_there(page, make):
    audit = make()
    built = page(audit)
    cards = [attrs for tag, attrs in built.tags if attrs.get("class") == "dimer"]
    assert len(cards) == len(audit.curves)
    assert len({card["id"] for card in cards}) == len(cards)
    rows = [attrs for tag, attrs in built.tags if tag == "tbody" and "data-status" in attrs]
    assert len(rows) == len(audit.findings)
    links = {attrs["href"] for tag, attrs in built.tags if tag == "a"}
    ids = {"#" + attrs["id"] for _, attrs in built.tags if attrs.get("id")}
    assert links <= ids
    assert len(built.data["plots"]) == len(audit.curves)


def test_the_page_loads_nothing(page):
    built = page(quick_audit())
    for tag, attrs in built.tags:
        assert not {"src", "srcset", "action", "data", "background"} & attrs.keys()
        assert attrs.get("href", "#").startswith("#")
        assert tag not in ("link", "img", "iframe", "base")
        assert not any(name.startswith("on") for name in attrs)
    policy = next(a["content"] for _, a in built.tags if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_no_button_uploads_the_data(page):
    own = page(quick_audit()).scripts[-1]
    assert 'plotlyServerURL: ""' in own
    assert "modeBarButtons: MODE_BAR" in own
    assert "Cloud" not in own
    assert "http" not in own


def test_plotly_is_inlined_once(page):
    built = page(quick_audit(), good_audit())
    assert [len(script) > 1e6 for script in built.scripts].count(True) == 1


def test_arrays_decode_to_the_values_and_share_a_grid(page):
    audit = quick_audit()
    data = page(audit).data
    assert len(data["grids"]) == 1
    np.testing.assert_array_equal(floats(data["grids"][0]), GRID.astype("f4"))
    traces = [trace for plot in data["plots"].values() for trace in plot["traces"]]
    model = next(t for t in traces if t["name"] == "7net-0" and "isolated" in t["zero"])
    curve = next(
        audit.curves[name]
        for name in audit.curves
        if np.array_equal(
            (audit.curves[name].energy - (audit.curves[name].atom_limit or 0)).astype("f4"),
            floats(model["energy"]),
        )
    )
    assert len(curve) == len(GRID)
    assert sum(trace["kind"] == "reference" for trace in traces) == 5


def test_not_a_number_and_its_reason_survive(page):
    energy = np.array([np.inf, np.nan, 1e300, -1.0, 0.0])
    curve = Curve(r=np.linspace(1, 2, 5), energy=energy, failures={1: "no </script> edges"})
    audit = replace(quick_audit(), curves={"H2": curve, "Ar2": nothing()}, references={})
    plots = page(audit).data["plots"].values()
    first, second = (plot["traces"][0] for plot in plots)
    first, second = sorted((first, second), key=lambda trace: len(trace["energy"]))
    np.testing.assert_array_equal(
        floats(first["energy"]), np.array([np.inf, np.nan, np.inf, -1.0, 0.0], "f4")
    )
    assert first["messages"][first["failures"]["1"]] == "no </script> edges"
    assert np.isnan(floats(second["energy"])).all()
    assert second["messages"] == ["RuntimeError: no edges"]


def test_marks(page):
    audit = quick_audit()
    marks = {mark["kind"]: mark for mark in page(audit).data["plots"]["dimer-N2"]["marks"]}
    assert marks["cutoff"]["r"] == 5.0
    assert marks["trust"]["r"] == 0.812
    assert marks["barrier"]["r"] == 0.6
    assert "77.04" in marks["barrier"]["label"]


def test_hostile_strings_are_text(page):
    built = page(hostile_audit(), quick_audit())
    assert [tag for tag, _ in built.tags].count("script") == 4
    assert "<script>alert(1)</script>" in built.text
    assert all("alert(1)" not in name for _, attrs in built.tags for name in attrs)
    assert not [script for script in built.scripts[1:] if "alert(1)" in script]
    assert "\x1b" not in built.text
    assert "$page" in built.text
    assert "\ufffd" in str(built.data)


def test_the_data_cannot_end_its_script(tmp_path):
    source = write_html([hostile_audit()], tmp_path / "a.html").read_text(encoding="utf-8")
    data = source.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in data
    assert "<script>alert(1)</script>" in str(json.loads(data))
    assert unescape(source).count(HOSTILE[:25]) > 5


def test_several_audits_share_the_plots_and_the_references(page):
    audit = quick_audit()
    data = page(audit, audit).data
    names = [t["name"] for plot in data["plots"].values() for t in plot["traces"]]
    assert names.count("7net-0") == names.count("7net-0 (2)") == len(audit.curves)
    assert names.count("exact") == 2  # H2 and H2++, once each


def test_the_same_reference_on_other_distances_is_drawn_once(page):
    def audit(r):
        reference = replace(morse(0.74, 4.7, 1.9, r=r), provenance={"level": "full CI"})
        return replace(good_audit(), references={"H2": {"exact": reference}})

    traces = page(audit(GRID), audit(GRID[::2])).data["plots"]["dimer-H2"]["traces"]
    assert [trace["kind"] for trace in traces] == ["reference", "model", "model"]


def test_forces_travel_where_there_are_any(page):
    plots = page(quick_audit()).data["plots"]
    axial = quick_audit().curves["O2"].axial_force
    (force,) = (t["force"] for t in plots["dimer-O2"]["traces"] if t["kind"] == "model")
    np.testing.assert_allclose(floats(force), axial, rtol=1e-6)
    assert {trace["force"] for trace in plots["dimer-Ar2"]["traces"]} == {None}


def test_dimers_beyond_the_first_are_packed_and_complete(page):
    audit = pairs_audit()
    built = page(audit)
    more = json.loads(built.scripts[1])
    there = [a["id"] for tag, a in built.tags if tag == "article"]
    assert len(there) == FIRST
    assert f"{FIRST} worst of {len(audit.curves)} dimers" in built.text
    packed = {card["id"]: card for card in more["cards"]}
    assert {*there, *packed} == {f"dimer-{name}" for name in audit.curves}
    for anchor, card in packed.items():
        found = json.loads(gzip.decompress(base64.b64decode(card["packed"])))
        inside = Page(found["html"])
        rows = [attrs for tag, attrs in inside.tags if tag == "tbody"]
        assert inside.tags[0][1] == {"class": "dimer", "id": anchor, "data-name": card["name"]}
        assert [row["data-status"] for row in rows] == [
            built.data["statuses"][status] for status in card["statuses"]
        ]
        assert list(found["plots"]) == [anchor]
        assert len(card["checks"]) == len(rows) == 8


def test_filters_are_buttons_with_counts(page):
    built = page(quick_audit())
    buttons = {
        a["data-status"]: a for tag, a in built.tags if tag == "button" and "data-status" in a
    }
    assert set(buttons) == {finding.status for finding in quick_audit().findings}
    assert all("aria-pressed" in attrs for attrs in buttons.values())
    assert any(a.get("type") == "search" for tag, a in built.tags if tag == "input")
    assert any(a.get("class") == "skip" for tag, a in built.tags if tag == "a")


def test_a_large_page_builds_quickly_and_stays_small(tmp_path):
    audit = large_audit()
    write_html([good_audit()], tmp_path / "warm.html")
    start = time.perf_counter()
    path = write_html([audit], tmp_path / "large.html")
    assert time.perf_counter() - start < 5.0
    assert path.stat().st_size < 8e6


def test_written_atomically(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(InputError, match="disk full"):
        write_html([good_audit()], path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_errors(tmp_path):
    with pytest.raises(InputError, match="no audit was given"):
        write_html([], tmp_path / "report.html")
    with pytest.raises(InputError, match="folder that exists"):
        write_html([good_audit()], tmp_path / "missing" / "report.html")


def test_empty_audit(page):
    audit = replace(good_audit(), curves={}, findings=(), group_scores={}, score=0.0)
    assert "Nothing could be judged" in page(audit).text


def test_audit_to_html_and_summary(tmp_path):
    assert quick_audit().to_html(tmp_path / "a.html").exists()
    assert quick_audit().summary().startswith("FAIL")


def test_importing_the_reports_imports_neither_rich_nor_plotly():
    code = (
        "import sys, ase_probe.report.text\nfrom ase_probe import report\n"
        "assert callable(report.text)\n"
        "sys.exit(sorted({'rich', 'plotly'} & sys.modules.keys()) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
