"""From a spec to the study's own data: QM9 and the shots for potentials, MOSES for ChemGPT."""

from __future__ import annotations

from functools import cache

from ase_probe.scaling.data.moses import moses
from ase_probe.scaling.data.qm9 import qm9
from ase_probe.scaling.data.shots import shots
from ase_probe.scaling.data.subsets import split
from ase_probe.scaling.models import LANGUAGE
from ase_probe.scaling.molecules import Molecules
from ase_probe.scaling.training.spec import RunSpec
from ase_probe.scaling.training.task import Task

__all__ = ["task_of"]


def task_of(spec: RunSpec, device: str) -> Task:
    """Return what the network of a run learns from.

    Raises
    ------
    InputError
        More molecules or shots than there are.
    ModelNotInstalledError
        A package that brings the data is missing.
    """
    return _language(spec, device) if spec.model in LANGUAGE else _energies(spec, device)


_all_of_qm9 = cache(qm9)  # a sweep in one process reads it once


def _energies(spec: RunSpec, device: str) -> Task:
    from ase_probe.scaling.training.energies import Energies

    molecules = _all_of_qm9()
    parts = split(
        molecules.names,
        spec.molecules,
        seed=spec.choice,
        validation=spec.validation,
        test=spec.test,
    )
    taught: Molecules | None = None
    if spec.shots is not None and spec.shots.k:
        taught = shots(spec.shots.kind, spec.shots.k, seed=spec.seed)
    return Energies(
        spec,
        molecules[parts.training],
        molecules[parts.validation],
        molecules[parts.test],
        shots=taught,
        device=device,
    )


def _language(spec: RunSpec, device: str) -> Task:
    from ase_probe.scaling.models.tokens import LONGEST, MOSES
    from ase_probe.scaling.training.language import Language

    texts = moses(spec.molecules, seed=spec.choice, validation=spec.validation, test=spec.test)
    return Language(
        spec,
        texts.training,
        texts.validation,
        texts.test,
        vocabulary=MOSES,
        length=LONGEST,
        device=device,
    )
