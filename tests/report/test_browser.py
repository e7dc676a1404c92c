"""The page in a real headless browser: one process, one page of 94 dimers, one of 171 pairs."""

import pytest

from ase_probe.report import write_html
from ase_probe.report.page.deck import FIRST

from .synthetic import large_audit, pairs_audit

pytest.importorskip("websockets", reason="websockets (extra `test`) is not installed")

from . import browser  # needs websockets

PROGRAM = browser.find()
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason=f"no browser: none of {', '.join(browser.NAMES)} is on the PATH"
)

SECONDS = 3.0  # in which 94 dimers x 200 points x 4 curves open


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with browser.browser(PROGRAM, tmp_path_factory.mktemp("profile")) as number:
        yield number


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return {
        "elements": write_html([large_audit()], folder / "elements.html"),
        "pairs": write_html([pairs_audit()], folder / "pairs.html"),
    }


@pytest.fixture
def show(port, files):
    """Open a page in a tab of its own; it must end without errors and without requests."""
    tabs = []

    def open_(name, **size):
        tab = browser.Tab(port, **size)
        tab.open(files[name])
        tabs.append((tab, files[name]))
        return tab

    yield open_
    for tab, file in tabs:
        tab.js("1")  # events up to now have arrived
        assert tab.errors == []
        assert [url for url in tab.requests if not url.startswith(("blob:", "data:"))] == [
            file.as_uri()
        ]
        tab.close()


SVG = "document.querySelectorAll('.canvas svg.main-svg').length"
VISIBLE = "[...document.querySelectorAll('article.dimer')].filter((card) => !card.hidden).length"


def choose(tab, value):
    tab.js(
        "(() => { const s = document.getElementById('quantity');"
        f"s.value = '{value}'; s.dispatchEvent(new Event('change')); }})()"
    )


def search(tab, words):
    tab.js(
        "(() => { const s = document.getElementById('search');"
        f"s.value = '{words}'; s.dispatchEvent(new Event('input')); }})()"
    )


def test_opens_in_time_and_draws_what_is_looked_at(show):
    tab = show("elements")
    took = tab.js("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
    assert 0 < took < SECONDS
    assert tab.js(SVG) == 0
    tab.js("document.getElementById('dimer-Mo2').scrollIntoView()")
    tab.until("document.querySelector('#dimer-Mo2 svg.main-svg')")
    assert tab.js("document.querySelectorAll('.canvas:has(svg)').length") < 10
    axes = tab.js("Object.keys(document.querySelector('#dimer-Mo2 .canvas').layout)")
    assert {"yaxis", "yaxis2", "yaxis3"} <= set(axes)  # well, wall, force


def test_the_pointer_reads_energy_and_force(show):
    tab = show("elements")
    tab.js("document.getElementById('dimer-O2').scrollIntoView()")
    tab.until("document.querySelector('#dimer-O2 svg.main-svg')")
    box = tab.js(
        "(() => { const b = document.querySelector('#dimer-O2 .plot .nsewdrag')"
        ".getBoundingClientRect(); return [b.x + 0.6 * b.width, b.y + 0.5 * b.height]; })()"
    )
    tab.move(*box)
    tab.until("document.querySelector('#dimer-O2 .hoverlayer').textContent")
    said = tab.js("document.querySelector('#dimer-O2 .hoverlayer').textContent")
    assert "r = " in said
    assert "eV, F" in said
    assert "eV/Å" in said
    assert "exact" in said


def test_filter_and_search(show):
    tab = show("elements")
    total = "document.getElementById('shown').textContent"
    assert tab.js(total) == "752 of 752 findings, 94 of 94 dimers"
    tab.js("document.querySelector('button.filter.warn').click()")
    assert tab.js("document.querySelectorAll('tbody[data-status=warn]:not([hidden])').length") == 0
    assert tab.js("document.querySelectorAll('tbody[data-status=fail]:not([hidden])').length") > 0
    tab.js("document.querySelector('button.filter.warn').click()")
    search(tab, "Mo2 barrier")
    assert tab.js(total) == "1 of 752 findings, 1 of 94 dimers"
    assert tab.js(VISIBLE) == 1
    search(tab, "no such thing")
    assert not tab.js("document.getElementById('nothing').hidden")
    # a link to a dimer that is filtered away arrives
    tab.js("document.querySelector('.periodic a[aria-label^=\"W2\"]').click()")
    tab.until("!document.getElementById('dimer-W2').hidden")
    tab.until(
        "Math.abs(document.getElementById('dimer-W2').getBoundingClientRect().top) < innerHeight"
    )


def test_the_heat_map_shows_what_is_chosen(show):
    tab = show("elements")
    cell = "document.querySelector('.periodic a[href=\"#dimer-{}\"]')"
    assert tab.js(cell.format("C2") + ".className") in ("fail", "warn")
    choose(tab, "barrier")
    for dimer, text, level in (("H2", "1", "s1"), ("C2", "6", "s2"), ("Pu2", "94", "s5")):
        found = tab.js(
            f"(() => {{ const a = {cell.format(dimer)};"
            "return [a.lastElementChild.textContent, a.className, a.ariaLabel,"
            "getComputedStyle(a).backgroundColor]; })()"
        )
        assert found[:3] == [text, level, f"{dimer} {text}"]
        colour = tab.js(
            "getComputedStyle(document.documentElement)"
            f".getPropertyValue('--{level}').match(/[0-9a-f]{{2}}/g).map((c) => parseInt(c, 16))"
        )
        assert found[3] == f"rgb({', '.join(map(str, colour))})"
    assert tab.js("[...document.querySelectorAll('.scale')].filter((s) => !s.hidden).length") == 1
    choose(tab, "compression.hole")
    assert tab.js(cell.format("H2") + ".className") in ("pass", "warn", "fail", "not-run")


def test_the_keyboard_reaches_every_control(show):
    tab = show("elements")
    seen = []
    for _ in range(60):
        tab.press("Tab")
        name = tab.js(
            "((a) => a.id || (a.closest('.heat') && 'heat') || a.dataset.status || a.className)"
            "(document.activeElement)"
        )
        seen.append(name)
        if name == "axis":
            break
        assert tab.js("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert seen[0] == "skip"
    assert seen.count("heat") == 2  # the region that scrolls, one cell; arrows do the rest
    for control in ("quantity", "search", "fail", "warn", "pass", "problems", "axis"):
        assert control in seen
    tab.press("Enter")
    assert tab.js("document.getElementById('axis').getAttribute('aria-pressed')") == "false"


def test_arrow_keys_walk_over_the_heat_map(show):
    tab = show("elements")
    tab.js("document.querySelector('.periodic a[tabindex=\"0\"]').focus()")
    tab.press("ArrowRight")  # over the gap
    assert tab.js("document.activeElement.getAttribute('href')") == "#dimer-He2"
    tab.press("ArrowDown")
    assert tab.js("document.activeElement.getAttribute('href')") == "#dimer-Ne2"
    assert "Ne2" in tab.js("document.getElementById('readout').textContent")
    tab.press("Enter")
    tab.until("document.querySelector('#dimer-Ne2 svg.main-svg')")


def test_dark_mode_changes_page_and_plots(show):
    tab = show("elements")
    tab.js("document.getElementById('dimer-H2').scrollIntoView()")
    tab.until("document.querySelector('#dimer-H2 svg.main-svg')")
    colours = []
    for scheme in ("light", "dark"):
        tab.media(prefers_color_scheme=scheme)
        paper = tab.js("getComputedStyle(document.body).backgroundColor")
        tab.until(
            "getComputedStyle(document.querySelector('#dimer-H2 svg.main-svg'))"
            f".backgroundColor === '{paper}'"
        )
        colours.append(paper)
    assert colours == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]


@pytest.mark.parametrize("name", ["elements", "pairs"])
def test_nothing_is_wider_than_a_phone(show, name):
    tab = show(name, width=390, height=844)
    assert tab.js("document.documentElement.scrollWidth <= innerWidth")


def test_packed_dimers_unfold_when_asked_for(show):
    tab = show("pairs")
    assert tab.js(VISIBLE) == FIRST
    gone = tab.js(
        "[...document.querySelectorAll('.pairs td a')].map((a) => a.hash.slice(1))"
        ".filter((id) => !document.getElementById(id))"
    )
    away = sorted(set(gone))
    assert len(away) == 171 - FIRST
    tab.js(f"document.querySelector('.pairs a[href=\"#{away[0]}\"]').click()")
    tab.until(f"document.querySelector('#{away[0]} svg.main-svg')")
    assert tab.js(f"document.querySelectorAll('#{away[0]} tbody').length") == 8
    search(tab, away[1].removeprefix("dimer-"))
    tab.until(f"document.querySelector('#{away[1]} tbody')")
    search(tab, "")
    tab.js("document.getElementById('next').click()")
    tab.until("document.querySelectorAll('article.dimer:has(tbody)').length === 171")
    order = tab.js("[...document.querySelectorAll('article.dimer')].map((card) => card.id)")
    assert len(set(order)) == len(order)
    assert tab.js("document.getElementById('next').hidden")
