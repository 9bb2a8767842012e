"""Official state dicts to our parameter trees and back, one to one (spec §19)."""

import dataclasses
import functools
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from dlf_jax.checkpoints.official_names import DROPPED, NETWORK
from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.ops.windows import shift_masks


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the axes of an official array become those of ours.

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
    """Where one official array goes.

    Attributes:
      path: our parameter path, joined with "/".
      layout: how its axes map.
      shape: shape of the official array.
    """

    path: str
    layout: Layout
    shape: tuple[int, ...]


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
        entry = Entry(path, layout, layout.official(nothing).shape)
        entries[official.format(**match.groupdict())] = entry
    return entries


def convert(
    state: Mapping[str, np.ndarray], entries: Mapping[str, Entry]
) -> dict[str, Any]:
    """Parameter tree with views of the arrays of a state dict.

    Raises:
      UserError: if names are missing or unexpected, or shapes differ.
    """
    _require_none("lacks", entries.keys() - state.keys())
    _require_none("has the unknown", state.keys() - entries.keys())
    arrays = {name: np.asarray(state[name]) for name in entries}
    _require_none(
        "has the wrong size of",
        {
            f"{name} {arrays[name].shape} (should be {entry.shape})"
            for name, entry in entries.items()
            if arrays[name].shape != entry.shape
        },
    )
    params = {e.path: e.layout.ours(arrays[name]) for name, e in entries.items()}
    return traverse_util.unflatten_dict(params, sep="/")


@functools.cache
def name_map(config: DLFConfig) -> Mapping[str, Entry]:
    """Official name -> entry, for every parameter of the codec, computing none."""

    def touch_everything(model, image, rate):
        model(image, rate)
        model.vqgan(image)

    model = DLF(config)
    image = jnp.zeros((1, config.tile_size, config.tile_size, 3))
    variables = jax.eval_shape(
        lambda key, *args: model.init(key, *args, method=touch_everything),
        jax.random.key(0),
        image,
        jnp.zeros(1, jnp.int32),
    )
    flat = traverse_util.flatten_dict(variables["params"], sep="/")
    shapes = {path: value.shape for path, value in flat.items()}
    return types.MappingProxyType(match_names(NETWORK, shapes))


def from_official(state: Mapping[str, np.ndarray], config: DLFConfig) -> dict[str, Any]:
    """Our parameters from an official state dict.

    Args:
      state: official name -> array; what `DROPPED` lists may be present or absent.
      config: sizes of the network.

    Returns:
      The parameter tree of `DLF`, VQGAN encoder included; its arrays are views.

    Raises:
      UserError: if names are missing or unexpected, shapes differ, or the masks of
        shifted windows do not forbid the pairs that they must.
    """
    dropped = re.compile("|".join(pattern for pattern, _ in DROPPED))
    state = {name: v for name, v in state.items() if not dropped.fullmatch(name)}
    params = convert(state, name_map(config))
    upper_lower, left_right = map(np.isneginf, shift_masks(config.window))
    for suffix, forbidden in (
        ("upper_lower_mask", upper_lower),
        ("left_right_mask", left_right),
    ):
        masks = {name for name in state if name.endswith(suffix)}
        wrong = {n for n in masks if np.any(np.isneginf(state[n]) != forbidden)}
        _require_none("forbids the wrong pairs in", wrong)
    return params


def to_official(params: Mapping[str, Any], config: DLFConfig) -> dict[str, np.ndarray]:
    """Exact inverse of `from_official`.

    Args:
      params: the whole parameter tree of `DLF`, VQGAN encoder included.
      config: sizes of the network.

    Raises:
      ValueError: if the tree is not that of the configuration.
    """
    arrays = traverse_util.flatten_dict(params, sep="/")
    entries = name_map(config)
    if arrays.keys() != {entry.path for entry in entries.values()}:
        raise ValueError("the parameters are not those of the configuration")
    return {
        name: entry.layout.official(np.asarray(arrays[entry.path]))
        for name, entry in entries.items()
    }


def _flatten(table: tuple) -> Iterator[tuple[str, str, Layout]]:
    """Rows of a table with all tables that it refers to written out."""
    for official, ours, rest in table:
        if isinstance(rest, str):
            yield official, ours, Layout(rest)
        else:
            for official_end, ours_end, layout in _flatten(rest):
                yield official + official_end, ours + ours_end, layout


def _require_none(problem: str, names: set[str]) -> None:
    if names:
        shown = ", ".join(sorted(names)[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise UserError(f"the checkpoint {problem} {shown}{more}")
