"""Writes features.npz, legacy.pt and zip.pt with PyTorch, which the tests do not need.

    pip install torch torchvision efficientnet_lite_pytorch
    python tests/golden/make_features.py

The two networks get the random state of `state`, and see the image of `picture`.
"""

import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def picture(side: int) -> np.ndarray:
    """Smooth colours, uint8 (1, side, side, 3)."""
    rows, columns = np.mgrid[:side, :side] / side
    waves = [np.sin(9 * rows), np.cos(7 * columns), np.sin(5 * (rows + columns))]
    return np.uint8(np.stack(waves, -1) * 127 + 128)[None]


def state(conv: str, norm: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """State of a convolution (out, in, height, width) and of the norm behind it."""
    rng = np.random.default_rng(zlib.crc32(conv.encode()))
    width = np.sqrt(2 / np.prod(shape[1:]))
    arrays = {
        f"{conv}.weight": rng.normal(size=shape) * width,
        f"{norm}.weight": rng.uniform(0.7, 1.3, shape[0]),
        f"{norm}.bias": rng.normal(size=shape[0]) * 0.1,
        f"{norm}.running_mean": rng.normal(size=shape[0]) * 0.1,
        f"{norm}.running_var": rng.uniform(0.5, 1.5, shape[0]),
    }
    return {key: value.astype(np.float32) for key, value in arrays.items()}


def efficientnet_norm(conv: str) -> str:
    """Name of the norm behind a convolution of EfficientNet-Lite0."""
    block, _, layer = conv.rpartition(".")
    index = {"_conv_stem": 0, "_expand_conv": 0, "_project_conv": 2}.get(layer, 1)
    return f"{block}._bn{index}".lstrip(".")


def main() -> None:
    """Runs both networks in PyTorch."""
    import torch
    import torch.nn.functional as F
    import torchvision.models.inception as inception
    from efficientnet_lite_pytorch import EfficientNet

    def fill(network, norm_of):
        arrays = {}
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.Conv2d):
                shape = tuple(module.weight.shape)
                arrays |= state(name, norm_of(name), shape)
        found = {key: torch.tensor(value) for key, value in arrays.items()}
        network.load_state_dict(found, strict=False)
        return network.eval()

    def batch(side):
        return torch.tensor(picture(side)).permute(0, 3, 1, 2).float()

    def mean_without_border(x, kernel_size, stride, padding):
        return torch.nn.AvgPool2d(kernel_size, stride, padding, False, False)(x)

    def maxima(x, kernel_size, stride, padding):
        return F.max_pool2d(x, kernel_size, stride, padding)

    class Functional:
        """torch.nn.functional with the pooling of FID's network."""

        avg_pool2d = staticmethod(mean_without_border)
        __getattr__ = staticmethod(lambda name: getattr(F, name))

    lite = fill(EfficientNet.from_name("efficientnet-lite0"), efficientnet_norm)
    large = inception.inception_v3(weights=None, aux_logits=False, init_weights=False)
    large = fill(large, lambda name: name.removesuffix("conv") + "bn")
    inception.F = Functional()
    with torch.no_grad():
        features = lite.extract_features((batch(64) - 127) / 128).mean((2, 3))
        size = (299, 299)
        x = F.interpolate(batch(256), size, mode="bilinear", align_corners=False)
        x = (x - 128) / 128
        for name, module in large.named_children():
            if name == "Mixed_7c":
                Functional.avg_pool2d = staticmethod(maxima)
            if name == "avgpool":
                break
            x = module(x)
    np.savez(
        FOLDER / "features.npz",
        efficientnet=features.numpy(),
        inception=x.mean((2, 3)).numpy(),
    )
    whole = torch.arange(24.0).reshape(2, 3, 4)
    tree = {
        "a": whole,
        "part": whole[1, :, 1:3].t(),
        "n": torch.tensor(7),
        "p": torch.nn.Parameter(torch.ones(2)),
    }
    for name, is_zip in (("legacy", False), ("zip", True)):
        path = FOLDER / f"{name}.pt"
        torch.save(tree, path, _use_new_zipfile_serialization=is_zip)


if __name__ == "__main__":
    main()
