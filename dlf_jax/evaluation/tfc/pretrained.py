"""Published models of TensorFlow Compression, from their metagraphs.

A metagraph has two signatures: "sender" maps an image to tensors, "receiver" maps
tensors to an image.  Files have the format of the program tfci: `tfc.PackedTensors`
with the name of the model.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc


class Pretrained:
    """Published model at one rate.

    Args:
      path: the metagraph, NAME.metagraph.
    """

    def __init__(self, path: Path):
        self._name = path.stem
        meta = tf.compat.v1.MetaGraphDef.FromString(path.read_bytes())
        whole = tf.compat.v1.wrap_function(
            lambda: tf.compat.v1.train.import_meta_graph(meta), []
        )
        self._sender, self._receiver = (
            _prune(whole, meta.signature_def[name]) for name in ("sender", "receiver")
        )

    def compress(self, image: np.ndarray) -> bytes:
        """Encodes a uint8 (H, W, 3) image."""
        packed = tfc.PackedTensors()
        packed.model = self._name
        packed.pack(self._sender(tf.constant(image[None])))
        return packed.string

    def decompress(self, data: bytes) -> np.ndarray:
        """Decodes a file of `compress`."""
        packed = tfc.PackedTensors(data)
        tensors = packed.unpack([tensor.dtype for tensor in self._receiver.inputs])
        (image,) = self._receiver(*tensors)
        if image.dtype.is_floating:
            image = tf.round(image)
        return tf.saturate_cast(image, tf.uint8).numpy()[0]


def _prune(whole, signature):
    """Function of a signature; inputs and outputs are sorted by key."""
    inputs, outputs = (
        [whole.graph.as_graph_element(table[key].name) for key in sorted(table)]
        for table in (signature.inputs, signature.outputs)
    )
    return whole.prune(inputs, outputs)
