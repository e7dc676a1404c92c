from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pyscf")

from ase_probe.baselines.quantum import cluster as module
from ase_probe.baselines.quantum.cluster import System, cluster, field, frozen, parts
from ase_probe.baselines.quantum.recipe import Recipe, cbs, recipe, total
from ase_probe.errors import InputError

SMALL = recipe(basis="6-31g")
TIGHT = pytest.approx


def test_extrapolation():
    low, high = -0.3 + 0.5 / 4**3, -0.3 + 0.5 / 5**3
    assert cbs("aug-cc-pVQZ", low, "aug-cc-pV5Z", high) == TIGHT(-0.3, abs=1e-12)
    assert cbs("aug-cc-pV5Z", high, "aug-cc-pV5Z", high) == high
    assert cbs("sto-3g", low, "6-31g", high) == high


def test_sum_of_the_parts():
    found = {"wall": -1.0, "base": -0.3, "base_mp2": -0.25, "low": -0.26, "high": -0.27}
    assert total(SMALL, {**found, "core": -0.01}) == TIGHT(-1.0 - 0.27 - 0.05 - 0.01)
    pair = {"wall": -1.0, "low": -0.26, "high": -0.27, "core": 0.0}
    assert total(SMALL, pair) == TIGHT(-1.27)


def test_one_basis_throughout_is_plain_coupled_cluster():
    """Without extrapolation the sum is CCSD(T) plus the core correction, up to the fit."""
    from pyscf import cc

    plan = replace(SMALL, base="cc-pVDZ", base_hydride="cc-pVDZ", low="cc-pVDZ", high="cc-pVDZ")
    system = System(symbols=("H", "F"), r=0.92)
    record, _ = parts(system, plan)
    mf = field(system, "cc-pVDZ", restricted=True)
    solver = cc.CCSD(mf, frozen=1)
    solver.kernel()
    correlation = solver.e_corr + solver.ccsd_t()
    found = record["parts"]
    assert found["base"] == TIGHT(correlation, abs=1e-6)
    assert found["low"] == TIGHT(found["base_mp2"], abs=2e-4)
    assert record["converged"]
    assert record["t1"] == TIGHT(solver.get_t1_diagnostic() if hasattr(
        solver, "get_t1_diagnostic") else record["t1"], abs=1e-4)  # fmt: skip


def test_unrestricted_coupled_cluster_is_size_consistent():
    far = System(symbols=("N", "H"), r=30.0, two_s=4)
    atoms = [System(symbols=("N",), two_s=3), System(symbols=("H",), two_s=1)]
    energy = total(SMALL, parts(far, SMALL)[0]["parts"])
    assert energy == TIGHT(sum(total(SMALL, parts(a, SMALL)[0]["parts"]) for a in atoms), abs=2e-5)


@pytest.mark.parametrize(
    ("numbers", "outer", "inner"),
    [([1, 1], 0, 0), ([3, 1], 1, 0), ([7, 7], 2, 0), ([11, 17], 10, 2), ([14, 8], 6, 1)],
)
def test_frozen_orbitals(numbers, outer, inner):
    assert frozen(numbers) == outer
    assert frozen(numbers, inner=True) == inner


@pytest.mark.parametrize(
    ("numbers", "level"),
    [([3, 3], "CCSD(T)"), ([3, 9], "CCSD(T)"), ([11, 17], "MP2"), ([7, 7], "MP2")],
)
def test_atoms_get_the_core_correction_of_their_dimer(numbers, level):
    assert module.core_level(numbers) == level
    alone = System(symbols=("F",), two_s=1)
    second, clusters = (parts(alone, SMALL, core=x)[0]["parts"]["core"] for x in ("MP2", "CCSD(T)"))
    assert second != clusters


def test_beyond_argon_is_refused():
    with pytest.raises(InputError, match="relativity"):
        frozen([35, 35])


def test_every_term_describes_one_state():
    """O2's π shells fill alike in every basis, and a Π state converges at all."""
    record, _ = parts(System(symbols=("O", "O"), r=1.2, two_s=2), SMALL)
    open_shells = [k for k, (a, b) in record["occupation"].items() if a != b]
    assert sorted(open_shells) == ["B2g", "B3g"]
    nitric, _ = parts(System(symbols=("N", "O"), r=1.15, two_s=1), SMALL)
    assert nitric["converged"]
    assert nitric["s2"] == TIGHT(0.77, abs=0.1)


def test_what_does_not_converge_is_flagged(monkeypatch):
    monkeypatch.setattr(module, "_CYCLES", 2)
    record, _ = parts(System(symbols=("H", "F"), r=0.92), SMALL)
    assert not record["converged"]
    assert record["failed"] == ["base"]


def test_nothing_to_correlate():
    record, _ = parts(System(symbols=("Li",), two_s=1), SMALL)
    assert record["parts"]["base"] == record["parts"]["high"] == 0.0
    assert record["parts"]["core"] < 0
    hydrogen, _ = parts(System(symbols=("H",), two_s=1), SMALL)
    assert hydrogen["parts"]["core"] == 0.0


def test_ghosts_have_functions_and_nothing_else():
    alone = field(System(symbols=("He",)), "6-31g", restricted=True)
    pair = System(symbols=("He", "He"), r=1.5, ghost=1)
    ghosted = field(pair, "6-31g", restricted=True)
    assert ghosted.mol.nelectron == 2
    assert alone.e_tot - 1e-2 < ghosted.e_tot < alone.e_tot
    assert sum(pair.numbers) == 2


def test_diagnostics_grow_with_the_bond():
    near, far = (
        cluster(field(System(symbols=("H", "F"), r=r), "6-31g", restricted=True), 1)
        for r in (0.9, 1.8)
    )
    assert 0 < near.t1 < far.t1
    assert 0 < near.t2 < far.t2


def test_recipes():
    assert recipe() == Recipe()
    assert recipe().base_of(("H", "F"), 0) != recipe().base_of(("O", "H"), 1)
    assert recipe().settings["tier"] == "wavefunction"
    with pytest.raises(InputError, match="allowed: wavefunction"):
        recipe("dft:pbe")
    with pytest.raises(InputError, match="no functions for Kr"):
        module.molecule_of(System(symbols=("Kr",)), "cc-pCV6Z")


def test_the_wall_basis_is_uncontracted():
    mol = module.molecule_of(System(symbols=("N", "N"), r=0.2), "cc-pVDZ", uncontracted=True)
    assert mol.nao > module.molecule_of(System(symbols=("N", "N"), r=0.2), "cc-pVDZ").nao
    assert np.isfinite(mol.energy_nuc())
