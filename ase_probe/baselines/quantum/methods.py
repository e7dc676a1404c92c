"""Which calculation stands behind each density-functional tier; a new functional is a new row.

The settings are those of the training labels these tiers stand beside, so that a model is compared
like for like: def2-TZVPD (all-electron up to Kr, effective core potentials from Rb on), no density
fitting. For physics at short range the basis is the limit, not the functional: def2-TZVPD errs by
5 % for N2 at 0.2 Å.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from ase_probe.errors import InputError

__all__ = ["METHODS", "Method", "method"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """One functional, basis and grid.

    Attributes
    ----------
    tier
        Id of the tier.
    xc
        The functional, in PySCF's spelling.
    basis
        Basis set; its own effective core potentials are used where it has them.
    grid
        PySCF's level of the integration grid.
    vv10
        Is the VV10 correlation added after the SCF? In N2 that costs a tenth of the full
        treatment and differs by 0.04 meV.
    vv10_grid
        Level of its grid. 1 against 3 differs by at most 0.05 meV in LiF, Cl2 and Ar2 from the
        wall to the tail, and takes an eighth of the time.
    label
        The level of theory, for the reader.
    """

    tier: str
    xc: str
    basis: str = "def2-TZVPD"
    grid: int = 3
    vv10: bool = False
    vv10_grid: int | None = None
    label: str = ""

    @property
    def settings(self) -> dict[str, str | int | bool]:
        """What the result depends on, JSON-able."""
        return {name: value for name, value in asdict(self).items() if value is not None}


METHODS: dict[str, Method] = {
    m.tier: m
    for m in (
        Method(tier="dft:pbe", xc="pbe", label="PBE/def2-TZVPD"),
        Method(tier="dft:r2scan", xc="r2scan", label="r2SCAN/def2-TZVPD"),
        Method(
            tier="dft:wb97m-v",
            xc="wb97m_v",
            vv10=True,
            vv10_grid=1,
            label="ωB97M-V/def2-TZVPD, VV10 post-SCF",
        ),
    )
}
"""Tier id -> its method."""


def method(tier: str, *, basis: str | None = None, grid: int | None = None) -> Method:
    """Return the method of a tier, with another basis or grid where given.

    Raises
    ------
    InputError
        The tier is no density-functional tier.
    """
    if tier not in METHODS:
        raise InputError(f"Unknown DFT tier {tier!r}; allowed: {', '.join(METHODS)}.")
    found = METHODS[tier]
    if basis is not None and basis != found.basis:
        label = found.label.replace(found.basis, basis)
        found = replace(found, basis=basis, label=label)
    return found if grid is None else replace(found, grid=grid)
