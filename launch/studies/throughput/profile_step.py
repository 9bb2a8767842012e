"""CPU time of a training step by kind of operation and by module of the network.

  python launch/studies/throughput/profile_step.py \
      --config configs/dlf.py:preset=nano,stage=pixel [--steps 3] [--depth 2]

The profiler records each operation on the thread that runs or starts it, but not the
shares of an operation that other threads take.  The tables therefore show proportions;
CPU time, in the first line, is that of the process.
"""

import collections
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
import jax
from cpu_time import cpu_seconds
from step import compiled_step

from dlf_jax.cli.settings import SettingsCommand, settings_options
from dlf_jax.errors import UserError
from dlf_jax.training.settings.checks import check_settings

_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.-]+) = .*? ([a-z][\w-]*)\(")
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_LONGEST = 25


def recorded_seconds(directory: Path) -> dict[str, tuple[float, int]]:
    """Seconds and calls of every instruction in a recording."""
    (path,) = directory.rglob("*.xplane.pb")
    seconds, calls = collections.Counter(), collections.Counter()
    for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            for event in line.events:
                name = dict(event.stats).get("hlo_op")
                if name is not None:
                    seconds[name] += event.duration_ns / 1e9
                    calls[name] += 1
    return {name: (seconds[name], calls[name]) for name in calls}


def instructions(text: str) -> dict[str, tuple[str, str]]:
    """Opcode and origin of every instruction of a program, by its name."""
    found = {}
    for line in text.splitlines():
        if match := _INSTRUCTION.match(line):
            name, opcode = match.groups()
            origin = _OP_NAME.search(line)
            found[name] = opcode, origin.group(1) if origin else ""
    return found


def kind(name: str, opcode: str) -> str:
    """Opcode, or for a fusion the operations that it is named after."""
    if opcode != "fusion":
        return opcode
    return re.sub(r"[.\d]+$", "", name).removesuffix("_fusion") + " (fusion)"


def module(origin: str, depth: int) -> str:
    """First `depth` names of the module of an operation, and the pass."""
    names = [part for part in origin.split("/")[:-1] if "(" not in part][:depth]
    if not names:
        return "optimiser, loss terms and unknown"
    passed = "backward" if "transpose(" in origin else "forward"
    return f"{'/'.join(names)} {passed}"


def print_table(title: str, seconds: Mapping[str, float], calls: Mapping) -> None:
    """Prints the longest rows; seconds and calls are those of a step."""
    total = sum(seconds.values())
    print(f"\n| {title} | calls | ms | share |\n|---|---:|---:|---:|")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1])[:_LONGEST]:
        print(
            f"| {name} | {calls[name]:.0f} | {1e3 * value:.1f} | {value / total:.0%} |"
        )


@click.command(cls=SettingsCommand)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Steps that are recorded, and of which the median is taken.",
)
@click.option(
    "--depth",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Names in the path of a module.",
)
@settings_options
def main(config, steps: int, depth: int) -> None:
    """Prints where a training step spends its CPU time."""
    if config is None:
        raise click.UsageError("Missing option '--config'.")
    check_settings(config)
    program, args, flops = compiled_step(config)

    cpu_seconds(program, *args)
    runs = [cpu_seconds(program, *args) for _ in range(steps)]
    user, system = map(statistics.median, zip(*runs, strict=True))
    print(
        f"{config.stage}, {config.batch_size} images: {flops / 1e9:.0f} GFLOP in "
        f"{user + system:.2f} s of CPU time, {system:.2f} of them in the kernel"
    )
    with tempfile.TemporaryDirectory() as directory:
        with jax.profiler.trace(directory):
            cpu_seconds(program, *args, calls=steps)
        recorded = recorded_seconds(Path(directory))
    known = instructions(program.as_text())
    kinds = {name: kind(name, opcode) for name, (opcode, _) in known.items()}
    modules = {name: module(origin, depth) for name, (_, origin) in known.items()}
    for title, labels in (("operation", kinds), ("module", modules)):
        seconds, calls = collections.Counter(), collections.Counter()
        for name, (duration, count) in recorded.items():
            seconds[labels.get(name, "other")] += duration / steps
            calls[labels.get(name, "other")] += count / steps
        print_table(title, seconds, calls)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"profile_step.py: {error}")
