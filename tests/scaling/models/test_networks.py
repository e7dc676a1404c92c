"""Both potentials, whatever they learnt: weights are shaken, so that nothing holds by chance."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from ase import Atoms  # noqa: E402
from ase.build import molecule  # noqa: E402
from ase.calculators.fd import calculate_numerical_forces  # noqa: E402
from scaling.synthetic import spec  # noqa: E402

from ase_probe.errors import EvaluationError, InputError, UnsupportedElementError  # noqa: E402
from ase_probe.scaling.models import CUTOFF, build  # noqa: E402
from ase_probe.scaling.models.potential import Potential  # noqa: E402


@pytest.fixture(params=["schnet", "visnet"])
def potential(request):
    torch.manual_seed(3)
    model = build(request.param, 8, 2).double()
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data += 0.2 * torch.randn_like(weight)
    return Potential(model, spec(model=request.param), [1, 6, 7, 8, 9])


@pytest.mark.parametrize(("width", "size"), [(50, 44_401), (100, 151_301), (250, 847_001)])
def test_schnet_has_the_parameters_of_the_study(width, size):
    assert sum(w.numel() for w in build("schnet", width, 3).parameters()) == size


def test_forces_are_the_gradient(potential):
    atoms = molecule("CH3OH")
    atoms.rattle(0.05, seed=1)
    atoms.calc = potential
    numerical = calculate_numerical_forces(atoms, eps=1e-5)
    assert np.abs(numerical).max() > 0.01
    np.testing.assert_allclose(atoms.get_forces(), numerical, atol=1e-6)


def test_a_batch_is_its_members(potential):
    # CH4: by symmetry the vectors at its carbon are zero, up to rounding.
    structures = [molecule("CH4"), Atoms("H"), molecule("H2O"), molecule("C2H6")]
    together = potential.forward(structures)
    alone = [potential.forward([atoms]) for atoms in structures]
    np.testing.assert_allclose(together.energies, [one.energies[0] for one in alone], atol=1e-10)
    np.testing.assert_allclose(
        together.forces, np.concatenate([one.forces for one in alone]), atol=1e-10
    )


def test_energy_does_not_depend_on_place_direction_and_order(potential):
    atoms = molecule("CH3OH")
    moved = atoms.copy()
    moved.rotate(40, (1, 2, 3))
    moved.translate((3, -5, 7))
    energies = potential.forward([atoms, moved, atoms[::-1]]).energies
    np.testing.assert_allclose(energies, energies[0], atol=1e-9)


def test_energy_goes_to_its_limit_with_its_slope_at_the_cutoff(potential):
    radii = np.array([CUTOFF - 1e-3, CUTOFF - 1e-6, CUTOFF + 1e-6])
    dimers = [Atoms("CO", positions=[(0, 0, 0), (0, 0, r)]) for r in radii]
    answer = potential.forward(dimers)
    apart = potential.forward([Atoms("C"), Atoms("O")]).energies.sum()
    np.testing.assert_allclose(answer.energies[1:], apart, atol=1e-9)
    force = answer.forces.reshape(-1, 2, 3)[:, 1, 2]
    assert abs(force[0]) > 1e-12  # they do interact inside
    assert abs(force[1]) < 1e-5 * 1e3 * abs(force[0])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"pbc": True, "cell": [9, 9, 9]}, EvaluationError),
        ({"symbols": "Si"}, UnsupportedElementError),
        ({"positions": [(0, 0, np.nan)]}, EvaluationError),
    ],
)
def test_what_it_cannot_answer_it_refuses(potential, change, error):
    with pytest.raises(error):
        potential.forward([Atoms(**{"symbols": "H", **change})])


def test_impossible_networks_are_refused():
    with pytest.raises(InputError, match="multiple of 4"):
        build("visnet", 10, 2)
    with pytest.raises(InputError, match="schnet, visnet"):
        build("painn", 8, 2)
