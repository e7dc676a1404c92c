"""A chemistry that costs nothing: molecules held together by Morse pairs."""

from itertools import combinations

import numpy as np

from ase_probe.scaling.molecules import Molecules
from ase_probe.scaling.training.energies import Energies
from ase_probe.scaling.training.spec import RunSpec


def morse(n, seed=0, symbols=(1, 6, 7, 8)):
    """n chains of 2 to 5 atoms, about 1.1 Å apart."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 6, n)
    numbers, positions, energies = [], [], []
    for count in counts:
        steps = rng.normal(size=(count, 3))
        chain = np.cumsum(1.1 * steps / np.linalg.norm(steps, axis=1)[:, None], axis=0)
        pairs = [np.linalg.norm(chain[i] - chain[j]) for i, j in combinations(range(count), 2)]
        wall = np.exp(-1.5 * (np.array(pairs) - 1.1))
        numbers += rng.choice(symbols, count).tolist()
        positions += chain.tolist()
        energies.append(float((wall**2 - 2 * wall).sum()))
    names = tuple(f"chain {seed}-{place}" for place in range(n))
    return Molecules(
        names=names, numbers=numbers, positions=positions, counts=counts, energies=energies
    )


def spec(**changes):
    small = {
        "model": "schnet", "width": 8, "layers": 2, "molecules": 20, "seed": 0, "batch": 6,
        "warmup": 3, "validation": 8, "test": 8,
    }  # fmt: skip
    length = {} if {"steps", "epochs"} & changes.keys() else {"steps": 24}
    return RunSpec(**{**small, **length, **changes})


def task_of(spec, device="cpu"):
    shots = None
    if spec.shots is not None:
        shots = morse(5, seed=9)[: spec.shots.k]
    everything = morse(spec.molecules + spec.validation + spec.test, seed=1)
    cuts = np.cumsum([spec.molecules, spec.validation, spec.test])
    parts = (everything[a:b] for a, b in zip([0, *cuts], cuts, strict=False))
    return Energies(spec, *parts, shots=shots, device=device)
