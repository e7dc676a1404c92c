"""`Dimer`: two nuclei, a charge and a spin multiplicity; its name and its geometry.

Names follow the field: ``H2``, ``NaCl``, ``H2+``, ``HeH+``, ``H2++`` (two bare protons). The
ground-state multiplicity is implied; any other is written behind an ``@``: ``O2@1`` is singlet O2.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ase_probe.errors import DimerError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Dimer", "atom_multiplicity", "ground_multiplicity", "mean_radius"]

# Which symbol comes first in a formula: the element sequence of IUPAC (Red Book 2005, table VI),
# abridged to the order of the groups. Common usage breaks it for the chalcogen hydrides.
_SEQUENCE = [
    "Og",
    "Rn",
    "Xe",
    "Kr",
    "Ar",
    "Ne",
    "He",
    "Fr",
    "Cs",
    "Rb",
    "K",
    "Na",
    "Li",
    "Ra",
    "Ba",
    "Sr",
    "Ca",
    "Mg",
    "Be",
    "Lr",
    "No",
    "Md",
    "Fm",
    "Es",
    "Cf",
    "Bk",
    "Cm",
    "Am",
    "Pu",
    "Np",
    "U",
    "Pa",
    "Th",
    "Ac",
    "Lu",
    "Yb",
    "Tm",
    "Er",
    "Ho",
    "Dy",
    "Tb",
    "Gd",
    "Eu",
    "Sm",
    "Pm",
    "Nd",
    "Pr",
    "Ce",
    "La",
    "Y",
    "Sc",
    "Rf",
    "Hf",
    "Zr",
    "Ti",
    "Db",
    "Ta",
    "Nb",
    "V",
    "Sg",
    "W",
    "Mo",
    "Cr",
    "Bh",
    "Re",
    "Tc",
    "Mn",
    "Hs",
    "Os",
    "Ru",
    "Fe",
    "Mt",
    "Ir",
    "Rh",
    "Co",
    "Ds",
    "Pt",
    "Pd",
    "Ni",
    "Rg",
    "Au",
    "Ag",
    "Cu",
    "Cn",
    "Hg",
    "Cd",
    "Zn",
    "Nh",
    "Tl",
    "In",
    "Ga",
    "Al",
    "B",
    "Fl",
    "Pb",
    "Sn",
    "Ge",
    "Si",
    "C",
    "Mc",
    "Bi",
    "Sb",
    "As",
    "P",
    "N",
    "H",
    "Lv",
    "Po",
    "Te",
    "Se",
    "S",
    "O",
    "Ts",
    "At",
    "I",
    "Br",
    "Cl",
    "F",
]
_RANK = {symbol: rank for rank, symbol in enumerate(_SEQUENCE)}
_HYDRIDES_WITH_H_LAST = {"O", "S", "Se", "Te"}  # OH, SH: not HO, HS

# Ground states whose multiplicity is not the lowest the electron count allows.
# K. P. Huber and G. Herzberg, Constants of Diatomic Molecules (1979); transition-metal dimers:
# M. D. Morse, Chem. Rev. 86, 1049 (1986).
_HIGH_SPIN = {
    ("B", "B"): 3, ("Al", "Al"): 3, ("Ga", "Ga"): 3, ("In", "In"): 3,
    ("Si", "Si"): 3, ("Ge", "Ge"): 3, ("Sn", "Sn"): 3, ("Si", "C"): 3,
    ("O", "O"): 3, ("S", "S"): 3, ("Se", "Se"): 3, ("Te", "Te"): 3,
    ("S", "O"): 3, ("Se", "O"): 3, ("Te", "O"): 3,
    ("N", "H"): 3, ("P", "H"): 3, ("As", "H"): 3, ("Sb", "H"): 3, ("Bi", "H"): 3,
    ("N", "F"): 3, ("P", "F"): 3, ("N", "Cl"): 3, ("P", "Cl"): 3, ("B", "N"): 3,
    ("Ti", "O"): 3, ("V", "O"): 4, ("Cr", "O"): 5, ("Mn", "O"): 6, ("Fe", "O"): 5,
    ("Co", "O"): 4, ("Ni", "O"): 3,
    ("Ti", "H"): 4, ("V", "H"): 5, ("Cr", "H"): 6, ("Mn", "H"): 7, ("Fe", "H"): 4, ("Co", "H"): 3,
    ("Sc", "Sc"): 5, ("Ti", "Ti"): 3, ("V", "V"): 3, ("Fe", "Fe"): 7, ("Co", "Co"): 5,
}  # fmt: skip

_NAME = re.compile(r"([A-Z][a-z]?)(2(?![0-9])|[A-Z][a-z]?)(\++|-+|[+-][1-9])?(?:@([0-9]+))?")


# As in `ase.data`, whose import takes longer than everything done here.
_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm "
    "Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
_NUMBERS = {symbol: number for number, symbol in enumerate(_SYMBOLS.split(), 1)}


def _atomic_number(symbol: str) -> int:
    number = _NUMBERS.get(symbol)
    if number is None:
        near = difflib.get_close_matches(symbol.capitalize(), list(_NUMBERS), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DimerError(f"Unknown element {symbol!r}.{hint} Chemical symbols H to Og are allowed.")
    return number


def _ordered(first: str, second: str) -> tuple[str, str]:
    if "H" in (first, second):
        other = second if first == "H" else first
        if other in _HYDRIDES_WITH_H_LAST:
            return (other, "H")
    return (first, second) if _RANK[first] <= _RANK[second] else (second, first)


def ground_multiplicity(symbols: tuple[str, str], charge: int = 0) -> int:
    """Multiplicity of the ground state: the table above, else the lowest of the right parity."""
    electrons = _atomic_number(symbols[0]) + _atomic_number(symbols[1]) - charge
    if charge == 0:
        tabulated = _HIGH_SPIN.get(_ordered(*symbols))
        if tabulated is not None:
            return tabulated
    return 1 + electrons % 2


def atom_multiplicity(symbol: str) -> int:
    """Ground-state multiplicity of the neutral atom (ASE's table of magnetic moments, plus 1)."""
    from ase.data import ground_state_magnetic_moments

    number = _atomic_number(symbol)
    if number < len(ground_state_magnetic_moments):
        moment = float(ground_state_magnetic_moments[number])
        # The table has gaps and, for a few f elements, moments of the wrong parity.
        if not math.isnan(moment) and round(moment) % 2 == number % 2:
            return round(moment) + 1
    return 1 + number % 2


def mean_radius(symbols: tuple[str, str], kind: str) -> float | None:
    """Mean of the two atoms' radii, Å; `None` where a radius is unknown.

    Parameters
    ----------
    symbols
        The two chemical symbols.
    kind
        ``covalent`` (Cordero et al., doi:10.1039/b801115j) or ``vdw`` (Alvarez,
        doi:10.1039/c3dt50599e), both from `ase.data`.
    """
    from ase.data import covalent_radii
    from ase.data.vdw_alvarez import vdw_radii

    # Cordero et al. end at Cm, behind which ASE repeats one value; Alvarez marks gaps by NaN.
    table = {"covalent": covalent_radii[:97], "vdw": vdw_radii}[kind]
    radii = [float(table[n]) if n < len(table) else math.nan for n in map(_atomic_number, symbols)]
    return None if math.isnan(sum(radii)) else sum(radii) / 2


def _recased(text: str) -> list[str]:
    """Valid names that differ from `text` by upper and lower case only."""
    match = re.fullmatch(r"([A-Za-z]+)(2?)([^A-Za-z0-9].*)?", text)
    if match is None:
        return []
    letters, two, tail = match.groups(default="")
    splits = [(letters.capitalize(), two)] if two else []
    splits += [(letters[:i].capitalize(), letters[i:].capitalize()) for i in (1, 2)]
    return [
        first + second + tail
        for first, second in splits
        if first in _NUMBERS
        and (second == "2" or (second in _NUMBERS and not two))
        and _NAME.fullmatch(first + second + tail)
    ]


def _multiplicity(text: str | None) -> int:
    if text is not None and int(text) < 1:
        raise DimerError(f"A multiplicity (2S + 1) is 1, 2, 3, …, got {text}.")
    return int(text or 0)


@cache
def _parse(text: str) -> Dimer:
    match = _NAME.fullmatch(text.strip())
    if match is None:
        hint = next(
            (f"Did you mean {guess!r}? " for guess in _recased(text.strip()) if guess != text), ""
        )
        raise DimerError(
            f"{text!r} is not a dimer. {hint}Allowed: two symbols and an optional charge and "
            "multiplicity, such as H2, NaCl, H2+, HeH+, H2++ (two bare protons), O2@1 (singlet O2)."
        )
    first, second, sign, multiplicity = match.groups()
    second = first if second == "2" else second
    charge = 0
    if sign:
        size = int(sign[1:]) if sign[1:].isdigit() else len(sign)
        charge = size if sign[0] == "+" else -size
    return Dimer((first, second), charge, _multiplicity(multiplicity))


@dataclass(frozen=True)
class Dimer:
    """Two atoms with a total charge and a spin multiplicity.

    Parameters
    ----------
    symbols
        Chemical symbols; stored in the order of the usual formula, so that
        ``Dimer(("Cl", "Na")) == Dimer(("Na", "Cl"))``.
    charge
        Total charge, e.
    multiplicity
        2S + 1; the ground state's when 0 or not given.

    Raises
    ------
    DimerError
        Unknown element, more charge than electrons, or a multiplicity of the wrong parity.
    """

    symbols: tuple[str, str]
    charge: int = 0
    multiplicity: int = 0  # 0 stands for the ground state's and is replaced

    def __post_init__(self) -> None:
        first, second = self.symbols
        _atomic_number(first), _atomic_number(second)
        object.__setattr__(self, "symbols", _ordered(first, second))
        if self.electrons < 0:
            raise DimerError(
                f"{self.formula} has {sum(self.numbers)} electrons: "
                f"a charge of {self.charge:+d} is impossible."
            )
        if self.multiplicity == 0:
            object.__setattr__(self, "multiplicity", ground_multiplicity(self.symbols, self.charge))
        unpaired = self.multiplicity - 1
        if unpaired < 0 or unpaired > self.electrons or (self.electrons - unpaired) % 2:
            lowest = 1 + self.electrons % 2
            allowed = ", ".join(map(str, range(lowest, min(self.electrons + 2, lowest + 7), 2)))
            raise DimerError(
                f"Multiplicity {self.multiplicity} is impossible for {self.formula}"
                f"{f' with charge {self.charge:+d}' if self.charge else ''} "
                f"({self.electrons} electrons). Allowed: {allowed}"
                f"{', …' if self.electrons + 1 > lowest + 6 else ''}."
            )

    @classmethod
    def parse(cls, text: str) -> Dimer:
        """Read a name such as ``H2``, ``NaCl``, ``H2+``, ``H2++`` or ``O2@1``.

        Raises
        ------
        DimerError
            Malformed name, unknown element, impossible multiplicity.
        """
        return _parse(text)

    @property
    def electrons(self) -> int:
        """Number of electrons."""
        return _atomic_number(self.symbols[0]) + _atomic_number(self.symbols[1]) - self.charge

    @property
    def numbers(self) -> tuple[int, int]:
        """The two atomic numbers."""
        return _atomic_number(self.symbols[0]), _atomic_number(self.symbols[1])

    @property
    def formula(self) -> str:
        """Formula without charge and multiplicity."""
        first, second = self.symbols
        return f"{first}2" if first == second else first + second

    @property
    def name(self) -> str:
        """Canonical name; `Dimer.parse` reads it back."""
        sign = ("+" if self.charge > 0 else "-") * abs(self.charge)
        if abs(self.charge) > 3:
            sign = f"{self.charge:+d}"
        ground = self.multiplicity == ground_multiplicity(self.symbols, self.charge)
        return self.formula + sign + ("" if ground else f"@{self.multiplicity}")

    @property
    def covalent_sum(self) -> float:
        """Sum of the two covalent radii, Å (Cordero et al.); 3 Å where one is unknown."""
        mean = mean_radius(self.symbols, "covalent")
        return 3.0 if mean is None else 2 * mean

    def atoms(self, r: float, *, charge: bool = True, spin: bool = True) -> Atoms:
        """Return the first atom at the origin and the second at `r` (Å) along +z, no cell.

        Parameters
        ----------
        r
            Distance, Å.
        charge, spin
            Write ``charge`` (e) and ``spin`` (multiplicity) into ``atoms.info``?
        """
        from ase import Atoms

        atoms = Atoms(self.symbols, positions=[(0.0, 0.0, 0.0), (0.0, 0.0, float(r))])
        if charge:
            atoms.info["charge"] = self.charge
        if spin:
            atoms.info["spin"] = self.multiplicity
        return atoms

    def __str__(self) -> str:
        return self.name
