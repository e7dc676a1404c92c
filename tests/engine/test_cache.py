"""Answers on disk: the same numbers, no model loaded, and nothing stale."""

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import broken_models
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from click.testing import CliRunner

from ase_probe import Dimer, audit
from ase_probe.cli import main
from ase_probe.engine import Evaluation, Evaluator, fingerprint, remembered
from ase_probe.engine.answers_folder import contents, prune
from ase_probe.errors import UnsupportedOptionError
from ase_probe.model import ModelCard
from ase_probe.registry import resolve

OPTIONS = {
    "device": "auto", "dtype": None, "task": None, "checkpoint": None, "trust_checkpoint": False,
}  # fmt: skip
R = np.linspace(0.5, 4.0, 12)


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.delenv("ASE_PROBE_NO_CACHE")
    monkeypatch.setenv("ASE_PROBE_CACHE", str(tmp_path))
    return tmp_path / "answers"


class Model(Evaluator):
    """Counts what it is asked; `bad` distances fail."""

    opened = 0

    def __init__(self, bad=()):
        Model.opened += 1
        self.card = ModelCard(name="counting", family="toy", elements=("H",))
        self.environment = {"device": "cpu", "dtype": "float64", "task": None}
        self.bad, self.asked = bad, []

    def evaluate(self, structures, progress=None, *, parts=None, alone=False):
        self.asked.append((len(structures), alone))
        r = np.array([atoms.positions[-1, 2] for atoms in structures])
        failures = dict.fromkeys(np.flatnonzero(np.isin(r, self.bad)).tolist(), "no")
        energy = np.where(np.isin(r, self.bad), np.nan, np.sin(37 * r))
        forces = [np.full((len(a), 3), e) for a, e in zip(structures, energy, strict=True)]
        return Evaluation(energy=energy, forces=forces, failures=failures, has_forces=True)


def pairs(r=R):
    return [Dimer.parse("H2").atoms(x, charge=False, spin=False) for x in r]


def same(one, two):
    return (
        np.array_equal(one.energy, two.energy, equal_nan=True)
        and all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(one.forces, two.forces, strict=True)
        )
        and (one.failures, one.has_forces) == (two.failures, two.has_forces)
    )


def test_known_answers_need_no_model():
    model = Model()
    first = remembered("k" * 40, lambda: model).evaluate(pairs(), parts=[5, 7])
    calls = []

    def never():
        raise AssertionError("opened")

    again = remembered("k" * 40, never)
    second = again.evaluate(pairs(), lambda *step: calls.append(step), parts=[5, 7])
    assert same(first, second)
    assert calls == [(12, 12)]
    assert again.card == model.card
    assert again.remembered == 12


def test_only_what_is_new_is_asked_and_all_of_it_is_kept_in_place():
    remembered("k" * 40, Model).evaluate(pairs()[3:6])
    model = Model()
    calls = []
    mixed = remembered("k" * 40, lambda: model)
    found = mixed.evaluate(pairs(), lambda *step: calls.append(step), parts=[3, 3, 6])
    assert model.asked == [(9, False)]
    assert same(found, Model().evaluate(pairs()))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.info.update(charge=1),
        lambda a: a.info.update(spin=3),
        lambda a: a.set_atomic_numbers([1, 2]),
        lambda a: a.positions.__iadd__(1e-12),
        lambda a: a.set_pbc(True),
        lambda a: a.set_cell([9, 9, 9]),
        lambda a: a.set_initial_magnetic_moments([1, -1]),
        lambda a: a.set_initial_charges([1, 0]),
        lambda a: a.extend(Atoms("H", positions=[(5, 5, 5)])),
    ],
)
def test_whatever_the_model_is_told_counts(change):
    remembered("k" * 40, Model).evaluate(pairs()[:1])
    model, (atoms,) = Model(), pairs()[:1]
    change(atoms)
    remembered("k" * 40, lambda: model).evaluate([atoms])
    assert model.asked == [(1, False)]


def test_alone_is_another_question():
    remembered("k" * 40, Model).evaluate(pairs()[:1])
    model = Model()
    remembered("k" * 40, lambda: model).evaluate(pairs()[:1], alone=True)
    assert model.asked == [(1, True)]


def test_failures_are_asked_again():
    bad = Model(bad=(R[4],))
    first = remembered("k" * 40, lambda: bad).evaluate(pairs(), parts=[3, 9])
    assert set(first.failures) == {4}
    healed = Model()
    second = remembered("k" * 40, lambda: healed).evaluate(pairs(), parts=[3, 9])
    assert healed.asked == [(9, False)]
    assert not second.failures


@pytest.mark.parametrize("damage", ["cut", "flip", "header", "empty"])
def test_damage_is_noticed(folder, damage):
    first = remembered("k" * 40, Model).evaluate(pairs())
    (path,) = folder.glob("*/*.answers")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-9]
    elif damage == "flip":
        content[-20] ^= 1
    elif damage == "header":
        content = content.replace(b"true", b"null", 1)
    else:
        content = b""
    path.write_bytes(content)
    model = Model()
    second = remembered("k" * 40, lambda: model).evaluate(pairs())
    assert model.asked
    assert same(first, second)
    assert remembered("k" * 40, lambda: None).remembered == 0


def test_a_damaged_card_is_made_again(folder):
    remembered("k" * 40, Model)
    (path,) = folder.glob("*/model.json")
    path.write_text("{")
    before = Model.opened
    remembered("k" * 40, Model)
    assert Model.opened == before + 1
    assert json.loads(path.read_text())["card"]["name"] == "counting"


def test_a_full_disk_costs_only_the_cache(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    cached = remembered("k" * 40, Model)
    monkeypatch.setattr(os, "replace", full)
    assert same(cached.evaluate(pairs()), Model().evaluate(pairs()))


def test_a_folder_that_cannot_be_made_costs_only_the_cache(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASE_PROBE_CACHE", str(tmp_path / "file"))
    assert same(remembered("k" * 40, Model).evaluate(pairs()), Model().evaluate(pairs()))


# Fingerprints ------------------------------------------------------------------------------------


def test_what_a_fingerprint_depends_on(tmp_path, monkeypatch):
    adapter, card = resolve("morse")
    base = fingerprint(adapter, card, OPTIONS)
    assert base == fingerprint(adapter, card, dict(OPTIONS))
    assert base != fingerprint(adapter, card, {**OPTIONS, "dtype": "float64"})
    assert base != fingerprint(adapter, replace(card, cutoff=7.0), OPTIONS)
    weights = tmp_path / "weights"
    monkeypatch.setattr(type(adapter), "checkpoint_file", lambda *_: str(weights))
    assert fingerprint(adapter, card, OPTIONS) is None  # not there yet: to be downloaded
    weights.write_text("1")
    one = fingerprint(adapter, card, OPTIONS)
    weights.write_text("2")
    assert None is not one != fingerprint(adapter, card, OPTIONS)


def test_a_checkpoint_that_is_a_folder_counts_as_a_whole(tmp_path, monkeypatch):
    adapter, card = resolve("morse")
    monkeypatch.setattr(type(adapter), "checkpoint_file", lambda *_: str(tmp_path / "state.pt"))
    (tmp_path / "state.pt").write_text("weights")
    options = {**OPTIONS, "checkpoint": str(tmp_path)}
    (tmp_path / "model.json").write_text("cutoff 5")
    one = fingerprint(adapter, card, options)
    (tmp_path / "model.json").write_text("cutoff 6")
    assert None is not one != fingerprint(adapter, card, options)


def test_devices_that_are_hidden_make_another_model(monkeypatch):
    adapter, card = resolve("morse")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    every = fingerprint(adapter, card, OPTIONS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert None is not every != fingerprint(adapter, card, OPTIONS)


def test_a_wrong_option_is_left_to_the_loader():
    with pytest.raises(UnsupportedOptionError):
        audit("morse", dimers=["H2"], dtype=np.float64)


def test_an_adapter_may_be_a_module(monkeypatch, tmp_path):
    adapter, card = resolve("morse")
    source = tmp_path / "plugin_of_a_module.py"
    source.write_text("1")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("plugin_of_a_module")
    for name in ("environment", "weightless", "checkpoint_file"):
        monkeypatch.setattr(module, name, getattr(adapter, name), raising=False)
    one = fingerprint(module, card, OPTIONS)
    source.write_text("2")
    assert None is not one != fingerprint(module, card, OPTIONS)


def test_weights_that_cannot_be_found_have_none(monkeypatch):
    adapter, card = resolve("morse")
    monkeypatch.setattr(type(adapter), "weightless", False)
    assert fingerprint(adapter, card, OPTIONS) is None


def test_packages_that_are_being_edited_have_none(monkeypatch):
    adapter, card = resolve("morse")
    edited = replace(adapter.environment, distributions=("ase-probe",))
    monkeypatch.setattr(type(adapter), "environment", edited)
    direct = importlib.metadata.distribution("ase-probe").read_text("direct_url.json") or "{}"
    editable = json.loads(direct).get("dir_info", {}).get("editable", False)
    assert (fingerprint(adapter, card, OPTIONS) is None) == editable


def test_a_calculator_is_never_remembered(folder):
    audit(LennardJones(), dimers=["Ar2"], checks=["robustness"])
    audit("ase.calculators.lj:LennardJones", dimers=["Ar2"], checks=["robustness"])
    assert not folder.exists()


# Audits ------------------------------------------------------------------------------------------


def without_times(found):
    environment = {**found.environment, "date": "", "remembered": 0}
    return replace(found, environment=environment)


def test_a_second_audit_is_the_first_one():
    first, second = audit("morse", dimers=["H2"]), audit("morse", dimers=["H2"])
    assert first.environment["remembered"] == 0
    assert second.environment["remembered"] > 300
    assert without_times(second) == without_times(first)
    fresh = audit("morse", dimers=["H2"], cache=False)
    assert fresh.environment["remembered"] == 0
    assert without_times(fresh) == without_times(first)


def test_processes_share_it():
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        answers = list(pool.map(broken_models.remembered_morse, range(6)))
    assert all(energy == answers[0][0] for energy, _ in answers)
    assert broken_models.remembered_morse(0)[1] > 300


def test_the_vendor_is_not_imported_again():
    pytest.importorskip("sevenn")
    program = (
        "import sys; from ase_probe import audit; "
        "a = audit('7net-0', dimers=['H2']); "
        "print(a.environment['remembered'], 'torch' in sys.modules, a.score)"
    )
    lines = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert lines[0][:2] == ["0", "True"]
    assert int(lines[1][0]) > 300
    assert lines[1][1] == "False"
    assert lines[0][2] == lines[1][2]


def test_the_command_line_lists_and_clears(folder):
    runner = CliRunner()
    assert "No answers in" in runner.invoke(main, ["cache", "list"]).output
    command = ["audit", "morse", "--dimers", "H2", "--checks", "robustness"]
    runner.invoke(main, [*command, "--no-cache"])
    assert not folder.exists()
    runner.invoke(main, command)
    assert "morse (cpu, float64): " in runner.invoke(main, ["cache", "list"]).output
    wrong = runner.invoke(main, ["cache", "clear", "other"])
    assert wrong.exit_code == 2
    assert "no answers of other; there are answers of morse" in wrong.output
    assert "of 1 model(s)" in runner.invoke(main, ["cache", "clear"]).output
    assert contents() == []


def test_what_was_not_used_for_longest_goes_first(folder):
    for age, name in enumerate(("new", "old", "oldest")):
        remembered(name, Model).evaluate([Atoms("H2", [[0, 0, 0], [0, 0, 1.0]])])
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    each = contents()[0].bytes
    prune(keep=folder / "oldest", limit=2 * each)
    assert sorted(entry.folder.name for entry in contents()) == ["new", "oldest"]
    prune(keep=folder / "new", limit=0)
    assert [entry.folder.name for entry in contents()] == ["new"]
