"""A pair asked for in another way: each planted dependence is caught by its own check."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from ase_probe import audit
from ase_probe.checks import CHANGES

KINDS = tuple(CHANGES)


class Morse(Calculator):
    """N2, and whatever `extra` adds to it: energy (eV) of the structure, forces untouched."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        forces = np.zeros((len(atoms), 3))
        energy = 0.0
        if len(atoms) == 2:
            vector = atoms.get_distance(0, 1, mic=bool(atoms.pbc.any()), vector=True)
            r = np.linalg.norm(vector)
            x = np.exp(-2.7 * (r - 1.1))
            energy = 9.9 * (x * x - 2 * x) + self.extra(atoms, vector / r)
            forces[1] = 2 * 2.7 * 9.9 * (x * x - x) * vector / r
            forces[0] = -forces[1]
        self.results = {"energy": energy, "forces": forces}

    def extra(self, atoms, direction):
        return 0.0


class Turns(Morse):
    def extra(self, atoms, direction):
        return 0.02 * (1.0 - direction[2] ** 2)


class Moves(Morse):
    def extra(self, atoms, direction):
        return 1e-3 * np.tanh(atoms.positions[:, 0].mean())


class Orders(Morse):
    """The energy depends on which atom comes first."""

    def extra(self, atoms, direction):
        return 0.02 * (atoms.positions[0, 2] > atoms.positions[1, 2] + 1e-9)


class Boxes(Morse):
    def extra(self, atoms, direction):
        return 0.02 * bool(atoms.pbc.all())


class Forgets(Morse):
    """Answers drift with every call."""

    def extra(self, atoms, direction):
        self.calls = getattr(self, "calls", 0) + 1
        return 1e-3 * self.calls


class Alternates(Morse):
    """Every second answer is another one."""

    def extra(self, atoms, direction):
        self.calls = getattr(self, "calls", 0) + 1
        return 1e-3 * (self.calls % 2)


class Refuses(Morse):
    def extra(self, atoms, direction):
        if atoms.pbc.any():
            raise RuntimeError("no cells here")
        return 0.0


def findings(model, checks=KINDS, **options):
    made = audit(model, dimers=["N2"], checks=checks, **options)
    return {f.check.partition(".")[2]: f for f in made.findings}


def caught(model):
    return {name for name, f in findings(model).items() if f.status in ("warn", "fail")}


def test_a_sound_model_passes_everything():
    found = findings(Morse())
    assert found.pop("precision").status == "not-run"
    assert set(found) == {"rotation", "translation", "permutation", "box", "repeat", "batch"}
    assert {f.status for f in found.values()} == {"pass"}
    assert found["box"].score is None  # its cutoff is not known
    assert {f.score for name, f in found.items() if name != "box"} == {1.0}


@pytest.mark.parametrize(
    ("model", "defects"),
    [
        (Turns, {"rotation"}),
        (Moves, {"translation", "rotation", "box"}),  # these are somewhere else, too
        (Orders, {"permutation"}),
        (Boxes, {"box"}),
    ],
)
def test_each_dependence_is_caught_by_its_check(model, defects):
    assert caught(model()) == defects


def test_a_drift_is_seen_everywhere():
    assert {"repeat", "batch"} <= caught(Forgets())


def test_a_state_that_alternates_is_seen_by_asking_again():
    assert "repeat" in caught(Alternates())


def test_no_answer_is_no_pass():
    found = findings(Refuses())["box"]
    assert found.status == "fail"
    assert found.score == 0.0
    assert "there is no answer" in found.reason or "no energies" in found.reason
    assert findings(Refuses())["rotation"].status == "pass"


def test_without_a_cutoff_a_box_warns_at_most():
    found = findings(Boxes())["box"]
    assert found.status == "warn"
    assert found.score is None
    assert "may feel the images" in found.reason


def test_forces_are_compared_too():
    class Twists(Morse):
        def calculate(self, atoms=None, properties=None, system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.results["forces"][:, 0] += 0.3 * np.abs(self.results["forces"][:, 2])

    found = findings(Twists())["rotation"]
    assert found.status == "fail"
    assert found.unit == "eV/Å"
    assert "force" in found.reason


@pytest.mark.parametrize("everywhere", [True, False])
def test_missing_forces_are_no_pass(everywhere):
    class Blank(Morse):
        def calculate(self, atoms=None, properties=None, system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            if everywhere or atoms.get_distance(0, 1) > 2.0:
                self.results["forces"][:] = np.nan

    found = findings(Blank())["rotation"]
    assert found.status == "fail"
    assert found.score == 0.0
    assert "no usable force" in found.reason


def test_nothing_is_asked_again_when_nobody_wants_it():
    class Counts(Morse):
        calls = 0

        def extra(self, atoms, direction):
            Counts.calls += 1
            return 0.0

    audit(Counts(), dimers=["N2"], checks=["compression"], grid=[1.0, 1.1, 1.2])
    assert Counts.calls == 3


def test_progress_counts_every_step():
    seen = []
    audit("morse", dimers=["H2"], progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)  # what refinement adds is known only after the first pass
    assert seen[-1][0] == seen[-1][1]


def test_single_against_double_precision(tmp_path):
    """A family whose single precision rounds to 0.02 eV, and one that rounds to nothing."""
    from ase_probe.engine import Evaluator
    from ase_probe.model import AdapterBase, ModelCard
    from ase_probe.repeats import PRECISION, repeat
    from ase_probe.scan import scan

    def evaluator(step):
        class Rounds(Morse):
            def extra(self, atoms, direction):
                r = atoms.get_distance(0, 1)
                return step * np.sin(1e4 * r)

        card = ModelCard(name="m", family="f", dtypes=("float32", "float64"))
        return Evaluator(AdapterBase(), card, Rounds(), {"dtype": "float32"})

    from ase_probe.dimer import Dimer

    pair = Dimer.parse("N2")
    here = evaluator(0.0)
    curves = scan(here, [pair])
    for step, worst in ((0.0, 1e-9), (0.02, 0.05)):
        found = repeat(here, [pair], curves, other=evaluator(step))["N2"]
        change = max(found.energy_change[PRECISION])
        assert change <= worst
        assert (change > 1e-3) == (step > 0)
    assert PRECISION not in repeat(here, [pair], curves)["N2"].energy_change


def test_precision_is_not_run_for_one_type_only():
    made = audit("morse", dimers=["H2"], checks=["consistency.precision"])
    assert made.findings[0].status == "not-run"
    assert "one floating-point type" in made.findings[0].reason
