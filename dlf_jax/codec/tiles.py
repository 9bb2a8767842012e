"""Pictures as a queue of tiles, and the order in which segments work on its chunks."""

import collections
import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int

from dlf_jax.codec.plan import Input, Plan


class Queue:
    """The tiles of pictures, in chunks.

    Each picture begins a chunk, so that its results do not depend on other pictures.
    Its tiles follow each other along its shorter side: neighbours are close then.

    Args:
      grids: (tiles down, tiles across) of each picture.
      sizes: numbers of tiles in a small and in a large chunk.

    Attributes:
      starts: first slot of each chunk, and the number of all slots.
      chunk_of: chunk of each slot.
      picture: the picture of each slot; −1 for a slot without a tile.
      place: row and column of each slot's tile.
      last: whether the tile is in the last row, and in the last column.
    """

    starts: Int[np.ndarray, "N1"]
    picture: Int[np.ndarray, "S"]
    place: Int[np.ndarray, "S 2"]
    last: Bool[np.ndarray, "S 2"]

    def __init__(self, grids: tuple[tuple[int, int], ...], sizes: tuple[int, int]):
        chunks = [_chunks(down * across, sizes) for down, across in grids]
        self.starts = np.cumsum([0, *(size for sizes in chunks for size in sizes)])
        slots = self.starts[-1]
        self.chunk_of = np.repeat(range(self.num_chunks), np.diff(self.starts))
        self.picture = np.full(slots, -1)
        self.place = np.zeros((slots, 2), int)
        self.last = np.zeros((slots, 2), bool)
        self._grids = grids
        self._around = {c: np.full((slots, 3, 3), -1) for c in (False, True)}
        first = 0
        for number, (down, across) in enumerate(grids):
            places = np.indices((down, across))
            rows = down > across
            order = (0, 1) if rows else (1, 0)
            index = np.arange(first, first + down * across)
            index = index.reshape([(down, across)[i] for i in order]).transpose(order)
            self.picture[index] = number
            self.place[index] = np.moveaxis(places, 0, -1)
            self.last[index] = self.place[index] == (down - 1, across - 1)
            for cyclic, around in self._around.items():
                mode = {"mode": "wrap"} if cyclic else {"constant_values": -1}
                wide = np.pad(index, 1, **mode)
                for i, j in np.ndindex(3, 3):
                    around[index, i, j] = wide[i : i + down, j : j + across]
            first += sum(chunks[number])

    @property
    def num_chunks(self) -> int:
        """Number of chunks."""
        return len(self.starts) - 1

    def size(self, chunk: int) -> int:
        """Slots of a chunk."""
        return int(self.starts[chunk + 1] - self.starts[chunk])

    def slots(self, chunk: int) -> slice:
        """The slots of a chunk."""
        return slice(int(self.starts[chunk]), int(self.starts[chunk + 1]))

    def around(self, item: Input, sides: tuple[int, ...]) -> Int[np.ndarray, "S 3 3"]:
        """Slots that an input takes cells from; −1 where it takes none, or zeros.

        Args:
          item: with `rows` and `cols`.
          sides: rows and columns of a tile.
        """
        around = self._around[item.cyclic].copy()
        spans = (item.rows, item.cols)
        for axis, ((start, stop), side) in enumerate(zip(spans, sides, strict=True), 1):
            unused = [start >= 0, start >= side or stop <= 0, stop <= side]
            around.swapaxes(0, axis)[unused] = -1
        return around

    def maps(self, tile: tuple[int, ...], dtype: np.dtype) -> list[np.ndarray]:
        """An empty array for each picture, see `cut`."""
        arrays = []
        for down, across in self._grids:
            if len(tile) == 3:
                shape = down * tile[0], across * tile[1], tile[2]
            else:
                shape = down * across, *tile
            arrays.append(np.empty(shape, dtype))
        return arrays

    def cut(
        self, chunk: int, arrays: Sequence[np.ndarray], tile: tuple[int, ...]
    ) -> np.ndarray:
        """The tiles of a chunk.

        Args:
          chunk: its number.
          arrays: of each picture, a map (H, W, C), or a row (K,) or number for each
            tile in reading order.  A map that ends inside a tile is extended there.
          tile: shape of the part of one tile.
        """
        tiles = np.zeros((self.size(chunk), *tile), arrays[0].dtype)
        for i, picture, part in self._parts(chunk, tile):
            found = arrays[picture][part]
            if found.shape != tile:
                missing = np.subtract(tile, found.shape)
                found = np.pad(found, [(0, n) for n in missing], mode="edge")
            tiles[i] = found
        return tiles

    def paste(
        self, chunk: int, tiles: np.ndarray, arrays: Sequence[np.ndarray]
    ) -> None:
        """Writes the tiles of a chunk into arrays, inverse of `cut`."""
        for i, picture, part in self._parts(chunk, tiles.shape[1:]):
            arrays[picture][part] = tiles[i]

    def _parts(
        self, chunk: int, tile: tuple[int, ...]
    ) -> Iterator[tuple[int, int, tuple]]:
        """Yields the number in the chunk, the picture and the place of each tile."""
        slots = self.slots(chunk)
        places = self.place[slots].tolist()
        for i, picture in enumerate(self.picture[slots].tolist()):
            if picture < 0:
                continue
            row, col = places[i]
            if len(tile) == 3:
                height, width, _ = tile
                rows = slice(row * height, (row + 1) * height)
                yield i, picture, (rows, slice(col * width, (col + 1) * width))
            else:
                yield i, picture, (row * self._grids[picture][1] + col,)


def _chunks(count: int, sizes: tuple[int, int]) -> list[int]:
    """Sizes of the chunks of so many tiles: three small chunks at most, at the end."""
    small, large = sizes
    chunks, rest = [large] * (count // large), count % large
    if rest > 3 * small:
        return [*chunks, large]
    return chunks + [small] * -(-rest // small)


@dataclasses.dataclass(frozen=True)
class Step:
    """A segment applied to a chunk.

    Attributes:
      segment, chunk: their numbers.
      drops: (value, chunk) of the arrays that no later step needs.
    """

    segment: int
    chunk: int
    drops: list[tuple[int, int]]


class Schedule:
    """The steps of a plan over a queue, and the bytes that they hold.

    Attributes:
      around: slots that each input of a segment takes cells from, see `Queue.around`.
      read: the values that segments read.
      steps: later segments go first, so that few values are held at a time.
      peak: the most numbers held at a time, inputs and results excluded.
    """

    def __init__(self, plan: Plan, queue: Queue):
        self.plan, self.queue = plan, queue
        inputs = {item for segment in plan.segments for item in segment.inputs}
        self.around = {
            item: queue.around(item, plan.shapes[item.value][:2])
            for item in inputs
            if item.rows
        }
        self.read = {item.value for item in inputs}
        self.steps = list(self._order())
        self.peak = self._peak()

    def _order(self) -> Iterator[Step]:
        segments, total = self.plan.segments, self.queue.num_chunks
        writer = {n: i for i, s in enumerate(segments) for n in s.outputs}
        # The inputs of each segment that others write: (value, writer, first chunk that
        # this and all later chunks read, last chunk that a chunk reads).
        reads: list[list[tuple]] = []
        users = collections.defaultdict(list)
        for i, segment in enumerate(segments):
            reads.append([])
            for item in segment.inputs:
                if item.value in writer:
                    first, last = self._reach(item)
                    reads[i].append((item.value, writer[item.value], first, last))
                    users[item.value].append((i, first))
        done = [0] * len(segments)
        dropped = collections.defaultdict(int)

        def is_ready(i: int) -> bool:
            chunk = done[i]
            return chunk < total and all(
                last[chunk] < done[j] for _, j, _, last in reads[i]
            )

        backwards = range(len(segments))[::-1]
        for _ in range(total * len(segments)):
            i = next(filter(is_ready, backwards))
            chunk = done[i]
            done[i] += 1
            drops = []
            for value, j, *_ in reads[i]:
                kept = min(first[done[user]] for user, first in users[value])
                kept = min(kept, done[j])
                drops += [(value, k) for k in range(dropped[value], kept)]
                dropped[value] = max(kept, dropped[value])
            yield Step(i, chunk, drops)

    def _reach(self, item: Input) -> tuple[list[int], list[int]]:
        """First chunk read by each chunk or a later one, and last by each chunk."""
        chunks, total = range(self.queue.num_chunks), self.queue.num_chunks
        if not item.rows:
            return [*chunks, total], [*chunks]
        around = self.around[item].reshape(-1, 9)
        read = np.where(around < 0, -1, self.queue.chunk_of[around])
        starts = self.queue.starts[:-1]
        last = np.maximum.reduceat(read.max(axis=1), starts)
        read = np.where(around < 0, total, read)
        first = np.minimum.reduceat(read.min(axis=1), starts)
        first = np.minimum.accumulate(first[::-1])[::-1]
        return [*first.tolist(), total], last.tolist()

    def _peak(self) -> int:
        held, peak = 0, 0
        for step in self.steps:
            size = self.queue.size(step.chunk)
            outputs = self.plan.segments[step.segment].outputs
            held += size * sum(self._cells(n) for n in outputs if n in self.read)
            peak = max(peak, held)
            held -= sum(self.queue.size(k) * self._cells(n) for n, k in step.drops)
        return peak

    def _cells(self, value: int) -> int:
        return math.prod(self.plan.shapes[value])
