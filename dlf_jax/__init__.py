"""DLF, the extreme image codec, in JAX.

    data = dlf_jax.compress(image)       # uint8 (H, W, 3) to bytes
    recon = dlf_jax.decompress(data)     # and back
    dlf_jax.compress(image, target_bytes=800)
    dlf_jax.decompress_raw(payload, size, rate)  # without header
    dlf_jax.info(data)                   # size, rate and model of a file
    dlf_jax.load("dlf-nano")             # a codec, by model name or model folder
    dlf_jax.Limits(pixels=400_000_000)   # most pixels of an image
    dlf_jax.enable_compile_cache()       # makes later processes start fast

Modules are imported on first use.  Docstrings refer to headings, such as
docs/architecture.md#data-flow, of documents in the source repository, which are not
installed.
"""

TYPE_CHECKING = False  # of typing, whose import would delay that of the program
if TYPE_CHECKING:
    from dlf_jax.api import (
        Limits,
        compress,
        decompress,
        decompress_raw,
        enable_compile_cache,
        info,
        load,
    )

__all__ = [
    "Limits",
    "__version__",
    "compress",
    "decompress",
    "decompress_raw",
    "enable_compile_cache",
    "info",
    "load",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dlf_jax import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
