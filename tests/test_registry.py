import importlib.metadata

import pytest
from ase.calculators.emt import EMT

import ase_probe
from ase_probe import registry
from ase_probe.errors import InputError, ModelLoadError, UnknownModelError


@pytest.fixture
def entry_points(monkeypatch):
    """Replace the installed families by the given (name, value) pairs."""

    def install(*pairs):
        entries = [importlib.metadata.EntryPoint(n, v, registry.GROUP) for n, v in pairs]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
        registry.families.cache_clear()

    yield install
    monkeypatch.undo()
    registry.families.cache_clear()


def test_our_families_are_registered():
    assert [f.name for f in registry.families() if f.error] == []
    assert {"7net-0", "lj", "morse"} <= {card.name for card in ase_probe.models()}


def test_names_are_unique():
    names = [n.lower() for card in ase_probe.models() for n in (card.name, *card.aliases)]
    assert len(names) == len(set(names))


def test_resolve_by_name_alias_and_case():
    _, card = registry.resolve("7NET-0")
    assert card.name == "7net-0"
    assert card.aliases
    assert registry.resolve(card.aliases[0])[1] is card


def test_unknown_name_has_suggestions():
    with pytest.raises(UnknownModelError, match=r"Did you mean .*7net-0.*ase-probe models"):
        registry.resolve("7nte-0")


def test_broken_plugins_break_nobody_else(entry_points):
    entry_points(
        ("toy", "ase_probe.adapters.toy:adapter"),
        ("gone", "no_such_package:adapter"),
        ("odd", "ase_probe.units:BOHR"),
    )
    assert registry.resolve("morse")[1].name == "morse"
    errors = {f.name: f.error for f in registry.families() if f.error}
    assert "ModuleNotFoundError" in errors["gone"]
    assert "does not satisfy" in errors["odd"]
    with pytest.raises(UnknownModelError, match="could not be imported: gone"):
        registry.resolve("gone-model")


def test_factories(tmp_path, monkeypatch):
    (tmp_path / "mine_for_probe.py").write_text(
        "from ase.calculators.emt import EMT\ndef make(): return EMT()\nvalue = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("ase.calculators.emt:EMT", "mine_for_probe.py:make", "mine_for_probe:make"):
        adapter, card = registry.resolve(name)
        calculator = adapter.load(card, device="", dtype=None, task=None, checkpoint=None)
        assert isinstance(calculator, EMT)
        assert card.name == name


def test_a_plugin_without_cards_or_with_a_taken_name_is_reported(
    entry_points, tmp_path, monkeypatch
):
    (tmp_path / "probe_plugins.py").write_text(
        "from ase_probe.model import AdapterBase, ModelCard\n"
        "class A(AdapterBase):\n    family = 'a'\n    cards = None\n    def load(self): ...\n"
        "class B(AdapterBase):\n    family = 'b'\n    def load(self): ...\n"
        "    cards = (ModelCard(name='morse', family='b'),)\n"
        "a, b = A(), B()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry_points(
        ("toy", "ase_probe.adapters.toy:adapter"),
        ("x", "probe_plugins:a"),
        ("z", "probe_plugins:b"),
    )
    assert registry.resolve("morse")[1].family == "toy"
    errors = {f.name: f.error for f in registry.families() if f.error}
    assert "not a tuple of ModelCards" in errors["x"]
    assert "'morse' belongs to family toy" in errors["z"]


def test_a_user_file_shadows_no_module(tmp_path, monkeypatch):
    (tmp_path / "ase.py").write_text("from ase.calculators.emt import EMT\nmake = EMT\n")
    monkeypatch.chdir(tmp_path)
    adapter, card = registry.resolve("ase.py:make")
    assert isinstance(adapter.load(card, device="", dtype=None, task=None, checkpoint=None), EMT)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:make", "Cannot import 'no_such_module'"),
        ("no_such_file.py:make", "no file 'no_such_file.py'"),
        ("ase.calculators.emt:make", "has no 'make'"),
        ("ase_probe.units:BOHR", "is not callable"),
    ],
)
def test_bad_factories(target, message):
    with pytest.raises(ModelLoadError, match=message):
        registry.resolve(target)


@pytest.mark.parametrize("target", [":make", "module:"])
def test_half_a_factory(target):
    with pytest.raises(UnknownModelError, match="names no factory"):
        registry.resolve(target)


def test_wrap_refuses_what_is_no_calculator():
    with pytest.raises(InputError, match="got int"):
        registry.wrap(3)


def test_a_checkpoint_of_a_family(tmp_path, monkeypatch):
    file = tmp_path / "mine.pth"
    file.write_bytes(b"")
    adapter, card = registry.resolve(f"sevennet:{file}")
    assert (card.name, card.checkpoint, card.local) == ("sevennet:mine.pth", str(file), True)
    assert card.level_of_theory is None
    assert card.dtypes == adapter.cards[0].dtypes
    monkeypatch.chdir(tmp_path)
    assert registry.resolve("SevenNet:mine.pth")[1].checkpoint == "mine.pth"
    with pytest.raises(ModelLoadError, match=r"no checkpoint 'yours\.pth'"):
        registry.resolve("sevennet:yours.pth")
    with pytest.raises(ModelLoadError, match="Cannot import 'sevennet'"):
        registry.resolve("sevennet:make")  # a function: no file has such a name


def test_where_another_process_finds_a_model():
    adapter, card = registry.resolve("morse")
    assert registry.origin(adapter, card) == ("ase_probe.adapters.toy:adapter", "ase-probe")
    adapter, card = registry.resolve("broken_models:Pair")
    assert registry.origin(adapter, card) == ("broken_models:Pair", "")
    with pytest.raises(InputError, match="already built"):
        registry.origin(*registry.wrap(EMT()))
