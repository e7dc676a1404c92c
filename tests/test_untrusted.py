"""A checkpoint that holds code is refused before any of it runs."""

import pickle
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from ase_probe import Probe, registry
from ase_probe.errors import ModelError, ModelLoadError, UntrustedCheckpointError

FAMILIES = [
    pytest.param(name, marks=pytest.mark.skipif(not find_spec(vendor), reason=f"needs {vendor}"))
    for name, vendor in (("7net-0", "sevenn"), ("chgnet-0.3.0", "chgnet"))
]


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def hostile(tmp_path):
    victim = tmp_path / "created-by-the-pickle"
    checkpoint = tmp_path / "model.pth"
    checkpoint.write_bytes(pickle.dumps(Hostile(victim)))
    return checkpoint, victim


@pytest.mark.parametrize("model", FAMILIES)
def test_a_hostile_pickle_is_refused_and_does_nothing(model, hostile):
    checkpoint, victim = hostile
    with pytest.raises(UntrustedCheckpointError, match="--trust-checkpoint"):
        Probe(model, checkpoint=str(checkpoint))
    assert not victim.exists()


def test_the_pickle_would_have_worked(hostile):
    checkpoint, victim = hostile
    pickle.loads(checkpoint.read_bytes())
    assert victim.exists()


@pytest.mark.parametrize("model", FAMILIES)
def test_a_file_that_is_known_by_its_hash_needs_no_trust(model, tmp_path):
    adapter, card = registry.resolve(model)
    copy = shutil.copy(adapter.checkpoint_file(card, None), tmp_path / "copy.pth")
    assert Probe(model, checkpoint=str(copy), device="cpu").card.family == card.family


@pytest.mark.parametrize("model", FAMILIES)
def test_trust_goes_on_to_the_loader(model, tmp_path):
    garbage = tmp_path / "garbage.pth"
    garbage.write_bytes(b"no model")
    with pytest.raises(ModelError) as caught:
        Probe(model, checkpoint=str(garbage), trust_checkpoint=True)
    assert not isinstance(caught.value, UntrustedCheckpointError)
    with pytest.raises(ModelLoadError, match="Cannot read"):
        Probe(model, checkpoint=str(tmp_path / "absent.pth"))
