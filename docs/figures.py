"""Make the pictures and the quoted reports of the documentation: ``python docs/figures.py``.

Needs ``pip install 'ase-probe[chgnet,sevennet,docs]'``. The same models and versions give
the same files, byte for byte, up to the last digits that a machine's arithmetic changes.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib

matplotlib.use("svg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from ase_probe import Audit, audit
from ase_probe.baselines import constants, reference
from ase_probe.compare import compare
from ase_probe.dimer import Dimer
from ase_probe.report import print_audit, text
from ase_probe.report.comparison import leaderboard_text
from ase_probe.report.figures import write_figure

HERE = Path(__file__).parent
MODEL, OTHER, PAIRS = "7net-0", "chgnet-0.3.0", ("N2", "NaCl")
RED, BLUE, GREY, GREEN = "#c1272d", "#1f5fa8", "#666666", "#1b7f3b"
LOWEST, HIGHEST = -3e4, 3e4  # eV: the frame of the figure; what leaves it is said in words
WIDTH = 90  # columns of the quoted reports: what a page of the site shows unscrolled
SHOWN = 46  # at most so many lines of the report in the terminal picture


def holes(found: Audit) -> None:
    """Draw the model's curve, ZBL where it holds, the barrier and the experimental minimum."""
    style = {
        "svg.fonttype": "path",
        "svg.hashsalt": "ase-probe",
        "font.family": "DejaVu Sans",
        "font.size": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with plt.rc_context(style):
        figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.6), sharey=True)
        for panel, name in zip(panels, PAIRS, strict=True):
            panel_of(panel, found, name)
        panels[0].set_ylabel("E(r) − E(∞) / eV   (symlog)")
        figure.tight_layout(w_pad=2.0)
        path = HERE / "images" / f"{MODEL}-holes.svg"
        figure.savefig(path, facecolor="white", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    trimmed = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    path.write_text(trimmed + "\n", encoding="utf-8")


def panel_of(panel: Axes, found: Audit, name: str) -> None:
    """Draw one dimer."""
    dimer, curve = Dimer.parse(name), found.curves[name]
    r, energy = curve.r, curve.energy - curve.energy[-1]
    panel.axhline(0.0, color="#bbbbbb", lw=0.8, zorder=0)

    screened = reference(dimer, "analytic:zbl", np.geomspace(0.1, 6.0, 400))
    panel.fill_between(
        screened.r, 0.8 * screened.energy, 1.2 * screened.energy, color=GREY, alpha=0.25, lw=0
    )
    panel.plot(screened.r, screened.energy, color=GREY, ls="--", lw=1.6, label="ZBL ± 20 %")
    panel.plot(r, energy, color=BLUE, lw=2.0, label=f"{MODEL}")

    known = constants(dimer)
    depth = known.D_e_without_spin_orbit
    panel.plot(
        known.r_e, -depth, "o", ms=7, mfc="none", mew=1.8, color=GREEN, label="experiment: rₑ, Dₑ"
    )

    barrier = next(f for f in found.findings if (f.dimer, f.check) == (name, "compression.barrier"))
    height, edge = barrier.value, barrier.details["r_b"]
    panel.plot(edge, height, "v", ms=9, color=RED, zorder=5)
    panel.axvspan(0.1, edge, color=RED, alpha=0.07, lw=0)
    panel.annotate(
        f"barrier {height:.0f} eV\nat {edge:.2f} Å",
        (edge, height),
        xytext=(edge * 1.45, height * 12),
        color=RED,
        fontweight="bold",
        arrowprops={"arrowstyle": "-", "color": RED, "lw": 1.0},
    )
    depth, where = barrier.details["depth"], barrier.details["r_depth"]
    panel.text(
        0.11, -20.0, f"falls to\n{_power(depth)} eV\nat {where:.2f} Å",
        color=RED, ha="left", va="center", fontsize=9,
    )  # fmt: skip

    panel.set_yscale("symlog", linthresh=1.0, linscale=0.6)
    panel.set_ylim(LOWEST, HIGHEST)
    panel.set_yticks([-1e4, -1e2, -1e0, 0, 1e0, 1e2, 1e4])
    panel.set_yticklabels(["−10⁴", "−100", "−1", "0", "1", "100", "10⁴"])
    panel.set_xscale("log")
    panel.set_xlim(0.1, 6.0)
    ticks = (0.1, 0.2, 0.5, 1, 2, 3, 6)
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("r / Å")
    panel.set_title({"N2": "N₂", "NaCl": "NaCl"}.get(name, name), fontweight="bold", loc="left")
    panel.legend(frameon=False, loc="lower right", fontsize=9.5)


def _power(value: float) -> str:
    """Return a number as a × 10ⁿ."""
    mantissa, _, exponent = f"{abs(value):.1e}".partition("e")
    raised = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{'−' if value < 0 else ''}{mantissa} × 10{raised}"


FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", \
monospace; font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: \
full-width; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own template without its web font: the picture loads nothing from anywhere."""


def terminal(found: Audit, command: str) -> None:
    """Draw the first lines of the coloured report as a terminal window."""
    screen = Console(
        record=True, width=100, file=open(os.devnull, "w"), force_terminal=True,  # noqa: SIM115
        color_system="truecolor", legacy_windows=False,
    )  # fmt: skip
    print_audit(found, screen)
    plain = screen.export_text(clear=False).rstrip().split("\n")
    lines = screen.export_text(styles=True).rstrip().split("\n")
    blank = [i for i, line in enumerate(plain) if not line.strip() and i <= SHOWN]
    end = len(lines) if len(lines) <= SHOWN or not blank else blank[-1] + 1
    picture = Console(record=True, width=100, file=open(os.devnull, "w"))  # noqa: SIM115
    picture.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    picture.print(Text.from_ansi("\n".join(lines[:end])))
    if len(lines) > end:
        picture.print(Text(f"… {len(lines) - end} more lines", style="dim"))
    drawn = picture.export_svg(
        title="ase-probe", theme=MONOKAI, code_format=FORMAT, unique_id="terminal"
    )
    (HERE / "images" / "terminal.svg").write_text(drawn, encoding="utf-8")


def quoted(name: str, command: str, found: Audit) -> None:
    """Write a report that the pages quote, below the command that prints it."""
    report = f"$ {command}\n{text(found, width=WIDTH)}".rstrip() + "\n"
    (HERE / "output" / f"{name}.txt").write_text(report, encoding="utf-8")


def side_by_side(first: Audit) -> None:
    """Compare with another model on the same suite: the leaderboard, and a figure for a paper."""
    both = [first, audit(OTHER, suite="quick", device="cpu")]
    (HERE / "output" / "compare-quick.txt").write_text(
        leaderboard_text(compare(both), width=WIDTH) + "\n", encoding="utf-8"
    )
    path = write_figure(both, HERE / "images" / "figure-n2.svg", ["N2"])
    trimmed = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    path.write_text(trimmed + "\n", encoding="utf-8")


def run(command: str, **options: object) -> Audit:
    """Audit as the command line does, and remember the command."""
    found = audit(MODEL, device="cpu", **options)
    return replace(found, environment={**found.environment, "command": command})


def main() -> None:
    """Write everything below ``docs/images`` and ``docs/output``."""
    for folder in ("images", "output"):
        (HERE / folder).mkdir(exist_ok=True)
    command = f"ase-probe audit {MODEL} --suite quick"
    quick = run(command, suite="quick")
    terminal(quick, command)
    quoted(f"{MODEL}-quick", command, quick)
    side_by_side(quick)
    command = f"ase-probe audit {MODEL} --dimers {','.join(PAIRS)} --checks compression"
    pairs = run(command, dimers=PAIRS, checks=["compression"])
    quoted(f"{MODEL}-holes", command, pairs)
    holes(pairs)


if __name__ == "__main__":
    main()
