"""First guesses: two isolated atoms side by side, spins and open shells set as the dimer needs.

The block-diagonal density of two atoms, one of them with its spin FLIPPED where the dimer's 2S is
below the sum, is what dissociates to the right limit. PySCF's default guess has no such broken
symmetry: it ends 2 eV (H2) to 6 eV (N2) too high at long range and calls it converged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ase_probe.baselines.quantum.atoms import atom, ground_two_s

if TYPE_CHECKING:
    from ase_probe.baselines.quantum.methods import Method
    from ase_probe.dimer import Dimer

__all__ = ["block", "couplings", "dissociates", "needs_envelope", "orientations", "spin_pair"]

_PROMOTED = 4  # how far an atom's 2S may lie above its ground state's


def couplings(dimer: Dimer, charges: tuple[int, int] = (0, 0)) -> list[int]:
    """2S of the dimer that two ground-state atoms can make: |2S₁ − 2S₂| … 2S₁ + 2S₂."""
    a, b = (ground_two_s(s, q) for s, q in zip(dimer.symbols, charges, strict=True))
    return list(range(abs(a - b), a + b + 1, 2))


def dissociates(dimer: Dimer, two_s: int, charges: tuple[int, int] = (0, 0)) -> bool:
    """Can ONE determinant of this 2S become two ground-state atoms?

    Only with all spins parallel or the two atoms' spins opposite.
    """
    possible = couplings(dimer, charges)
    return two_s in (possible[0], possible[-1])


def needs_envelope(dimer: Dimer, charges: tuple[int, int] = (0, 0)) -> list[int]:
    """Every 2S whose lowest curve a spin-blind model should follow; one alone needs no envelope.

    For O2 (2S = 2 ends at +0.71 eV) these are 0, 2 and 4.
    """
    own = dimer.multiplicity - 1
    if dissociates(dimer, own, charges):
        return [own]
    return sorted({own, *couplings(dimer, charges)})


def spin_pair(dimer: Dimer, two_s: int, charges: tuple[int, int] = (0, 0)) -> tuple[int, int, bool]:
    """Atoms to start from: (2S₁, 2S₂, is one flipped?), as near their ground states as possible."""
    ground = [ground_two_s(s, q) for s, q in zip(dimer.symbols, charges, strict=True)]
    electrons = [z - q for z, q in zip(dimer.numbers, charges, strict=True)]
    ranges = [
        [s for s in range(g % 2, g + _PROMOTED + 1, 2) if s <= n]
        for g, n in zip(ground, electrons, strict=True)
    ]
    fitting = [
        (abs(a - ground[0]) + abs(b - ground[1]), not flip, (a, b, flip))
        for a in ranges[0]
        for b in ranges[1]
        for flip in (True, False)
        if (abs(a - b) if flip else a + b) == two_s
    ]
    if not fitting:  # more parallel spins than the atoms have to offer: any guess is as good
        return ground[0], ground[1], False
    return min(fitting)[2]


def block(
    dimer: Dimer,
    method: Method,
    two_s: int,
    *,
    axes: tuple[str, str] = ("z", "z"),
    charges: tuple[int, int] = (0, 0),
) -> np.ndarray:
    """Block-diagonal density matrices (2, nao, nao) of the two separated atoms.

    Parameters
    ----------
    dimer, method, two_s
        What is to be computed.
    axes
        Where each atom's open shell points; see `orientations`.
    charges
        Charges of the two atoms; ions start an ionic branch.
    """
    a, b, flip = spin_pair(dimer, two_s, charges)
    blocks = [
        atom(s, method, charge=q, two_s=spin, axis=axis).density
        for s, q, spin, axis in zip(dimer.symbols, charges, (a, b), axes, strict=True)
    ]
    if flip:  # the smaller spin is turned over, so that 2S stays positive
        minority = 0 if a < b else 1
        blocks[minority] = blocks[minority][::-1]
    n, m = (x.shape[-1] for x in blocks)
    density = np.zeros((2, n + m, n + m))
    density[:, :n, :n], density[:, n:, n:] = blocks
    return density


def orientations(
    dimer: Dimer, method: Method, two_s: int, charges: tuple[int, int] = (0, 0)
) -> list[tuple[str, str]]:
    """Directions of the two open shells that differ physically: along the bond or across it.

    At long range all of them are the two atoms; further in each becomes another molecular state
    (in F2 the holes must face each other).
    """
    spins = spin_pair(dimer, two_s, charges)[:2]
    axial = [
        atom(s, method, charge=q, two_s=spin).axial
        for s, q, spin in zip(dimer.symbols, charges, spins, strict=True)
    ]
    first = ("z", "x") if axial[0] else ("z",)
    pairs = [(a, b) for a in first for b in (("z", "x") if axial[1] else ("z",))]
    if all(axial):
        pairs.append(("x", "y"))
    if dimer.symbols[0] == dimer.symbols[1] and spins[0] == spins[1] and charges[0] == charges[1]:
        pairs = [p for p in pairs if p != ("x", "z")]
    return pairs
