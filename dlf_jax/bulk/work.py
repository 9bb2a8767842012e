"""What is done with a file: its bytes to those of the output, in a worker."""

import dataclasses
import json
from collections.abc import Callable

from dlf_jax.codec import catalog
from dlf_jax.codec.compile_cache import enable_compile_cache
from dlf_jax.data.image_io import decode_image, encode_image
from dlf_jax.evaluation.codecs import CodecSpec, open_codec
from dlf_jax.evaluation.runner import code
from dlf_jax.limits import Limits
from dlf_jax.metrics.rate import bits_per_pixel
from dlf_jax.metrics.table import measure


@dataclasses.dataclass(frozen=True)
class Compress:
    """Images to .dlf files.

    Attributes:
      model: name or directory, the same on every host.
      rate: rate index.
      limits: on images.
    """

    model: str
    rate: int
    limits: Limits = dataclasses.field(repr=False)
    suffix = ".dlf"

    def open(self) -> Callable[[bytes], bytes]:
        """The work, ready; called once a worker process."""
        enable_compile_cache()
        codec = catalog.load(self.model, self.limits)

        def work(data: bytes) -> bytes:
            image = decode_image(data, "the file", self.limits.pixels)
            return codec.compress(image, self.rate)

        return work


@dataclasses.dataclass(frozen=True)
class Decompress:
    """.dlf files to PNG images.

    Attributes:
      model: name or directory; None finds the bundled model that wrote a file.
      limits: on images.
    """

    model: str | None
    limits: Limits = dataclasses.field(repr=False)
    suffix = ".png"

    def open(self) -> Callable[[bytes], bytes]:
        """The work, ready; called once a worker process."""
        enable_compile_cache()

        def work(data: bytes) -> bytes:
            if self.model is None:
                codec = catalog.load_for(data, self.limits)
            else:
                codec = catalog.load(self.model, self.limits)
            return encode_image(codec.decompress(data), ".png")

        return work


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Images to JSON: a row for every codec and setting, as in results.csv.

    Attributes:
      specs: codecs and settings.
      metrics: names in `dlf_jax.metrics.table.METRICS`.
      limits: on images.
    """

    specs: tuple[CodecSpec, ...]
    metrics: tuple[str, ...]
    limits: Limits = dataclasses.field(repr=False)
    suffix = ".json"

    def open(self) -> Callable[[bytes], bytes]:
        """The work, ready; called once a worker process."""

        def work(data: bytes) -> bytes:
            image = decode_image(data, "the file", self.limits.pixels)
            rows = []
            for spec in self.specs:
                for setting in spec.settings:
                    result, recon = code(image, open_codec(spec.name), setting)
                    size = len(result.data)
                    rows.append(
                        {
                            "codec": spec.name,
                            "setting": setting,
                            "bytes": size,
                            "bpp": bits_per_pixel(size, *image.shape[:2]),
                            **measure(image, recon, self.metrics),
                            "encode_s": result.encode_s,
                            "decode_s": result.decode_s,
                        }
                    )
            return json.dumps(rows).encode()

        return work
