"""Sizes of an image in the network."""

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.entropy_coding.token_tables import min_bits
from dlf_jax.errors import UserError
from dlf_jax.limits import Limits


class Layout:
    """Sizes of the padded image, its latent and its tokens.

    Attributes:
      grid: (height, width) of the detail latent, in cells.
      tokens: shape of the semantic code, (tiles, tokens of a tile).
      min_payload: least payload, in bytes: the fewest bits that the tokens can take.
        The encoder pads shorter payloads with zeros, so that a short file cannot claim
        a large image.

    Raises:
      UserError: the image is empty, or has more pixels than the limit.
    """

    def __init__(self, model: LoadedModel, height: int, width: int, limits: Limits):
        config = model.config
        tile = config.tile_size
        down, across = -(-height // tile), -(-width // tile)
        padded_height, padded_width = down * tile, across * tile
        if not 0 < padded_height * padded_width <= limits.pixels:
            raise UserError(
                f"the image has {width} x {height} pixels; the limit is "
                f"{limits.pixels}, padding to multiples of {tile} included: use a "
                "smaller image or a higher limit (--max-megapixels, Limits.pixels)"
            )
        stride = config.detail_stride
        self.grid = padded_height // stride, padded_width // stride
        self.tokens = down * across, config.num_tokens
        tile_bits = min_bits(model.tokens, config.num_tokens)
        self.min_payload = down * across * tile_bits // 8
