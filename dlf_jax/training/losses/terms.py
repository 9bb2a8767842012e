"""Losses of all stages: pure functions of arrays, one value per image or element."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Int

_COMMITMENT = 0.25
_VISIBLE = 2.0 / 127.5  # a difference of two 8-bit levels


def vq_loss(
    codebook_loss: Float[Array, ""], commitment_loss: Float[Array, ""]
) -> Float[Array, ""]:
    """Codebook term plus a quarter of the commitment term.

    See docs/architecture.md#semantic-quantiser.
    """
    return codebook_loss + _COMMITMENT * commitment_loss


def uniformity(vectors: Float[Array, "T K D"]) -> Float[Array, ""]:
    """How little the vectors of T tiles differ, at each of K positions by itself.

    Log of the mean of exp(−2 d²) over all pairs of tiles, those of a tile with itself
    among them; d is the distance of their vectors.

    Args:
      vectors: of unit length.

    Returns:
      From 0, all tiles alike, down to −log T, all far apart.

    Reference: Wang and Isola, "Understanding Contrastive Representation Learning
    through Alignment and Uniformity on the Hypersphere", ICML 2020, section 4.1.2.
    """
    square = jnp.sum(jnp.square(vectors[:, None] - vectors), axis=-1)
    return jnp.mean(jnp.log(jnp.mean(jnp.exp(-2.0 * square), axis=(0, 1))))


def absolute_error(
    image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"]
) -> Float[Array, "B"]:
    """Mean |image − recon| of each image."""
    return jnp.mean(jnp.abs(image - recon), axis=(1, 2, 3))


def blockiness(
    image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"], cell: int
) -> Float[Array, "B"]:
    """How much a grid of cells shows, by differences of neighbouring pixels.

    A decoder that paints cell by cell leaves larger ones at borders than within, or a
    weave of some period within.  So a profile is taken of each image: the mean of
    log(1 + |difference| / 2 levels) at every place in a cell, over its mean everywhere.
    The logarithm gives smooth areas, where the eye sees the grid, more of a weight.

    Args:
      image, recon: in [-1, 1], sides multiples of `cell`, two at least.
      cell: side of a cell in pixels.

    Returns:
      Mean absolute difference of both profiles; 0 for equal images.
    """
    places = [
        jnp.abs(_profile(recon, axis, cell) - _profile(image, axis, cell))
        for axis in (1, 2)
    ]
    return jnp.mean(jnp.concatenate(places, axis=1), axis=1)


def _profile(x: Array, axis: int, cell: int) -> Float[Array, "B P"]:
    """Mean difference at every place of a cell along an axis, over the mean of all."""
    x = jnp.moveaxis(x, axis, 1)
    differences = jnp.abs(x[:, cell:] - x[:, cell - 1 : -1])  # the first at a border
    differences = jnp.log1p(differences / _VISIBLE)
    means = jnp.mean(differences.reshape(len(x), -1, cell, *x.shape[2:]), (1, 3, 4))
    return means / (jnp.mean(means, axis=1, keepdims=True) + 1e-3)


def squared_error(
    latent: Float[Array, "B h w E"], target: Float[Array, "B h w E"]
) -> Float[Array, "B"]:
    """Mean squared difference of each image's latents."""
    return jnp.mean(jnp.square(latent - target), axis=(1, 2, 3))


def code_cross_entropy(
    logits: Float[Array, "B h w K"], codes: Int[Array, "B h w"]
) -> Float[Array, "B"]:
    """Cross-entropy in nats of the true codes, averaged over the cells of an image."""
    log_probs = jax.nn.log_softmax(logits)
    picked = jnp.take_along_axis(log_probs, codes[..., None], axis=-1)
    return -jnp.mean(picked, axis=(1, 2, 3))


def weighted_rate(
    bits: Float[Array, "B"],
    rate: Int[Array, "B"],
    lmbda: Float[Array, "R"],
    num_pixels: int,
) -> Float[Array, "B"]:
    """λ of an image's rate point times its bits per pixel.

    Args:
      bits: estimated bits of each image's detail latent.
      rate: index of each image's rate point.
      lmbda: rate weight of every rate point.
      num_pixels: pixels of one image as given to the encoder.
    """
    return lmbda[rate] * bits / num_pixels


def generator_loss(fake_logits: Float[Array, "B h w 1"]) -> Float[Array, ""]:
    """What the decoder minimises against the discriminator."""
    return -jnp.mean(fake_logits)


def hinge_loss(
    real_logits: Float[Array, "B h w 1"], fake_logits: Float[Array, "B h w 1"]
) -> Float[Array, ""]:
    """What the discriminator minimises (docs/architecture.md#image-loss)."""
    real, fake = jax.nn.relu(1.0 - real_logits), jax.nn.relu(1.0 + fake_logits)
    return 0.5 * (jnp.mean(real) + jnp.mean(fake))


def adaptive_weight(
    nll_gradient: Float[Array, "*S"], generator_gradient: Float[Array, "*S"]
) -> Float[Array, ""]:
    """Factor that gives the adversarial term the pull of the others.

    See docs/architecture.md#image-loss.

    Args:
      nll_gradient: of L1 plus LPIPS, with respect to the decoder's last kernel.
      generator_gradient: of the adversarial term, with respect to the same.

    Returns:
      Ratio of their norms in [0, 1e4], without gradient.
    """
    norms = (jnp.linalg.norm(g.ravel()) for g in (nll_gradient, generator_gradient))
    ratio = next(norms) / (next(norms) + 1e-4)
    return jax.lax.stop_gradient(jnp.clip(ratio, 0.0, 1e4))


def crop_pairs(
    corners: Int[Array, "B 2"],
    image: Float[Array, "B H W 3"],
    recon: Float[Array, "B H W 3"],
    size: int,
) -> tuple[Float[Array, "B S S 3"], Float[Array, "B S S 3"]]:
    """The same square of an image and its reconstruction.

    A deep feature network on a random part of a crop has the same expected loss at a
    fraction of the cost.

    Args:
      corners: upper left corners, see `dlf_jax.training.step.draws`.
      image, recon: equal shapes, sides of at least `size`.
      size: side of the square; returns the inputs when it covers them.
    """
    if size >= max(image.shape[1:3]):
        return image, recon
    return _squares(image, corners, size), _squares(recon, corners, size)


def crop_cells(
    corners: Int[Array, "B 2"],
    latent: Float[Array, "B h w E"],
    image: Float[Array, "B H W 3"],
    size: int,
) -> tuple[Float[Array, "B s s E"], Float[Array, "B S S 3"]]:
    """A square of a latent, and the part of the image that it stands for.

    Decoding a part of the latent costs a fraction, and differs from decoding it all
    only in what the decoder sees beyond the borders.

    Args:
      corners: upper left corners in cells, see `dlf_jax.training.step.draws`.
      latent: latent on the cell grid.
      image: sides are a common multiple of those of `latent`.
      size: side of the square in cells.
    """
    stride = image.shape[1] // latent.shape[1]
    return (
        _squares(latent, corners, size),
        _squares(image, stride * corners, stride * size),
    )


def _squares(
    x: Float[Array, "B H W C"], corners: Int[Array, "B 2"], size: int
) -> Float[Array, "B S S C"]:
    def cut(item, corner):
        shape = (size, size, item.shape[-1])
        return jax.lax.dynamic_slice(item, (*corner, 0), shape)

    return jax.vmap(cut)(x, corners)
