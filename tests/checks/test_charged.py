"""Charged pairs."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from ase_probe import audit

K = 14.399645478456184


class Ions(Calculator):
    """Atoms with ionisation energies; the charge of a pair goes where it is cheapest.

    `spread` lets the pair end lower than its ions, as delocalised charge does.
    """

    implemented_properties = ("energy", "forces")
    cost = {"H": 13.6, "He": 24.6}  # noqa: RUF012

    def __init__(self, spread=0.0, refuses=False):
        super().__init__()
        self.spread, self.refuses = spread, refuses

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        q = atoms.info.get("charge", 0)
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}
        if len(atoms) == 1:
            if q and self.refuses:
                raise RuntimeError("no ions")
            self.results["energy"] = q * self.cost[atoms.symbols[0]]
        else:
            r = atoms.get_distance(0, 1)
            well = -2.8 * np.exp(-((r - 1.06) ** 2) / 0.2) + 30 * np.exp(-4 * r)
            self.results["energy"] = well + q * min(self.cost[s] for s in atoms.symbols)
            self.results["energy"] -= self.spread * (q == 1)


def found(model, dimer="H2+"):
    made = audit(model, dimers=[dimer], checks=["charged"])
    return {f.check: f for f in made.findings}


def test_a_charge_that_stays_with_one_atom():
    result = found(Ions())
    assert result["charged.limit"].status == "pass"
    assert result["charged.limit"].value == pytest.approx(0.0, abs=1e-9)
    assert result["charged.response"].value == pytest.approx(13.6, abs=0.1)


def test_the_cheapest_way_to_divide_it():
    result = found(Ions(), "HeH+")["charged.limit"]
    assert result.status == "pass"
    assert "H with +1" in result.reason
    assert "He with +0" in result.reason


@pytest.mark.parametrize(("spread", "status"), [(0.01, "pass"), (0.2, "warn"), (2.0, "warn")])
def test_a_charge_that_is_spread_warns_at_most(spread, status):
    result = found(Ions(spread))["charged.limit"]
    assert result.status == status
    assert result.score is None
    assert result.value == pytest.approx(-spread, abs=1e-6)


def test_ions_that_are_refused():
    result = found(Ions(refuses=True))["charged.limit"]
    assert result.status in ("not-run", "warn")  # H+ alone is refused, H is not
    assert result.score is None


def test_neutral_pairs_are_not_asked():
    assert found(Ions(), "H2") == {}
