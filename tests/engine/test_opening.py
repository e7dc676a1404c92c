import sys
import types

import pytest

from ase_probe.engine import device as device_module
from ase_probe.engine import open_model
from ase_probe.engine.device import resolve_device
from ase_probe.engine.opening import install_command, is_installed
from ase_probe.errors import (
    DeviceError,
    ModelLoadError,
    ModelNotInstalledError,
    UnsupportedOptionError,
)
from ase_probe.model import AdapterBase, Environment, ModelCard

CARD = ModelCard(name="m", family="f", dtypes=("float32", "float64"), tasks=())


class Plain(AdapterBase):
    family = "f"
    devices = ("cpu", "cuda")

    def load(self, card, *, device, dtype, task, checkpoint):
        if checkpoint == "broken":
            raise KeyError("state_dict")
        return types.SimpleNamespace(device=device, dtype=dtype, task=task)

    def checkpoint_file(self, card, checkpoint):
        return None if checkpoint == "broken" else checkpoint


@pytest.fixture
def cuda(monkeypatch):
    def there(count):
        monkeypatch.setattr(device_module, "_cuda_count", lambda: count)

    return there


def test_auto_takes_cuda_when_there_is_one(cuda):
    cuda(1)
    assert resolve_device("auto", ("cpu", "cuda"), "m") == "cuda"
    assert resolve_device("auto", ("cpu",), "m") == "cpu"
    cuda(0)
    assert resolve_device("auto", ("cpu", "cuda"), "m") == "cpu"


def test_devices_that_are_not_there(cuda):
    cuda(1)
    assert resolve_device("cuda:0", ("cpu", "cuda"), "m") == "cuda:0"
    with pytest.raises(DeviceError, match="PyTorch sees 1 CUDA"):
        resolve_device("cuda:1", ("cpu", "cuda"), "m")
    cuda(0)
    with pytest.raises(DeviceError, match="'cuda' is not there"):
        resolve_device("cuda", ("cpu", "cuda"), "m")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", "", "cuda:-1"])
def test_unknown_device_names(name):
    with pytest.raises(DeviceError, match="allowed: auto, cpu, cuda"):
        resolve_device(name, ("cpu", "cuda"), "m")


def test_cuda_for_a_cpu_only_family():
    with pytest.raises(UnsupportedOptionError, match="does not run on 'cuda'"):
        resolve_device("cuda", ("cpu",), "m")


def test_environment_of_an_evaluator(tmp_path):
    weights = tmp_path / "w"
    weights.write_bytes(b"abc")
    opened = open_model(Plain(), CARD, device="cpu", dtype="float64", checkpoint=str(weights))
    assert opened.environment["dtype"] == "float64"
    assert opened.environment["device"] == "cpu"
    assert opened.environment["weights"]["sha256"].startswith("ba7816bf")
    assert {"ase-probe", "python", "ase", "numpy"} <= set(opened.environment["versions"])
    assert open_model(Plain(), CARD, device="cpu").environment["dtype"] == "float32"


def test_loader_errors_are_explained():
    with pytest.raises(
        ModelLoadError, match="m could not be loaded from broken: KeyError: 'state_dict'"
    ):
        open_model(Plain(), CARD, device="cpu", checkpoint="broken")
    with pytest.raises(ModelLoadError, match="FileNotFoundError"):
        open_model(Plain(), CARD, device="cpu", checkpoint="/nowhere/at/all")


def test_damaged_weights_are_refused(tmp_path):
    class Bundled(Plain):
        def checkpoint_file(self, card, checkpoint):
            return str(tmp_path / "w")

    (tmp_path / "w").write_bytes(b"abc")
    card = ModelCard(name="m", family="f", sha256="0" * 64)
    with pytest.raises(ModelLoadError, match="damaged or not the ones published"):
        open_model(Bundled(), card, device="cpu")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"dtype": "float16"}, "cannot use dtype 'float16'; allowed: float32, float64"),
        ({"task": "omol"}, "cannot use task 'omol'; it has no task to choose"),
    ],
)
def test_options_the_model_cannot_honour(option, message):
    with pytest.raises(UnsupportedOptionError, match=message):
        open_model(Plain(), CARD, device="cpu", **option)


def test_a_model_with_tasks_needs_one():
    card = ModelCard(name="m", family="f", tasks=("omol", "omat"))
    with pytest.raises(UnsupportedOptionError, match="choose one of: omol, omat"):
        open_model(Plain(), card, device="cpu")
    assert open_model(Plain(), card, device="cpu", task="omat").calculator.task == "omat"


def test_missing_vendor_names_the_install_command():
    class Missing(Plain):
        environment = Environment(extra="ghost", modules=("no_such_vendor",))

    assert not is_installed(Missing())
    assert install_command(Missing()) == "pip install 'ase-probe[ghost]'"
    with pytest.raises(ModelNotInstalledError, match=r"pip install 'ase-probe\[ghost\]'"):
        open_model(Missing(), CARD)
    assert "no_such_vendor" not in sys.modules
