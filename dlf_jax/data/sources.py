"""Sources of encoded photos, with random access, named by a string.

    /path, folder:/path           photos in a folder, see `dlf_jax.data.folders`
    tfds:NAME[/CONFIG][:SPLIT]    a TensorFlow Datasets builder prepared as
                                  array_record; the default split is "train"
    array_record:/path/*.arecord  array_record files; a record is the bytes of an image
                                  file, such as a JPEG

Commas separate several sources.  TensorFlow is not needed, except once by some builders
for `tfds.builder(NAME, file_format="array_record").download_and_prepare()`.  The
variable TFDS_DATA_DIR names the folder of prepared datasets.
"""

import bisect
import glob
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import grain
from absl import logging

from dlf_jax.data.folders import photos_in
from dlf_jax.errors import UserError
from dlf_jax.extras import needs
from dlf_jax.files import read_file

# Image features to choose from where an example has several, as in div2k.
_PREFERRED_FEATURES = ("image", "hr")


@runtime_checkable
class ImageSource(Protocol):
    """Encoded images by index, in the same order on every machine."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> bytes:
        """Returns the bytes of an image file; raises UserError if unreadable."""

    def name(self, index: int) -> str:
        """Name of the image in messages."""


def open_source(specification: str) -> ImageSource:
    """Opens the sources of a comma-separated specification and concatenates them.

    Raises:
      UserError: a source is missing, empty or invalid.
    """
    specs = [spec for spec in specification.split(",") if spec]
    if not specs:
        raise UserError("no photos: name folders or datasets with --config.data")
    sources = [_open(spec) for spec in specs]
    for spec, source in zip(specs, sources, strict=True):
        if not len(source):
            raise UserError(f"no photos in {spec}: name others with --config.data")
    return sources[0] if len(sources) == 1 else ConcatenatedSource(sources)


def _open(spec: str) -> ImageSource:
    kind, colon, rest = spec.partition(":")
    if not colon or kind not in _KINDS:
        kind, rest = "folder", spec
    return _KINDS[kind](os.path.expanduser(rest))


class FolderSource:
    """Photos in a folder, as found by `photos_in`."""

    def __init__(self, folder: str):
        if not Path(folder).is_dir():
            raise UserError(f"{folder} is not a folder of photos: correct its name")
        self._paths = photos_in(folder)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> bytes:
        return read_file(self._paths[index])

    def name(self, index: int) -> str:
        return str(self._paths[index])


class ArrayRecordSource:
    """Records of the array_record files that match a pattern, sorted by path."""

    def __init__(self, pattern: str):
        self._pattern = pattern
        paths = sorted(glob.glob(pattern))
        if not paths:
            raise UserError(f"no file is named {pattern}: correct the pattern")
        try:
            self._records = grain.sources.ArrayRecordDataSource(paths)
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"{pattern} is not array_record ({error}): write it again"
            ) from error

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> bytes:
        try:
            return self._records[index]
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"{self.name(index)} cannot be read ({error}): write it again"
            ) from error

    def name(self, index: int) -> str:
        return f"{self._pattern}#{index}"


class TfdsSource:
    """Encoded images of a prepared TensorFlow Datasets builder.

    The photo is the feature "image" or "hr", otherwise the only image feature.
    """

    def __init__(self, name_and_split: str):
        name, _, split = name_and_split.partition(":")
        split = split or "train"
        self._name = f"tfds:{name}:{split}"
        tfds, builder = _prepared_builder(name)
        images = [
            key
            for key, feature in builder.info.features.items()
            if isinstance(feature, tfds.features.Image)
        ]
        self._feature = _choose(name, images)
        decoders = {key: tfds.decode.SkipDecoding() for key in images}
        try:
            self._examples = builder.as_data_source(split, decoders=decoders)
        except (KeyError, ValueError) as error:
            splits = ", ".join(builder.info.splits)
            raise UserError(
                f"tfds:{name} has no split {split!r}: use one of {splits}"
            ) from error
        except NotImplementedError as error:
            raise UserError(_how_to_prepare(name)) from error

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> bytes:
        return self._examples[index][self._feature]

    def name(self, index: int) -> str:
        return f"{self._name}#{index}"


def _prepared_builder(name: str) -> tuple[Any, Any]:
    """Returns the module tfds and a prepared builder."""
    # If tfds fails to load, its __init__ logs the reason and leaves an empty module.
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        tfds = needs("tensorflow_datasets.public_api", "tfds", "tensorflow-datasets")
    finally:
        logging.set_verbosity(verbosity)
    try:
        builder = tfds.builder(name)
    except ValueError as error:  # unknown name or configuration
        raise UserError(
            f"TensorFlow Datasets has no {name!r}: correct the name"
        ) from error
    except ImportError as error:  # its code needs TensorFlow, prepared data do not
        raise UserError(_how_to_prepare(name)) from error
    if not builder.info.splits:
        raise UserError(_how_to_prepare(name))
    return tfds, builder


def _how_to_prepare(name: str) -> str:
    return (
        f"tfds:{name} is not prepared as array_record: with TensorFlow installed, run "
        f"tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
    )


def _choose(name: str, images: list[str]) -> str:
    """Chooses the image feature that is the photo."""
    preferred = [key for key in _PREFERRED_FEATURES if key in images]
    if not preferred and len(images) != 1:
        raise UserError(
            f"tfds:{name} has image features {images}, not one: use another dataset"
        )
    return (preferred or images)[0]


class ConcatenatedSource:
    """Concatenation of several sources."""

    def __init__(self, sources: Sequence[ImageSource]):
        self._sources = sources
        self._ends = list(itertools.accumulate(len(source) for source in sources))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> bytes:
        source, index = self._find(index)
        return source[index]

    def name(self, index: int) -> str:
        source, index = self._find(index)
        return source.name(index)

    def _find(self, index: int) -> tuple[ImageSource, int]:
        which = bisect.bisect_right(self._ends, index)
        return self._sources[which], index - (self._ends[which - 1] if which else 0)


_KINDS = {
    "folder": FolderSource,
    "tfds": TfdsSource,
    "array_record": ArrayRecordSource,
}
