"""What Probe and isolation cost, measured side by side, call by call, in one run."""

import importlib.util
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet

from ase_probe import Probe

pytestmark = pytest.mark.slow


def seconds(call, clock=time.perf_counter):
    start = clock()
    call()
    return clock() - start


def interleaved(a, b, times, clock=time.perf_counter):
    """Seconds of the fastest of each of two calls that take turns: noise only adds."""
    pairs = [(seconds(a, clock), seconds(b, clock)) for _ in range(times)]
    return np.min(pairs, axis=0)


def single(probe):
    atoms = Atoms("H2", [(0, 0, 0), (0, 0, 0.75)], calculator=probe)

    def call():
        atoms.positions[1, 2] += 1e-6
        atoms.get_potential_energy()

    call()
    return call


def test_isolation_of_a_single_call():
    here, there = interleaved(
        single(Probe("morse")), single(Probe("morse", isolate=True)), times=300
    )
    print(f"\nsingle call: {1e3 * here:.3f} ms here, {1e3 * there:.3f} ms isolated")
    assert there - here < 1e-3


def test_isolation_of_a_batch():
    """What the way to the worker and back costs, against a batch of a real model.

    Two processes running the same network differ by more than that: by where their memory lies.
    """
    pytest.importorskip("sevenn")
    spring = f"{Path(__file__).parents[1] / 'misbehaving.py'}:Spring"
    structures = [Atoms("N2", [(0, 0, 0), (0, 0, r)]) for r in np.linspace(1.1, 5.0, 256)]
    here, there = (Probe(spring, isolate=isolate).evaluator for isolate in (False, True))
    here.adapter.batch_size = there.adapter.batch_size = 256
    real = Probe("7net-0").evaluator
    for evaluator in (here, there, real):
        evaluator.evaluate(structures)
    inside, outside = interleaved(
        lambda: here.evaluate(structures), lambda: there.evaluate(structures), times=40
    )
    batch = min(seconds(lambda: real.evaluate(structures)) for _ in range(5))
    way = outside - inside
    print(f"\n256 dimers to a worker and back: {1e3 * way:.1f} ms; 7net-0: {1e3 * batch:.0f} ms")
    assert way < 0.05 * batch


def vendor(model, network):
    """The vendor's calculator over the very network that ours runs: the same memory."""
    if model == "7net-0":
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator(network, file_type="model_instance", device="cpu")
    from chgnet.model.dynamics import CHGNetCalculator

    return CHGNetCalculator(network, use_device="cpu")


def dynamics(calculator):
    atoms = bulk("NaCl", "rocksalt", a=5.7, cubic=True) * 2  # 64 atoms
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(1))
    atoms.calc = calculator
    steps = VelocityVerlet(atoms, 1.0 * units.fs)
    steps.run(2)
    return lambda: steps.run(1)


@pytest.mark.parametrize(("model", "module"), [("7net-0", "sevenn"), ("chgnet-0.3.0", "chgnet")])
def test_probe_in_molecular_dynamics(model, module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probe, inside = Probe(model), []
        forward = probe.evaluator.calculator.forward

        def timed(*arguments, **options):
            start = time.process_time()
            answer = forward(*arguments, **options)
            inside.append(time.process_time() - start)
            return answer

        probe.evaluator.calculator.forward = timed
        step = dynamics(probe)
        inside.clear()
        above = min(
            seconds(step, time.process_time) - inside[-1] for _ in range(12)
        )  # Probe, ASE and its integrator
        probe = Probe(model)
        theirs, ours = interleaved(
            dynamics(vendor(model, probe.evaluator.calculator.model)),
            dynamics(probe),
            times=40,
            clock=time.process_time,  # all of it in this process: others' turns do not count
        )
    print(
        f"\n64-atom MD step, {model}: vendor {theirs:.4f} s, Probe {ours:.4f} s, of which "
        f"{1e3 * above:.1f} ms outside the model"
    )
    assert above < 0.03 * theirs
    assert ours < 1.10 * theirs  # the network itself is not slower; neighbours cost up to 5 %
