"""The contract every adapter keeps, as many small named checks that any author can run.

In the test suite of an adapter::

    from ase_probe.testing import Subject, contract

    test_contract = contract(Subject("my-model"))

gives one pytest item per check. A known exception is declared with its reason, and noticed when it
no longer fails::

    Subject("my-model", expected_failures={"boxed_equals_free": "the model is periodic only"})
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ase_probe.calculator import Probe
from ase_probe.errors import ModelError, UnsupportedElementError, UnsupportedOptionError
from ase_probe.registry import resolve
from ase_probe.testing.subject import Subject

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["CONTRACT", "contract"]


def _turned(atoms: Atoms, turn: np.ndarray) -> Atoms:
    copy: Atoms = atoms.copy()
    copy.set_cell(atoms.cell.array @ turn.T)
    copy.positions = atoms.positions @ turn.T
    return copy


_TURN = np.linalg.qr(np.random.default_rng(7).standard_normal((3, 3)))[0]


def imports_lazily(subject: Subject) -> None:
    """Listing the family's cards imports no vendor module and no machine-learning framework."""
    adapter, _ = resolve(subject.model)
    code = "import sys, ase_probe; ase_probe.models(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "jax", "e3nn", *adapter.environment.modules}
    loaded = heavy & set(done.stdout.split())
    assert not loaded, f"listing models imported {loaded}"


def card_is_complete(subject: Subject) -> None:
    """Every fact a user chooses by is stated."""
    adapter, card = resolve(subject.model)
    assert card.family == adapter.family
    needed = ("level_of_theory", "licence", "elements", "uses_charge", "uses_spin", "dtypes")
    missing = [name for name in needed if getattr(card, name) in (None, ())]
    assert not missing, f"the card does not state {', '.join(missing)}"


def energies_and_forces_have_their_shapes(subject: Subject) -> None:
    """Energies (n,), forces (n_atoms, 3), all finite float64."""
    energy, forces = subject.answer(subject.samples)
    assert energy.dtype == float
    assert energy.shape == (len(subject.samples),)
    assert np.isfinite(energy).all()
    assert [f.shape for f in forces] == [(len(atoms), 3) for atoms in subject.samples]
    assert all(np.isfinite(f).all() for f in forces)


def calculator_gives_the_same_as_the_batch(subject: Subject) -> None:
    """Probe, one structure at a time, agrees with the batch; free_energy is there."""
    energies, forces = [], []
    for atoms in subject.samples:
        copy = atoms.copy()
        copy.calc = subject.probe
        energies.append(copy.get_potential_energy())
        forces.append(copy.get_forces())
        assert copy.get_potential_energy(force_consistent=True) == energies[-1]
    subject.same((energies, forces), subject.answer(subject.samples))


def order_in_the_batch_does_not_matter(subject: Subject) -> None:
    """The same structures backwards give the same answers."""
    energy, forces = subject.answer(subject.samples[::-1])
    subject.same((energy[::-1], forces[::-1]), subject.answer(subject.samples))


def same_answer_twice(subject: Subject) -> None:
    """Nothing of one evaluation is left in the next."""
    subject.same(subject.answer(subject.samples), subject.answer(subject.samples))


def input_is_untouched(subject: Subject) -> None:
    """Neither the engine nor Probe changes the structures or their info."""
    for atoms in subject.samples:
        copy = atoms.copy()
        copy.info["note"] = "mine"
        before = copy.copy()
        subject.answer([copy])
        copy.calc = subject.probe
        copy.get_potential_energy()
        assert copy == before
        assert copy.info == before.info


def translation_changes_nothing(subject: Subject) -> None:
    """A shift of all atoms changes neither energy nor forces."""
    moved = [atoms.copy() for atoms in subject.samples]
    for atoms in moved:
        atoms.positions += (0.31, -1.7, 2.9)
    subject.same(subject.answer(moved), subject.answer(subject.samples))


def rotation_turns_the_forces(subject: Subject) -> None:
    """A rotation of structure and cell changes no energy and turns the forces."""
    energy, forces = subject.answer([_turned(atoms, _TURN) for atoms in subject.samples])
    subject.same((energy, [f @ _TURN for f in forces]), subject.answer(subject.samples))


def permutation_permutes_the_forces(subject: Subject) -> None:
    """The order of the atoms does not matter."""
    energy, forces = subject.answer([atoms[::-1] for atoms in subject.samples])
    subject.same((energy, [f[::-1] for f in forces]), subject.answer(subject.samples))


def force_is_minus_the_gradient(subject: Subject) -> None:
    """Forces agree with central differences of the energy along a random direction.

    The fourth-order formula with two steps: what they disagree by is its own error.
    """
    step = 1e-2
    rng = np.random.default_rng(3)
    for atoms, force in zip(subject.samples, subject.answer(subject.samples)[1], strict=True):
        direction = rng.standard_normal(force.shape)
        direction /= np.linalg.norm(direction)
        ends = []
        for factor in (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0):
            moved = atoms.copy()
            moved.positions += factor * step * direction
            ends.append(moved)
        e = subject.answer(ends)[0]
        coarse = (e[0] - 8 * e[1] + 8 * e[4] - e[5]) / (12 * step)
        fine = (e[1] - 8 * e[2] + 8 * e[3] - e[4]) / (6 * step)
        expected = -float(np.sum(force * direction))
        tolerance = subject.force_tolerance + 4 * subject.energy_tolerance / step
        tolerance += min(abs(fine - coarse), 10 * subject.force_tolerance)
        assert abs(fine - expected) <= tolerance, f"{atoms.symbols}: {fine} {expected}"


def vendor_agrees(subject: Subject) -> None:
    """The vendor's own calculator gives the same energies and forces."""
    import pytest

    if subject.vendor is None:
        pytest.skip("no vendor calculator given")
    calculator = subject.vendor()
    energies, forces = [], []
    for atoms in subject.samples:
        copy = atoms.copy()
        copy.calc = calculator
        energies.append(copy.get_potential_energy())
        forces.append(copy.get_forces())
    subject.same((energies, forces), subject.answer(subject.samples))


def charge_and_spin_are_used_or_refused(subject: Subject) -> None:
    """A changed charge or spin changes the energy, or raises; it is never ignored."""
    changes = {"charge": (0, 2, subject.card.uses_charge), "spin": (1, 3, subject.card.uses_spin)}
    for key, (neutral, other, used) in changes.items():
        atoms = subject.samples[0].copy()
        atoms.calc = subject.probe
        atoms.info[key] = neutral
        before = atoms.get_potential_energy()
        atoms.info[key] = other
        if used is False:
            try:
                atoms.get_potential_energy()
            except UnsupportedOptionError:
                continue
            raise AssertionError(f"{key} {other} was ignored")
        assert used is None or atoms.get_potential_energy() != before, f"{key} changed nothing"


def unknown_element_is_refused(subject: Subject) -> None:
    """An element the model does not know raises; it never gives a number."""
    import pytest
    from ase import Atoms
    from ase.data import chemical_symbols

    known = set(subject.card.elements or ())
    unknown = next((s for s in chemical_symbols[:0:-1] if s not in known), None)
    if unknown is None:
        pytest.skip("the model knows every element")
    atoms = Atoms([unknown, unknown], positions=[(0, 0, 0), (0, 0, 2)], calculator=subject.probe)
    with pytest.raises(UnsupportedElementError):
        atoms.get_potential_energy()


def lone_atoms_answer_or_refuse(subject: Subject) -> None:
    """An isolated atom has a finite energy and no force, alone and in a batch, or is refused."""
    from ase import Atoms

    symbol = str(subject.samples[0].symbols[0])
    atom = Atoms([symbol], positions=[(0.0, 0.0, 0.0)])
    alone = subject.evaluator.evaluate([atom])
    mixed = subject.evaluator.evaluate([subject.samples[0], atom, subject.samples[0]])
    assert not {0, 2} & set(mixed.failures), "a lone atom harmed its neighbours in the batch"
    if alone.failures or mixed.failures:
        assert bool(alone.failures) == bool(mixed.failures), "refused alone or in the batch only"
        return
    assert np.isfinite(alone.energy[0])
    assert abs(mixed.energy[1] - alone.energy[0]) <= subject.energy_tolerance
    assert np.abs(alone.forces[0]).max() <= subject.force_tolerance


def far_atoms_do_not_fail(subject: Subject) -> None:
    """A pair beyond every cutoff is answered or refused, never NaN."""
    pair = subject.samples[0][:2].copy()
    pair.positions = [(0.0, 0.0, 0.0), (0.0, 0.0, 40.0)]
    pair.pbc = False
    result = subject.evaluator.evaluate([pair])
    assert result.failures or np.isfinite(result.energy[0])


def boxed_equals_free(subject: Subject) -> None:
    """A molecule in a large periodic box has the energy it has without one."""
    molecules = [atoms for atoms in subject.samples if not atoms.pbc.any()]
    boxed = []
    for atoms in molecules:
        copy = atoms.copy()
        copy.center(vacuum=max(12.0, 2.0 * (subject.card.cutoff or 6.0)))
        copy.pbc = True
        boxed.append(copy)
    subject.same(subject.answer(boxed), subject.answer(molecules))


def bad_checkpoint_is_refused(subject: Subject) -> None:
    """A file that is no checkpoint, and one that is not there, give a `ModelError`."""
    import tempfile
    from pathlib import Path

    import pytest

    with tempfile.TemporaryDirectory() as folder:
        garbage = Path(folder) / "garbage.pth"
        garbage.write_bytes(b"this is not a model")
        for path in (garbage, Path(folder) / "absent.pth"):
            options = {"checkpoint": str(path), "trust_checkpoint": True}
            with pytest.raises(ModelError):
                Probe(subject.model, **{**subject.options, **options})


def unknown_pickle_runs_nothing(subject: Subject) -> None:
    """A checkpoint that nobody vouched for is refused without running what it holds."""
    import pickle
    import tempfile
    from pathlib import Path

    import pytest

    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        for name in ("hostile.pt", "hostile.ckpt"):
            file = Path(folder) / name
            file.write_bytes(pickle.dumps(_Hostile(str(trace))))
            with pytest.raises(ModelError):
                Probe(
                    subject.model,
                    **{**subject.options, "checkpoint": str(file), "trust_checkpoint": False},
                )
            assert not trace.exists(), "loading a checkpoint ran the code it holds"


class _Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.trace, "w")


CONTRACT: dict[str, Callable[[Subject], None]] = {
    check.__name__: check
    for check in (
        imports_lazily,
        card_is_complete,
        energies_and_forces_have_their_shapes,
        calculator_gives_the_same_as_the_batch,
        order_in_the_batch_does_not_matter,
        same_answer_twice,
        input_is_untouched,
        translation_changes_nothing,
        rotation_turns_the_forces,
        permutation_permutes_the_forces,
        force_is_minus_the_gradient,
        vendor_agrees,
        charge_and_spin_are_used_or_refused,
        unknown_element_is_refused,
        lone_atoms_answer_or_refuse,
        far_atoms_do_not_fail,
        boxed_equals_free,
        bad_checkpoint_is_refused,
        unknown_pickle_runs_nothing,
    )
}
"""Name -> check."""


def contract(*subjects: Subject) -> Callable[..., None]:
    """Return a pytest test function with one item per subject and check.

    Raises
    ------
    ValueError
        An expected failure names no check.
    """
    import pytest

    for subject in subjects:
        unknown = set(subject.expected_failures) - set(CONTRACT)
        if unknown:
            raise ValueError(f"no such contract check: {', '.join(sorted(unknown))}")

    @pytest.mark.parametrize("check", CONTRACT)
    @pytest.mark.parametrize("subject", subjects, ids=lambda subject: subject.id)
    def test(subject: Subject, check: str) -> None:
        reason = subject.expected_failures.get(check)
        if reason is None:
            CONTRACT[check](subject)
            return
        try:
            CONTRACT[check](subject)
        except (AssertionError, ModelError):
            pytest.xfail(reason)
        raise AssertionError(f"{check} was expected to fail ({reason}) and passes: remove it")

    return test
