from importlib.util import find_spec

import pytest

from ase_probe.errors import InputError, ModelNotInstalledError
from ase_probe.scaling.data import moses

TRAIN = tuple("C" * n for n in range(1, 21))
TEST = tuple("C" * n + "O" for n in range(1, 21))


@pytest.fixture
def small(monkeypatch):
    pytest.importorskip("selfies")
    moses._order.cache_clear()
    monkeypatch.setattr(moses, "smiles", {"train": TRAIN, "test": TEST}.__getitem__)
    yield
    moses._order.cache_clear()


@pytest.mark.skipif(find_spec("moses") is None, reason="needs molsets")
def test_the_package_holds_what_moses_is():
    train, test = moses.smiles("train"), moses.smiles("test")
    assert train[0] == "CCCS(=O)c1ccc2[nH]c(=NC(=O)OC)[nH]c2c1"
    assert len(train) == len(set(train)) == 1_584_663
    assert not set(train) & set(test)


@pytest.mark.usefixtures("small")
def test_sets_are_nested_and_judged_by_others():
    few, many = (moses.moses(n, seed=3, validation=n, test=n) for n in (4, 10))
    assert (few.training, few.validation, few.test) == (
        many.training[:4], many.validation[:4], many.test[:4],
    )  # fmt: skip
    assert not set(many.validation) & set(many.test)
    assert set(many.training) <= set(moses.selfies(TRAIN))
    assert many.training != moses.moses(10, seed=4, validation=0, test=0).training


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("wrong", [{"size": 21}, {"validation": 11}, {"test": 11}, {"seed": -1}])
def test_more_than_there_are_is_refused(wrong):
    with pytest.raises(InputError, match=r"21|11|-1"):
        moses.moses(**{"size": 1, "seed": 0, "validation": 1, "test": 1, **wrong})


def test_what_has_no_selfies_is_named():
    pytest.importorskip("selfies")
    assert moses.selfies(["CO"]) == ("[C][O]",)
    with pytest.raises(InputError, match=r"C\(C"):
        moses.selfies(["CO", "C(C"])


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    moses.smiles.cache_clear()
    monkeypatch.setattr(moses, "find_spec", lambda name: None)
    with pytest.raises(ModelNotInstalledError, match="--no-deps molsets"):
        moses.smiles("train")


def test_an_unknown_part_is_refused():
    with pytest.raises(InputError, match="train, test"):
        moses.smiles("validation")
