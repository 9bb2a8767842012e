"""Work on one file in a worker: from the bytes of the input to those of the output."""

import dataclasses
import platform
from collections.abc import Callable
from pathlib import Path

from dlf_jax import strict_json
from dlf_jax.codec import catalog
from dlf_jax.codec.container import parse
from dlf_jax.codec.goal import Goal
from dlf_jax.compile_cache import enable_compile_cache
from dlf_jax.data.formats import READABLE
from dlf_jax.data.image_io import decode_image, encode_image
from dlf_jax.errors import UserError
from dlf_jax.evaluation.codecs import CodecSpec, open_codec
from dlf_jax.evaluation.runner import Measurement, code
from dlf_jax.limits import Limits
from dlf_jax.metrics.table import measure


@dataclasses.dataclass(frozen=True)
class Compress:
    """Images to .dlf files.

    Attributes:
      model: name or directory, the same on every host.
      fingerprint: of that model.
      goal: decides the rate of each image.
      limits: on images.
    """

    model: str
    fingerprint: str
    goal: Goal
    limits: Limits = dataclasses.field(repr=False)
    inputs = READABLE
    suffix = ".dlf"

    def open(self) -> Callable[[bytes], bytes]:
        """Loads codecs, once per worker process, and returns the work as a function."""
        enable_compile_cache()
        codec = catalog.load(self.model, self.limits)
        if codec.model.fingerprint.hex() != self.fingerprint:
            raise UserError(f"{self.model} is another model on {platform.node()}")

        def work(data: bytes) -> bytes:
            image = decode_image(data, "the file", self.limits.pixels)
            return codec.reach(image, self.goal).data

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
    inputs = frozenset({".dlf"})
    suffix = ".png"

    def open(self) -> Callable[[bytes], bytes]:
        """Loads codecs, once per worker process, and returns the work as a function."""
        enable_compile_cache()

        def work(data: bytes) -> bytes:
            file = parse(data)
            if self.model is None:
                codec = catalog.load_for(file, self.limits)
            else:
                codec = catalog.load(self.model, self.limits)
            return encode_image(codec.reconstruct(file), ".png")

        return work


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Images to JSON: a `Measurement.record` for every codec and setting.

    Attributes:
      specs: codecs and settings.
      metrics: names in `dlf_jax.metrics.table.METRICS`.
    """

    specs: tuple[CodecSpec, ...]
    metrics: tuple[str, ...]
    inputs = READABLE
    suffix = ".json"

    def open(self) -> Callable[[bytes], bytes]:
        """Loads codecs, once per worker process, and returns the work as a function."""
        for spec in self.specs:
            if open_codec(spec.name).version != spec.version:
                raise UserError(f"{spec.name} is another version on {platform.node()}")

        def work(data: bytes) -> bytes:
            image = decode_image(data, "the file")
            records = []
            for spec in self.specs:
                for setting in spec.settings:
                    result, recon = code(image, spec.name, setting)
                    result.values |= measure(image, recon, self.metrics)
                    row = Measurement(
                        Path(), spec.name, setting, *image.shape[:2], result
                    )
                    records.append(row.record(self.metrics))
            return strict_json.dumps(records).encode()

        return work
