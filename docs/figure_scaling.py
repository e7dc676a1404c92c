"""Make the results of docs/scaling.md: ``python docs/figure_scaling.py FOLDER [STUDY]``.

FOLDER holds the runs; STUDY is its preset or TOML file, where FOLDER holds no plan. Works with a
sweep that is not complete, and the page then says so. Needs ``pip install 'ase-probe[plot]'``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ase_probe.scaling.figures import write_figures
from ase_probe.scaling.study.sweep import read_results
from ase_probe.scaling.summary import summarise
from ase_probe.scaling.summary.plan import planned
from ase_probe.scaling.summary.write import json_text, page

HERE = Path(__file__).parent


def main(folder: str, study: str | None = None) -> None:
    """Write the figures, the numbers, and the text that the page includes."""
    summary = summarise(read_results(folder), planned(folder, study))
    captions = write_figures(summary, HERE / "images" / "scaling", endings=[".svg"])
    data = HERE / "data" / "scaling"
    data.mkdir(parents=True, exist_ok=True)
    (data / "summary.json").write_text(json_text(summary), encoding="utf-8")
    text = page(summary, captions, images="images/scaling/")
    (HERE / "output" / "scaling.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
