"""What a compiled program needs of a device, as one row of a Markdown table."""

import collections
import re
from typing import Any

import jax

from dlf_jax.training.devices import chips

HEADER = (
    "| program | mesh | batch | arguments GB | temporaries GB | results GB | of memory "
    "| TFLOP | collectives | bound images/s |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---|---:|"
)

_KINDS = "all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute"
_COLLECTIVE = re.compile(rf" = (.*?) (?:{_KINDS})(?:-start)?\(")
_KIND = re.compile(rf" ({_KINDS})(?:-start)?\(")
_ARRAY = re.compile(r"(pred|[a-z]+\d+)\[([\d,]*)\]")
_BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2}
_BYTES |= {"f32": 4, "s32": 4, "u32": 4, "f64": 8, "s64": 8, "u64": 8}


def collectives(text: str) -> dict[str, tuple[int, int]]:
    """Number and result bytes of the collectives in a compiled program, by kind.

    The body of a loop counts once.

    Args:
      text: HLO, one instruction a line.
    """
    found = collections.defaultdict(lambda: (0, 0))
    for line in text.splitlines():
        kind, result = _KIND.search(line), _COLLECTIVE.search(line)
        if kind and result:
            sizes = [_size(*array) for array in _ARRAY.findall(result[1])]
            # What starts in the background also names its arguments and its state.
            size = max(sizes) if "-start(" in line else sum(sizes)
            count, total = found[kind[1]]
            found[kind[1]] = count + 1, total + size
    return dict(sorted(found.items()))


def _size(dtype: str, shape: str) -> int:
    number = 1
    for side in filter(None, shape.split(",")):
        number *= int(side)
    return number * _BYTES.get(dtype, 4)


def report(name: str, mesh: str, batch: int, program: Any, kind: str) -> str:
    """One row of the table: per device, except batch and images/s (whole mesh).

    Results are those that do not take the place of arguments.

    Images/s is a bound, not a forecast: the step as fast as the slowest of arithmetic,
    memory and links at their peaks allows.  Columns that rest on a figure of a chip are
    unknown for a chip that is not in `chips`.  Of a program that a newer compiler wrote
    in words that jax cannot read, the collectives are unknown, and the links left out.

    Args:
      name, mesh: first columns.
      batch: images of a step.
      program: compiled.
      kind: `jax.Device.device_kind`.
    """
    memory, cost = program.memory_analysis(), program.cost_analysis()
    chip = chips.find(kind)
    try:
        found = collectives(program.as_text())
        listed = [f"{n} {k} {b / 1e9:.2f} GB" for k, (n, b) in found.items()] or [
            "none"
        ]
    except jax.errors.JaxRuntimeError:
        found, listed = {}, ["unknown"]
    parts = (
        memory.argument_size_in_bytes,
        memory.temp_size_in_bytes,
        memory.output_size_in_bytes - memory.alias_size_in_bytes,
    )
    share, images = "unknown", "unknown"
    if chip is not None:
        moved = sum(size for _, size in found.values())
        seconds = max(
            cost["flops"] / chip.flops,
            cost["bytes accessed"] / chip.bandwidth,
            moved / chip.links if chip.links else 0,
        )
        share, images = f"{sum(parts) / chip.memory:.0%}", f"{batch / seconds:.1f}"
    columns = (
        name,
        mesh,
        batch,
        *(f"{part / 1e9:.2f}" for part in parts),
        share,
        f"{cost['flops'] / 1e12:.2f}",
        ", ".join(listed),
        images,
    )
    return f"| {' | '.join(map(str, columns))} |"
