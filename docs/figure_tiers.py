"""Draw the reference curves tier by tier: ``python docs/figure_tiers.py``.

Needs ``pip install 'ase-probe[docs]'``; curves are shipped, single methods are in
``docs/data/methods.csv`` (``python docs/methods.py``).
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ase_probe.baselines import TIERS, Unavailable, constants
from ase_probe.baselines.bond import bond
from ase_probe.baselines.tabulated import tabulated
from ase_probe.curve import Curve
from ase_probe.dimer import Dimer
from ase_probe.suites import suite

HERE = Path(__file__).parent
BLACK, BLUE, RED, GREEN, GREY = "#222222", "#1f5fa8", "#c1272d", "#1b7f3b", "#777777"
ORANGE = "#b8690b"
U, R, ENVELOPE = "unrestricted", "restricted", "envelope"
PBE = (
    ("dft:pbe", U, BLUE, "-", "PBE, unrestricted"),
    ("dft:pbe", R, BLUE, "--", "PBE, restricted"),
)
R2SCAN = (
    ("dft:r2scan", U, GREEN, "-", "r2SCAN, unrestricted"),
    ("dft:r2scan", R, GREEN, "--", "r2SCAN, restricted"),
)
WB97M = (
    ("dft:wb97m-v", U, RED, "-", "ωB97M-V, unrestricted"),
    ("dft:wb97m-v", R, RED, "--", "ωB97M-V, restricted"),
)
SINGLE = {
    "FCI/aug-cc-pV5Z": (GREY, "o"),
    "CCSD(T)/aug-cc-pVTZ": (ORANGE, "s"),
    "NEVPT2/cc-pVTZ": (GREY, "^"),
}
STYLE = {
    "svg.fonttype": "path",
    "svg.hashsalt": "ase-probe",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def subscript(name: str) -> str:
    """Return a formula as it is written."""
    return name.replace("2", "₂").replace("++", "²⁺").replace("+", "⁺")


def found(name: str, tier: str, branch: str | None, r: np.ndarray) -> Curve | None:
    """Return a reference curve, if there is one."""
    source = TIERS[tier] if branch is None else partial(tabulated, tier=tier, branch=branch)
    made = source(Dimer.parse(name), r)
    return None if isinstance(made, Unavailable) else made


def methods(name: str) -> dict[str, np.ndarray]:
    """Method -> distances, Å, and energies, eV (2, n) of ``docs/data/methods.csv``."""
    with (HERE / "data" / "methods.csv").open() as stream:
        rows = [row for row in csv.reader(stream) if row[0] == name]
    return {
        method: np.array([(float(r), float(e)) for _, m, r, e in rows if m == method]).T
        for method in dict.fromkeys(row[1] for row in rows)
    }


def frame(panel: Axes, name: str, x: tuple[float, float], y: tuple[float, float]) -> np.ndarray:
    """Set up a panel of one dimer and return its distances, Å."""
    panel.axhline(0.0, color="#bbbbbb", lw=0.8, zorder=0)
    panel.set_xlim(*x)
    panel.set_ylim(*y)
    panel.set_xlabel("r / Å")
    panel.set_title(subscript(name), loc="left", fontweight="bold")
    return np.linspace(*x, 700)


def every_tier(panel: Axes, name: str, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Draw every tier there is of one dimer, and the single methods."""
    r = frame(panel, name, x, y)
    truth = (
        ("exact", None, BLACK, "-", "exact"),
        ("wavefunction", None, BLACK, "-", "wavefunction"),
    )
    for tier, branch, colour, dashes, label in (*truth, *PBE, *R2SCAN, *WB97M):
        curve = found(name, tier, branch, r)
        if curve is not None:
            width = 3.0 if branch is None else 1.5
            panel.plot(curve.r, curve.energy, color=colour, ls=dashes, lw=width, label=label)
    single(panel, name)
    panel.legend(frameon=False, fontsize=9, loc="lower right")


def single(panel: Axes, name: str) -> None:
    """Draw the points of single methods."""
    for method, (r, energy) in methods(name).items():
        colour, marker = SINGLE[method]
        panel.plot(r, energy, marker, color=colour, ms=4, mfc="none", label=method)


def overview(panels: list[Axes]) -> None:
    """H2 and N2 in every tier."""
    every_tier(panels[0], "H2", (0.3, 5.0), (-5.3, 6.0))
    every_tier(panels[1], "N2", (0.75, 5.0), (-11.5, 12.0))
    panels[0].set_ylabel("E(r) − E(atoms) / eV")


def exact(panels: list[Axes]) -> None:
    """Exact curves, and the error of FCI in a finite basis."""
    r = frame(panels[0], "", (0.3, 5.0), (-5.2, 10.0))
    panels[0].set_title("exact", loc="left", fontweight="bold")
    pairs = (("H2", BLACK), ("H2+", BLUE), ("HeH+", RED), ("HeH++", GREEN))
    for name, colour in pairs:
        curve = found(name, "exact", None, r)
        if curve is not None:
            panels[0].plot(curve.r, curve.energy, color=colour, label=subscript(name))
    bare = found("H2++", "analytic:coulomb", None, r)
    if bare is not None:
        panels[0].plot(bare.r, bare.energy, color=GREY, ls=":", label="H₂²⁺, k/r")
    panels[0].set_ylabel("E(r) − E(fragments) / eV")
    panels[0].legend(frameon=False, fontsize=9)
    r, energy = methods("H2")["FCI/aug-cc-pV5Z"]
    true = found("H2", "exact", None, r)
    if true is not None:
        panels[1].semilogy(r, 1000 * (energy - true.energy), "o-", color=GREY, ms=4, lw=1)
    panels[1].set_title("H₂: FCI/aug-cc-pV5Z − exact", loc="left", fontweight="bold")
    panels[1].set_xlabel("r / Å")
    panels[1].set_ylabel("meV")


def analytic(panels: list[Axes]) -> None:
    """Formulas where they are offered, beside the best curve there is."""
    kinds = (
        ("analytic:united-atom", RED, "united atom"), ("analytic:nlh", GREEN, "NLH"),
        ("analytic:zbl", BLUE, "ZBL"), ("analytic:ion-pair", ORANGE, "ion pair"),
    )  # fmt: skip
    for panel, (name, best) in zip(
        panels, (("H2", "exact"), ("N2", "wavefunction"), ("NaCl", "dft:pbe")), strict=True
    ):
        r = np.geomspace(0.02, 9.0, 900)
        curve = found(name, best, None, r)
        if curve is not None:
            label = {"dft:pbe": "PBE"}.get(best, best)
            panel.plot(curve.r, np.abs(curve.energy), color=BLACK, lw=2.4, label=label)
        for tier, colour, label in kinds:
            curve = found(name, tier, None, r)
            if curve is not None:
                panel.plot(curve.r, np.abs(curve.energy), color=colour, label=label)
        panel.set(xscale="log", yscale="log", xlabel="r / Å", xlim=(0.02, 10), ylim=(1e-2, 1e6))
        panel.set_title(subscript(name), loc="left", fontweight="bold")
        panel.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("|E(r) − E(atoms)| / eV")


def wavefunction(panels: list[Axes]) -> None:
    """N2 with the methods behind its composite; errors of all minima."""
    r = frame(panels[0], "N2", (0.8, 4.0), (-11.0, 6.0))
    curve = found("N2", "wavefunction", None, r)
    if curve is not None:
        panels[0].plot(curve.r, curve.energy, color=BLACK, lw=2.4, label="composite")
    single(panels[0], "N2")
    panels[0].set_ylabel("E(r) − E(atoms) / eV")
    panels[0].legend(frameon=False, fontsize=9)
    depths(panels[1], ("wavefunction",))


def functionals(panels: list[Axes]) -> None:
    """Branches of PBE and ωB97M-V for H2, N2 and O2."""
    windows = (((0.3, 5.0), (-5.3, 5.0)), ((0.8, 5.0), (-11.5, 8.0)), ((0.9, 5.0), (-7.0, 4.0)))
    for panel, name, (x, y) in zip(panels, ("H2", "N2", "O2"), windows, strict=True):
        r = frame(panel, name, x, y)
        envelope = (("dft:pbe", ENVELOPE, BLUE, ":", "PBE, envelope"),) if name == "O2" else ()
        for tier, branch, colour, dashes, label in (*PBE, *R2SCAN, *WB97M, *envelope):
            curve = found(name, tier, branch, r)
            if curve is not None and not (name == "O2" and branch == R):
                panel.plot(curve.r, curve.energy, color=colour, ls=dashes, lw=1.5, label=label)
        truth = found(name, "exact" if name == "H2" else "wavefunction", None, r)
        if truth is not None:
            panel.plot(truth.r, truth.energy, color=BLACK, lw=2.6, zorder=1, label="truth")
        panel.legend(frameon=False, fontsize=9)
    panels[0].set_ylabel("E(r) − E(atoms) / eV")


def depths(panel: Axes, tiers: tuple[str, ...]) -> None:
    """Deviation of D_e from experiment, dimer by dimer."""
    colours = {"wavefunction": BLACK, "dft:pbe": BLUE, "dft:r2scan": GREEN, "dft:wb97m-v": RED}
    names, drawn = [], set()
    for dimer in suite("standard"):
        known = constants(dimer)
        if known is None or known.uncertain or known.D_e < 0.2 or not dimer.electrons:
            continue
        errors = {
            tier: made.D_e - known.D_e_without_spin_orbit
            for tier in tiers
            if not isinstance(made := bond(dimer, TIERS[tier]), Unavailable)
        }
        if not errors:
            continue
        for tier, error in errors.items():
            panel.plot(error, len(names), "o", color=colours[tier], ms=5)
        names.append(subscript(dimer.name))
        drawn |= set(errors)
    for tier in filter(drawn.__contains__, tiers):
        panel.plot([], [], "o", color=colours[tier], label=tier)
    panel.axvline(0.0, color="#bbbbbb", lw=0.8, zorder=0)
    panel.set_yticks(range(len(names)), names, fontsize=8.5)
    panel.invert_yaxis()
    panel.set_xlabel("D_e − experiment / eV")
    panel.legend(frameon=False, fontsize=9)


def experiment(panels: list[Axes]) -> None:
    """What every computed tier adds to the measured depth."""
    depths(panels[0], ("wavefunction", "dft:pbe", "dft:r2scan", "dft:wb97m-v"))


FIGURES: dict[str, tuple[Callable[[list[Axes]], None], int, tuple[float, float]]] = {
    "tiers": (overview, 2, (9.6, 4.6)),
    "tier-exact": (exact, 2, (9.6, 4.0)),
    "tier-analytic": (analytic, 3, (9.6, 4.0)),
    "tier-wavefunction": (wavefunction, 2, (9.6, 4.6)),
    "tier-dft": (functionals, 3, (10.4, 4.2)),
    "tier-experiment": (experiment, 1, (7.0, 7.4)),
}
"""File -> what draws it, into how many panels, and its size in inches."""


def main() -> None:
    """Write ``docs/images/tier*.svg``."""
    for name, (draw, count, size) in FIGURES.items():
        with plt.rc_context(STYLE):
            figure, panels = plt.subplots(1, count, figsize=size, squeeze=False)
            draw(list(panels[0]))
            figure.tight_layout(w_pad=2.0)
            path = HERE / "images" / f"{name}.svg"
            figure.savefig(path, facecolor="white", metadata={"Date": None, "Creator": None})
            plt.close(figure)
        lines = (line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
