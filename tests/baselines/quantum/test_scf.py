from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pyscf")

from ase_probe.baselines.quantum import scf
from ase_probe.baselines.quantum.atoms import atom, fragments, ground_two_s
from ase_probe.baselines.quantum.guess import (
    block,
    couplings,
    needs_envelope,
    orientations,
    spin_pair,
)
from ase_probe.baselines.quantum.methods import method
from ase_probe.baselines.quantum.molecule import core_range, molecule
from ase_probe.baselines.quantum.stability import unstable_mode
from ase_probe.baselines.quantum.transfer import ionic_crossing, transfer
from ase_probe.dimer import Dimer
from ase_probe.errors import InputError
from ase_probe.units import HARTREE

SMALL = method("dft:pbe", basis="6-31g")
TINY = method("dft:pbe", basis="sto-3g")


def interaction(name, r, setup, guess=None, *, two_s=0, **options):
    """Energy relative to the atoms, eV, and the solution."""
    dimer = Dimer.parse(name)
    mol = molecule(dimer.symbols, setup, r=r, charge=dimer.charge, two_s=two_s)
    found = scf.solve(mol, setup, guess, **options)
    zero = sum(
        atom(s, setup, charge=q).energy
        for s, q in zip(dimer.symbols, fragments(dimer, setup), strict=True)
    )
    return (found.energy - zero) * HARTREE, found


def test_the_flipped_guess_dissociates_where_the_default_is_electronvolts_off():
    dimer = Dimer.parse("H2")
    right, found = interaction("H2", 6.0, SMALL, block(dimer, SMALL, 0))
    assert abs(right) < 5e-3
    assert found.spin_squared == pytest.approx(1.0, abs=0.01)
    wrong, restricted = interaction("H2", 6.0, SMALL, restricted=True)
    assert wrong > 1.5
    assert restricted.converged
    assert restricted.spin_squared == pytest.approx(0.0, abs=1e-6)


def test_near_the_minimum_restricted_and_unrestricted_agree():
    dimer = Dimer.parse("H2")
    unrestricted, _ = interaction("H2", 0.75, SMALL, block(dimer, SMALL, 0))
    restricted, _ = interaction("H2", 0.75, SMALL, restricted=True)
    assert unrestricted == pytest.approx(restricted, abs=1e-5)
    assert unrestricted < -4.0


@pytest.mark.parametrize("name", ["N2", "F2"])
def test_two_open_shells_need_the_flip(name):
    dimer = Dimer.parse(name)
    right, found = interaction(name, 5.0, TINY, block(dimer, TINY, 0))
    assert abs(right) < 0.01
    assert found.converged
    parallel = [atom(s, TINY).density for s in dimer.symbols]
    n = parallel[0].shape[-1]
    unflipped = np.zeros((2, 2 * n, 2 * n))
    unflipped[:, :n, :n], unflipped[:, n:, n:] = parallel
    wrong, _ = interaction(name, 5.0, TINY, unflipped, follow=0)
    assert wrong > right + 0.1


def test_an_instability_is_found_on_an_exactly_restricted_density():
    # PySCF's own test starts from a vector that is the same for both spins and sees nothing.
    dimer = Dimer.parse("H2")
    mol = molecule(dimer.symbols, SMALL, r=3.0)
    mf = scf._mean_field(mol, SMALL, restricted=True)
    mf.kernel()
    unrestricted = scf._mean_field(mol, SMALL, restricted=False)
    density = mf.make_rdm1() / 2
    unrestricted.kernel(dm0=np.array([density, density]))
    assert unstable_mode(unrestricted)[0] < -0.01
    energy, found = interaction("H2", 3.0, SMALL, np.array([density, density]))
    assert found.followed >= 1
    assert found.stable is True
    assert energy < (mf.e_tot - 2 * atom("H", SMALL).energy) * HARTREE - 0.5


def test_functions_are_not_removed_on_the_wall():
    mol = molecule(("N", "N"), method("dft:pbe", basis="def2-TZVPD"), r=0.2)
    overlap = np.linalg.eigvalsh(mol.intor_symmetric("int1e_ovlp"))
    assert overlap[0] < 1e-6  # where PySCF would remove some
    mf = scf._mean_field(mol, SMALL, restricted=True)
    assert mf.check_linear_dependency(mol.intor_symmetric("int1e_ovlp")).shape == (mol.nao, mol.nao)


def test_vv10_after_the_scf_is_vv10_within_it():
    setup = method("dft:wb97m-v", basis="6-31g", grid=0)
    mol = molecule(("H", "H"), setup, r=0.75)
    after = scf.solve(mol, setup, follow=0)
    from pyscf import dft

    mf = dft.UKS(mol)
    mf.xc, mf.nlc, mf.conv_tol = setup.xc, "vv10", 1e-9
    mf.grids.level = mf.nlcgrids.level = setup.grid
    within = mf.kernel()
    assert (after.energy - within) * HARTREE == pytest.approx(0.0, abs=5e-4)
    without = scf.solve(mol, replace(setup, vv10=False), follow=0)
    assert after.energy - without.energy > 1e-3


@pytest.mark.parametrize("symbol", ["F", "O", "C"])
def test_an_open_shell_turns_without_changing_its_energy(symbol):
    energies = [atom(symbol, TINY, axis=axis).energy for axis in "zxy"]
    assert np.ptp(energies) < 1e-7
    assert atom(symbol, TINY).axial
    assert not np.allclose(
        atom(symbol, TINY, axis="x").density, atom(symbol, TINY, axis="z").density, atol=0.1
    )


def test_closed_and_half_filled_shells_have_no_direction():
    assert not atom("N", TINY).axial
    assert orientations(Dimer.parse("N2"), TINY, 0) == [("z", "z")]
    assert len(orientations(Dimer.parse("F2"), TINY, 0)) == 4
    assert orientations(Dimer.parse("HF"), TINY, 0) == [("z", "z"), ("z", "x")]


@pytest.mark.parametrize(
    ("name", "two_s", "expected"),
    [
        ("H2", 0, (1, 1, True)),
        ("N2", 0, (3, 3, True)),
        ("NH", 2, (3, 1, True)),
        ("NO", 1, (3, 2, True)),
        ("NO", 5, (3, 2, False)),
        ("O2", 4, (2, 2, False)),
        ("O2", 2, (0, 2, False)),
        ("MgO", 0, (0, 0, True)),
        ("He2", 0, (0, 0, True)),
    ],
)
def test_spins_of_the_two_atoms(name, two_s, expected):
    dimer = Dimer.parse(name)
    assert spin_pair(dimer, two_s)[2] == expected[2] or 0 in spin_pair(dimer, two_s)
    assert sorted(spin_pair(dimer, two_s)[:2]) == sorted(expected[:2])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("O2", [0, 2, 4]), ("S2", [0, 2, 4]), ("SO", [0, 2, 4]), ("Si2", [0, 2, 4]),
        ("MgO", [0, 2]), ("N2", [0]), ("B2", [2]), ("NH", [2]), ("OH", [1]), ("NO", [1]),
    ],
)  # fmt: skip
def test_which_spins_make_the_envelope(name, expected):
    assert needs_envelope(Dimer.parse(name)) == expected


def test_couplings_of_two_oxygen_atoms():
    assert couplings(Dimer.parse("O2")) == [0, 2, 4]
    assert ground_two_s("H", 1) == 0


def test_charge_goes_to_the_cheaper_atom():
    setup = method("dft:pbe", basis="6-31g")
    assert fragments(Dimer.parse("HeH+"), setup) == (0, 1)
    assert fragments(Dimer.parse("LiH"), setup) == (0, 0)


def test_bare_nuclei_need_no_scf():
    mol = molecule(("H", "H"), SMALL, r=1.0, charge=2)
    assert scf.solve(mol, SMALL).energy * HARTREE == pytest.approx(14.3996454, rel=1e-6)


def test_transfer_is_predicted_from_the_atoms():
    setup = method("dft:pbe", basis="def2-SVP")
    found = transfer(Dimer.parse("HF"), setup)
    assert (found.donor, found.acceptor) == ("H", "F")
    assert found.homo > found.hole
    assert -0.2 < found.spurious < 0
    assert "HOMO(H)" in found.reason
    assert transfer(Dimer.parse("H2"), setup) is None
    crossing, ions = ionic_crossing(Dimer.parse("LiF"), setup)
    assert ions == (1, -1)
    assert 2.0 < crossing < 10.0


def test_a_hole_that_the_functional_does_not_define_moves_no_electron():
    """ωB97M-V has the empty channel of H at −2 MeV, below any orbital that there can be."""
    for name in ("H2", "LiH"):
        assert transfer(Dimer.parse(name), method("dft:wb97m-v")) is None


def test_cores_are_where_the_potentials_act():
    setup = method("dft:pbe", basis="def2-SVP")
    assert core_range(molecule(("Kr", "Kr"), setup, r=3.0)) == 0.0
    assert 0.5 < core_range(molecule(("I", "I"), setup, r=3.0)) < 2.67


def test_an_unknown_tier_is_refused():
    with pytest.raises(InputError, match=r"'dft:b3lyp'.*dft:pbe"):
        method("dft:b3lyp")
