"""Our engine against the vendor's own ASE calculator in a loop: same points, same thread, one run.

Run it alone to see the table: ``pytest tests/benchmarks -s``.
"""

import time

import numpy as np
import pytest

from ase_probe import Dimer, Probe
from ase_probe.grids import grid

pytestmark = pytest.mark.slow

LOOP_POINTS = 120


@pytest.fixture(scope="module")
def one_thread():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def structures(names, count):
    atoms = [
        dimer.atoms(r, charge=False, spin=False)
        for dimer in map(Dimer.parse, names)
        for r in grid("standard", dimer, 5.0)
    ]
    return [atoms[i] for i in np.linspace(0, len(atoms) - 1, count).astype(int)]


def fastest(call, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:No tensor product accelerator:UserWarning")
def test_engine_is_15_times_faster_than_the_vendor_loop(one_thread, capsys):
    pytest.importorskip("sevenn")
    from sevenn.calculator import SevenNetCalculator

    vendor = SevenNetCalculator("7net-0", device="cpu")
    evaluator = Probe("7net-0", device="cpu").evaluator
    batch = structures(["H2", "N2", "O2", "NaCl", "Ar2", "CO"], 1024)
    some = batch[:: len(batch) // LOOP_POINTS][:LOOP_POINTS]

    def loop():
        for atoms in some:
            vendor.calculate(atoms, ["energy", "forces"])

    evaluator.evaluate(batch[:256]), loop()  # warm up
    looped = fastest(loop, 3) / len(some)
    batched = fastest(lambda: evaluator.evaluate(batch), 3) / len(batch)
    with capsys.disabled():
        print(
            f"\n7net-0, one thread: vendor loop {1e3 * looped:.2f} ms a point, "
            f"engine {1e3 * batched:.3f} ms a point, ratio {looped / batched:.1f}"
        )
    assert looped / batched >= 15
