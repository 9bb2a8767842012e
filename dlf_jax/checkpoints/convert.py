"""Official checkpoints to model directories, and back to official names.

See docs/architecture.md#checkpoint-names.

A DLF checkpoint becomes a model.  TiTok and a VQGAN are parts of a codec: they become a
directory that initialises training.
"""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from dlf_jax.checkpoints.arrays import LazyArray
from dlf_jax.checkpoints.directory import MODEL_FILE, TRAINING_FILE, reading
from dlf_jax.checkpoints.infer import (
    NORM_GROUPS,
    OFFICIAL_HEADS,
    Heads,
    infer_codec,
    infer_titok,
    infer_vqgan,
)
from dlf_jax.checkpoints.name_map import Entry, name_map, rename, without_dropped
from dlf_jax.checkpoints.official_names import KINDS
from dlf_jax.checkpoints.state_dict import read_state_dict, writer_for
from dlf_jax.checkpoints.store import (
    CONTEXT,
    TRAINING_ONLY,
    as_stored,
    read_directory,
    write_directory,
)
from dlf_jax.errors import UserError
from dlf_jax.files import check_output, replacing
from dlf_jax.models.config import DLFConfig


@dataclasses.dataclass(frozen=True)
class Report:
    """Summary of a conversion.

    Attributes:
      titles: kinds of the checkpoints.
      num_values: number of parameters of the model, and of parameters that only
        training needs.
      dropped: description of omitted arrays -> their number.
      fingerprint: of the model, in hexadecimal; None for parts.
    """

    titles: tuple[str, ...]
    num_values: tuple[int, int]
    dropped: Mapping[str, int]
    fingerprint: str | None


@dataclasses.dataclass(frozen=True)
class _Source:
    """A checkpoint under the names of this package."""

    path: Path
    kind: str
    config: DLFConfig
    sizes: tuple[str, ...]
    arrays: Mapping[str, LazyArray]
    dropped: Mapping[str, int]


def convert(
    sources: Sequence[Path],
    directory: Path,
    *,
    name: str | None = None,
    dtype: str = "float32",
    heads: Heads = OFFICIAL_HEADS,
    overwrite: bool = False,
) -> Report:
    """Converts a DLF checkpoint, or parts of one, to a directory.

    Args:
      sources: one DLF checkpoint; or TiTok, a VQGAN, or both.
      directory: receives the model, or the parts that initialise training.
      name: of the model; the directory's name by default.
      dtype: "float32" or "float16", of the weights of a model.
      heads: attention heads, which names and shapes do not show.
      overwrite: replace a model in `directory`.

    Raises:
      UserError: a file cannot be read or written, is of no known kind, or has
        unexpected names, shapes or masks.
    """
    check_output(directory, overwrite, folder=True)
    read = [_read(Path(source), heads) for source in sources]
    kinds = [source.kind for source in read]
    if len(set(kinds)) < len(kinds) or ("dlf" in kinds and len(kinds) > 1):
        titles = " and ".join(KINDS[kind].title for kind in kinds)
        raise UserError(
            f"{titles} do not go together: give one DLF checkpoint, or TiTok and VQGAN"
        )
    arrays = {path: array for source in read for path, array in source.arrays.items()}
    training = {p: a for p, a in arrays.items() if p.startswith(TRAINING_ONLY)}
    origin = [
        {
            "file": source.path.name,
            "sha256": _sha256(source.path),
            "kind": KINDS[source.kind].title,
        }
        for source in read
    ]
    description = {"name": name or directory.resolve().name}
    if kinds == ["dlf"]:
        model = {path: a for path, a in arrays.items() if path not in training}
        description["config"] = read[0].config.to_dict()
        # Not rounded, so that `to_official` returns the original values.
        context = {path: a for path, a in model.items() if path.startswith(CONTEXT)}
        weights = {
            MODEL_FILE: as_stored(model, np.dtype(dtype)),
            TRAINING_FILE: training | context,
        }
    else:
        description["parts"] = {
            source.kind: {key: source.config.to_dict()[key] for key in source.sizes}
            for source in read
        }
        model, training, weights = {}, arrays, {TRAINING_FILE: arrays}
    description["metadata"] = {"converted_from": origin}
    try:
        written = write_directory(directory, description, weights)
    except OSError as error:
        raise UserError(f"cannot write {directory}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{error}: use --dtype float32") from error
    return Report(
        titles=tuple(KINDS[kind].title for kind in kinds),
        num_values=tuple(sum(a.size for a in x.values()) for x in (model, training)),
        dropped={what: n for source in read for what, n in source.dropped.items()},
        fingerprint=written.get("fingerprint"),
    )


def to_official(directory: Path, file: Path, *, overwrite: bool = False) -> int:
    """Writes the weights of a directory under their official names.

    Args:
      directory: a model or a part of a model.
      file: ends in .safetensors or .npz.
      overwrite: replace `file`.

    Returns:
      Number of arrays.

    Raises:
      UserError: files cannot be read or written, or the official networks cannot have
        these sizes.
    """
    write = writer_for(file)
    check_output(file, overwrite)
    description, arrays = read_directory(directory)
    parts = description.get("parts", {"dlf": None})
    if len(parts) > 1:
        raise UserError(
            f"{directory} holds {' and '.join(parts)}: convert one at a time"
        )
    with reading(directory):
        ((kind, sizes),) = parts.items()
        config = (
            DLFConfig.from_dict(description["config"])
            if sizes is None
            else _stand_in(sizes)
        )
        KINDS[kind]  # raises KeyError for an unknown kind
    vqgan = config.vqgan
    ours_alone = (
        vqgan.patch > 1
        or vqgan.norm_groups != NORM_GROUPS
        or vqgan.linear_path
        or vqgan.texture_channels
        or config.stem_channels
    )
    if ours_alone and kind != "titok":
        raise UserError(f"there is no official network with the VQGAN of {directory}")
    stored = {name for name, e in name_map(config, kind).items() if e.path in arrays}
    entries = _expected(name_map(config, kind), stored)
    shapes = {path: array.shape for path, array in arrays.items()}
    if shapes != {entry.path: entry.our_shape for entry in entries.values()}:
        raise UserError(
            f"model directory {directory} is damaged: wrong weights; copy it again"
        )

    def official(entry: Entry) -> LazyArray:
        return arrays[entry.path].map(
            lambda x: entry.layout.official(x).astype(np.float32, copy=False)
        )

    try:
        with replacing(file) as temporary:
            write(temporary, {name: official(e) for name, e in entries.items()})
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from error
    return len(entries)


def _read(path: Path, heads: Heads) -> _Source:
    """Recognises a checkpoint and renames its arrays."""
    state = read_state_dict(path)
    kind = _recognise(state, path)
    kept = without_dropped(state, kind)
    shapes = {name: array.shape for name, array in kept.items()}
    try:
        if kind == "dlf":
            config, sizes = infer_codec(shapes, heads), ()
        elif kind == "titok":
            found = infer_titok(shapes, heads)
            config, sizes = _stand_in(found), tuple(found)
        else:
            config, sizes = _stand_in({"vqgan": infer_vqgan(shapes)}), ("vqgan",)
        entries = _expected(name_map(config, kind), kept.keys())
        arrays = rename(kept, entries, config.window)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    dropped = {
        what: sum(bool(re.fullmatch(pattern, name)) for name in state)
        for pattern, what in KINDS[kind].dropped
    }
    return _Source(path, kind, config, sizes, arrays, dropped)


def _recognise(names: Mapping[str, Any], path: Path) -> str:
    for kind, about in KINDS.items():
        if any(re.fullmatch(about.marks, name) for name in names):
            return kind
    titles = ", ".join(about.title for about in KINDS.values())
    first = ", ".join(sorted(names)[:3]) or "none"
    raise UserError(
        f"{path} is of no known kind ({titles}); its arrays are {first} ..."
    )


def _expected(entries: Mapping[str, Entry], names: Set[str]) -> dict[str, Entry]:
    """All entries; the training-only ones are omitted if none of them is present."""
    training = {n for n, e in entries.items() if e.path.startswith(TRAINING_ONLY)}
    absent = training if training.isdisjoint(names) else set()
    return {name: entry for name, entry in entries.items() if name not in absent}


def _stand_in(sizes: Mapping[str, Any]) -> DLFConfig:
    """A configuration with the sizes of a part and the smallest values elsewhere."""
    sizes = {
        key: dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
        for key, value in sizes.items()
    }
    vqgan = {"patch": sizes.get("patch_size", 1), "multipliers": (1,)}
    vqgan = sizes.get("vqgan", vqgan)
    nothing = {"width": 1, "num_layers": 0, "num_heads": 1}
    complete = {
        "encoder": nothing,
        "decoder": nothing,
        "encoder_interactions": (),
        "decoder_interactions": (),
        "grid": 2,
        "window": 2,
        **sizes,
        "patch_size": vqgan["patch"] * 2 ** (len(vqgan["multipliers"]) - 1),
        "vqgan": vqgan,
    }
    try:
        return DLFConfig.from_dict(complete)
    except ValueError as error:
        raise UserError(f"the sizes do not fit together: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
