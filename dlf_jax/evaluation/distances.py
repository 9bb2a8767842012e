"""Distribution distances between the originals and the reconstructions of a codec."""

from collections.abc import Sequence

import numpy as np

from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError
from dlf_jax.evaluation.codecs import open_codec
from dlf_jax.evaluation.runner import Measurement
from dlf_jax.metrics.distribution import (
    PATCH,
    frechet_distance,
    kernel_distance,
    patches,
)
from dlf_jax.metrics.features import FeatureNetwork


def feature_distances(
    measurements: Sequence[Measurement], network: FeatureNetwork
) -> list[dict[str, str | int | float]]:
    """Fréchet and kernel distance over all patches, for each codec and setting.

    Args:
      measurements: see `dlf_jax.evaluation.runner.evaluate`; files are decoded.
      network: computes the features, and names the distances.

    Raises:
      UserError: fewer than two patches fit into the images.
    """
    paths = dict.fromkeys(measurement.path for measurement in measurements)
    wanted = np.concatenate([network(patches(read_image(path))) for path in paths])
    if len(wanted) < 2:
        raise UserError(
            f"distances of features need two patches of {PATCH} pixels: add photos, or "
            "leave out --features"
        )
    groups: dict[tuple[str, str], list[np.ndarray]] = {}
    for measurement in measurements:
        recon = open_codec(measurement.codec).decompress(measurement.result.data)
        found = groups.setdefault((measurement.codec, measurement.setting), [])
        found.append(network(patches(recon)))
    return [
        {
            "codec": codec,
            "setting": setting,
            "patches": len(wanted),
            network.frechet: frechet_distance(wanted, np.concatenate(found)),
            network.kernel: kernel_distance(wanted, np.concatenate(found)),
        }
        for (codec, setting), found in groups.items()
    ]
