"""Audits made up for the tests: realistic curves, a hole, an empty curve, hostile strings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from ase_probe.curve import Audit, Curve, Finding
from ase_probe.dimer import Dimer
from ase_probe.model import ModelCard

HOSTILE = "<script>alert(1)</script>\x1b[31m</script>\n[red]&\"'{}$page\ud800"
GRID = np.concatenate([np.linspace(0.1, 3.0, 146), np.linspace(3.1, 12.0, 54)])


def morse(r_e: float, depth: float, a: float, *, zero: float = 0.0, r: Any = GRID) -> Curve:
    decay = np.exp(-a * (r - r_e))
    forces = np.zeros((len(r), 2, 3))
    forces[:, 1, 2] = -2 * a * depth * (1 - decay) * decay
    forces[:, 0, 2] = -forces[:, 1, 2]
    return Curve(
        r=r,
        energy=depth * ((1 - decay) ** 2 - 1) + zero,
        forces=forces,
        atom_energies=np.array([zero / 2, zero / 2]),
    )


def n2_with_a_hole() -> Curve:
    """Energy falls to −2900 eV inside 0.6 Å behind a barrier of 77 eV."""
    good = morse(1.1, 9.9, 2.7, zero=-200.0)
    inner = 77.0 - 2977.0 * ((0.6 - GRID) / 0.5) ** 2
    outer = np.minimum(good.energy + 200.0, 77.0)
    return Curve(
        r=GRID,
        energy=np.where(GRID < 0.6, inner, outer) - 200.0,
        atom_energies=np.array([-100.0, -100.0]),
    )


def nothing() -> Curve:
    return Curve(
        r=GRID,
        energy=np.full(len(GRID), np.nan),
        atom_energies=np.array([np.nan, -1.0]),
        failures=dict.fromkeys(range(len(GRID)), "RuntimeError: no edges"),
    )


CARD = ModelCard(
    name="7net-0",
    family="sevennet",
    checkpoint="7net-0_11July2024",
    level_of_theory="PBE(+U), VASP PAW",
    training_data="MPtrj",
    cutoff=5.0,
    sha256="ab" * 32,
    uses_charge=False,
)
ENVIRONMENT = {
    "ase-probe": "0.1.0",
    "python": "3.11.9",
    "packages": {"sevenn": "0.13.0", "torch": "2.8.0"},
    "device": "cuda:0 (NVIDIA H100)",
    "dtype": "float32",
    "weights_sha256": "ab" * 32,
    "date": "2025-11-03T10:00:00Z",
    "command": "ase-probe audit 7net-0 --suite quick",
}


def _find(check: str, dimer: str, status: str, value: float | None = None, **more: Any) -> Finding:
    return Finding(check=check, dimer=dimer, status=status, value=value, **more)


def findings_n2() -> list[Finding]:
    return [
        _find("dissociation.r_e", "N2", "pass", 1.1132, unit="Å", reference=1.0977,
              threshold=(0.02, 0.1), score=1.0, reason="0.0155 Å too long.", source="Huber 1979"),
        _find("dissociation.D_e", "N2", "warn", 9.134, unit="eV", reference=9.905,
              threshold=(0.3, 2.0), score=0.72, reason="Underbound by 0.771 eV.",
              source="Huber 1979"),
        _find("dissociation.omega_e", "N2", "pass", 2351.2, unit="cm⁻¹", reference=2358.57,
              threshold=(50.0, 300.0), score=1.0),
        _find("compression.barrier", "N2", "fail", 77.04, unit="eV", threshold=(1000.0, 100.0),
              score=0.0, reason="A barrier of 77 eV at 0.600 Å guards a hole.",
              details={"r_b": 0.6, "E_b": 77.04, "depth": -2900.0,
                       "holes": [{"r_b": 0.6, "E_b": 77.04, "depth": -2900.0,
                                  "r_depth": 0.4}]}),
        _find("compression.hole", "N2", "fail", 0.6, unit="Å", threshold=(0.1, 0.3), score=0.0,
              reason="Inside 0.600 Å the energy falls by 2977 eV to −2900 eV: two N atoms fuse.",
              source="the nuclei repel", details={"r_b": 0.6, "E_b": 77.04, "depth": -2900.0}),
        _find("compression.r_trust", "N2", "fail", 0.812, unit="Å", threshold=(0.5, 0.8),
              score=0.0, reason="Below 0.812 Å the wall is 10 % softer than ZBL.",
              details={"E_trust": 31.0, "reason": "ZBL", "censored": False}),
        _find("compression.zbl", "N2", "unresolved", reason="Fewer than five points above 100 eV."),
        _find("consistency.force", "N2", "pass", 0.0012, unit="eV/Å", threshold=(0.005, 0.05),
              score=1.0),
        _find("robustness.finite", "N2", "pass", 0.0, threshold=(0.0, 1.0), score=1.0),
        _find("robustness.shape", "N2", "trivial", 0.0, reason="ASE checks the shape itself."),
    ]  # fmt: skip


def quick_audit() -> Audit:
    """Six dimers: one with a hole, one without any number, one out of domain."""
    n2 = morse(1.098, 9.905, 2.69)
    curves = {
        "H2": morse(0.75, 4.6, 1.95, zero=-6.7),
        "N2": n2_with_a_hole(),
        "O2": morse(1.23, 6.1, 2.6, zero=-9.0),
        "NaCl": morse(2.4, 4.3, 1.1, zero=-5.0),
        "Ar2": nothing(),
        "H2++": Curve(r=GRID, energy=14.4 / GRID),
    }
    rows = findings_n2()
    for dimer, r_e, d_e in (("H2", 0.7414, 4.748), ("O2", 1.2075, 5.213), ("NaCl", 2.361, 4.25)):
        bad = dimer == "O2"
        rows += [
            _find("dissociation.r_e", dimer, "pass", r_e + 0.01, unit="Å", reference=r_e,
                  threshold=(0.02, 0.1), score=1.0),
            _find("dissociation.D_e", dimer, "fail" if bad else "pass", d_e + 2.2 * bad, unit="eV",
                  reference=d_e, threshold=(0.3, 2.0), score=0.0 if bad else 1.0,
                  reason="Overbound by 2.2 eV." if bad else ""),
            _find("compression.hole", dimer, "pass", 0.1, unit="Å", threshold=(0.1, 0.3),
                  score=1.0),
            _find("compression.zbl", dimer, "not-run", reason=f"No ZBL comparison for {dimer}."),
            _find("robustness.finite", dimer, "pass", 0.0, threshold=(0.0, 1.0), score=1.0),
        ]  # fmt: skip
    rows += [
        _find("robustness.finite", "Ar2", "fail", 200.0, threshold=(0.0, 1.0), score=0.0,
              reason="200 of 200 energies are not finite: RuntimeError: no edges."),
        _find("dissociation.limit", "NaCl", "inherited", -2.6e8, unit="eV", reference=0.0,
              threshold=(0.05, 0.5), reason="PBE itself dissociates into fractional charges."),
        _find("bare_nuclei.coulomb", "H2++", "out-of-domain", 1.0, reason="charge-blind"),
        _find("coverage.charge", "H2++", "out-of-domain", reason="charge-blind"),
    ]  # fmt: skip
    return Audit(
        card=CARD,
        environment=ENVIRONMENT,
        curves=curves,
        references={
            "H2": {"exact": morse(0.7414, 4.748, 1.94)},
            "N2": {"experiment": n2, "pyscf PBE/def2-QZVP": morse(1.103, 10.5, 2.66)},
            "O2": {"experiment": morse(1.2075, 5.213, 2.65)},
            "H2++": {"exact": Curve(r=GRID, energy=14.39964548 / GRID)},
        },
        findings=tuple(rows),
        score=0.61,
        group_scores={
            "dissociation": 0.72, "compression": 0.44, "consistency": 1.0, "robustness": 0.8,
        },
        coverage=5 / 6,
    )  # fmt: skip


def good_audit() -> Audit:
    return Audit(
        card=ModelCard(name="morse", family="toy"),
        environment={},
        curves={"H2": morse(0.74, 4.7, 1.9)},
        references={},
        findings=(_find("compression.hole", "H2", "pass", 0.1, unit="Å", score=1.0),),
        score=1.0,
        group_scores={"compression": 1.0},
        coverage=1.0,
    )


def hostile_audit() -> Audit:
    return Audit(
        card=ModelCard(name=HOSTILE, family=HOSTILE, level_of_theory=HOSTILE),
        environment={"command": f"ase-probe audit {HOSTILE}", HOSTILE: {HOSTILE: [HOSTILE]}},
        curves={HOSTILE: morse(1.0, 1.0, 1.0)},
        references={HOSTILE: {HOSTILE: morse(1.0, 1.1, 1.0)}},
        findings=(
            _find(f"g{HOSTILE}.{HOSTILE}", HOSTILE, "fail", math.inf, unit=HOSTILE,
                  threshold=(0.0, 1.0), reference=-math.inf, score=0.0, reason=HOSTILE,
                  source=HOSTILE, details={HOSTILE: HOSTILE, "r_b": "nonsense", "E_b": math.nan}),
            _find("compression.r_trust", HOSTILE, "warn", math.inf, unit="Å", reason=HOSTILE),
        ),
        score=0.0,
        group_scores={HOSTILE: 0.0},
        coverage=1.0,
    )  # fmt: skip


def large_audit(dimers: int = 94, name: str = "big") -> Audit:
    """Homonuclear dimers of the first elements, each with four curves of 200 points."""
    return many([f"{symbol}2" for symbol in chemical_symbols[1 : dimers + 1]], name)


def pairs_audit(elements: int = 18) -> Audit:
    """All pairs of the first elements: 171 of 18."""
    pairs = combinations_with_replacement(chemical_symbols[1 : elements + 1], 2)
    return many([Dimer(pair).name for pair in pairs])


def many(names: Sequence[str], name: str = "big") -> Audit:
    """Dimers of which most have a failure; barriers are 1, 2, 3, … eV."""
    checks = ("dissociation.r_e", "dissociation.D_e", "compression.hole", "consistency.force",
              "robustness.finite", "compression.zbl", "dissociation.limit")  # fmt: skip
    rows = []
    for i, dimer in enumerate(names):
        for k, check in enumerate(checks):
            status = ("pass", "not-run", "fail", "pass", "warn", "pass", "trivial")[(i * 3 + k) % 7]
            rows.append(
                _find(check, dimer, status, 0.1 * (i + k), unit="eV", threshold=(0.1, 1.0),
                      reason=f"A sentence about {dimer} that says what happened and how much.")
            )  # fmt: skip
        rows.append(
            _find("compression.barrier", dimer, "warn", 1.0 + i, unit="eV", reason="a hole",
                  details={"holes": [{"E_b": 1.0 + i, "r_b": 0.6, "depth": -9.0, "r_depth": 0.4}]})
        )  # fmt: skip
    return Audit(
        card=ModelCard(name=name, family="toy", level_of_theory="PBE", cutoff=5.0),
        environment=ENVIRONMENT,
        curves={n: morse(1 + 0.01 * i, 4.0, 2.0, zero=-10.0) for i, n in enumerate(names)},
        references={
            n: {t: morse(1 + 0.01 * i, 4.0 + k, 2.0) for k, t in enumerate(("exact", "pbe", "hf"))}
            for i, n in enumerate(names)
        },
        findings=tuple(rows),
        score=0.5,
        group_scores={"dissociation": 0.5, "compression": 0.4},
        coverage=1.0,
    )
