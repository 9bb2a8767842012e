"""Runs the official PyTorch codec on the weights of `official_weights`.

    git clone https://github.com/dlfcodec/Dual-generative-Latent-Fusion OFFICIAL
    python -m tests.golden.make_official OFFICIAL tests/golden/official.npz

Needs torch and einops beside this package.  Reads the official code of commit c928e4c,
with other literal sizes in a temporary copy, and without the packages that it imports
for other purposes.  Everything is computed in float64.
"""

import contextlib
import importlib
import shutil
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from tests.golden.official_weights import (
    SIZES,
    SKIP_THRESHOLD,
    official_image,
    official_weights,
)

_UNUSED = (
    *("lpips", "omegaconf", "pytorch_msssim", "requests", "torchac", "torchvision"),
    *("tqdm", "losses", "losses.feat_mse", "taming.modules.losses.vqperceptual"),
)


def _with_sizes(source: Path) -> None:
    """Replaces literal sizes in the official modules."""
    blocks = source / "titok/blocks.py"
    encoder, decoder = blocks.read_text().split("class TiTokDecoder")
    texts = []
    for text, trunk in ((encoder, SIZES["enc"]), (decoder, SIZES["dec"])):
        for official, size in (
            ('"large": 1024', trunk["width"]),
            ('"large": 24', trunk["layers"]),
            ('"large": 16', trunk["heads"]),
        ):
            assert text.count(official) == 1
            text = text.replace(official, f'"large": {size}')
        texts.append(text)
    blocks.write_text("class TiTokDecoder".join(texts))
    codec = source / "models/codec_sq_fixbpp.py"
    text = codec.read_text()
    assert text.count("inner_width = 1024") == 1
    width = SIZES["inner_width"]
    codec.write_text(text.replace("inner_width = 1024", f"inner_width = {width}"))


@contextlib.contextmanager
def _official(repository: Path) -> Iterator[types.ModuleType]:
    """The official module of the codec."""
    lightning = types.ModuleType("pytorch_lightning")
    lightning.LightningModule = torch.nn.Module
    utilities = types.ModuleType("pytorch_lightning.utilities")
    utilities.rank_zero_only = lambda function: function
    stubs = {name: mock.MagicMock() for name in _UNUSED}
    stubs |= {m.__name__: m for m in (lightning, utilities)}
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(sys.modules, stubs):
        source = Path(folder) / "src"
        shutil.copytree(repository / "src", source)
        _with_sizes(source)
        with mock.patch.object(sys, "path", [str(source), *sys.path]):
            yield importlib.import_module("models.codec_sq_fixbpp")


def _codec(module: types.ModuleType) -> torch.nn.Module:
    """The official codec, without what only training needs."""
    namespace = types.SimpleNamespace
    config = namespace(
        model=namespace(
            vq_model=namespace(
                codebook_size=SIZES["codebook_size"],
                token_size=SIZES["token_size"],
                use_l2_norm=True,
                commitment_cost=0.25,
                vit_enc_model_size="large",
                vit_dec_model_size="large",
                vit_enc_patch_size=16,
                vit_dec_patch_size=16,
                num_latent_tokens=32,
            )
        ),
        dataset=namespace(preprocessing=namespace(crop_size=256)),
    )
    codec = module.Codec.__new__(module.Codec)
    torch.nn.Module.__init__(codec)
    codec.hybrid_codec = module.Hybrid_Codec(
        config,
        SIZES["in_pos_enc"],
        SIZES["in_pos_dec"],
        SIZES["feat_dim"],
        SIZES["quant_dim"],
        SIZES["n_attn"],
    )
    codec.vqgan = module.VQGAN(
        ddconfig={
            "double_z": False,
            "z_channels": SIZES["vq_z"],
            "resolution": 256,
            "in_channels": 3,
            "out_ch": 3,
            "ch": SIZES["vq_ch"],
            "ch_mult": SIZES["vq_ch_mult"],
            "num_res_blocks": SIZES["vq_res"],
            "attn_resolutions": [16],
            "dropout": 0.0,
        },
        lossconfig={"target": "torch.nn.Identity"},
        n_embed=SIZES["vq_n_embed"],
        embed_dim=SIZES["vq_embed_dim"],
    )
    codec.prior_fusion = module.FeatMerge(
        codec.hybrid_codec.decoder.width, SIZES["feat_dim"], SIZES["vq_n_embed"]
    )
    return codec.double().eval()


def _stations(codec: torch.nn.Module) -> dict[str, np.ndarray]:
    """Results of modules for `official_image`, maps with channels last."""
    found: dict[str, Any] = {}

    def keep(name: str, module: torch.nn.Module) -> None:
        module.register_forward_hook(lambda *call: found.update({name: call[2]}))

    bottleneck = codec.hybrid_codec.quantize_feat
    bottleneck.force_zero_thres = SKIP_THRESHOLD
    keep("quantize", codec.hybrid_codec.quantize)
    keep("y", bottleneck.enc_trans_1)
    original = bottleneck.quant_4_part
    bottleneck.quant_4_part = lambda *args: found.setdefault("coded", original(*args))
    image = torch.from_numpy(official_image()).permute(0, 3, 1, 2)
    # The quantizer of the tokens casts to float32.
    with torch.no_grad(), mock.patch.object(torch.Tensor, "float", lambda self: self):
        out = codec(image)
    residuals, symbols, y_hat, scales = found["coded"]
    # In float64, machines agree on symbols this far from a tie.
    assert ((residuals % 1) - 0.5).abs()[symbols != residuals].min() > 1e-6
    maps = {
        "y": found["y"],
        "symbols": symbols,
        "scales": scales,
        "y_hat": y_hat,
        "picture": out["x_hat"][..., ::8, ::8],
    }
    stations = {name: value.permute(0, 2, 3, 1).numpy() for name, value in maps.items()}
    stations["symbols"] = stations["symbols"].astype(np.int16)
    tokens = found["quantize"][1]["min_encoding_indices"]
    stations["tokens"] = tokens[:, 0].numpy().astype(np.int16)
    stations["bpp"] = out["bpp_loss"].numpy()
    return stations


def main() -> None:
    """Writes the stations."""
    repository, target = map(Path, sys.argv[1:])
    with _official(repository) as module:
        codec = _codec(module)
        shapes = {n: tuple(a.shape) for n, a in codec.state_dict().items()}
        weights = official_weights(shapes)
        codec.load_state_dict({n: torch.from_numpy(w) for n, w in weights.items()})
        np.savez_compressed(target, **_stations(codec))


if __name__ == "__main__":
    main()
