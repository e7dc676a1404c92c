"""Shipped points, computed again from scratch: other starts, same energies."""

import pytest

pytest.importorskip("pyscf")

from dataclasses import replace

from ase_probe.baselines.quantum import wavefunction
from ase_probe.baselines.quantum.atoms import atom
from ase_probe.baselines.quantum.guess import block
from ase_probe.baselines.quantum.methods import METHODS
from ase_probe.baselines.quantum.molecule import load, molecule
from ase_probe.baselines.quantum.recipe import recipe
from ase_probe.baselines.quantum.scf import solve
from ase_probe.baselines.quantum.splice import Splice
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


@pytest.mark.parametrize(("name", "wanted"), [("He2", 3.0), ("LiH", 1.6), ("N2", 1.1), ("N2", 3.0)])
def test_a_wavefunction_point(name, wanted, tmp_path):
    """Within 1 meV, starting at this very distance: the shipped one came from its neighbours."""
    reference, plan, dimer = shipped(name, "wavefunction"), recipe(), Dimer.parse(name)
    branch = reference.branches["unrestricted"]
    index = min(range(len(branch.r)), key=lambda i: abs(branch.r[i] - wanted))
    r, beyond = branch.r[index], branch.state[index] == "nevpt2"
    atoms, cluster, *far = wavefunction.units(dimer, plan)
    if beyond:
        unit = replace(far[0], radii=(r, wavefunction._APART))
        rows = {x["r"]: x["nevpt2"] for x in wavefunction.lowest(wavefunction.run(unit, tmp_path))}
        energy = rows[r] - rows[wavefunction._APART]
        energy *= float(Splice(**reference.zero["splice"]).scale(r))
    else:
        lone = wavefunction.run(atoms, tmp_path)
        zero = sum(next(x["energies"] for x in lone if "energies" in x))
        unit = replace(cluster, radii=(r,))
        found = [x for x in wavefunction.run(unit, tmp_path) if "r" in x]
        (row,) = wavefunction.energies(plan, zero, found)
        energy = row["energy"]
    assert beyond == (wanted == 3.0 and name == "N2")
    assert abs(energy - branch.energy[index]) * HARTREE < 1e-3
