"""The interface between a stage and the rest of training."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from flax import linen as nn

from dlf_jax.models.config import DLFConfig
from dlf_jax.training.losses.output import LossOutput
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.randomness import StepRandomness
from dlf_jax.typing import Array, Float, Int, Params

VQGAN_CODEBOOK = "vqgan/quantizer/embedding"
SEMANTIC_CODEBOOK = "tokens/embedding"


@dataclasses.dataclass(frozen=True)
class Task(abc.ABC):
    """Computation of a stage: parameters, random numbers, loss and reconstructions.

    Nothing else in training asks for the name of a stage: what differs between stages
    is a method or an attribute of their tasks.

    Attributes:
      model: sizes of the network.
      weights: weights of the loss terms, and other settings of the loss.
      makes_codec: whether the parameters include those of a whole codec, so that a run
        can be exported.
      has_rates: whether the loss counts bits, weighted by λ.
      has_image_loss: whether the loss has the terms of
        `dlf_jax.training.losses.table.IMAGE_TERMS` and may have a discriminator.
      decodes_crops: whether ``loss.decode_crop`` limits the part of an image that is
        decoded for the image loss.
    """

    model: DLFConfig
    weights: LossConfig

    makes_codec: ClassVar[bool] = False
    has_rates: ClassVar[bool] = False
    has_image_loss: ClassVar[bool] = False
    decodes_crops: ClassVar[bool] = False

    @property
    def crop_unit(self) -> int:
        """Pixels; the sides of crops are multiples of it.  A tile unless overridden."""
        return self.model.tile_size

    @property
    def num_reconstructions(self) -> int:
        """Rate points at which `reconstruct` works; 0 where the task has no images."""
        return 0

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Frozen networks of the loss; `StepInputs.networks` has their parameters."""
        return {}

    @abc.abstractmethod
    def init(self, key: Array, image: Float[Array, "B H W 3"]) -> Params:
        """Returns initial parameters; `image` gives shapes alone."""

    def sample(self, key: Array, shape: tuple[int, ...]) -> StepRandomness:
        """Draws the random numbers for a batch of images of `shape`, [B H W 3]."""
        return StepRandomness()

    @abc.abstractmethod
    def loss(
        self,
        params: Params,
        inputs: StepInputs,
        image: Float[Array, "B H W 3"],
        random: StepRandomness,
    ) -> LossOutput:
        """Returns the loss of a batch.

        The loss is the mean of the losses of equal parts of the batch, with three
        exceptions: the adversarial term; the terms of networks that see only the first
        ``perceptual_images`` of each part; and the uniformity term where parts are not
        multiples of eight images.

        Args:
          params: all parameters of the stage.
          inputs: the other arrays of a step.
          image: in [-1, 1].
          random: random numbers of these images, see `sample`.
        """

    def reconstruct(
        self, params: Params, image: Float[Array, "B H W 3"], rate: Int[Array, ""]
    ) -> tuple[Float[Array, "B H W 3"], Float[Array, "B"] | None]:
        """Reconstructs images for validation, in tasks with `num_reconstructions`.

        Args:
          params: all parameters of the stage.
          image: in [-1, 1].
          rate: rate point, below `num_reconstructions`.

        Returns:
          Reconstructions, nominally in [-1, 1], and the bits of the detail branch with
          rounded symbols; None in place of the bits where nothing is coded.
        """
        raise NotImplementedError
