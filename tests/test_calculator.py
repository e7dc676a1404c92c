import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.calculators.emt import EMT
from ase.calculators.fd import FiniteDifferenceCalculator
from ase.io import read, write
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase.units import fs
from broken_models import AllNaN, Pair, WrongShape

from ase_probe import Probe
from ase_probe.errors import (
    DeviceError,
    EvaluationError,
    InputError,
    UnknownModelError,
    UnsupportedElementError,
    UnsupportedOptionError,
)


class Charged(Calculator):
    """Energy = 10·charge + spin; counts its calls; its cache ignores atoms.info, as ASE's do."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012
    calls = 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        atoms.info["written"] = "by the vendor"
        atoms.positions += 0.0
        info = atoms.info
        self.results = {
            "energy": 10.0 * info.get("charge", 0) + info.get("spin", 0),
            "forces": np.zeros((len(atoms), 3)),
        }


def h2(r=0.8):
    return Atoms("H2", positions=[(0, 0, 0), (0, 0, r)])


def test_energy_forces_free_energy():
    atoms = h2()
    atoms.calc = Probe("morse")
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    assert atoms.get_forces().shape == (2, 3)


def test_stress_of_a_crystal_matches_the_vendor():
    ours, theirs = bulk("Cu", cubic=True), bulk("Cu", cubic=True)
    ours.rattle(0.1, seed=1), theirs.rattle(0.1, seed=1)
    ours.calc, theirs.calc = Probe(EMT()), EMT()
    assert np.array_equal(ours.get_stress(), theirs.get_stress())
    assert np.array_equal(ours.get_forces(), theirs.get_forces())


def test_stress_of_a_molecule_raises():
    atoms = molecule("CO")
    atoms.calc = Probe(EMT())
    with pytest.raises(PropertyNotImplementedError, match="periodic"):
        atoms.get_stress()


def test_stress_a_model_does_not_have_raises():
    atoms = bulk("Cu")
    atoms.calc = Probe(Pair())
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_the_callers_atoms_are_never_touched():
    atoms = h2()
    atoms.info["charge"] = 1
    atoms.calc = Probe(Charged())
    before = atoms.copy()
    atoms.get_potential_energy()
    assert atoms == before
    assert atoms.info == before.info


def test_changed_charge_or_spin_is_never_stale():
    atoms = h2()
    atoms.calc = Probe(Charged())
    assert atoms.get_potential_energy() == 0.0
    atoms.info["charge"] = 2
    assert atoms.get_potential_energy() == 20.0
    atoms.info["spin"] = 3
    assert atoms.get_potential_energy() == 23.0
    del atoms.info["charge"]
    assert atoms.get_potential_energy() == 3.0


def test_nothing_changed_nothing_computed():
    calculator = Charged()
    atoms = h2()
    atoms.calc = Probe(calculator)
    for _ in range(3):
        atoms.get_potential_energy()
        atoms.get_forces()
    assert calculator.calls == 1


def test_charge_and_spin_of_the_probe_are_defaults():
    atoms = h2()
    atoms.calc = Probe(Charged(), charge=1, spin=2)
    assert atoms.get_potential_energy() == 12.0
    atoms.info["charge"] = 0
    assert atoms.get_potential_energy() == 2.0
    assert atoms.info == {"charge": 0}


@pytest.mark.parametrize(("key", "value"), [("charge", 1), ("spin", 3)])
def test_a_blind_model_refuses_what_it_would_ignore(key, value):
    atoms = h2()
    atoms.calc = Probe("morse")
    atoms.info[key] = value
    with pytest.raises(UnsupportedOptionError, match=f"does not take a {key}"):
        atoms.get_potential_energy()
    with pytest.raises(UnsupportedOptionError, match=f"does not take a {key}"):
        Probe("morse", **{key: value})
    atoms.info[key] = {"charge": 0, "spin": 1}[key]
    assert atoms.get_potential_energy() < 0


@pytest.mark.parametrize(("key", "value"), [("charge", 1), ("spin", 3)])
def test_a_blind_model_ignores_when_told_to(key, value):
    atoms = h2()
    atoms.calc = Probe("morse", on_unsupported="ignore")
    neutral = atoms.get_potential_energy()
    atoms.info[key] = value
    assert atoms.get_potential_energy() == neutral
    assert atoms.calc.todict()["on_unsupported"] == "ignore"
    assert Probe("morse", on_unsupported="ignore", **{key: value}).card.name == "morse"
    with pytest.raises(InputError, match="must be raise or ignore, got 'warn'"):
        Probe("morse", on_unsupported="warn")


@pytest.mark.parametrize(("key", "value"), [("charge", 0.5), ("spin", 0), ("spin", "triplet")])
def test_meaningless_charge_and_spin(key, value):
    atoms = h2()
    atoms.calc = Probe(Charged())
    atoms.info[key] = value
    with pytest.raises(UnsupportedOptionError, match=f"{key} must be"):
        atoms.get_potential_energy()


def test_nan_raises_with_the_shortest_distance():
    atoms = h2(0.8)
    atoms.calc = Probe(AllNaN())
    with pytest.raises(
        EvaluationError, match=r"non-finite .* for H2 \(shortest distance 0.800 Å\)"
    ):
        atoms.get_potential_energy()


def test_wrong_shape_raises():
    atoms = h2()
    atoms.calc = Probe(WrongShape())
    with pytest.raises(EvaluationError, match=r"forces of shape \(2, 2\), expected \(2, 3\)"):
        atoms.get_forces()


def test_unknown_element_raises():
    atoms = molecule("CO")
    atoms.calc = Probe("morse")
    with pytest.raises(UnsupportedElementError, match="does not know C, O"):
        atoms.get_potential_energy()


def test_optimizer_md_and_finite_differences():
    atoms = h2(0.9)
    atoms.calc = Probe("morse")
    assert BFGS(atoms, logfile=None).run(fmax=0.001)
    assert atoms.get_distance(0, 1) == pytest.approx(0.7414, abs=1e-3)
    atoms.positions[1, 2] += 0.05
    start = atoms.get_total_energy()
    VelocityVerlet(atoms, timestep=0.2 * fs).run(50)
    assert atoms.get_total_energy() == pytest.approx(start, abs=1e-3)
    crystal = bulk("Cu", cubic=True)
    crystal.rattle(0.1, seed=1)
    crystal.calc = Probe(EMT())
    forces, stress = crystal.get_forces(), crystal.get_stress()
    crystal.calc = FiniteDifferenceCalculator(Probe(EMT()), eps_disp=1e-4, eps_strain=1e-5)
    assert crystal.get_forces() == pytest.approx(forces, abs=1e-5)
    assert crystal.get_stress() == pytest.approx(stress, abs=1e-5)


def test_results_can_be_written_and_read(tmp_path):
    atoms = h2()
    atoms.calc = Probe("morse")
    energy = atoms.get_potential_energy()
    for name in ("a.traj", "a.extxyz"):
        write(tmp_path / name, atoms)
        assert read(tmp_path / name).get_potential_energy() == pytest.approx(energy)


def test_todict_names_everything():
    described = Probe("morse").todict()
    assert described["model"] == "morse"
    assert described["device"] == "cpu"
    assert described["dtype"] == "float64"
    assert described["versions"]["ase"]
    assert "checkpoint_sha256" in described


def test_named_and_wrapped_probes_pickle():
    for probe in (Probe("morse"), Probe(Pair(), charge=0)):
        copy = pickle.loads(pickle.dumps(probe))
        atoms = h2()
        atoms.calc = copy
        assert np.isfinite(atoms.get_potential_energy())
        assert copy._defaults == probe._defaults


def test_an_unpicklable_calculator_refuses_clearly():
    calculator = Pair()
    calculator.handle = lambda: None
    with pytest.raises(pickle.PicklingError, match=r"package\.module:factory instead"):
        pickle.dumps(Probe(calculator))


def test_a_probe_of_a_probe_is_refused():
    with pytest.raises(InputError, match="use it as it is"):
        Probe(Probe("morse"))


def test_two_probes_and_a_direct_use_share_a_calculator_without_stale_answers():
    calculator = Charged()
    neutral, charged = Probe(calculator, charge=0, spin=2), Probe(calculator, charge=1, spin=2)
    atoms = h2()
    for probe, energy in ((neutral, 2.0), (charged, 12.0), (neutral, 2.0), (charged, 12.0)):
        copy = atoms.copy()
        copy.calc = probe
        assert copy.get_potential_energy() == energy
        atoms.calc = calculator
        atoms.get_potential_energy()


def test_an_energy_of_shape_one_is_an_energy():
    class One(Pair):
        def answer(self, atoms, energy, forces):
            return {"energy": np.array([energy]), "forces": forces}

    atoms = h2()
    atoms.calc = Probe(One())
    assert isinstance(atoms.get_potential_energy(), float)


def test_an_energy_only_calculator_offers_no_forces():
    calculator = Pair()
    calculator.implemented_properties = ["energy"]
    atoms = h2()
    atoms.calc = Probe(calculator)
    assert np.isfinite(atoms.get_potential_energy())
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_forces()


def test_bad_options():
    with pytest.raises(UnknownModelError):
        Probe("no-such-model")
    with pytest.raises(InputError):
        Probe(3)
    with pytest.raises(InputError, match=r"write EMT\(...\)"):
        Probe(EMT)
    with pytest.raises(UnsupportedOptionError, match="already built"):
        Probe(EMT(), device="cpu")
    with pytest.raises(UnsupportedOptionError, match="dtype"):
        Probe(EMT(), dtype="float32")
    with pytest.raises(UnsupportedOptionError, match="checkpoint cannot be chosen"):
        Probe(EMT(), checkpoint=__file__)
    with pytest.raises(DeviceError):
        Probe("morse", device="gpu")


def test_the_audit_is_of_that_very_object():
    probe = Probe(Pair())
    probe.evaluator.calculator.potential = lambda r: (1.0 / r, -1.0 / r**2)
    audit = probe.audit(dimers=["N2"])
    assert audit.curves["N2"].energy[0] == pytest.approx(10.0)
    with pytest.raises(InputError, match="already built: dtype"):
        probe.audit(dimers=["N2"], dtype="float64")


def test_one_rule_for_the_spin():
    """Vendors' defaults differ: some call every radical a singlet."""
    seen = []

    class Recorder(Calculator):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012

        def calculate(self, atoms=None, properties=("energy",), system_changes=()):
            seen.append(dict(atoms.info))
            self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}

    probe = Probe(Recorder())
    probe.evaluator.card = replace(probe.card, uses_spin=True, uses_charge=True)
    radical = Atoms("OH", [(0, 0, 0), (0, 0, 1)])
    for info in ({}, {"charge": -1}, {"spin": 4}):
        radical.info = info
        probe.get_potential_energy(radical)
    assert [info["spin"] for info in seen] == [2, 1, 4]
    radical.info = {"spin": 1}
    with pytest.raises(UnsupportedOptionError, match="9 electrons: its multiplicity is 2, 4 or"):
        probe.get_potential_energy(radical)
    assert radical.info == {"spin": 1}
