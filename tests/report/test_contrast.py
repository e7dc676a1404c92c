"""Contrast by WCAG 2.2: 4.5 for text (AA), 3 for lines and the focus ring."""

import re

import pytest

from ase_probe.curve import STATUSES
from ase_probe.report.page.markup import asset

CSS = asset("page.css")
LIGHT = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", CSS.partition("@media")[0]))
DARK = LIGHT | dict(
    re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", CSS.partition("@media")[2].partition("\n}")[0])
)
TONES = sorted(set(re.findall(r"--tone: var\(--(\w+)\)", CSS)))
LEVELS = [f"{kind}{step}" for kind in "sd" for step in range(7)]

TEXT = [
    *((text, ground) for text in ("ink", "muted", "link") for ground in ("paper", "raised")),
    *((tone, f"{tone}-soft") for tone in TONES),
    *((tone, "paper") for tone in TONES),
    ("paper", "fail"),
    ("ink", "none-soft"),
    *((f"{level}-ink", level) for level in LEVELS),
]
LINES = [("focus", "paper"), ("muted", "paper"), ("link", "none-soft")]
LINES += [(f"model-{number}", "paper") for number in range(6)]


def luminance(colour):
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_every_status_has_a_tone():
    assert TONES == ["fail", "inherited", "none", "pass", "warn"]
    for status in STATUSES:
        assert re.search(rf"\.{status}\b[^{{]*{{ --tone:", CSS)


@pytest.mark.parametrize(("scheme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_contrast(scheme, colours):
    low = {
        (a, b): round(contrast(colours[a], colours[b]), 2)
        for pairs, least in ((TEXT, 4.5), (LINES, 3.0))
        for a, b in pairs
        if contrast(colours[a], colours[b]) < least
    }
    assert low == {}
    assert (luminance(colours["paper"]) < luminance(colours["ink"])) == (scheme == "dark")
