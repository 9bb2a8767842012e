"""A network that runs on the tiles of pictures: few programs, whatever the size.

Each segment (`dlf_jax.codec.plan`) is a program for a chunk of tiles.  The host
hands results from one to the next and widens tiles by cells of their neighbours.
"""

import concurrent.futures
import dataclasses
import functools
import io
import json
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from dlf_jax import strict_json
from dlf_jax.codec.halos import widened
from dlf_jax.codec.plan import Input, Plan
from dlf_jax.codec.programs import Cache, check_memory, compiled, workers
from dlf_jax.codec.tiles import Queue, Schedule
from dlf_jax.compile_cache import read_entry, write_entry
from dlf_jax.limits import DEFAULT_LIMITS

_PLAN = "plan.json"
_NUM_PLACES = 2  # the arrays of `dlf_jax.ops.links.Places`


@dataclasses.dataclass(frozen=True)
class _Programs:
    """The programs for chunks of one size.

    Attributes:
      plan: the segments.
      functions: futures of the compiled programs.
    """

    plan: Plan
    functions: list[concurrent.futures.Future]


class TileProgram:
    """A function of fixed parameters and of pictures, compiled for chunks of tiles.

    Args:
      build: returns the function of (parameters, places, whether these are last, see
        `dlf_jax.ops.links.Places`, *arrays); called only where it must be traced, and
        imports the model code.
      params: tree of arrays.
      identity: JSON values that distinguish this function from others of the package.
      inputs: shape and type, for one tile, of each array.
      device: device of parameters and computation.
      sizes: numbers of tiles in a small and in a large chunk.
      max_memory: most bytes of values held at a time.
    """

    def __init__(
        self,
        build: Callable[[], Callable],
        params: Mapping[str, Any],
        identity: Mapping[str, Any],
        inputs: Sequence[jax.ShapeDtypeStruct],
        device: jax.Device,
        sizes: tuple[int, int],
        max_memory: int = DEFAULT_LIMITS.memory,
    ):
        self._build = build
        self._params = jax.device_put(params, device)
        self._leaves = jax.tree.leaves(self._params)
        place, last = (jax.ShapeDtypeStruct((2,), t) for t in (np.int32, np.bool_))
        self._inputs = [place, last, *inputs]
        self._cache = Cache({**identity, "of": "tiles"}, device)
        self._device = device
        self._sizes = sizes
        self._max_memory = max_memory
        self._compiled: dict[int, concurrent.futures.Future] = {}
        self._lock = threading.Lock()
        self._schedule = functools.lru_cache(8)(self._schedule)

    def prepare(self, *grids: tuple[int, int]) -> None:
        """Starts to compile for pictures of (tiles down, tiles across)."""
        for size in set(np.diff(Queue(grids, self._sizes).starts).tolist()):
            self._start(size)

    def __call__(
        self, grids: Sequence[tuple[int, int]], *arrays: Sequence[np.ndarray]
    ) -> list[list[np.ndarray]]:
        """Runs the network on pictures.

        Args:
          grids: (tiles down, tiles across) of each picture.
          arrays: for each input, an array of each picture, see `Queue.cut`.

        Returns:
          For each result, an array of each picture.

        Raises:
          UserError: more memory would be needed than `max_memory`.
        """
        schedule = self._schedule(tuple(grids))
        queue, plan = schedule.queue, schedule.plan
        held: dict[tuple[int, int], Any] = {}
        results: dict[int, list[np.ndarray]] = {}

        def chunk_of(value: int, chunk: int) -> Any:
            slots = queue.slots(chunk)
            match value:
                case 0:
                    return queue.place[slots].astype(np.int32)
                case 1:
                    return queue.last[slots]
            if value < len(self._inputs):
                given = arrays[value - _NUM_PLACES]
                return queue.cut(chunk, given, self._inputs[value].shape)
            return held[value, chunk]

        def argument(item: Input, chunk: int) -> Any:
            if not item.rows:
                return chunk_of(item.value, chunk)
            around = schedule.around[item][queue.slots(chunk)]
            tiles = {}
            for c in np.unique(queue.chunk_of[around[around >= 0]]).tolist():
                maps = np.asarray(chunk_of(item.value, c))
                tiles.update(enumerate(maps, int(queue.starts[c])))
            return widened(item, around, tiles)

        for step in schedule.steps:
            segment, chunk = plan.segments[step.segment], step.chunk
            function = self._function(queue.size(chunk), segment.program)
            params = [self._leaves[n] for n in segment.params]
            made = function(*params, *(argument(i, chunk) for i in segment.inputs))
            for value, array in zip(segment.outputs, made, strict=True):
                if value in schedule.read:
                    held[value, chunk] = array
                if value in plan.results:
                    tiles = np.asarray(array)
                    if value not in results:
                        results[value] = queue.maps(tiles.shape[1:], tiles.dtype)
                    queue.paste(chunk, tiles, results[value])
            for key in step.drops:
                del held[key]
        return [results[value] for value in plan.results]

    def _schedule(self, grids: tuple[tuple[int, int], ...]) -> Schedule:
        self.prepare(*grids)
        queue = Queue(grids, self._sizes)
        # Chunks of both sizes have the same plan.
        plan = self._result(queue.size(0), self._start(queue.size(0))).plan
        schedule = Schedule(plan, queue)
        check_memory(4 * schedule.peak, self._max_memory)
        return schedule

    def _function(self, size: int, program: int) -> Callable:
        """A compiled program."""
        programs = self._result(size, self._start(size))
        return self._result(size, programs.functions[program])

    def _result(self, size: int, future: concurrent.futures.Future) -> Any:
        try:
            return future.result()
        except Exception:
            with self._lock:  # the next attempt may succeed
                self._compiled.pop(size, None)
            raise

    def _start(self, size: int) -> concurrent.futures.Future:
        """A future of the programs for chunks of `size` tiles."""
        with self._lock:
            if size not in self._compiled:
                self._compiled[size] = workers.submit(self._make, size)
            return self._compiled[size]

    def _make(self, size: int) -> _Programs:
        structs = [
            jax.ShapeDtypeStruct((size, *s.shape), s.dtype) for s in self._inputs
        ]
        file = self._cache.file(structs)
        data = file and read_entry(file)
        if data is None:
            return self._trace(structs, file)
        with zipfile.ZipFile(io.BytesIO(data)) as entry:
            plan = Plan.from_dict(json.loads(entry.read(_PLAN)))
            count = len(entry.namelist()) - 1
            traced = [
                export.deserialize(bytearray(entry.read(str(i)))) for i in range(count)
            ]
        functions = [self._compile(t.call, t.in_avals) for t in traced]
        return _Programs(plan, functions)

    def _trace(self, structs: list[Any], file: Path | None) -> _Programs:
        from dlf_jax.codec.segments import split

        function, tree = self._build(), jax.tree.structure(self._params)

        def flat(*arguments):
            params = jax.tree.unflatten(tree, arguments[: len(self._leaves)])
            return function(params, *arguments[len(self._leaves) :])

        leaves = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in self._leaves]
        plan, programs = split(
            jax.make_jaxpr(flat)(*leaves, *structs), len(leaves), _NUM_PLACES
        )
        functions, stored = [], io.BytesIO()
        with zipfile.ZipFile(stored, "w") as entry:
            entry.writestr(_PLAN, strict_json.dumps(plan.to_dict()))
            for i, (part, avals) in enumerate(programs):
                call, data = self._cache.traced(part, avals)
                functions.append(self._compile(call, avals))
                if data is not None:
                    entry.writestr(str(i), data)
        if file:
            write_entry(file, stored.getvalue())
        return _Programs(plan, functions)

    def _compile(
        self, function: Callable, avals: Sequence[Any]
    ) -> concurrent.futures.Future:
        structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
        return workers.submit(compiled, function, structs, self._device)
