"""Shipped points, computed again from scratch: other starts, same energies."""

import pytest

pytest.importorskip("pyscf")

from ase_probe.baselines.quantum.atoms import atom
from ase_probe.baselines.quantum.guess import block
from ase_probe.baselines.quantum.methods import METHODS
from ase_probe.baselines.quantum.molecule import load, molecule
from ase_probe.baselines.quantum.scf import solve
from ase_probe.baselines.tabulated import shipped
from ase_probe.dimer import Dimer
from ase_probe.units import HARTREE

SAMPLE = [
    ("dft:pbe", "H2", (0.3, 0.75, 3.0, 9.0)),
    ("dft:pbe", "N2", (0.5, 1.1)),
    ("dft:pbe", "LiH", (1.6,)),
    ("dft:wb97m-v", "H2", (0.75, 4.0)),
    ("dft:r2scan", "H2", (0.75, 4.0)),
]


@pytest.mark.parametrize(("tier", "name", "near"), SAMPLE, ids=lambda x: str(x))
def test_a_sample(tier, name, near):
    reference = shipped(name, tier)
    if reference is None:
        pytest.skip("not shipped yet")
    load().lib.num_threads(1)
    dimer, method = Dimer.parse(name), METHODS[tier]
    branch = reference.branches["unrestricted"]
    zero = sum(atom(symbol, method).energy for symbol in dimer.symbols)
    for wanted in near:
        index = min(range(len(branch.r)), key=lambda i: abs(branch.r[i] - wanted))
        two_s = dimer.multiplicity - 1
        mol = molecule(dimer.symbols, method, r=branch.r[index], charge=0, two_s=two_s)
        starts = [block(dimer, method, two_s), None]
        again = min(solve(mol, method, start).energy for start in starts) - zero
        assert abs(again - branch.energy[index]) * HARTREE < 1e-4, branch.r[index]
