"""The contract: a sound family keeps it, planted defects break it."""

import pytest
from broken_models import Pair, WrongForces

from ase_probe import Probe
from ase_probe.errors import ModelLoadError
from ase_probe.model import AdapterBase, ModelCard
from ase_probe.testing import CONTRACT, Subject, clauses, contract

FLOAT64 = {"energy_tolerance": 1e-6, "force_tolerance": 1e-5}

test_contract = contract(Subject("morse", **FLOAT64))


class Family(AdapterBase):
    """A family around one calculator, for planting defects."""

    family = "planted"

    def __init__(self, calculator):
        self.calculator = calculator
        self.cards = (
            ModelCard(
                name="planted", family="planted", level_of_theory="none", licence="MIT",
                elements=("H", "N"), uses_charge=False, uses_spin=False, dtypes=("float64",),
            ),
        )  # fmt: skip

    def load(self, card, *, device, dtype, task, checkpoint):
        if checkpoint is not None:
            raise ModelLoadError("no checkpoint")
        return self.calculator


@pytest.fixture
def planted(monkeypatch):
    def plant(adapter):
        monkeypatch.setattr(clauses, "resolve", lambda name, **_: (adapter, adapter.cards[0]))
        monkeypatch.setattr("ase_probe.calculator.resolve", clauses.resolve)
        return Subject("planted", **FLOAT64)

    return plant


def broken_checks(subject):
    broken = set()
    for name, check in CONTRACT.items():
        try:
            check(subject)
        except (AssertionError, pytest.fail.Exception):
            broken.add(name)
        except pytest.skip.Exception:
            pass
    return broken


class Drifts(Pair):
    """Every answer a little higher than the last."""

    calls = 0

    def answer(self, atoms, energy, forces):
        self.calls += 1
        return {"energy": energy + 0.01 * self.calls, "forces": forces}


class FeelsPlace(Pair):
    """Knows where the origin is."""

    def answer(self, atoms, energy, forces):
        return {"energy": energy + 0.1 * atoms.positions[0, 2], "forces": forces}


def test_a_sound_family_keeps_the_contract(planted):
    assert broken_checks(planted(Family(Pair()))) == set()


@pytest.mark.parametrize(
    ("calculator", "caught"),
    [
        (WrongForces, {"force_is_minus_the_gradient"}),
        (FeelsPlace, {"translation_changes_nothing", "rotation_turns_the_forces"}),
        (Drifts, {"same_answer_twice", "calculator_gives_the_same_as_the_batch"}),
    ],
)
def test_a_planted_defect_is_caught(planted, calculator, caught):
    assert caught <= broken_checks(planted(Family(calculator())))


def test_a_family_that_forgets_its_card_is_caught(planted):
    family = Family(Pair())
    family.cards = (ModelCard(name="planted", family="planted", elements=("H", "N")),)
    assert "card_is_complete" in broken_checks(planted(family))


def test_a_batch_that_mixes_up_its_structures_is_caught(planted):
    class Mixed(Family):
        batch_size = 8

        def evaluate(self, calculator, structures):
            energies, forces = super().evaluate(calculator, structures)
            return energies[::-1], forces

    assert "calculator_gives_the_same_as_the_batch" in broken_checks(planted(Mixed(Pair())))


def test_expected_failures_must_exist_and_must_fail():
    with pytest.raises(ValueError, match="no such contract check: nonsense"):
        contract(Subject("morse", expected_failures={"nonsense": "x"}))
    test = contract(Subject("morse", expected_failures={"same_answer_twice": "flaky"}))
    subject = Subject("morse", expected_failures={"same_answer_twice": "flaky"})
    with pytest.raises(AssertionError, match="was expected to fail"):
        test(subject, "same_answer_twice")


def test_the_probe_is_loaded_once():
    subject = Subject("morse")
    assert subject.probe is subject.probe
    assert isinstance(subject.probe, Probe)
