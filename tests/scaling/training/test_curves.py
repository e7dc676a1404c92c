import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from scaling.synthetic import spec  # noqa: E402

from ase_probe.scaling.data.bonds import CONTROLS, H2  # noqa: E402
from ase_probe.scaling.models import CUTOFF, build  # noqa: E402
from ase_probe.scaling.models.potential import Potential  # noqa: E402
from ase_probe.scaling.training.curves import evaluate, stretch  # noqa: E402


@pytest.fixture(scope="module")
def potential():
    torch.manual_seed(1)
    return Potential(build("schnet", 8, 2).double(), spec(), [1, 6])


@pytest.mark.parametrize("bond", [H2, *CONTROLS], ids=lambda bond: bond.name)
def test_the_force_is_minus_the_slope(potential, bond):
    r = np.linspace(1.0, 1.1, 51)
    found = stretch(potential, r, [bond.at(one) for one in r])
    slope = np.gradient(found["energy"], r, edge_order=2)
    force = np.array(found["force"])
    assert np.abs(force).max() > 0.05
    np.testing.assert_allclose(force, -slope, atol=0.01 * np.abs(force).max())


def test_curves_of_a_network(potential):
    curves = evaluate(potential)
    assert set(curves) == {"H2", *(bond.name for bond in CONTROLS), "atoms"}
    assert set(curves["atoms"]) == {"H", "C"}
    r, energy = np.array(curves["H2"]["r"]), np.array(curves["H2"]["energy"])
    assert (r[0], r[-1]) == (0.1, 10.0)
    # Beyond the cutoff there is nothing left but two lone atoms.
    np.testing.assert_allclose(energy[r > CUTOFF], 2 * curves["atoms"]["H"], rtol=1e-9)
