"""Numbers of parameters of the published sizes, without computing any."""

import functools
import math

import pytest

from dlf_jax.models.variants import VARIANTS
from dlf_jax.paths import flatten
from tests.configs import parameter_shapes

# Part -> beginnings of its parameter paths, and its size in the official network.
SIZES_OF_DLF_L = {
    "encoder trunk": (("encoder/semantic/trunk/block_",), 302_309_376),
    "encoder embeddings, norms and readout": (
        (
            "encoder/patch_embed/",
            "encoder/semantic/conv_out/",
            "encoder/semantic/trunk/class_embedding",
            "encoder/semantic/trunk/positions",
            "encoder/semantic/trunk/token_positions",
            "encoder/semantic/trunk/norm",
        ),
        1_100_812,
    ),
    "encoder detail_embed": (("encoder/detail_embed/",), 787_200),
    "encoder detail_in": (("encoder/detail_in/",), 28_539_841),
    "encoder stages": (("encoder/stage_",), 94_028_800 + 95_026_885),
    "encoder detail_out": (
        (
            "encoder/detail_out/",
            "encoder/downsample/",
            "encoder/norm_out/",
            "encoder/project_out/",
        ),
        17_189_825,
    ),
    "latent tokens": (("encoder/semantic/latent_tokens",), 32_768),
    "semantic codebook": (("tokens/",), 49_152),
    "transforms": (("analysis/", "synthesis/"), 32_760_448),
    "context": (("context/",), 1_221_760),
    "decoder trunk": (("decoder/semantic/trunk/block_",), 302_309_376),
    "decoder embeddings and norms": (
        (
            "decoder/semantic/mask_token",
            "decoder/semantic/token_embed/",
            "decoder/semantic/trunk/class_embedding",
            "decoder/semantic/trunk/positions",
            "decoder/semantic/trunk/token_positions",
            "decoder/semantic/trunk/norm",
        ),
        315_392,
    ),
    "decoder upsample and detail_in": (
        ("decoder/upsample/", "decoder/detail_in/"),
        30_902_209,
    ),
    "decoder stages": (("decoder/stage_",), 94_028_800 + 95_026_885),
    "fusion": (("fusion/",), 98_460_739),
    "vqgan encoder": (("vqgan/encoder/",), 29_298_176),
    "vqgan quant_conv": (("vqgan/quant_conv/",), 65_792),
    "vqgan decoder": (("vqgan/decoder/",), 42_449_795),
    "vqgan codebook": (("vqgan/quantizer/",), 65_536),
    "vqgan post_quant_conv": (("vqgan/post_quant_conv/",), 65_792),
}


@functools.cache
def parameter_counts(name: str) -> dict[str, int]:
    """Path -> number of elements; masks of shifted windows are left out."""
    shapes = parameter_shapes(VARIANTS[name])
    return {
        path: math.prod(value.shape)
        for path, value in flatten(shapes).items()
        if not path.endswith("_mask")
    }


@pytest.fixture(scope="module")
def dlf_l():
    return parameter_counts("dlf-l")


@pytest.mark.parametrize("part", SIZES_OF_DLF_L)
def test_parts_of_dlf_l(dlf_l, part):
    beginnings, expected = SIZES_OF_DLF_L[part]
    counts = [n for path, n in dlf_l.items() if path.startswith(beginnings)]
    assert sum(counts) == expected


def test_parts_of_dlf_l_are_all_of_it(dlf_l):
    assert sum(dlf_l.values()) == sum(size for _, size in SIZES_OF_DLF_L.values())
    at_inference = {
        path: n
        for path, n in dlf_l.items()
        if not path.startswith(("vqgan/encoder/", "vqgan/quant_conv/"))
    }
    # The total of docs/architecture.md#sizes-and-cost.
    assert sum(at_inference.values()) == 1_236_671_391


@pytest.mark.parametrize("name", ["dlf-l", "dlf-nano"])
def test_the_document_states_the_sizes(repository, name):
    lines = (repository / "docs/architecture.md").read_text("utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines]
    column = next(row for row in rows if "dlf-smoke" in row).index(name)
    stated = {row[0]: row[column] for row in rows if len(row) == 4}
    counts = parameter_counts(name)
    training = ("vqgan/encoder/", "vqgan/quant_conv/")
    at_inference = sum(n for p, n in counts.items() if not p.startswith(training))
    assert stated["parameters at inference"] == f"{at_inference:,}"
    assert stated["with the VQGAN's encoder"] == f"{sum(counts.values()):,}"


def test_dlf_nano_is_small():
    counts = parameter_counts("dlf-nano")
    at_inference = sum(
        n
        for path, n in counts.items()
        if not path.startswith(("vqgan/encoder/", "vqgan/quant_conv/"))
    )
    assert at_inference <= 12_000_000
    assert VARIANTS["dlf-nano"].num_rates >= 4
