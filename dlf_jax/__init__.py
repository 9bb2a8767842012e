"""DLF, the extreme image codec, in JAX.

    data = dlf_jax.compress(image)       # uint8 (H, W, 3) to bytes
    recon = dlf_jax.decompress(data)     # and back
    dlf_jax.info(data)                   # what a file says about itself
    dlf_jax.load("dlf-nano")             # a codec to keep, of a name or a model folder
    dlf_jax.Limits(pixels=400_000_000)   # how large an image it takes
    dlf_jax.enable_compile_cache()       # later processes start fast

Nothing is imported before it is used.  Docstrings refer to headings, such as
docs/architecture.md#data-flow, of documents that lie beside this package in its source
repository and are not installed.
"""

TYPE_CHECKING = False  # of typing, whose import would delay that of the program
if TYPE_CHECKING:
    from dlf_jax.api import (
        Limits,
        compress,
        decompress,
        enable_compile_cache,
        info,
        load,
    )

__all__ = [
    "Limits",
    "__version__",
    "compress",
    "decompress",
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
