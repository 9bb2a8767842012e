"""Features of sets of images."""

import numpy as np
import pytest

from dlf_jax.metrics import features
from dlf_jax.metrics.features import FeatureNetwork, feature_network


@pytest.mark.parametrize("count", [0, 1, 16, 35])
def test_any_number_goes_through_batches_of_one_size(count):
    shapes = set()

    def mean_colours(batch):
        shapes.add(batch.shape)
        return batch.mean((1, 2), dtype=np.float32)

    images = np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), np.uint8)
    found = FeatureNetwork("F", "K", 3, mean_colours)(images)
    np.testing.assert_allclose(found, images.mean((1, 2)), rtol=1e-6)
    assert found.shape == (count, 3)
    assert shapes == ({(16, 4, 5, 3)} if count else set())


def test_only_inception_is_called_fid(monkeypatch, tmp_path):
    monkeypatch.setattr(features, "load_efficientnet_params", dict)
    monkeypatch.setattr(features, "load_inception_params", lambda path: {})
    default = feature_network()
    assert "EfficientNet" in default.frechet and "EfficientNet" in default.kernel
    assert not {"FID", "KID"} & {default.frechet, default.kernel}
    assert feature_network(tmp_path).frechet == "FID"
