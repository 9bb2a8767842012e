"""The context model: four parts, each predicted from the earlier ones.

See docs/architecture.md#four-step-context-model.

Encoder, decoder and rate estimate all use the same `step`::

    prior = model.prior(rate, grid)          # before the first symbol
    decoded = 0
    for k in 0 … 3:
        scales, means = model.step(k, decoded, prior)      # masked to part k
        symbols       = round((y / prior.step − means)·mask_k)   or read from the stream
        decoded      += symbols + means
    y_hat = decoded · prior.step
"""

import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from dlf_jax.entropy_coding.partition import NUM_PARTS, part_masks
from dlf_jax.nn.depth_conv import DepthConvBlock
from dlf_jax.nn.layers import Dense
from dlf_jax.ops.bounds import lower_bound
from dlf_jax.ops.quantization import round_ste
from dlf_jax.ops.rates import at_rates
from dlf_jax.typing import Array, Float, Num


@struct.dataclass
class Prior:
    """State of the context model before the first symbol, on the latent grid.

    Attributes:
      step: quantisation step, at least 0.5.
      scales, means: parameters of part 0, before masking.
      common: features that all later parts take.
    """

    step: Float[Array, "B h w N"]
    scales: Float[Array, "B h w N"]
    means: Float[Array, "B h w N"]
    common: Float[Array, "B h w N"]


@struct.dataclass
class FourStepOutput:
    """All four parts together, in units of the quantisation step.

    Attributes:
      symbols: rounded residuals (straight-through).
      residuals: the values before rounding.
      scales: Gaussian scales, zero where a symbol is skipped.
      means: predicted means.
      y_hat: decoded latent, in units of the latent.
    """

    symbols: Float[Array, "B h w N"]
    residuals: Float[Array, "B h w N"]
    scales: Float[Array, "B h w N"]
    means: Float[Array, "B h w N"]
    y_hat: Float[Array, "B h w N"]


class FourStepContext(nn.Module):
    """Prior and context networks of the detail latent.

    Attributes:
      channels: channels N of the latent, a multiple of 4.
      num_rates: rate points; each has its own prior vector.
      num_spatial_blocks: blocks that all parts share.
    """

    channels: int
    num_rates: int
    num_spatial_blocks: int

    def setup(self):
        n = self.channels
        self.prior_vector = self.param(
            "prior_vector", nn.initializers.ones, (self.num_rates, n)
        )
        self.prior_blocks = [
            DepthConvBlock(features, name=f"prior_{i}")
            for i, features in enumerate((2 * n, 3 * n))
        ]
        self.reduction = Dense(n)
        self.adaptors = [
            DepthConvBlock(2 * n, name=f"adaptor_{k}") for k in range(1, NUM_PARTS)
        ]
        self.spatial = [
            DepthConvBlock(2 * n, name=f"spatial_{i}")
            for i in range(self.num_spatial_blocks)
        ]

    def prior(self, rate: Num[Array, "B"], grid: tuple[int, int]) -> Prior:
        """Evaluates the prior at the true size, since borders matter.

        Args:
          rate: rate of every image, also between the rate points.
          grid: (height, width) of the latent.
        """
        x = at_rates(self.prior_vector, rate)[:, None, None, :]
        x = jnp.broadcast_to(x, (rate.shape[0], *grid, self.channels))
        for block in self.prior_blocks:
            x = block(x)
        step, scales, means = jnp.split(x, 3, axis=-1)
        return Prior(lower_bound(step, 0.5), scales, means, self.reduction(x))

    def step(
        self, part: int, decoded: Float[Array, "B h w N"], prior: Prior
    ) -> tuple[Float[Array, "B h w N"], Float[Array, "B h w N"]]:
        """Scales and means of one part, zero outside its positions.

        Args:
          part: 0 … 3.
          decoded: symbols plus means of the earlier parts, zero elsewhere.
          prior: result of `prior`.
        """
        if part == 0:
            scales, means = prior.scales, prior.means
        else:
            x = jnp.concatenate([decoded, prior.common], axis=-1)
            for block in (self.adaptors[part - 1], *self.spatial):
                x = block(x)
            scales, means = jnp.split(x, 2, axis=-1)
        mask = part_masks(*decoded.shape[1:])[part]
        return scales * mask, means * mask

    def __call__(
        self,
        y: Float[Array, "B h w N"],
        prior: Prior,
        skip_threshold: float | None = None,
    ) -> FourStepOutput:
        """Quantises a latent part by part.

        Args:
          y: the latent.
          prior: result of `prior` for this rate and size.
          skip_threshold: symbols with a smaller scale become 0; None skips nothing.
        """
        scaled = y / prior.step
        masks = part_masks(*y.shape[1:])
        decoded = symbols = residuals = scales = means = jnp.zeros_like(y)
        for part in range(NUM_PARTS):
            part_scales, part_means = self.step(part, decoded, prior)
            part_residuals = (scaled - part_means) * masks[part]
            part_symbols = round_ste(part_residuals)
            if skip_threshold is not None:
                coded = part_scales >= skip_threshold
                part_symbols, part_scales = part_symbols * coded, part_scales * coded
            decoded = decoded + part_symbols + part_means
            symbols = symbols + part_symbols
            residuals = residuals + part_residuals
            scales = scales + part_scales
            means = means + part_means
        return FourStepOutput(symbols, residuals, scales, means, decoded * prior.step)
