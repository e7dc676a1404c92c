"""Points per second of every family: the vendor's calculator in a loop, our engine, the network.

    python tests/benchmarks/families.py --write

measures what is installed here, keeps what another environment has measured (docs/data), and
writes the table in docs/benchmarks.md. All three run in one process on one thread and take turns;
each counts by its fastest turn. On a CPU the clock is the time that the process had, so that other
programs do not count.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import io
import json
import logging
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

os.environ["ASE_PROBE_NO_CACHE"] = "1"  # what is on disk shall not answer
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch and numpy are imported

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # as a script and in a test

from vendors import SUBJECTS, Subject

from ase_probe import Dimer
from ase_probe.grids import grid

if TYPE_CHECKING:
    from ase import Atoms

    from ase_probe.engine import Evaluator

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "docs" / "data" / "benchmarks.json", ROOT / "docs" / "benchmarks.md"
MARKS = "<!-- families -->", "<!-- end of families -->"
DEVICES = {"float32": 1e-4, "float64": 1e-9}
"""How far energies of a GPU may be from those of the CPU: eV, or of their size if larger."""
PAIRS = ("H2", "HC", "HN", "HO", "C2", "CN", "CO", "N2", "NO", "O2")
BATCHES, LOOPED = 4, 40  # what the engine is given, in its batches; what the loop is given


def structures(count: int) -> list[Atoms]:
    """Ten pairs of H, C, N, O on Matbench Discovery's grid, 0.1 to 6 Å, spread evenly."""
    every = [
        dimer.atoms(r, charge=False, spin=False)
        for dimer in map(Dimer.parse, PAIRS)
        for r in grid("matbench", dimer)
    ]
    return [every[i] for i in np.linspace(0, len(every) - 1, count).astype(int)]


class Clock:
    """Seconds of this process on a CPU; of the wall on a GPU, once it has finished."""

    def __init__(self, device: str) -> None:
        self.device = device

    def now(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        import torch

        torch.cuda.synchronize()
        return time.perf_counter()

    def time(self, call: Callable[[], Any]) -> float:
        """How long one call takes."""
        start = self.now()
        call()
        return self.now() - start


def loop(calculator: Any, some: Sequence[Atoms], *, boxed: bool) -> Callable[[], list[float]]:
    """The vendor's calculator, one structure after the other; returns the energies."""
    from ase.calculators.calculator import all_changes

    own = [atoms.copy() for atoms in some]
    if boxed:
        for atoms in own:
            atoms.set_cell([20.0, 20.0, 20.0])
            atoms.pbc = True

    def call() -> list[float]:
        energies = []
        for atoms in own:
            try:
                calculator.calculate(atoms, ["energy", "forces"], all_changes)
                energies.append(calculator.results["energy"])
            except Exception:  # noqa: BLE001  vendors raise anything on two atoms at 0.1 Å
                energies.append(np.nan)
        return energies

    return call


def bare(
    evaluator: Evaluator, subject: Subject, some: Sequence[Atoms], clock: Clock
) -> Callable[[], float]:
    """The network on the batches that the engine makes of `some`; returns the seconds inside."""
    assert subject.network is not None
    owner, name = subject.network(evaluator.calculator)
    network, calls = getattr(owner, name), []

    def record(*arguments: Any, **options: Any) -> Any:
        calls.append(_copy((arguments, options)))
        return network(*arguments, **options)

    with patch.object(owner, name, record):
        evaluator.evaluate(some)
    assert calls

    def call() -> float:
        spent = 0.0
        for arguments, options in map(_copy, calls):
            spent += clock.time(
                lambda a=arguments, o=options: subject.finish(network(*a, **o), a)  # type: ignore[misc]
            )
        return spent

    return call


def _copy(thing: Any) -> Any:
    """A copy, since networks write into their input, where the vendor's types allow one."""
    try:
        return deepcopy(thing)
    except (RuntimeError, TypeError, ValueError):
        return thing


def measure(name: str, device: str = "cpu", turns: int = 10) -> dict[str, Any]:
    """Measure one row; agreement with the vendor (and, on a GPU, with our CPU) is part of it."""
    subject, clock = SUBJECTS[name], Clock(device)
    probe = subject.probe(device)
    evaluator = probe.evaluator
    points = structures(max(LOOPED, BATCHES * evaluator.adapter.batch_size))
    some = points[:: len(points) // LOOPED][:LOOPED]
    calls = {
        "vendor": loop(subject.vendor(evaluator.calculator, device), some, boxed=subject.boxed),
        "engine": lambda: evaluator.evaluate(points),
    }
    answer = evaluator.evaluate(some)  # warms up, too
    theirs = np.array(calls["vendor"]())
    inside = bare(evaluator, subject, points, clock) if subject.network else None
    best = dict.fromkeys((*calls, "network"), np.inf)
    for _ in range(turns):
        for key, call in calls.items():
            best[key] = min(best[key], clock.time(call))
        if inside is not None:
            best["network"] = min(best["network"], inside())
    row = {
        "vendor": len(some) / best["vendor"],
        "engine": len(points) / best["engine"],
        "network": len(points) / best["network"] if inside else None,
        "differs": relative(answer.energy, theirs),
        "weights": subject.weights,
        "parameters": evaluator.card.parameters,
        "dtype": evaluator.environment["dtype"],
        "device": device_name(device),
        "batch": evaluator.adapter.batch_size,
        "points": len(points),
        "failures": len(answer.failures),
        "versions": {
            package: importlib.metadata.version(package)
            for package in evaluator.adapter.environment.distributions
        },
        "date": datetime.date.today().isoformat(),
    }
    if device != "cpu":
        cpu = subject.probe("cpu").evaluator.evaluate(some)
        row["differs from CPU"] = off = relative(answer.energy, cpu.energy)
        if off > DEVICES[row["dtype"]]:
            raise RuntimeError(f"{name}: {device} and CPU differ by {off:.1e} ({row['dtype']}).")
    return row


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference of two energies, in units of the larger of 1 eV and their size."""
    both = np.isfinite(ours) & np.isfinite(theirs)
    return float(np.max(np.abs(ours - theirs)[both] / np.maximum(1, np.abs(theirs[both]))))


def device_name(device: str) -> str:
    """What the numbers were taken on."""
    if device != "cpu":
        import torch

        return str(torch.cuda.get_device_name())
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    return f"{model}, one thread"


def table(found: dict[str, Any]) -> list[str]:
    """Rows of the page, CPU first."""
    lines = [
        "| model | weights | loop (a) | engine (b) | network (c) | b : a | b : c |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for device in sorted(found):
        for name, row in found[device].items():
            a, b, c = row["vendor"], row["engine"], row["network"]
            label = name if device == "cpu" else f"{name}, {row['device']}"
            bare = f"{c:.0f} | {b / a:.1f} | {b / c:.2f}" if c else f"– | {b / a:.1f} | –"
            lines.append(f"| {label} | {row['weights']} | {a:.0f} | {b:.0f} | {bare} |")
    return lines


def stored() -> dict[str, Any]:
    """Everything measured so far; the other scripts beside this one write into it, too."""
    return json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}


def between(page: str, marks: tuple[str, str], lines: Sequence[str]) -> str:
    """The page with other lines between two marks."""
    before, _, rest = page.partition(marks[0])
    _, _, after = rest.partition(marks[1])
    return "\n".join([before + marks[0], "", *lines, "", marks[1] + after])


def write(results: dict[str, Any]) -> None:
    """Write data and page."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    PAGE.write_text(between(PAGE.read_text(), MARKS, table(in_order(results["families"]))))


def in_order(families: dict[str, Any]) -> dict[str, Any]:
    """In the order of `SUBJECTS`, whoever was measured first."""
    return {
        device: {name: rows[name] for name in SUBJECTS if name in rows}
        for device, rows in families.items()
    }


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """One thread, and nothing of what vendors print, log and warn."""
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    """Measure what is asked for, or everything that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="MODEL", help=f"of: {'; '.join(SUBJECTS)}")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="into docs/")
    asked = parser.parse_args()
    results = stored()
    rows = results.setdefault("families", {}).setdefault(asked.device, {})
    for name in asked.names or [name for name in SUBJECTS if SUBJECTS[name].is_installed]:
        with quiet():
            rows[name] = row = measure(name, asked.device, asked.turns)
        a, b, c = row["vendor"], row["engine"], row["network"] or np.nan
        print(
            f"{name:20} loop {a:7.1f}/s, engine {b:8.1f}/s, network {c:8.1f}/s, engine : loop "
            f"{b / a:6.1f}, engine : network {b / c:5.2f}, differs {row['differs']:.0e}",
            flush=True,
        )
        if asked.write:
            write(results)


if __name__ == "__main__":
    main()
