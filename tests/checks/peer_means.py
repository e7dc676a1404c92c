"""Means of the MLIP Arena metrics over the homonuclear dimers, beside the published ones.

A script, run by hand, minutes a model: ``python tests/checks/peer_means.py 7net-0 chgnet-0.3.0``.

The published runs differ from an audit on the grid ``arena``: the dimers lie in periodic boxes of
edge 2 r_max, in which an atom sees its partner from both sides; the last distance is r_max itself,
so that the steps are a little longer than 0.01 Å; and whatever element the vendor's calculator
answers for is in the mean (CHGNet's 94, not the 89 it was trained on). ``--published`` does all
that as they do; ``--elements He,Po`` restricts it.
"""

import argparse
import math
import time
from dataclasses import replace

import numpy as np
from ase.data import chemical_symbols

from ase_probe import Curve, Probe
from ase_probe.checks.peers import MISSING, arena
from ase_probe.dimer import mean_radius
from ase_probe.scan import scan
from ase_probe.suites import suite

# github.com/atomind-ai/mlip-arena, mlip_arena/tasks/diatomics/homonuclear-diatomics.tex
PUBLISHED = {
    "chgnet-0.3.0": {
        "conservation-deviation": 1.066,
        "spearman-repulsion-energy": -0.992,
        "spearman-descending-force": -0.925,
        "energy-jump": 0.291,
        "force-flip-times": 2.255,
        "tortuosity": 2.279,
    },
    "7net-0": {
        "conservation-deviation": 34.005,
        "spearman-repulsion-energy": -0.986,
        "spearman-descending-force": -0.928,
        "energy-jump": 0.392,
        "force-flip-times": 2.112,
        "tortuosity": 1.292,
    },
}


def as_published(evaluator, dimers):
    """Curves on the published distances, in periodic boxes (a, a + 0.001, a + 0.002) Å."""
    evaluator = replace(evaluator, card=replace(evaluator.card, elements=None))
    curves = {}
    for dimer in dimers:
        covalent, vdw = (mean_radius(dimer.symbols, kind) for kind in ("covalent", "vdw"))
        start, end = 0.9 * covalent, 3.1 * vdw if vdw is not None else 6.0
        r = np.linspace(start, end, int((end - start) / 0.01))
        structures = [dimer.atoms(x, charge=False, spin=False) for x in r]
        for atoms in structures:
            atoms.cell = [2 * end, 2 * end + 0.001, 2 * end + 0.002]
            atoms.pbc = True
        answer = evaluator.evaluate(structures)
        curves[dimer.name] = Curve(
            r=r, energy=answer.energy, forces=np.stack(answer.forces), failures=answer.failures
        )
    return curves


def means(rows):
    """Key -> (mean, median, number of finite values), as the published table takes them."""
    result = {}
    for key in rows[0]:
        values = np.array([row[key] for row in rows])
        values = values[np.isfinite(values)]
        if values.size:
            result[key] = float(values.mean()), float(np.median(values)), len(values)
        else:
            result[key] = math.nan, math.nan, 0
    return result


def report(model, rows, seconds):
    print(f"\n{model}: {len(rows)} dimers, {seconds:.0f} s")
    print(f"{'':28}{'mean':>10}{'published':>11}{'median':>10}{'dimers':>8}   largest")
    for key, (mean, median, number) in means(list(rows.values())).items():
        published = PUBLISHED.get(model, {}).get(key)
        largest = sorted(
            (name for name in rows if np.isfinite(rows[name][key])),
            key=lambda name: -abs(rows[name][key]),
        )[:3]
        print(
            f"{key:28}{mean:10.3f}{'' if published is None else f'{published:.3f}':>11}"
            f"{median:10.3f}{number:8}   "
            + ", ".join(f"{name} {rows[name][key]:.3g}" for name in largest)
        )
    missing = [name for name, row in rows.items() if row[MISSING]]
    print(f"dimers with missing points: {', '.join(missing) or 'none'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(PUBLISHED))
    parser.add_argument("--published", action="store_true", help="in boxes, all 94 elements")
    parser.add_argument("--elements", type=lambda text: text.split(","))
    options = parser.parse_args()
    for model in options.models:
        probe = Probe(model, device="cpu")
        known = chemical_symbols[1:95] if options.published else probe.card.elements
        dimers = suite("homonuclear", options.elements or known)
        start = time.time()
        if options.published:
            curves = as_published(probe.evaluator, dimers)
        else:
            curves = scan(probe.evaluator, dimers, "arena")
        rows = {name: arena(curve) for name, curve in curves.items()}
        report(model, rows, time.time() - start)


if __name__ == "__main__":
    main()
