"""Draw the reference curves of H2 and N2 tier by tier: ``python docs/figure_tiers.py``.

Needs ``pip install 'ase-probe[docs]'``; the curves are shipped.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ase_probe.baselines import TIERS, Unavailable
from ase_probe.baselines.tabulated import tabulated
from ase_probe.dimer import Dimer

HERE = Path(__file__).parent
BLACK, BLUE, RED, GREEN, GREY = "#222222", "#1f5fa8", "#c1272d", "#1b7f3b", "#777777"
U, R = "unrestricted", "restricted"
LINES = (
    # tier, branch, colour, dashes, width, name
    ("exact", None, BLACK, "-", 3.2, "exact"),
    ("wavefunction", None, BLACK, "-", 2.4, "CCSD(T) → NEVPT2"),
    ("dft:pbe", U, BLUE, "-", 1.5, "PBE, unrestricted"),
    ("dft:pbe", R, BLUE, "--", 1.5, "PBE, restricted"),
    ("dft:r2scan", U, GREEN, "-", 1.5, "r2SCAN, unrestricted"),
    ("dft:r2scan", R, GREEN, "--", 1.5, "r2SCAN, restricted"),
    ("dft:wb97m-v", U, RED, "-", 1.5, "ωB97M-V, unrestricted"),
    ("dft:wb97m-v", R, RED, "--", 1.5, "ωB97M-V, restricted"),
)
PANELS = {"H2": ((0.3, 5.0), (-5.3, 6.0)), "N2": ((0.75, 5.0), (-11.5, 12.0))}


def panel_of(panel: Axes, name: str) -> None:
    """Draw every tier there is of one dimer."""
    dimer = Dimer.parse(name)
    (left, right), (low, high) = PANELS[name]
    r = np.linspace(left, right, 700)
    panel.axhline(0.0, color="#bbbbbb", lw=0.8, zorder=0)
    for tier, branch, colour, dashes, width, label in LINES:
        source = TIERS[tier] if branch is None else partial(tabulated, tier=tier, branch=branch)
        curve = source(dimer, r)
        if not isinstance(curve, Unavailable):
            panel.plot(curve.r, curve.energy, color=colour, ls=dashes, lw=width, label=label)
    panel.set_xlim(left, right)
    panel.set_ylim(low, high)
    panel.set_xlabel("r / Å")
    panel.set_title(name.replace("2", "₂"), loc="left", fontweight="bold")
    panel.legend(frameon=False, fontsize=9, loc="upper right")


def main() -> None:
    """Write ``docs/images/tiers.svg``."""
    style = {
        "svg.fonttype": "path",
        "svg.hashsalt": "ase-probe",
        "font.family": "DejaVu Sans",
        "font.size": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with plt.rc_context(style):
        figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.6))
        for panel, name in zip(panels, PANELS, strict=True):
            panel_of(panel, name)
        panels[0].set_ylabel("E(r) − E(atoms) / eV")
        figure.tight_layout(w_pad=2.0)
        path = HERE / "images" / "tiers.svg"
        figure.savefig(path, facecolor="white", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    lines = (line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
