import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ase_probe.baselines import Unavailable
from ase_probe.baselines.exact import exact
from ase_probe.baselines.quantum.plan import radii
from ase_probe.baselines.quantum.reference import Branch, Mask, Reference
from ase_probe.baselines.quantum.store import write
from ase_probe.baselines.tabulated import TABULATED, of_reference, shipped, tabulated
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import HARTREE

H2 = Dimer.parse("H2")
R = radii(H2)


def branch(energy, **changes):
    made = Branch(
        two_s=0, r=tuple(R), energy=tuple(energy / HARTREE), converged=(True,) * len(R),
        error_eV=2e-4, error_relative=1e-5,
    )  # fmt: skip
    return replace(made, **changes)


TRUE = exact(H2, R).energy
REFERENCE = Reference(
    dimer="H2", tier="dft:pbe", level="PBE/test", method={}, versions={}, date="2026-01-01",
    zero={}, default="unrestricted", source="a test", envelope=("unrestricted", "2S=2"),
    branches={
        "unrestricted": branch(TRUE),
        "restricted": branch(TRUE + 1.0),
        "2S=2": branch(np.full(len(R), -1.0), two_s=2),
    },
)  # fmt: skip


def test_the_default_branch_follows_the_points():
    at = np.linspace(0.3, 5.0, 200)
    made = of_reference(REFERENCE, at)
    np.testing.assert_allclose(made.energy, exact(H2, at).energy, atol=1e-3)
    np.testing.assert_allclose(made.axial_force, exact(H2, at).axial_force, rtol=0.02, atol=0.02)
    assert made.provenance["branch"] == "unrestricted"
    assert made.provenance["uncertainty_eV"] == 2e-4
    assert made.provenance["truth"] is False


def test_nothing_is_extrapolated():
    made = of_reference(REFERENCE, np.array([0.05, 0.1, 1.0, 10.0, 11.0]))
    assert made.r.tolist() == [0.1, 1.0, 10.0]
    assert isinstance(of_reference(REFERENCE, np.array([0.05, 20.0])), Unavailable)


def test_branches():
    at = np.array([0.74, 5.0])
    low = of_reference(REFERENCE, at).energy
    np.testing.assert_allclose(of_reference(REFERENCE, at, branch="restricted").energy, low + 1.0)
    envelope = of_reference(REFERENCE, at, branch="envelope")
    np.testing.assert_allclose(envelope.energy, np.minimum(low, -1.0))
    assert envelope.provenance["two_s"] == [0, 2]
    assert of_reference(REFERENCE, at, branch="2S=2").energy.tolist() == pytest.approx([-1.0, -1.0])
    with pytest.raises(InputError, match=r"no branch 'closed'.*unrestricted, restricted, envelope"):
        of_reference(REFERENCE, at, branch="closed")


def test_where_branches_cannot_differ_there_is_one():
    alone = replace(REFERENCE, branches={"unrestricted": branch(TRUE)}, envelope=())
    for name in ("restricted", "envelope"):
        made = of_reference(alone, R, branch=name)
        assert made.provenance["branch"] == "unrestricted"
        np.testing.assert_allclose(made.energy, TRUE, atol=1e-9)


def test_masked_ranges_are_left_out():
    masks = (
        Mask(r_min=3.0, r_max=10.0, reason="transfer", branches=("unrestricted",)),
        Mask(r_min=0.1, r_max=0.3, reason="cores"),
        Mask(r_min=1.0, r_max=1.2, reason="unconverged", branches=("unrestricted",)),
    )
    reference = replace(REFERENCE, masks=masks)
    at = np.array([0.1, 0.2, 0.3, 0.5, 1.0, 1.1, 1.2, 2.9, 3.0, 5.0, 10.0])
    made = of_reference(reference, at)
    assert made.r.tolist() == [0.5, 1.0, 1.2, 2.9]
    assert [m["reason"] for m in made.provenance["masks"]] == ["transfer", "cores", "unconverged"]
    assert of_reference(reference, at, branch="restricted").r[-1] == 10.0
    refused = of_reference(reference, np.array([5.0]))
    assert isinstance(refused, Unavailable)
    assert "transfer" in refused.reason


def test_an_unconverged_point_is_no_point():
    energy = TRUE.copy()
    energy[10] += 50.0
    converged = tuple(i != 10 for i in range(len(R)))
    reference = replace(REFERENCE, branches={"unrestricted": branch(energy, converged=converged)})
    at = np.sqrt(R[12:14])
    reference = replace(reference, envelope=())
    np.testing.assert_allclose(of_reference(reference, at).energy, exact(H2, at).energy, atol=0.05)


def test_files_are_found_by_name(tmp_path):
    write(REFERENCE, tmp_path)
    made = tabulated(H2, R, tier="dft:pbe", folder=tmp_path)
    np.testing.assert_allclose(made.energy, TRUE, atol=1e-7)
    triplet = tabulated(Dimer.parse("H2@3"), R, tier="dft:pbe", folder=tmp_path)
    assert triplet.energy == pytest.approx(np.full(len(R), -1.0))


def test_no_file_no_curve(tmp_path):
    answer = tabulated(Dimer.parse("UF"), R, tier="dft:pbe", folder=tmp_path)
    assert isinstance(answer, Unavailable)
    assert "baseline build UF --tier dft:pbe" in answer.reason
    assert shipped("UF", "dft:pbe") is None


def test_every_tier_answers():
    for tier, function in TABULATED.items():
        answer = function(Dimer.parse("UF"), R)
        assert isinstance(answer, Unavailable)
        assert tier in answer.reason


def test_reading_needs_no_pyscf():
    code = (
        "import sys; sys.modules['pyscf'] = None;"
        "import ase_probe.baselines, ase_probe.baselines.tabulated as t;"
        "import ase_probe.baselines.quantum.build;"
        "print(len(t.TABULATED))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"
