"""Other multiplicities of the same pair."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from ase_probe import Curve, Dimer, audit
from ase_probe.checks import CHECKS, Case
from ase_probe.curve import Repeats
from ase_probe.model import ModelCard


class Spins(Calculator):
    """A Morse curve, raised by `gap` eV per unit of 2S + 1 away from `ground`."""

    implemented_properties = ("energy", "forces")

    def __init__(self, ground=3, gap=0.5, refuses=()):
        super().__init__()
        self.ground, self.gap, self.refuses = ground, gap, refuses

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        spin = atoms.info.get("spin", 1)
        if spin in self.refuses:
            raise RuntimeError("no such state")
        energy, forces = 0.0, np.zeros((len(atoms), 3))
        if len(atoms) == 2:
            x = np.exp(-2.6 * (atoms.get_distance(0, 1) - 1.21))
            energy = 5.2 * (x * x - 2 * x) + self.gap * abs(spin - self.ground)
            forces[1, 2] = 2 * 2.6 * 5.2 * (x * x - x)
            forces[0, 2] = -forces[1, 2]
        self.results = {"energy": energy, "forces": forces}


def ladder(model, dimer="O2"):
    (found,) = audit(model, dimers=[dimer], checks=["spin"]).findings
    return found


def test_the_ground_state_lies_lowest():
    found = ladder(Spins())
    assert found.status == "pass"
    assert found.value == pytest.approx(1.0)
    assert found.details["gaps_eV"] == pytest.approx({1: 1.0, 5: 1.0})
    assert found.score is None


def test_another_state_below_it():
    found = ladder(Spins(ground=1))
    assert found.status == "warn"
    assert found.value == pytest.approx(-1.0)
    assert "multiplicity 1 lies 1 eV below 3" in found.reason


@pytest.mark.parametrize(("claims", "status"), [(True, "warn"), (None, "not-run")])
def test_a_multiplicity_that_is_ignored(claims, status):
    r = np.linspace(0.5, 4.0, 50)
    ignored = Case(
        dimer=Dimer.parse("O2"),
        card=ModelCard(name="m", family="f", uses_spin=claims),
        curve=Curve(r=r, energy=-1.0 / r),
        repeats=Repeats(
            r=[0.7, 1.2, 2.4], energy=[0.0] * 3, force=[0.0] * 3, energy_change={},
            force_change={}, spin_change={1: 0.0, 5: 0.0},
        ),
    )  # fmt: skip
    found = CHECKS["spin.ladder"](ignored)
    assert found.status == status
    assert "no multiplicity changes" in found.reason


def test_a_calculator_without_spin_has_nothing_to_answer_for():
    assert ladder(Spins(gap=0.0)).status == "not-run"


class Coarse(Spins):
    """Answers to five decimals; the singlet lies lower by less, the quintet far above."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        shift = {1: -1e-6, 5: 0.5}.get(atoms.info.get("spin", 1), 0.0)
        self.results["energy"] = round(self.results["energy"], 5) + shift


def test_noise_is_no_lower_state():
    found = ladder(Coarse(gap=0.0))
    assert found.value < 0
    assert found.status == "pass"


def test_states_that_are_refused_are_left_out():
    assert ladder(Spins(refuses=(5,))).details["gaps_eV"] == pytest.approx({1: 1.0})
    assert ladder(Spins(refuses=(1, 5))).status == "not-run"


def test_two_electrons_have_two_multiplicities():
    assert ladder(Spins(ground=1), "H2").details["gaps_eV"] == pytest.approx({3: 1.0})


def test_a_model_that_takes_no_spin():
    assert ladder("morse", "H2").reason == "the model takes no spin multiplicity"


def test_xtb_has_no_exchange_that_favours_the_triplet():
    pytest.importorskip("tblite")
    found = ladder("gfn2-xtb")
    assert found.status == "warn"
    assert -0.2 < found.value < 0
