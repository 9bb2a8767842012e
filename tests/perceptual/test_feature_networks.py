"""EfficientNet-Lite0 and InceptionV3 against PyTorch, with random parameters."""

import jax
import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.perceptual import weights
from dlf_jax.perceptual.efficientnet import EfficientNetLite0
from dlf_jax.perceptual.inception import InceptionV3
from tests.golden.make_features import FOLDER, efficientnet_norm, picture, state


@pytest.fixture(scope="module")
def golden():
    with np.load(FOLDER / "features.npz") as file:
        return dict(file)


def _shapes(network, image):
    """Kernel shapes of every layer, (out, in, height, width)."""
    params = jax.eval_shape(network.init, jax.random.key(0), image)["params"]
    shapes = {name: layer["kernel"].shape for name, layer in params.items()}
    return {name: (o, i, h, w) for name, (h, w, i, o) in shapes.items()}


def test_efficientnet_equals_pytorch(golden, monkeypatch):
    image = picture(64).astype(np.float32)
    arrays = {}
    for name, shape in _shapes(EfficientNetLite0(), image).items():
        if name in ("stem", "head"):
            conv = f"_conv_{name}"
        else:
            _, block, layer = name.split("_")
            conv = f"_blocks.{block}._{layer}_conv"
        arrays |= state(conv, efficientnet_norm(conv), shape)
    monkeypatch.setattr(weights, "read_member", lambda *args: b"")
    monkeypatch.setattr(weights, "read_pytorch_file", lambda *args: arrays)
    params = weights.load_efficientnet_params()
    found = jax.jit(EfficientNetLite0().apply)({"params": params}, image)
    want = golden["efficientnet"]
    np.testing.assert_allclose(found, want, atol=1e-4 * want.max())


@pytest.mark.slow
def test_inception_equals_pytorch(golden, monkeypatch, tmp_path):
    image = picture(256).astype(np.float32)
    arrays = {}
    for name, shape in _shapes(InceptionV3(), image).items():
        layer = name.replace("_branch", ".branch")
        arrays |= state(f"{layer}.conv", f"{layer}.bn", shape)
    arrays["fc.bias"] = np.zeros(1008, np.float32)
    monkeypatch.setattr(weights, "read_pytorch_file", lambda *args: arrays)
    (tmp_path / "weights.pth").touch()
    params = weights.load_inception_params(tmp_path / "weights.pth")
    found = jax.jit(InceptionV3().apply)({"params": params}, image)
    want = golden["inception"]
    np.testing.assert_allclose(found, want, atol=1e-4 * want.max())


def test_another_network_is_rejected(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(UserError, match=f"cannot read {path}: No such file"):
        weights.load_inception_params(path)
    path.touch()
    arrays = {"a.conv.weight": np.zeros((1, 1, 1, 1), np.float32)}
    monkeypatch.setattr(weights, "read_pytorch_file", lambda *args: arrays)
    with pytest.raises(UserError, match="does not hold"):
        weights.load_inception_params(path)
    arrays["fc.bias"] = np.zeros(1000, np.float32)  # of torchvision
    with pytest.raises(UserError, match="1000 classes, not 1008"):
        weights.load_inception_params(path)
    arrays["fc.bias"] = np.zeros(1008, np.float32)
    with pytest.raises(UserError, match=r"a\.bn\.running_mean"):
        weights.load_inception_params(path)
