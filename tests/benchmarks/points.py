"""Memory and time of a scan of so many points: ``points.py MODEL POINTS`` prints one line of JSON.

A process of its own, since the peak of a process never falls.
"""

import json
import resource
import sys
import time
import warnings

from ase.data import chemical_symbols

from ase_probe import Dimer, Probe
from ase_probe.scan import scan

DISTANCES = [0.5 + 0.05 * step for step in range(100)]  # Å


def megabytes() -> float:
    """The most memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB, on macOS bytes
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main(model: str, points: int) -> None:
    """Load, warm up with two batches, scan."""
    warnings.simplefilter("ignore")
    evaluator = Probe(model, device="cpu").evaluator
    dimers = [
        Dimer.parse(first + second)
        for first in ("H", "N", "O", "Na", "Cl")
        for second in chemical_symbols[1:57]
        if first != second
    ][: points // len(DISTANCES)]
    scan(evaluator, dimers[:6], DISTANCES)
    before, start = megabytes(), time.process_time()
    curves = scan(evaluator, dimers, DISTANCES)
    spent = time.process_time() - start
    done = sum(len(curve.r) for curve in curves.values())
    print(json.dumps({"points": done, "seconds": spent, "before": before, "peak": megabytes()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
