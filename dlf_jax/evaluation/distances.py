"""Distances between the originals and what each codec makes of them, as sets."""

from collections.abc import Sequence

import numpy as np

from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError
from dlf_jax.evaluation.codecs import open_codec
from dlf_jax.evaluation.runner import Row
from dlf_jax.metrics.distribution import (
    PATCH,
    frechet_distance,
    kernel_distance,
    patches,
)
from dlf_jax.metrics.features import FeatureNetwork


def feature_distances(
    rows: Sequence[Row], network: FeatureNetwork
) -> list[dict[str, str | int | float]]:
    """Fréchet and kernel distance for each codec and setting, over all their patches.

    Args:
      rows: as `dlf_jax.evaluation.runner.evaluate` returns them; files are decoded.
      network: gives the features, and the distances their names.

    Raises:
      UserError: there are fewer than two patches.
    """
    paths = dict.fromkeys(row.path for row in rows)
    wanted = np.concatenate([network(patches(read_image(path))) for path in paths])
    if len(wanted) < 2:
        raise UserError(f"distances of features need two patches of {PATCH} pixels")
    groups: dict[tuple[str, str], list[np.ndarray]] = {}
    for row in rows:
        recon = open_codec(row.codec).decompress(row.result.data)
        found = groups.setdefault((row.codec, row.setting), [])
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
