"""Photograph the HTML pages for the documentation: ``python docs/screenshots.py``.

Needs ``pip install 'ase-probe[sevennet,chgnet,test]'`` and Chromium. Writes PNG files to
``docs/images`` and, beside them, a hash of everything the pages are made of, by which a test
notices pictures that are out of date.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner

from ase_probe import audit
from ase_probe.cli import main as command_line

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "ase_probe" / "report"
RECORD = HERE / "images" / "screenshots.json"
MODELS = ("7net-0", "chgnet-0.3.0")
HEIGHT, WIDTH = 1000, 1180


def content() -> str:
    """SHA-256 of the files that make up the pages."""
    made_of = sorted([*PACKAGE.glob("page/*.py"), *PACKAGE.glob("*.js"), *PACKAGE.glob("page.*")])
    made_of += [PACKAGE / "html.py", PACKAGE / "comparison_page.py", PACKAGE / "heatmap.py"]
    found = hashlib.sha256()
    for path in made_of:
        found.update(path.read_bytes())
    return found.hexdigest()


def pages(folder: Path) -> dict[str, Path]:
    """Write a report of a quick suite, one of all elements, and a comparison."""
    quick = [folder / f"{model}.json" for model in MODELS]
    for model, path in zip(MODELS, quick, strict=True):
        found = audit(model, suite="quick", device="cpu")
        found.save(path)
        found.to_html(path.with_suffix(".html"))
    every = audit(MODELS[0], suite="homonuclear", device="cpu")
    compared = folder / "compare.html"
    CliRunner().invoke(
        command_line, ["compare", *map(str, quick), "--html", str(compared)], catch_exceptions=False
    )
    return {
        "report": quick[0].with_suffix(".html"),
        "elements": every.to_html(folder / "elements.html"),
        "compare": compared,
    }


def main() -> None:
    """Write ``report.png``, ``report-n2.png``, ``elements.png`` and ``compare.png``."""
    sys.path.insert(0, str(HERE.parent / "tests" / "report"))
    import browser

    program = browser.find()
    if program is None:
        sys.exit(f"No browser found; one of {', '.join(browser.NAMES)} is needed.")
    with (
        tempfile.TemporaryDirectory() as place,
        browser.browser(program, Path(place) / "profile") as port,
    ):
        made = pages(Path(place))
        tab = browser.Tab(port, WIDTH, HEIGHT)
        for name, path in made.items():
            tab.open(path)
            tab.screenshot(HERE / "images" / f"{name}.png")
        tab.open(made["report"])
        for _ in range(3):  # plots that are drawn on the way push the card down
            tab.js("document.getElementById('dimer-N2').scrollIntoView()")
            tab.until("document.querySelector('#dimer-N2 .main-svg')")
        tab.screenshot(HERE / "images" / "report-n2.png")
        tab.close()
    RECORD.write_text(json.dumps({"sha256": content()}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
