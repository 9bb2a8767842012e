"""Model directories: configuration, weights as safetensors, origin.

A directory holds ``config.json`` (name, sizes, metadata), ``model.safetensors`` and,
for published models, ``MODEL_CARD.md``.  The context model and the token probabilities
are stored as the integers that code files.  ``training.safetensors`` holds parameters
that only training needs; a directory with this file alone initialises training and is
no model.  None of these files can run code.
"""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlf_jax import interruption, strict_json
from dlf_jax.checkpoints import int8
from dlf_jax.checkpoints.arrays import (
    LazyArray,
    in_memory,
    map_safetensors,
    read_safetensors,
    write_safetensors,
)
from dlf_jax.checkpoints.directory import (
    CONFIG_FILE,
    MODEL_FILE,
    TRAINING_FILE,
    model_directory,
    read_description,
    reading,
)
from dlf_jax.entropy_coding.fixed_point import dequantize, quantize
from dlf_jax.entropy_coding.integer_context import IntegerContext
from dlf_jax.entropy_coding.tables import Distribution, gaussian_tables_digest
from dlf_jax.entropy_coding.token_tables import token_distributions, uniform_frequencies
from dlf_jax.errors import UserError
from dlf_jax.files import remove_if_empty, replacing
from dlf_jax.models.config import DLFConfig
from dlf_jax.paths import flatten, nest

# Parameters that only training needs (docs/architecture.md#checkpoint-names).
TRAINING_ONLY = ("vqgan/encoder/", "vqgan/quant_conv/", "discriminator/")
CONTEXT = "context/"
# Integer frequencies of the tokens, one row for each position of a tile
# [num_tokens, K] or one for all [1, K].  No parameter of a network.
TOKEN_FREQUENCIES = "token_frequencies"


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """A model directory in memory.

    Attributes:
      name: name of the model on the command line.
      config: sizes of the network.
      params: parameter tree of `DLF`, float32, without the training-only parts and the
        context model, so that `DLF.analyze` and `DLF.synthesize` can be applied.  The
        arrays are read-only; large ones are views of the file.
      context: the context model in integers.
      tokens: distribution of the tokens at each position of a tile, or at all.
      num_params: number of parameters, context model included.
      fingerprint: SHA-256 over sizes, stored arrays and Gaussian tables; equal exactly
        when two directories decode the same bytes to the same picture.
      metadata: JSON values about the origin.
    """

    name: str
    config: DLFConfig
    params: Mapping[str, Any]
    context: IntegerContext
    tokens: tuple[Distribution, ...]
    num_params: int
    fingerprint: bytes
    metadata: Mapping[str, Any]


def save_model(
    directory: Path | str,
    *,
    name: str,
    config: DLFConfig,
    params: Mapping[str, Any],
    dtype: np.dtype | type = np.float16,
    token_frequencies: np.ndarray | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model directory, without the training-only parameters.

    Args:
      directory: created if needed; files of an earlier model in it are replaced.
      name: lower-case name of the model.
      config: sizes of the network.
      params: parameter tree of `DLF`.
      dtype: of the stored weights, see `as_stored`.
      token_frequencies: see `TOKEN_FREQUENCIES`; uniform if None.
      metadata: JSON values about the origin.

    Raises:
      ValueError: `dtype` cannot represent a weight (it can represent −inf of masks).
    """
    kept = {p: v for p, v in flatten(params).items() if not p.startswith(TRAINING_ONLY)}
    description = {
        "name": name,
        "config": config.to_dict(),
        "metadata": dict(metadata or {}),
    }
    stored = as_stored(in_memory(kept), dtype)
    if token_frequencies is not None:
        frequencies = np.asarray(token_frequencies, np.uint16)
        stored |= in_memory({TOKEN_FREQUENCIES: frequencies})
    write_directory(directory, description, {MODEL_FILE: stored})


def as_stored(
    arrays: Mapping[str, LazyArray], dtype: np.dtype | type
) -> dict[str, LazyArray]:
    """The arrays of `MODEL_FILE` for a model's parameters.

    Args:
      arrays: parameters of the codec.
      dtype: floating-point type of all parameters but the context model's; int8 stores
        large kernels in 8 bits and the others in float16.

    Raises:
      ValueError: a weight of the context model does not fit its integers.  Reading an
        array that does not fit `dtype` also raises ValueError.
    """
    narrowed = {}
    if np.dtype(dtype) == np.int8:
        dtype = np.float16
        narrowed = {
            path: array
            for path, array in arrays.items()
            if int8.is_narrowed(path, array.size) and not path.startswith(CONTEXT)
        }

    def cast(path: str, value: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            stored = value.astype(dtype, copy=False)
        if np.isnan(value).any():
            raise ValueError(f"{path} has values that are not numbers")
        if not np.array_equal(np.isfinite(value), np.isfinite(stored)):
            raise ValueError(f"{path} does not fit {np.dtype(dtype).name}")
        return stored

    context = {path: a.read() for path, a in arrays.items() if path.startswith(CONTEXT)}
    stored = {
        path: array.map(lambda value, path=path: cast(path, value))
        for path, array in arrays.items()
        if path not in context and path not in narrowed
    }
    for path, array in narrowed.items():
        stored |= int8.narrow(path, array)
    return stored | in_memory(quantize(context))


def write_directory(
    directory: Path | str,
    description: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, LazyArray]],
) -> dict[str, Any]:
    """Writes the files of a directory, which never holds half of a model.

    Args:
      directory: created if needed; an earlier model in it is replaced.
      description: JSON values of `CONFIG_FILE`.
      weights: arrays of `MODEL_FILE`, of `TRAINING_FILE`, or of both.

    Returns:
      The description, with the fingerprint of a model.
    """
    directory = Path(directory)
    new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as renaming:
        if new:
            # Does nothing once the files exist.
            empty = functools.partial(remove_if_empty, directory)
            renaming.enter_context(interruption.cleaning(empty))
        # Contexts exit in reverse order: the configuration is put in place last.
        config = renaming.enter_context(replacing(directory / CONFIG_FILE))
        digests = {}
        for file, arrays in weights.items():
            temporary = renaming.enter_context(replacing(directory / file))
            digests[file] = write_safetensors(temporary, arrays)
        if MODEL_FILE in weights:
            sizes = DLFConfig.from_dict(description["config"])
            found = fingerprint(sizes, digests[MODEL_FILE])
            description = {
                **description,
                "gaussian_tables": gaussian_tables_digest(),
                "fingerprint": found.hex(),
            }
        text = strict_json.dumps(description, indent=2) + "\n"
        config.write_text(text, encoding="utf-8")
        for file in (CONFIG_FILE, MODEL_FILE, TRAINING_FILE):
            (directory / file).unlink(missing_ok=True)
    return description


def load_model(name_or_dir: Path | str) -> LoadedModel:
    """Reads a bundled model by name, or a model directory.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    directory = model_directory(name_or_dir)
    with reading(directory):
        description = read_description(directory)
        if "parts" in description:
            raise UserError(
                f"{directory} holds only parts of a codec "
                f"({', '.join(description['parts'])}) and cannot compress: use it as "
                "--config.init_from of `dlf train`"
            )
        if description["gaussian_tables"] != gaussian_tables_digest():
            raise UserError(
                f"{directory} needs other probability tables than those of this "
                "version of dlf: use the version that wrote the model"
            )
        config = DLFConfig.from_dict(description["config"])
        arrays, digest = map_safetensors(directory / MODEL_FILE)
        tokens = _token_distributions(arrays.pop(TOKEN_FREQUENCIES, None), config)
        params = int8.widen(arrays)
        context = {p: params.pop(p) for p in list(params) if p.startswith(CONTEXT)}
        context = {path.removeprefix(CONTEXT): x for path, x in context.items()}
        found = fingerprint(config, digest)
        if description["fingerprint"] != found.hex():
            raise ValueError(f"{CONFIG_FILE} is not the one of its {MODEL_FILE}")
        return LoadedModel(
            name=description["name"],
            config=config,
            params=nest(params),
            context=IntegerContext(context, config.skip_threshold),
            tokens=tokens,
            num_params=sum(
                x.size
                for path, x in (params | context).items()
                if not path.endswith("/shift")
            ),
            fingerprint=found,
            metadata=description["metadata"],
        )


def load_donor(name_or_dir: Path | str) -> tuple[str, dict[str, Any]]:
    """Name and parameters of a directory that initialises training.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    description, arrays = read_directory(name_or_dir)
    return description["name"], nest({path: a.read() for path, a in arrays.items()})


def read_directory(
    name_or_dir: Path | str,
) -> tuple[dict[str, Any], dict[str, LazyArray]]:
    """Content of `CONFIG_FILE`, and the parameters of all files in floating point.

    Weights of the context model are unrounded where `TRAINING_FILE` holds them.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    directory = model_directory(name_or_dir)
    with reading(directory):
        arrays = {}
        if (directory / MODEL_FILE).is_file():
            arrays = read_safetensors(directory / MODEL_FILE)
            arrays.pop(TOKEN_FREQUENCIES, None)
            context = {p: arrays.pop(p) for p in list(arrays) if p.startswith(CONTEXT)}
            context = {path: array.read() for path, array in context.items()}
            narrowed = {p: arrays.pop(p).read() for p in int8.parts(arrays)}
            arrays |= in_memory(int8.widen(narrowed) | dequantize(context))
        if (directory / TRAINING_FILE).is_file():
            arrays |= read_safetensors(directory / TRAINING_FILE)
        return read_description(directory), arrays


def stored_fingerprint(name_or_dir: Path | str) -> bytes:
    """The fingerprint in `CONFIG_FILE`, which `load_model` checks.

    Raises:
      UserError: there is no such model, or its `CONFIG_FILE` is damaged.
    """
    directory = model_directory(name_or_dir)
    with reading(directory):
        return bytes.fromhex(read_description(directory)["fingerprint"])


def fingerprint(config: DLFConfig, digest: str) -> bytes:
    """The identity of a model: SHA-256 over sizes, array digest and Gaussian tables."""
    sizes = strict_json.dumps(config.identity(), sort_keys=True)
    facts = f"{sizes} {digest} {gaussian_tables_digest()}"
    return hashlib.sha256(facts.encode()).digest()


def _token_distributions(
    frequencies: np.ndarray | None, config: DLFConfig
) -> tuple[Distribution, ...]:
    if frequencies is None:
        frequencies = uniform_frequencies(config.codebook_size)
    positions = (1, config.num_tokens)
    if frequencies.ndim != 2 or (
        frequencies.shape not in [(p, config.codebook_size) for p in positions]
    ):
        raise ValueError(f"{TOKEN_FREQUENCIES} has shape {frequencies.shape}")
    return token_distributions(frequencies.astype(np.int32))
