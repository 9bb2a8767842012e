"""Distances of sets of patches."""

import numpy as np
import pytest
from PIL import Image

from dlf_jax.errors import UserError
from dlf_jax.evaluation.codecs import open_codec, parse
from dlf_jax.evaluation.distances import feature_distances
from dlf_jax.evaluation.runner import evaluate
from dlf_jax.metrics.distribution import frechet_distance, kernel_distance, patches
from dlf_jax.metrics.features import FeatureNetwork
from tests.evaluation.conftest import smooth

COLOURS = FeatureNetwork("F", "K", 3, lambda x: x.mean((1, 2), dtype=np.float32))


def test_all_patches_of_a_codec_are_one_set(tmp_path):
    images = [smooth(256, 512), smooth(100, 300), smooth(384, 384, seed=1)]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    rows = evaluate(paths, [parse("jpeg@1"), parse("webp@14")], [])
    found = feature_distances(rows, COLOURS)
    assert [(line["codec"], line["setting"]) for line in found] == [
        ("jpeg", "1"),
        ("webp", "14"),
    ]
    wanted = COLOURS(np.concatenate([patches(image) for image in images]))
    assert len(wanted) == 2 + 0 + 2
    for line in found:
        files = [row.result.data for row in rows if row.codec == line["codec"]]
        recons = map(open_codec(line["codec"]).decompress, files)
        features = COLOURS(np.concatenate([patches(recon) for recon in recons]))
        assert line["patches"] == 4
        assert line["F"] == pytest.approx(frechet_distance(wanted, features))
        assert line["K"] == pytest.approx(kernel_distance(wanted, features))
    assert found[0]["F"] > found[1]["F"]


def test_small_images_have_no_distance(photos):
    rows = evaluate(photos, [parse("jpeg@1")], [])
    with pytest.raises(UserError, match="two patches of 256 pixels"):
        feature_distances(rows, COLOURS)
