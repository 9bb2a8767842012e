"""GIF: the first frame, from Pillow."""

import numpy as np

from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened


def read(data: bytes, check: Check) -> Picture:
    """Reads the first frame of a GIF file; pixels outside the frame are transparent."""
    with opened(data, "GIF", check) as image:
        left, above, right, below = image.tile[0][1]
        picture = eight_bits(image)
    height, width = picture.samples.shape[:2]
    if (left, above, right, below) != (0, 0, width, height):
        covered = np.zeros((height, width), np.uint8)
        covered[above:below, left:right] = 255
        opaque = covered if picture.alpha is None else picture.alpha
        picture.alpha = np.minimum(covered, opaque)
    return picture
