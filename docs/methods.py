"""Compute the methods behind the wavefunction tier one by one, for the figure of the tiers.

H2: full configuration interaction in aug-cc-pV5Z. N2: CCSD(T)/aug-cc-pVTZ from a restricted
reference and CASSCF + NEVPT2/cc-pVTZ, each relative to its own atoms. Writes
``docs/data/methods.csv``.

    python docs/methods.py        about ten minutes on one core; needs ase-probe[pyscf]
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pyscf import cc, gto, scf

from ase_probe.baselines.exact import exact
from ase_probe.baselines.quantum.cluster import System
from ase_probe.baselines.quantum.multireference import multireference
from ase_probe.baselines.quantum.recipe import recipe
from ase_probe.dimer import Dimer
from ase_probe.units import BOHR, HARTREE

Row = tuple[str, str, float, float]
FILE = Path(__file__).parent / "data" / "methods.csv"


def field(symbol: str, basis: str, r: float | None = None, spin: int = 0) -> scf.hf.SCF:
    """Converged restricted Hartree–Fock of an atom or a homonuclear pair at `r` (Å)."""
    atom = [(symbol, (0.0, 0.0, 0.0))] + ([(symbol, (0.0, 0.0, r))] if r else [])
    mol = gto.M(atom=atom, basis=basis, spin=spin, symmetry=bool(r), verbose=0)
    return scf.RHF(mol).run(conv_tol=1e-10)


def hydrogen() -> Iterator[Row]:
    """FCI of H2: for two electrons CCSD is exact in its basis."""
    zero = 2 * field("H", "aug-cc-pv5z", spin=1).e_tot
    for a0 in (0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0):
        r = a0 * BOHR
        solved = cc.CCSD(field("H", "aug-cc-pv5z", r)).run(conv_tol=1e-9)
        yield "H2", "FCI/aug-cc-pV5Z", r, (solved.e_tot - zero) * HARTREE


def coupled_cluster() -> Iterator[Row]:
    """CCSD(T) of N2, which fails where one determinant does."""
    basis = "aug-cc-pvtz"
    atom = cc.CCSD(scf.addons.convert_to_uhf(field("N", basis, spin=3)), frozen=1).run()
    zero = 2 * (atom.e_tot + atom.ccsd_t())
    guess = None
    for r in np.geomspace(0.8, 3.0, 19):
        mf = scf.RHF(gto.M(atom=f"N 0 0 0; N 0 0 {r}", basis=basis, symmetry=True, verbose=0))
        mf.run(guess, conv_tol=1e-10)
        guess = mf.make_rdm1()
        solved = cc.CCSD(mf, frozen=2)
        solved.max_cycle = 200
        solved.run()
        if solved.converged:
            energy = solved.e_tot + solved.ccsd_t()
            yield "N2", "CCSD(T)/aug-cc-pVTZ", float(r), (energy - zero) * HARTREE


def second_order() -> Iterator[Row]:
    """NEVPT2 of N2, from the outside inward as in the tier."""
    plan, previous, zero = recipe(), None, None
    for r in [50.0, *np.geomspace(0.8, 6.0, 25)[::-1]]:
        system = System(symbols=("N", "N"), r=float(r))
        record, previous = multireference(system, plan, previous)
        zero = record["nevpt2"] if zero is None else zero
        if r < 50.0:
            yield "N2", "NEVPT2/cc-pVTZ", float(r), (record["nevpt2"] - zero) * HARTREE


def main() -> None:
    """Write the file, and how far FCI is from the exact curve."""
    rows = [*hydrogen(), *coupled_cluster(), *second_order()]
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("dimer", "method", "r / Å", "energy / eV"))
        writer.writerows((name, method, f"{r:.6f}", f"{e:.6f}") for name, method, r, e in rows)
    found = [(r, e) for name, _, r, e in rows if name == "H2"]
    curve = exact(Dimer.parse("H2"), np.array([r for r, _ in found]))
    for (r, e), true in zip(found, curve.energy, strict=True):
        print(f"H2 {r:.4f} Å: FCI/aug-cc-pV5Z − exact {1000 * (e - true):+.1f} meV")


if __name__ == "__main__":
    main()
