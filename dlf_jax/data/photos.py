"""Decoded photos; a small share of undecodable files is skipped."""

import hashlib
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dlf_jax.data.image_io import decode_image
from dlf_jax.data.sources import ImageSource
from dlf_jax.errors import UserError
from dlf_jax.typing import UInt8

_HOLDOUT_SHARE = 20  # one photo in this many is held out for validation
_NAMED = 5  # undecodable photos named in messages; further ones are only counted
_FIRST = (
    1000  # photos counted as seen from the start, so that early failures weigh less
)


def is_holdout(name: str) -> bool:
    """True if a photo is held out for validation, by a hash of its file name."""
    name = name.rpartition("/")[2]  # surrogates keep bytes that are not UTF-8
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % _HOLDOUT_SHARE == 0


def split_holdout(source: ImageSource) -> tuple[list[int], list[int]]:
    """Indices of the photos for training and of the held-out photos."""
    held_out = [is_holdout(source.name(i)) for i in range(len(source))]
    return (
        [i for i, held in enumerate(held_out) if not held],
        [i for i, held in enumerate(held_out) if held],
    )


class Photos:
    """Random access to decoded photos; a data source for grain, safe for threads.

    The next decodable photo replaces an undecodable one.
    """

    def __init__(
        self,
        source: ImageSource,
        indices: Sequence[int],
        *,
        max_undecodable: float,
        cache: bool = False,
        num_threads: int = 1,
    ):
        """Args:
        source: encoded photos.
        indices: photos to use.
        max_undecodable: maximum share of undecodable photos among those seen so far;
          at least 1000 photos, or all if there are fewer, count as seen.  A single
          undecodable photo is always accepted.
        cache: decode all photos now and keep them in memory, three bytes a pixel.
        num_threads: decoding threads for the cache.

        Raises:
          UserError: too many photos are undecodable; accesses raise it too.
        """
        self._source = source
        self._indices = indices
        self._max_undecodable = max_undecodable
        self._seen = 0
        self._undecodable: set[int] = set()
        self._lock = threading.Lock()
        self._cache = None
        if cache:
            with ThreadPoolExecutor(num_threads) as pool:
                self._cache = list(pool.map(self._decode, range(len(self))))

    @property
    def num_undecodable(self) -> int:
        """Number of photos found undecodable so far."""
        return len(self._undecodable)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        for i in range(index, index + len(self)):
            i %= len(self)
            if i not in self._undecodable:
                photo = self._decode(i) if self._cache is None else self._cache[i]
                if photo is not None:
                    return photo
        raise UserError(
            "none of the photos can be decoded: name others with --config.data"
        )

    def __repr__(self) -> str:
        return f"Photos({len(self)})"

    def _decode(self, i: int) -> UInt8[np.ndarray, "H W 3"] | None:
        index = self._indices[i]
        photo = None
        try:
            photo = decode_image(self._source[index], self._source.name(index))
        except UserError as error:
            self._skip(i, error)
        with self._lock:
            self._seen += 1
        return photo

    def _skip(self, i: int, error: UserError) -> None:
        """Records an undecodable photo; raises UserError if there are too many."""
        with self._lock:
            self._undecodable.add(i)
            count = len(self._undecodable)
            seen = min(max(self._seen + 1, _FIRST), len(self))
        if count <= _NAMED:
            print(f"dlf: skipping a photo: {error}", file=sys.stderr, flush=True)
        if count > max(self._max_undecodable * seen, 1):
            raise UserError(
                f"{count} of {seen} photos cannot be decoded ({error}); remove them, "
                "or raise --config.max_undecodable"
            )
