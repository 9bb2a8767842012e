"""Training batches: random crops of the photos in one or several folders."""

import dataclasses
import hashlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grain
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlf_jax.errors import UserError
from dlf_jax.typing import UInt8

_SUFFIXES = frozenset(".jpg .jpeg .png .webp .bmp .tif .tiff .ppm .avif .jp2".split())
_HOLDOUT_SHARE = 20  # one photo in this many is kept for validation


@dataclasses.dataclass(frozen=True)
class CropConfig:
    """How a photo becomes a training example.

    Attributes:
      size: side of the square crop, in pixels.
      min_scale: photos are shrunk by a factor drawn log-uniformly from
        [min_scale, 1] before the crop; 1 leaves them as they are.
      flip: mirror half of the crops.
    """

    size: int
    min_scale: float = 1.0
    flip: bool = False


def find_photos(folders: Sequence[str | Path]) -> list[Path]:
    """Lists the image files below `folders`, sorted by path in each.

    Raises:
      UserError: a folder is missing, or there is no image in any of them.
    """
    photos = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder of photos")
        photos += sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not photos:
        raise UserError(f"no photos in {', '.join(map(str, folders)) or '(no folder)'}")
    return photos


def is_holdout(path: Path) -> bool:
    """Whether a photo is kept for validation: decided by a hash of its name alone."""
    digest = hashlib.sha256(path.name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % _HOLDOUT_SHARE == 0


def decode_photo(path: Path) -> UInt8[np.ndarray, "H W 3"] | None:
    """RGB pixels of a photo, upright; None, with a line on stderr, if undecodable."""
    try:
        with warnings.catch_warnings(), Image.open(path) as photo:
            warnings.simplefilter("ignore")  # odd metadata does not matter here
            return np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        print(f"dlf: skipping {path}: {error}", file=sys.stderr, flush=True)
        return None


class PhotoSource:
    """Random-access source of decoded photos for grain.

    Attributes:
      paths: the photos that can be decoded, or all of them without a cache.
      skipped: the photos found undecodable so far.
    """

    def __init__(self, paths: Sequence[Path], *, cache: bool, num_threads: int = 4):
        """Args:
        paths: image files.
        cache: decode everything now and keep it in memory as uint8, three bytes a
          pixel; otherwise decode at every access.
        num_threads: decoding threads for the cache.
        """
        self.paths = list(paths)
        self.skipped: list[Path] = []
        self._photos = None
        if cache:
            with ThreadPoolExecutor(num_threads) as pool:
                photos = list(pool.map(decode_photo, self.paths))
            good = [photo is not None for photo in photos]
            self.skipped = [p for p, ok in zip(self.paths, good, strict=True) if not ok]
            self.paths = [p for p, ok in zip(self.paths, good, strict=True) if ok]
            self._photos = [photo for photo in photos if photo is not None]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "H W 3"] | None:
        if self._photos is not None:
            return self._photos[index]
        photo = decode_photo(self.paths[index])
        if photo is None and self.paths[index] not in self.skipped:
            self.skipped.append(self.paths[index])
        return photo

    def __repr__(self) -> str:
        return f"PhotoSource({len(self)} photos)"


def random_crop(
    photo: UInt8[np.ndarray, "H W 3"], config: CropConfig, rng: np.random.Generator
) -> UInt8[np.ndarray, "S S 3"]:
    """Random square crop.

    Shrinking by s and then cropping `size` pixels is the same as cropping size/s
    pixels and shrinking those, which is what happens here.  A photo with a side below
    `size` is enlarged until its shorter side fits (bilinear, antialiased).

    Reference: DLF, architecture spec §15.6 (which has neither scaling nor flips).
    """
    height, width = photo.shape[:2]
    scale = config.min_scale ** rng.uniform()
    side = min(round(config.size / scale), height, width)
    top = rng.integers(height - side + 1)
    left = rng.integers(width - side + 1)
    crop = photo[top : top + side, left : left + side]
    if side != config.size:
        size = (config.size, config.size)
        crop = np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.BILINEAR))
    if config.flip and rng.integers(2):
        crop = crop[:, ::-1]
    return np.ascontiguousarray(crop)


def center_crop(
    photo: UInt8[np.ndarray, "H W 3"], size: int
) -> UInt8[np.ndarray, "S S 3"]:
    """Centre crop after the same resize rule, for validation (spec §15.6)."""
    height, width = photo.shape[:2]
    if min(height, width) < size:
        ratio = size / min(height, width)
        height, width = (
            max(round(height * ratio), size),
            max(round(width * ratio), size),
        )
        resized = Image.fromarray(photo).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        photo = np.asarray(resized)
    top, left = (height - size) // 2, (width - size) // 2
    return np.ascontiguousarray(photo[top : top + size, left : left + size])


def train_batches(
    source: PhotoSource,
    config: CropConfig,
    *,
    batch_size: int,
    seed: int,
    first_batch: int = 0,
    num_threads: int = 1,
) -> Iterator[UInt8[np.ndarray, "B S S 3"]]:
    """Endless batches, a function of `source`, `config`, `batch_size` and `seed` only.

    Args:
      source: decoded photos.
      config: cropping.
      batch_size: crops a batch; every pass over the photos has its own order and
        crops.
      seed: decides order, crops, scales and flips.
      first_batch: batch to start at; with a caching source, starting at n continues
        exactly where a run over n batches stopped.
      num_threads: threads that prepare crops ahead.

    Returns:
      Iterator over uint8 batches.

    Raises:
      UserError: no photo of `source` can be decoded.
    """
    if not len(source):
        raise UserError("none of the photos can be decoded")
    crops = (
        grain.MapDataset.source(source)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(lambda photo, rng: random_crop(photo, config, rng))
    )
    options = grain.ReadOptions(
        num_threads=num_threads, prefetch_buffer_size=4 * batch_size
    )
    start = first_batch * batch_size
    batches = crops[start:].to_iter_dataset(options).batch(batch_size)
    return iter(batches)
