"""Whole jobs of 7net-0: import, cold audits, the peers' grid, memory and time against points.

    python tests/benchmarks/whole.py --write

Seconds are those that the process and its children had of a CPU, the smallest of a few runs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from families import PAGE, between, stored, write

MARKS = "<!-- whole jobs -->", "<!-- end of whole jobs -->"
AUDIT = (sys.executable, "-m", "ase_probe.cli", "audit", "7net-0", "--no-cache")
PEERS = (*AUDIT, "--suite", "homonuclear", "--grid", "matbench")
JOBS = {
    "`import ase_probe`": (sys.executable, "-c", "import ase_probe"),
    "`ase-probe --help`": (sys.executable, "-m", "ase_probe.cli", "--help"),
    "`audit 7net-0 --suite quick`, nothing in memory or cache": (*AUDIT, "--suite", "quick"),
    "the peers' job: `audit 7net-0 --suite homonuclear --grid matbench --checks compression`": (
        *(*PEERS, "--checks", "compression"),
    ),
    "the same with all checks": PEERS,
}
POINTS = (2_000, 20_000)


def cpu_seconds(command: tuple[str, ...]) -> float:
    """What a command and its children use of one core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ASE_PROBE_NO_CACHE": "1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    if done.returncode not in (0, 1):  # 1: there are findings
        raise RuntimeError(done.stderr.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def scanned(points: int, model: str = "7net-0") -> dict[str, float]:
    """Memory (MB) and seconds of a scan in a process of its own."""
    script = str(Path(__file__).with_name("points.py"))
    command = (sys.executable, script, model, str(points))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(found: dict[str, float], scans: list[dict[str, float]]) -> list[str]:
    """Rows of the page."""
    lines = ["| job | CPU seconds |", "|---|---:|"]
    lines += [f"| {name} | {seconds:.2g} |" for name, seconds in found.items()]
    lines += ["", "| points of 7net-0 | CPU seconds | peak memory | of it model and PyTorch |"]
    lines += ["|---:|---:|---:|---:|"]
    lines += [
        f"| {scan['points']} | {scan['seconds']:.1f} | {scan['peak']:.0f} MB | "
        f"{scan['before']:.0f} MB |"
        for scan in scans
    ]
    return lines


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/")
    asked = parser.parse_args()
    found = {}
    for name, command in JOBS.items():
        found[name] = min(cpu_seconds(command) for _ in range(asked.runs))
        print(f"{found[name]:7.2f} s  {name}", flush=True)
    scans = [scanned(points) for points in POINTS]
    print(*scans, sep="\n")
    if asked.write:
        write({**stored(), "whole": found, "scans": scans})
        PAGE.write_text(between(PAGE.read_text(), MARKS, table(found, scans)))


if __name__ == "__main__":
    main()
