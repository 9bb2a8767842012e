"""The whole codec against the official one, station by station."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.entropy.gaussian import rounded_bits
from dlf_jax.entropy_coding.partition import NUM_PARTS, part_masks
from dlf_jax.models.dlf import DLF

SKIP = 0.12

# Golden name -> path of the module (encoder or decoder first) whose result it is; of a
# result in two parts, the number of the part follows.
STATIONS = {
    "enc.patch_embed": ("encoder/patch_embed",),
    "enc.pix_emb_proj": ("encoder/detail_embed",),
    "enc.feat_in": ("encoder/detail_in",),
    "enc.ln_pre": ("encoder/semantic/trunk/norm_in",),
    "enc.transformer.0": ("encoder/semantic/trunk/block_0",),
    "enc.inter.0.feat": ("encoder/stage_0/cross", 0),
    "enc.inter.0.seq": ("encoder/stage_0/cross", 1),
    "enc.feat_blocks.0.swin": ("encoder/stage_0/swin",),
    "enc.feat_blocks.0": ("encoder/stage_0", 0),
    "enc.transformer.1": ("encoder/semantic/trunk/block_1",),
    "enc.transformer.2": ("encoder/semantic/trunk/block_2",),
    "enc.inter.2.feat": ("encoder/stage_2/cross", 0),
    "enc.inter.2.seq": ("encoder/stage_2/cross", 1),
    "enc.feat_blocks.2.swin": ("encoder/stage_2/swin",),
    "enc.feat_blocks.2": ("encoder/stage_2", 0),
    "enc.ln_post": ("encoder/semantic/trunk/norm_out",),
    "h": ("encoder", 1),
    "bn.y": ("analysis",),
    "bn.common_params": ("context/reduction",),
    "h_hat": ("synthesis",),
    "dec.init_feat_up.conv": ("decoder/upsample",),
    "dec.init_feat_up": ("decoder/detail_in",),
    "dec.ln_pre": ("decoder/semantic/trunk/norm_in",),
    "dec.transformer.0": ("decoder/semantic/trunk/block_0",),
    "dec.transformer.1": ("decoder/semantic/trunk/block_1",),
    "dec.inter.1.feat": ("decoder/stage_1/cross", 0),
    "dec.inter.1.seq": ("decoder/stage_1/cross", 1),
    "dec.feat_blocks.1.swin": ("decoder/stage_1/swin",),
    "dec.feat_blocks.1": ("decoder/stage_1", 0),
    "titok_hat": ("decoder", 0),
    "feat_hat": ("decoder", 1),
    "fuse.titok_in_nhwc": ("fusion/semantic_in",),
    "fuse.feat_in_nhwc": ("fusion/detail_in",),
    "fuse.merge_nhwc": ("fusion/body",),
    "logits": ("fusion",),
    "vqgan.post_quant_conv": ("vqgan/post_quant_conv",),
    "vqdec.mid_attn": ("vqgan/decoder/middle/attention",),
    "vqdec.up_last_attn0": ("vqgan/decoder/level_4/attention_0",),
    "vqdec.up_last_upsample": ("vqgan/decoder/upsample_4",),
}


def station(intermediates, path: str, part: int | None = None):
    """The recorded result of a module."""
    for name in path.split("/"):
        intermediates = intermediates[name]
    result = intermediates["__call__"][0]
    return result if part is None else result[part]


def assert_close(ours, golden, tolerance: float = 2e-5):
    """Compares relative to max(1, |golden|)."""
    assert ours.shape == golden.shape
    error = np.abs(ours - golden) / np.maximum(1, np.abs(golden))
    assert error.max() <= tolerance


@functools.partial(jax.jit, static_argnums=0)
def analyze(model, params, image):
    """Results of the encoder side, and of every module in it."""

    def run(model, image):
        rate = jnp.zeros(len(image), jnp.int32)
        analysis = model.analyze(image, rate)
        return analysis, model.prior(rate, analysis.y.shape[1:3])

    return _recorded(model, params, run, image)


@functools.partial(jax.jit, static_argnums=(0, 4))
def code(model, params, y, prior, skip_threshold):
    """The four parts."""

    def run(model, y, prior):
        return model.context(y, prior, skip_threshold)

    return model.apply({"params": params}, y, prior, method=run)


@functools.partial(jax.jit, static_argnums=0)
def synthesize(model, params, tokens, y_hat):
    """Result of the decoder side, and of every module in it."""
    rate = jnp.zeros(len(y_hat), jnp.int32)
    return _recorded(model, params, "synthesize", tokens, y_hat, rate)


def _recorded(model, params, method, *args):
    result, state = model.apply(
        {"params": params},
        *args,
        method=method,
        capture_intermediates=True,
        mutable="intermediates",
    )
    return result, state["intermediates"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "skip_threshold"),
    [("A", None), ("A", SKIP), ("B", None), ("B", SKIP), ("C", SKIP)],
)
def test_every_station(tiny, case, skip_threshold):
    golden = tiny.golden(f"acts_{case}_{skip_threshold or 'none'}")
    model, params, image = DLF(tiny.config), tiny.params, tiny.image(case)

    (analysis, prior), encoder = analyze(model, params, image)
    coded = code(model, params, analysis.y, prior, skip_threshold)
    recon, decoder = synthesize(model, params, analysis.tokens, coded.y_hat)

    recorded = {
        **decoder,
        **{k: encoder[k] for k in ("encoder", "analysis", "context")},
    }
    for name, path in STATIONS.items():
        if name in golden:
            tolerance = 1e-4 if name.startswith("vqdec") else 2e-5
            assert_close(station(recorded, *path), golden[name], tolerance)

    np.testing.assert_array_equal(coded.symbols, golden["bn.y_q"])
    assert_close(coded.scales, golden["bn.scales_hat"])
    assert_close(coded.y_hat, golden["bn.y_hat"])
    bits = jnp.sum(rounded_bits(coded.symbols, coded.scales)) / len(image)
    bpp = bits / (image.shape[1] * image.shape[2])
    np.testing.assert_allclose(bpp, golden["bpp"], rtol=1e-5)
    if "z_indices" in golden:
        assert_close(station(recorded, "encoder", 0), golden["z"][:, 0])
        np.testing.assert_array_equal(analysis.tokens, golden["z_indices"][:, 0])
        assert_close(prior.step, golden["bn.quant_step"])
        latent = model.apply(
            {"params": params},
            station(recorded, "fusion"),
            method=lambda model, logits: model.vqgan.lookup(logits),
        )
        assert_close(latent, golden["vqgan_latent"])
    if "x_hat" in golden:
        assert_close(recon, golden["x_hat"], 5e-4)
    if "x_hat_sub" in golden:
        assert_close(recon[:, ::4, ::4], golden["x_hat_sub"], 5e-4)


@pytest.mark.parametrize("case", ["B", "C"])
def test_each_part_from_the_official_state(tiny, case):
    """Scales and means of each part, given what the official decoder has by then."""
    golden = tiny.golden(f"acts_{case}_{SKIP}")
    masks = part_masks(*golden["bn.y"].shape[1:])
    earlier = jnp.zeros(golden["bn.y"].shape)
    decoded = []
    for part in range(NUM_PARTS):
        decoded.append(earlier)
        means = golden[f"bn.part{part}.means"] * masks[part]
        earlier = earlier + golden[f"bn.part{part}.y_q"] + means

    @jax.jit
    def predict(params, decoded):
        def run(model, decoded):
            batch, *grid, _ = golden["bn.y"].shape
            prior = model.prior(jnp.zeros(batch, jnp.int32), tuple(grid))
            steps = enumerate(decoded)
            return prior.step, [model.context_step(k, x, prior) for k, x in steps]

        return DLF(tiny.config).apply({"params": params}, decoded, method=run)

    step, parts = predict(tiny.params, decoded)
    for part, (scales, means) in enumerate(parts):
        assert_close(scales, golden[f"bn.part{part}.scales"] * masks[part])
        assert_close(means, golden[f"bn.part{part}.means"] * masks[part])
    assert_close(earlier * step, golden["bn.y_hat"])
