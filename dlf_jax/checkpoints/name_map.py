"""One-to-one map between official state dicts and our parameter trees.

See docs/architecture.md#checkpoint-names.
"""

import dataclasses
import functools
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.checkpoints.arrays import LazyArray
from dlf_jax.checkpoints.official_names import KINDS
from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF, SemanticTokenizer
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.ops.windows import shift_masks
from dlf_jax.paths import flatten, nest


@dataclasses.dataclass(frozen=True)
class Layout:
    """Axis order of an official array and of our parameter.

    Attributes:
      pattern: "official axes -> our axes"; 1 is an official axis of length 1 that we
        do not have.
    """

    pattern: str

    def _axes(self) -> tuple[list[int], list[int]]:
        """Positions of the 1s on the left, and our axes as positions among the rest."""
        official, ours = (side.split() for side in self.pattern.split(" -> "))
        ones = [i for i, axis in enumerate(official) if axis == "1"]
        rest = [axis for axis in official if axis != "1"]
        return ones, [rest.index(axis) for axis in ours]

    def ours(self, array: np.ndarray) -> np.ndarray:
        """A view of an official array with our axes."""
        ones, order = self._axes()
        return array.squeeze(tuple(ones)).transpose(order)

    def official(self, array: np.ndarray) -> np.ndarray:
        """Inverse of `ours`."""
        ones, order = self._axes()
        return np.expand_dims(array.transpose(np.argsort(order)), ones)


@dataclasses.dataclass(frozen=True)
class Entry:
    """Our parameter for one official array.

    Attributes:
      path: our parameter path, joined with "/".
      layout: axis order of both.
      shape: shape of the official array.
      our_shape: shape of the parameter.
    """

    path: str
    layout: Layout
    shape: tuple[int, ...]
    our_shape: tuple[int, ...]


def match_names(
    table: tuple, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Entry]:
    """Official name -> entry, for every parameter of a network.

    Args:
      table: rows of `dlf_jax.checkpoints.official_names`.
      shapes: path -> shape of our parameters; exactly one row fits each path.
    """
    rows = [
        (re.compile(re.sub(r"{(\w+)}", r"(?P<\1>\\d+)", ours)), official, layout)
        for official, ours, layout in _flatten(table)
    ]
    entries = {}
    for path, shape in shapes.items():
        ((match, official, layout),) = (
            (match, official, layout)
            for pattern, official, layout in rows
            if (match := pattern.fullmatch(path))
        )
        nothing = np.broadcast_to(np.float32(0), shape)
        entry = Entry(path, layout, layout.official(nothing).shape, shape)
        entries[_numbered(official, match.groupdict())] = entry
    return entries


def _numbered(official: str, indices: Mapping[str, str]) -> str:
    """`official` with numbers for what is in braces, such as {i} or {i+1}."""

    def number(match):
        return str(int(indices[match[1]]) + (match[2] is not None))

    return re.sub(r"{(\w+)(\+1)?}", number, official)


def convert(
    state: Mapping[str, np.ndarray], entries: Mapping[str, Entry]
) -> dict[str, Any]:
    """Parameter tree with views of the arrays of a state dict.

    Raises:
      UserError: if names are missing or unexpected, or shapes differ.
    """
    arrays = {name: np.asarray(value) for name, value in state.items()}
    _check_names(arrays, entries)
    return nest({e.path: e.layout.ours(arrays[name]) for name, e in entries.items()})


def rename(
    state: Mapping[str, LazyArray], entries: Mapping[str, Entry], window: int
) -> dict[str, LazyArray]:
    """`convert` on lazy arrays, of which only masks are read: path -> float32.

    Args:
      state: official name -> array.
      entries: the expected entries.
      window: cells a side of a window.

    Raises:
      UserError: as `convert`, or if arrays have another type than floating point of
        at most 32 bits, or the masks do not forbid the pairs that they must.
    """
    _check_names(state, entries)
    types = {name: state[name].dtype for name in entries}
    wrong = {
        f"{name} ({dtype.name}, should be float32)"
        for name, dtype in types.items()
        if dtype.kind != "f" or dtype.itemsize > 4
    }
    _require_none("has the wrong type of", wrong)
    _check_masks({n: a.read() for n, a in state.items() if n.endswith("_mask")}, window)

    def ours(layout: Layout, array: np.ndarray) -> np.ndarray:
        return layout.ours(array).astype(np.float32, copy=False)

    return {
        entry.path: state[name].map(functools.partial(ours, entry.layout))
        for name, entry in entries.items()
    }


@functools.cache
def name_map(config: DLFConfig, kind: str = "dlf") -> Mapping[str, Entry]:
    """Official name -> entry, for every parameter, without initialising any.

    Args:
      config: sizes of the codec; "titok" and "vqgan" use only their own.
      kind: kind of checkpoint, a key of `official_names.KINDS`.
    """
    side = config.tile_size
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    rate = jax.ShapeDtypeStruct((1,), jnp.int32)

    def whole_codec(model, image, rate):
        model(image, rate)
        model.vqgan(image)

    if kind == "dlf":
        tree = _shapes(DLF(config), image, rate, method=whole_codec)
    elif kind == "titok":
        tree = _shapes(SemanticTokenizer(config), image)["codec"]
    else:
        tree = {"vqgan": _shapes(VQGAN(config.vqgan), image)}
    shapes = {path: value.shape for path, value in flatten(tree).items()}
    return types.MappingProxyType(match_names(KINDS[kind].table, shapes))


def _shapes(module, *args, method=None) -> Mapping[str, Any]:
    def init(key, *args):
        return module.init(key, *args, method=method)

    return jax.eval_shape(init, jax.random.key(0), *args)["params"]


def without_dropped(state: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A state dict without the arrays that no parameter of ours corresponds to."""
    dropped = re.compile("|".join(pattern for pattern, _ in KINDS[kind].dropped))
    return {name: v for name, v in state.items() if not dropped.fullmatch(name)}


def from_official(state: Mapping[str, np.ndarray], config: DLFConfig) -> dict[str, Any]:
    """Our parameters from an official state dict.

    Args:
      state: official name -> array; dropped arrays may be present or absent.
      config: sizes of the network.

    Returns:
      The parameter tree of `DLF`, VQGAN encoder included; its arrays are views.

    Raises:
      UserError: if names are missing or unexpected, shapes differ, or the masks of
        shifted windows do not forbid the pairs that they must.
    """
    state = without_dropped(state, "dlf")
    params = convert(state, name_map(config))
    masks = {name: state[name] for name in state if name.endswith("_mask")}
    _check_masks(masks, config.window)
    return params


def to_official(params: Mapping[str, Any], config: DLFConfig) -> dict[str, np.ndarray]:
    """Exact inverse of `from_official`.

    Args:
      params: the whole parameter tree of `DLF`, VQGAN encoder included.
      config: sizes of the network.

    Raises:
      ValueError: the tree does not match the configuration.
    """
    arrays = flatten(params)
    entries = name_map(config)
    if arrays.keys() != {entry.path for entry in entries.values()}:
        raise ValueError("the parameters do not match the configuration")
    return {
        name: entry.layout.official(np.asarray(arrays[entry.path]))
        for name, entry in entries.items()
    }


def _flatten(table: tuple) -> Iterator[tuple[str, str, Layout]]:
    """Rows of a table, with nested tables expanded."""
    for official, ours, rest in table:
        if isinstance(rest, str):
            yield official, ours, Layout(rest)
        else:
            for official_end, ours_end, layout in _flatten(rest):
                yield official + official_end, ours + ours_end, layout


def _check_names(
    state: Mapping[str, np.ndarray | LazyArray], entries: Mapping[str, Entry]
) -> None:
    _require_none("lacks", entries.keys() - state.keys())
    _require_none("has the unknown", state.keys() - entries.keys())
    wrong = {
        f"{name} {state[name].shape} (should be {entry.shape})"
        for name, entry in entries.items()
        if state[name].shape != entry.shape
    }
    _require_none("has the wrong size of", wrong)


def _check_masks(masks: Mapping[str, np.ndarray], window: int) -> None:
    """Checks that masks forbid exactly the pairs that a cyclic shift joins."""
    upper_lower, left_right = shift_masks(window)
    wrong = set()
    for name, mask in masks.items():
        forbidden = np.isneginf(
            upper_lower if name.endswith("upper_lower_mask") else left_right
        )
        if np.any(np.isneginf(mask) != forbidden) or np.any(
            np.isfinite(mask) == forbidden
        ):
            wrong.add(name)
    _require_none("forbids the wrong pairs in", wrong)


def _require_none(problem: str, names: set[str]) -> None:
    if names:
        shown = ", ".join(sorted(names)[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise UserError(f"the checkpoint {problem} {shown}{more}")
