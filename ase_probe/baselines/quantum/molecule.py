"""PySCF's molecule of a dimer or an atom, and where its effective core potentials act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.errors import ModelNotInstalledError

if TYPE_CHECKING:
    from ase_probe.baselines.quantum.methods import Method

__all__ = ["core_range", "load", "molecule", "version"]

_CORE = 0.01  # Eh; an effective core potential below this is no core
_LAST_ALL_ELECTRON = 36  # def2 bases replace the cores beyond Kr


def load() -> Any:
    """Import PySCF.

    Raises
    ------
    ModelNotInstalledError
        It is not installed; the message says how.
    """
    try:
        import pyscf
        import pyscf.dft
        import pyscf.gto
    except ImportError as error:
        raise ModelNotInstalledError(
            "Computing reference curves needs PySCF: pip install 'ase-probe[pyscf]'. "
            "The shipped curves need nothing."
        ) from error
    return pyscf


def version() -> str:
    """Version of PySCF."""
    return str(load().__version__)


def molecule(
    symbols: tuple[str, ...], method: Method, *, r: float = 0.0, charge: int = 0, two_s: int = 0
) -> Any:
    """Return PySCF's molecule: one atom at the origin, a second at `r` (Å) along +z.

    Parameters
    ----------
    symbols
        One or two chemical symbols.
    method
        Gives the basis; elements beyond Kr get its effective core potential.
    r
        Distance, Å.
    charge, two_s
        Charge, e, and 2S.
    """
    from ase.data import atomic_numbers

    pyscf = load()
    replaced = {s for s in symbols if atomic_numbers[s] > _LAST_ALL_ELECTRON}
    heavy = replaced if method.basis.startswith("def2") else set()
    return pyscf.gto.M(
        atom=[(s, (0.0, 0.0, i * r)) for i, s in enumerate(symbols)],
        basis=method.basis,
        ecp=dict.fromkeys(heavy, method.basis),
        charge=charge,
        spin=two_s,
        unit="Angstrom",
        verbose=0,
    )


def core_range(mol: Any) -> float:
    """Distance within which an effective core potential acts, Å, summed over the atoms.

    The semilocal part Σ c rⁿ⁻² exp(−a r²) of every channel is below 0.01 Eh beyond it. A second
    nucleus that comes closer sees a core that is not there.
    """
    total = 0.0
    grid = np.linspace(0.05, 6.0, 596)  # a0
    for _, channels in (mol._ecp.get(mol.atom_symbol(i), (0, [])) for i in range(mol.natm)):
        reach = 0.0
        for _, powers in channels:
            value = np.zeros_like(grid)
            for n, terms in enumerate(powers):
                for exponent, coefficient, *_ in terms:
                    value += coefficient * grid ** (n - 2) * np.exp(-exponent * grid**2)
            outside = np.flatnonzero(np.abs(value) > _CORE)
            reach = max(reach, float(grid[outside[-1]]) if outside.size else 0.0)
        total += reach
    return total * float(load().lib.param.BOHR)
