"""MOSES: 1.9 million drug-like molecules as SMILES, from the package ``molsets``, and as SELFIES.

Only the package's CSV files are read; its code needs old libraries, so it is installed as
``pip install --no-deps molsets``. Training molecules come from its ``train`` file (1,584,663),
those for validation and tests from its ``test`` file (176,074), each in the fixed order of
`ase_probe.scaling.data.subsets.ordered`.

Polykovskiy et al., Front. Pharmacol. 11, 565644 (2020), https://doi.org/10.3389/fphar.2020.565644;
SELFIES: Krenn et al., Mach. Learn.: Sci. Technol. 1, 045024 (2020),
https://doi.org/10.1088/2632-2153/aba947.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ase_probe.errors import InputError, ModelNotInstalledError
from ase_probe.scaling.data.subsets import ordered

__all__ = ["MOLECULES", "Texts", "moses", "selfies", "smiles"]

MOLECULES = {"train": 1_584_663, "test": 176_074}

_SHA256 = {
    "train": "786f0313aa6b9ba5514df685f885742a70ea8d86f1a4fa48115f7f80a634265c",
    "test": "f896fbf3764f88d94670b9959e5872c600c12152a18233823e820761b7a791b2",
}  # of molsets 0.3.1


@dataclass(frozen=True)
class Texts:
    """Molecules as SELFIES; the three have none in common."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@cache
def smiles(part: str) -> tuple[str, ...]:
    """Return all SMILES of a part, ``"train"`` or ``"test"``, in the package's order.

    Raises
    ------
    ModelNotInstalledError
        ``molsets`` is missing.
    InputError
        No such part, or a file that is not that of molsets 0.3.1.
    """
    if part not in MOLECULES:
        raise InputError(f"MOSES has no part {part!r}; there are {', '.join(MOLECULES)}.")
    spec = find_spec("moses")
    if spec is None or spec.origin is None:
        raise ModelNotInstalledError(
            "MOSES comes with the package molsets, of which only the data are used: "
            "pip install --no-deps molsets."
        )
    path = Path(spec.origin).parent / "dataset" / "data" / f"{part}.csv.gz"
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256[part]:
        raise InputError(
            f"{path} is not that of molsets 0.3.1: its SHA-256 is {found}. Install that version "
            "again: pip install --no-deps --force-reinstall molsets==0.3.1."
        )
    with io.TextIOWrapper(gzip.GzipFile(fileobj=io.BytesIO(content)), "utf-8", newline="") as file:
        molecules = tuple(row["SMILES"] for row in csv.DictReader(file))
    if len(molecules) != MOLECULES[part]:
        raise InputError(f"{path} holds {len(molecules)} molecules; expected {MOLECULES[part]}.")
    return molecules


def selfies(molecules: Sequence[str]) -> tuple[str, ...]:
    """Translate SMILES into SELFIES.

    Raises
    ------
    ModelNotInstalledError
        ``selfies`` is missing.
    InputError
        A SMILES that has no SELFIES; none is left out silently.
    """
    try:
        import selfies as package
    except ImportError as error:
        raise ModelNotInstalledError(
            'SELFIES need the package selfies: pip install "ase-probe[scaling]".'
        ) from error
    translated = []
    for text in molecules:
        try:
            translated.append(package.encoder(text))
        except package.EncoderError as error:
            raise InputError(f"{text!r} has no SELFIES: {error}. Leave it out.") from error
    return tuple(translated)


def moses(size: int, *, seed: int, validation: int = 1000, test: int = 1000) -> Texts:
    """Choose molecules for training, validation and tests, as SELFIES.

    Parameters
    ----------
    size
        How many to learn from; those of a smaller size, same seed, are the first of these.
    seed
        0, 1, 2, …: other molecules to learn from, the same tests.
    validation, test
        How many; fewer are the first of more. Half of MOSES's ``test`` is kept for each.

    Raises
    ------
    InputError
        More than there are.
    """
    if seed < 0:
        raise InputError(f"Seed {seed}; give 0 or more.")
    train, held_out = smiles("train"), smiles("test")
    half = len(held_out) // 2
    for what, wanted, there in (
        ("training", size, len(train)), ("validation", validation, half), ("test", test, half),
    ):  # fmt: skip
        if not 0 <= wanted <= there:
            raise InputError(f"{wanted} molecules for {what}; MOSES has {there} for it.")
    fixed = [held_out[i] for i in _order("test", "held out")[: half + validation]]
    return Texts(
        training=selfies([train[i] for i in _order("train", f"seed {seed}")[:size]]),
        validation=selfies(fixed[half : half + validation]),
        test=selfies(fixed[:test]),
    )


@cache
def _order(part: str, salt: str) -> tuple[int, ...]:
    return tuple(ordered(smiles(part), salt).tolist())
