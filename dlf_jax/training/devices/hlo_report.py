"""Device resources of a compiled program, as one row of a Markdown table."""

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
    """Returns number and result bytes of the collectives in a program, by kind.

    The body of a loop counts once.

    Args:
      text: HLO, one instruction a line.
    """
    found = collections.defaultdict(lambda: (0, 0))
    for line in text.splitlines():
        kind, result = _KIND.search(line), _COLLECTIVE.search(line)
        if kind and result:
            sizes = [_size(*array) for array in _ARRAY.findall(result[1])]
            # Asynchronous starts also list arguments and state.
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
    """Returns one row.  Values are per device, except batch and images/s (whole mesh).

    Results exclude those that reuse the memory of arguments.

    Images/s is an upper bound: the slowest of arithmetic, memory and links, each at its
    peak, sets the time of a step.  Values that depend on the chip are unknown for chips
    missing from `chips`.  If a newer compiler wrote a program that jax cannot print,
    the collectives are unknown and the bound omits the links.

    Args:
      name, mesh: values of the first columns.
      batch: images per step.
      program: a `jax.stages.Compiled`.
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
