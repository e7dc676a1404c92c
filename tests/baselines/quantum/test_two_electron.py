import numpy as np
import pytest

pytest.importorskip("pyscf")

from ase_probe.baselines.exact import exact
from ase_probe.baselines.quantum import pair_curve, two_electron
from ase_probe.baselines.quantum.build import build
from ase_probe.baselines.quantum.cluster import System, field
from ase_probe.baselines.quantum.pair_curve import energy, setup, units
from ase_probe.baselines.quantum.store import read
from ase_probe.baselines.quantum.two_electron import pair_energy
from ase_probe.baselines.tabulated import of_reference
from ase_probe.baselines.tier import Unavailable
from ase_probe.dimer import Dimer
from ase_probe.errors import EvaluationError, InputError
from ase_probe.units import BOHR, HARTREE

HELIUM_HYDRIDE = Dimer.parse("HeH+")


@pytest.mark.parametrize(
    ("symbols", "charge", "r"),
    [(("H", "H"), 0, 0.74), (("He", "H"), 1, 0.77), (("H", "H"), 0, 4.0)],
)
def test_full_configuration_interaction(symbols, charge, r):
    from pyscf import fci

    mf = field(System(symbols=symbols, r=r, charge=charge), "cc-pvdz", restricted=True)
    full, static, weight = pair_energy(mf)
    assert full == pytest.approx(fci.FCI(mf).kernel()[0], abs=1e-9)
    assert full < static <= mf.e_tot + 1e-9
    assert 0.49 < weight <= 1.0


def test_frozen_core():
    from pyscf import mcscf

    mf = field(System(symbols=("Li", "H"), r=3.0), "6-31g", restricted=True)
    every = mcscf.CASCI(mf, mf.mo_coeff.shape[1] - 1, 2)
    every.fix_spin_(ss=0)
    assert pair_energy(mf, 1)[0] == pytest.approx(every.kernel()[0], abs=1e-8)


def test_two_configurations_dissociate():
    mf = field(System(symbols=("H", "H"), r=20.0), "cc-pvdz", restricted=True)
    full, static, _ = pair_energy(mf)
    atom = field(System(symbols=("H",), two_s=1), "cc-pvdz", restricted=False).e_tot
    assert full == pytest.approx(2 * atom, abs=1e-6)
    assert static == pytest.approx(2 * atom, abs=1e-6)
    assert mf.e_tot > 2 * atom + 0.2


def test_an_iteration_that_does_not_converge_says_so(monkeypatch):
    monkeypatch.setattr(two_electron, "_CYCLES", 1)
    mf = field(System(symbols=("H", "H"), r=1.0), "cc-pvdz", restricted=True)
    with pytest.raises(EvaluationError, match="did not converge"):
        pair_energy(mf)


@pytest.mark.parametrize(("a0", "error"), [(0.4, 0.02), (1.4, 0.004), (6.0, 0.0005)])
def test_hydrogen_against_its_exact_curve(a0, error):
    """A step below the shipped bases, so the errors are larger than those stated."""
    plan = pair_curve.PairRecipe(low="aug-cc-pVTZ", high="aug-cc-pVQZ")
    apart = 2 * pair_curve._total(plan, energy(System(symbols=("H",), two_s=1), plan))
    bound = pair_curve._total(plan, energy(System(symbols=("H", "H"), r=a0 * BOHR), plan))
    truth = exact(Dimer.parse("H2"), np.array([a0 * BOHR])).energy[0]
    assert (bound - apart) * HARTREE == pytest.approx(truth, abs=error)


@pytest.mark.parametrize(
    ("name", "charges"), [("HeH+", [0, 1]), ("He2++", [1, 1]), ("LiH++", [1, 1])]
)
def test_cheapest_fragments(name, charges):
    assert [s.charge for s in pair_curve._fragments(Dimer.parse(name))] == charges


def test_a_curve_is_built_stored_and_read(tmp_path):
    built = build(["HeH+"], "exact", folder=tmp_path, basis="6-31g", points=14, jobs=1)
    reference = read(built.files["HeH+"])
    assert reference.truth
    assert reference.uncertainty_eV == pair_curve.ERROR_EV
    made = of_reference(reference, np.geomspace(0.2, 9.0, 30))
    assert made.provenance["tier"] == "exact"
    assert made.energy.min() == pytest.approx(-1.70, abs=0.1)
    assert abs(made.energy[-1]) < 0.02


def test_only_two_paired_electrons():
    with pytest.raises(InputError, match="singlets of two electrons"):
        units(Dimer.parse("LiH"), setup("exact"))
    with pytest.raises(InputError, match="grid"):
        setup("exact", grid=3)


def test_what_is_not_shipped_is_said():
    made = exact(Dimer.parse("LiHe+++"), np.array([1.0]))
    assert isinstance(made, Unavailable)
    assert "baseline build" in made.reason
