import json
import subprocess
import sys

import numpy as np
import pytest

from ase_probe.baselines import TIERS, Unavailable, reference, references
from ase_probe.baselines.tabulated import TABULATED, shipped
from ase_probe.curve import Curve
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError

GRID = np.geomspace(0.02, 10.0, 80)
FORMULAS = {
    "H2": {"exact", "analytic:united-atom", "analytic:nlh", "analytic:zbl"},
    "H2+": {"exact", "analytic:united-atom"},
    "HeH++": {"exact", "analytic:united-atom"},
    "H2++": {"analytic:coulomb"},
    "N2": {"analytic:nlh", "analytic:zbl"},
    "NaCl": {"analytic:nlh", "analytic:zbl", "analytic:ion-pair"},
    "H2@3": {"analytic:zbl"},
    "N2+": set(),
}
# What is computed and shipped grows with the data.
STORED = {
    name: {tier for tier in (*TABULATED, "exact") if shipped(name, tier)} for name in FORMULAS
}
AVAILABLE = {name: tiers | STORED[name] for name, tiers in FORMULAS.items()}
CURVES = [(name, tier) for name, tiers in AVAILABLE.items() for tier in sorted(tiers)]
FORMULA_CURVES = [(name, tier) for name, tiers in FORMULAS.items() for tier in sorted(tiers)]


def test_ids():
    analytic = {"coulomb", "united-atom", "nlh", "zbl", "ion-pair"}
    computed = {"wavefunction", "dft:pbe", "dft:r2scan", "dft:wb97m-v"}
    assert set(TIERS) == {"exact", *(f"analytic:{name}" for name in analytic), *computed}
    assert list(TIERS)[:2] == ["exact", "wavefunction"]  # what is best comes first


@pytest.mark.parametrize(("name", "tiers"), AVAILABLE.items())
def test_auto_is_everything_available_but_density_functionals(name, tiers):
    found = set(references(Dimer.parse(name), GRID))
    assert found == {tier for tier in tiers if not tier.startswith("dft:")}


@pytest.mark.parametrize("name", AVAILABLE)
@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_gives_a_curve_or_a_sentence(name, tier):
    answer = reference(Dimer.parse(name), tier, GRID)
    if tier in AVAILABLE[name]:
        assert isinstance(answer, Curve)
    else:
        assert isinstance(answer, Unavailable)
        assert answer.reason.endswith(".")


@pytest.mark.parametrize(("name", "tier"), CURVES)
def test_a_curve_says_what_it_is_worth(name, tier):
    curve = reference(Dimer.parse(name), tier, GRID)
    provenance = dict(curve.provenance)
    assert provenance["tier"] == tier
    assert provenance["zero"] == "separated fragments"
    assert provenance["source"]
    assert provenance["level"]
    assert isinstance(provenance["truth"], bool)
    keys = {
        "tier", "level", "zero", "source", "uncertainty_eV", "relative_uncertainty", "valid_r",
        "truth",
    }  # fmt: skip
    low, high = provenance["valid_r"]
    between = [r for r in GRID if low <= r <= high]
    if tier in STORED[name]:
        assert set(provenance) >= keys | {"branch", "two_s", "masks", "ranges", "date", "versions"}
        assert set(curve.r) <= set(between)  # masked ranges are left out
        assert provenance["truth"] is not tier.startswith("dft:")
    else:
        assert set(provenance) == keys
        assert provenance["uncertainty_eV"] is not None or provenance["relative_uncertainty"]
        assert curve.r.tolist() == between
    assert json.loads(json.dumps(provenance)) == provenance
    assert curve.atom_energies is None


@pytest.mark.parametrize(("name", "tier"), FORMULA_CURVES)
def test_forces_are_the_derivative_and_balance(name, tier):
    dimer = Dimer.parse(name)
    curve = reference(dimer, tier, GRID)
    for r, force in zip(curve.r[1:-1:6], curve.axial_force[1:-1:6], strict=True):
        h = 1e-4 * r
        near = reference(dimer, tier, np.array([r - 2 * h, r - h, r + h, r + 2 * h]))
        numeric = near.energy @ np.array([-1, 8, -8, 1]) / (12 * h)
        assert force == pytest.approx(numeric, rel=1e-6, abs=1e-7)
    assert np.all(curve.forces.sum(axis=1) == 0)
    assert np.all(curve.forces[:, :, :2] == 0)


@pytest.mark.parametrize(
    ("name", "tier"), [c for c in FORMULA_CURVES if c[1] in ("exact", "analytic:coulomb")]
)
def test_truth_vanishes_at_infinity(name, tier):
    dimer = Dimer.parse(name)
    curve = reference(dimer, tier, np.array([500.0]))
    charges = {"H2": 0, "H2+": 0, "HeH++": 1, "H2++": 1}[name]
    assert curve.energy[0] == pytest.approx(14.399645478456184 * charges / 500.0, abs=1e-6)


def test_tiers_may_be_chosen():
    dimer = Dimer.parse("H2")
    assert list(references(dimer, GRID, ["analytic:zbl", "exact"])) == ["analytic:zbl", "exact"]
    assert list(references(dimer, GRID, "exact")) == ["exact"]
    assert references(dimer, GRID, ["analytic:coulomb"]) == {}
    assert references(dimer, GRID, []) == {}


def test_a_list_and_a_number_are_distances_too():
    dimer = Dimer.parse("H2")
    assert len(reference(dimer, "exact", [0.7, 0.8])) == 2
    assert len(reference(dimer, "exact", 0.7)) == 1


def test_an_unknown_tier_lists_the_known_ones():
    with pytest.raises(InputError, match=r"'dft'.*exact.*analytic:coulomb.*analytic:zbl"):
        reference(Dimer.parse("H2"), "dft", GRID)
    with pytest.raises(InputError, match="'exat'"):
        references(Dimer.parse("H2"), GRID, ["exat"])


@pytest.mark.parametrize(
    "r", [[np.nan, 1.0], [-1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [np.inf], [[1.0]]]
)
@pytest.mark.parametrize("tier", TIERS)
def test_impossible_distances_are_refused(tier, r):
    with pytest.raises(InputError, match="Reference distances"):
        reference(Dimer.parse("H2"), tier, r)


def test_no_distances_no_curve():
    assert references(Dimer.parse("H2"), []) == {}


def test_the_data_is_found_from_any_directory(tmp_path):
    code = (
        "from ase_probe.baselines import constants, reference; from ase_probe.dimer import Dimer;"
        "h2 = Dimer.parse('H2');"
        "print(constants(h2).D_e, round(float(reference(h2, 'exact', [0.3]).energy[0]), 3))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["4.74773", "8.115"]


def test_a_reference_needs_no_pyscf():
    code = (
        "import sys; from ase_probe.baselines import references; from ase_probe.dimer import Dimer;"
        "references(Dimer.parse('N2'), [0.5, 1.1]); print('pyscf' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
