"""Studies that nobody ran: results with the losses and the H2 curves that a test asks for."""

from dataclasses import replace

import numpy as np

from ase_probe.scaling.data.level import own_curve
from ase_probe.scaling.data.shots import CONTROL_RADII
from ase_probe.scaling.study.preset import read_study
from ase_probe.scaling.training.curves import H2_RADII
from ase_probe.scaling.training.result import RunResult

SMALL = """
[[grid]]
model = "schnet"
layers = 3
width = [8, 16, 32]
molecules = [100, 300]
seed = [0, 1, 2]
batch = 16
steps = 60
warmup = 10

[[grid]]
model = "schnet"
layers = 3
width = 32
molecules = 300
seed = [0, 1, 2]
batch = 16
steps = 60
warmup = 10
[grid.shots]
kind = ["with-h2", "without-h2"]
k = [0, 10, 100]
steps = 30
learning_rate = 2e-4

[[grid]]
model = "chemgpt"
layers = 4
width = [16, 32, 64]
molecules = [100, 1000, 10000]
seed = 0
batch = 16
steps = 60
warmup = 10
"""


def plan(folder, text=SMALL):
    path = folder / "small.toml"
    path.write_text(text)
    return read_study(path)


def bond(name="H2", scatter=0.0):
    """The labels' own curve, a little off."""
    radii = H2_RADII if name == "H2" else CONTROL_RADII
    own = own_curve(name, radii)["unrestricted"]
    energy = own.energy + scatter * np.exp(-own.r)
    force = own.force + scatter * np.exp(-own.r)
    return {"r": own.r.tolist(), "energy": energy.tolist(), "force": force.tolist()}


def collapsing(scatter=0.0):
    """Attraction all the way in: no minimum, no wall."""
    energy = -(5.0 + scatter) * np.exp(-H2_RADII)
    return {"r": H2_RADII.tolist(), "energy": energy.tolist(), "force": energy.tolist()}


def result(spec, *, shaped=False, loss=None, seconds=None):
    """A run; `shaped` says whether its H2 curve is that of a bond."""
    random = np.random.default_rng(int(spec.key(), 16))
    parameters = 40 * spec.width**2 + 900
    if loss is None:
        loss = 0.1 + 300.0 / parameters + 20.0 * spec.molecules**-0.8
        loss *= np.exp(0.03 * random.standard_normal())
    language = spec.model == "chemgpt"
    scatter = 0.2 * random.random()
    curves = {
        "H2": bond(scatter=scatter) if shaped else collapsing(scatter),
        "CH4 C-H": bond("CH4 C-H"),
        "C2H6 C-C": bond("C2H6 C-C"),
        "atoms": {"H": 0.0},
    }
    return RunResult(
        spec=spec, parameters=parameters, test_loss=float(loss), validation_loss=float(loss),
        loss_unit="nats" if language else "eV²", test_mae=None if language else float(loss) ** 0.5,
        train_losses=(loss * np.geomspace(30, 0.8, 20)).tolist(), validation_losses=[float(loss)],
        block=1, steps=60, seconds=seconds or parameters * spec.molecules**0.1 / 1e3,
        curves={} if language else curves, environment={},
    )  # fmt: skip


def results(specs, *, stable=False, with_h2=True, without_h2=False):
    """A whole study, with the shape of a bond where told."""
    wanted = {"with-h2": with_h2, "without-h2": without_h2, "none": stable}
    return [
        result(spec, shaped=wanted[spec.shots.kind] if spec.shots else stable) for spec in specs
    ]


def moved(results, **changes):
    """The same runs with other specs, as of another study."""
    return [replace(each, spec=replace(each.spec, **changes)) for each in results]
