"""Loss terms as pure functions of arrays, most of them with one value per image."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Int

_COMMITMENT = 0.25
_VISIBLE = 2.0 / 127.5  # a difference of two 8-bit levels


def vq_loss(
    codebook_loss: Float[Array, ""], commitment_loss: Float[Array, ""]
) -> Float[Array, ""]:
    """Computes the codebook term plus a quarter of the commitment term.

    See docs/architecture.md#semantic-quantiser.
    """
    return codebook_loss + _COMMITMENT * commitment_loss


def uniformity(vectors: Float[Array, "T K D"]) -> Float[Array, ""]:
    """Uniformity of the vectors of T tiles, averaged over K positions.

    For one position: log of the mean of exp(−2 d²) over all T² pairs of tiles,
    including each tile with itself; d is the distance of the vectors of a pair.

    Args:
      vectors: of unit length.

    Returns:
      0 where all tiles are equal, down to −log T where all are far apart.

    Reference: Wang and Isola, "Understanding Contrastive Representation Learning
    through Alignment and Uniformity on the Hypersphere", ICML 2020, section 4.1.2.
    """
    square = jnp.sum(jnp.square(vectors[:, None] - vectors), axis=-1)
    return jnp.mean(jnp.log(jnp.mean(jnp.exp(-2.0 * square), axis=(0, 1))))


def absolute_error(
    image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"]
) -> Float[Array, "B"]:
    """Computes the mean absolute error of each image."""
    return jnp.mean(jnp.abs(image - recon), axis=(1, 2, 3))


def blockiness(
    image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"], cell: int
) -> Float[Array, "B"]:
    """Computes how visible the grid of cells is in each reconstruction.

    A decoder that works cell by cell leaves larger differences of neighbouring pixels
    at the borders of cells than inside, or a pattern inside.  The profile of an image
    is the mean of log(1 + |difference| / 2 levels) at every place in a cell, divided by
    the mean over all places.  The logarithm raises the weight of smooth areas, where a
    grid is most visible.

    Args:
      image, recon: in [-1, 1]; sides are multiples of `cell`, at least two cells.
      cell: side of a cell in pixels.

    Returns:
      Mean absolute difference of the profiles of image and reconstruction.
    """
    places = [
        jnp.abs(_profile(recon, axis, cell) - _profile(image, axis, cell))
        for axis in (1, 2)
    ]
    return jnp.mean(jnp.concatenate(places, axis=1), axis=1)


def _profile(x: Array, axis: int, cell: int) -> Float[Array, "B P"]:
    """Differences along an axis at the P places of a cell, over their mean."""
    x = jnp.moveaxis(x, axis, 1)
    differences = jnp.abs(
        x[:, cell:] - x[:, cell - 1 : -1]
    )  # the first one crosses a border
    differences = jnp.log1p(differences / _VISIBLE)
    means = jnp.mean(differences.reshape(len(x), -1, cell, *x.shape[2:]), (1, 3, 4))
    return means / (jnp.mean(means, axis=1, keepdims=True) + 1e-3)


def squared_error(
    latent: Float[Array, "B h w E"], target: Float[Array, "B h w E"]
) -> Float[Array, "B"]:
    """Computes the mean squared error of the latent of each image."""
    return jnp.mean(jnp.square(latent - target), axis=(1, 2, 3))


def code_cross_entropy(
    logits: Float[Array, "B h w K"], codes: Int[Array, "B h w"]
) -> Float[Array, "B"]:
    """Computes the cross-entropy in nats, averaged over the cells of each image."""
    log_probs = jax.nn.log_softmax(logits)
    picked = jnp.take_along_axis(log_probs, codes[..., None], axis=-1)
    return -jnp.mean(picked, axis=(1, 2, 3))


def weighted_rate(
    bits: Float[Array, "B"],
    rate: Int[Array, "B"],
    lmbda: Float[Array, "R"],
    num_pixels: int,
) -> Float[Array, "B"]:
    """Computes the bits per pixel of each image times the λ of its rate point.

    Args:
      bits: estimated bits of each image's detail latent.
      rate: index of each image's rate point.
      lmbda: rate weight of every rate point.
      num_pixels: pixels of one image, padding included.
    """
    return lmbda[rate] * bits / num_pixels


def generator_loss(fake_logits: Float[Array, "B h w 1"]) -> Float[Array, ""]:
    """Computes the adversarial loss of the decoder."""
    return -jnp.mean(fake_logits)


def hinge_loss(
    real_logits: Float[Array, "B h w 1"], fake_logits: Float[Array, "B h w 1"]
) -> Float[Array, ""]:
    """Computes the hinge loss of the discriminator.

    See docs/architecture.md#image-loss.
    """
    real, fake = jax.nn.relu(1.0 - real_logits), jax.nn.relu(1.0 + fake_logits)
    return 0.5 * (jnp.mean(real) + jnp.mean(fake))


def adaptive_weight(
    nll_gradient: Float[Array, "*S"], generator_gradient: Float[Array, "*S"]
) -> Float[Array, ""]:
    """Computes the factor that makes the adversarial gradient as large as the other.

    See docs/architecture.md#image-loss.

    Args:
      nll_gradient: gradient of the other image terms with respect to the last kernel
        of the decoder.
      generator_gradient: gradient of the adversarial term with respect to that kernel.

    Returns:
      Ratio of the norms, at most 1e4, without gradient.
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
    """Cuts the same square from an image and its reconstruction.

    On a random square, a deep feature network has the same expected loss at a fraction
    of the cost.

    Args:
      corners: upper left corners, see `dlf_jax.training.step.randomness`.
      image, recon: equal shapes, sides of at least `size`.
      size: side of the square; a square that covers the images returns them whole.
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
    """Cuts a square from a latent, and the same part from the image.

    Decoding a square costs a fraction of decoding everything, and differs near the
    borders alone.

    Args:
      corners: upper left corners in cells, see `dlf_jax.training.step.randomness`.
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
