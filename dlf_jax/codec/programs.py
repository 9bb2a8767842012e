"""Compiled functions that start fast: in the background, and from the user's cache.

jax's compilation cache saves XLA's work, but neither the tracing of a model, which
takes about as long, nor the import of the libraries that tracing needs.  Where jax's
cache is on, traced programs (StableHLO, which is data) are cached beside it.
"""

import concurrent.futures
import functools
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from jax import export

from dlf_jax import strict_json
from dlf_jax.compilation import compiler_options
from dlf_jax.compile_cache import local_folder, read_entry, write_entry
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS

# Parts of the package that determine a traced program, besides its configuration.
_SOURCES = ("ops", "nn", "entropy", "models", "codec")

workers = concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="dlf-compile")


class Program:
    """A function of fixed parameters and of arrays, compiled for every set of shapes.

    Compilation runs in another thread: it can start early, and jax's context managers
    around a call do not affect the program.

    Args:
      build: returns the function of (parameters, *arrays); called only where a program
        must be traced, and imports the model code.
      params: tree of arrays.
      identity: JSON values that distinguish this function from others of the package.
      device: device of parameters and computation.
      max_memory: most bytes of arguments, results and temporaries together.
    """

    def __init__(
        self,
        build: Callable[[], Callable],
        params: Mapping[str, Any],
        identity: Mapping[str, Any],
        device: jax.Device,
        max_memory: int = DEFAULT_LIMITS.memory,
    ):
        self._build = build
        self._params = jax.device_put(params, device)
        self._cache = Cache(identity, device)
        self._device = device
        self._max_memory = max_memory
        self._compiled: dict[tuple, concurrent.futures.Future] = {}
        self._lock = threading.Lock()

    def __call__(self, *arrays: Any) -> Any:
        """Runs the program; results stay on its device.

        Raises:
          UserError: the program needs more memory than `max_memory`.
        """
        future = self.prepare(*arrays)
        error = future.exception()
        if isinstance(error, UserError):
            # A copy: the stored error would keep the frames of every caller alive.
            raise UserError(str(error))
        if error is not None:
            with self._lock:  # the next attempt may succeed
                kept = self._compiled.items()
                self._compiled = {k: f for k, f in kept if f is not future}
            raise error
        return future.result()(self._params, *arrays)

    def prepare(self, *arrays: Any) -> concurrent.futures.Future:
        """Starts to compile for some shapes, once.

        Args:
          arrays: arrays, or `jax.ShapeDtypeStruct`s of arrays.

        Returns:
          A future of the compiled function.
        """
        structs = [_struct(a) for a in arrays]
        shapes = tuple((s.shape, s.dtype.name) for s in structs)
        with self._lock:
            if shapes not in self._compiled:
                self._compiled[shapes] = workers.submit(self._compile, structs)
            return self._compiled[shapes]

    def _compile(self, structs: list[jax.ShapeDtypeStruct]) -> Callable:
        structs = [jax.tree.map(_struct, self._params), *structs]
        file = self._cache.file(structs[1:])
        data = file and read_entry(file)
        if data is None:
            function, data = self._cache.traced(self._build(), structs)
            if file:
                write_entry(file, data)
        else:
            function = export.deserialize(bytearray(data)).call
        program = compiled(function, structs, self._device)
        sizes = program.memory_analysis()
        if sizes is not None:  # XLA's estimate
            needed = (
                sizes.argument_size_in_bytes
                + sizes.output_size_in_bytes
                + sizes.temp_size_in_bytes
            )
            check_memory(needed, self._max_memory)
        return program


class Cache:
    """Traced programs of one function, in the folder of jax's own cache.

    Args:
      identity: JSON values that distinguish this function from others of the package.
      device: device of the programs.
    """

    def __init__(self, identity: Mapping[str, Any], device: jax.Device):
        self._identity = identity
        on_cpu = device.platform == "cpu"
        self._platform = "cpu" if on_cpu else export.default_export_platform()

    def traced(
        self, function: Callable, structs: Sequence[Any]
    ) -> tuple[Callable, bytes | None]:
        """The function to compile, and its stored form if the cache is on."""
        if _folder() is None:
            return function, None
        traced = export.export(jax.jit(function), platforms=[self._platform])(*structs)
        return traced.call, bytes(traced.serialize())

    def file(self, structs: Sequence[jax.ShapeDtypeStruct]) -> Path | None:
        """The entry for arrays; None where jax's own cache is off or remote."""
        folder = _folder()
        if folder is None:
            return None
        facts = {
            "program": self._identity,
            "arrays": [(s.shape, s.dtype.name) for s in structs],
            "sources": _sources_digest(),
            "jax": jax.__version__,
            "platform": self._platform,
            "precision": jax.config.jax_default_matmul_precision,
            "x64": jax.config.jax_enable_x64,
        }
        text = strict_json.dumps(facts, sort_keys=True)
        return folder / hashlib.sha256(text.encode()).hexdigest()


def compiled(
    function: Callable, structs: Sequence[Any], device: jax.Device
) -> jax.stages.Compiled:
    """Compiles a function with the package's options."""
    options = compiler_options(device.platform)
    return jax.jit(function).lower(*structs).compile(options)


def check_memory(needed: int, limit: int) -> None:
    """Compares bytes with a limit.

    Raises:
      UserError: they are more.
    """
    if needed > limit:
        raise UserError(
            f"the network needs {needed / 2**30:.3g} GiB of memory for this image; "
            f"the limit is {limit / 2**30:.3g} GiB: use a smaller image or a higher "
            "limit (--max-memory, Limits.memory)"
        )


def _struct(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def _folder() -> Path | None:
    folder = local_folder()
    return folder and folder / "dlf_jax_programs"


@functools.cache
def _sources_digest() -> str:
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for part in _SOURCES:
        for file in sorted((package / part).glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
