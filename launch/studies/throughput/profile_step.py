"""CPU time of a training step by kind of operation and by module of the network.

  python launch/studies/throughput/profile_step.py \
      --config configs/dlf.py:preset=nano,stage=pixel [--steps 3] [--depth 2]

Weights and images are random.  The profiler records every operation of the compiled
program on every thread; modules are those of the operations' names.
"""

import collections
import re
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click
import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.cli.settings import SettingsCommand, settings_options
from dlf_jax.compilation import compiler_options
from dlf_jax.errors import UserError
from dlf_jax.training.devices.sharding import MeshConfig, make_mesh
from dlf_jax.training.run.plan import init_arguments, make_plan
from dlf_jax.training.settings.checks import check_settings
from dlf_jax.training.step.inputs import StepInputs

# Suffixes of op names that name a primitive or a transformation, not a module.
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.-]+) = .* ([a-z][\w-]*)\(")
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_WRAPPER = re.compile(
    r"^(?:jit|jvp|transpose|vmap|remat|checkpoint|rematted_computation)\b"
)


def random_like(shapes, rng: np.random.Generator):
    """Arrays of these shapes: small normal floats, zeros of all other types."""

    def fill(leaf):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return jnp.zeros(leaf.shape, leaf.dtype)
        return jnp.asarray(0.05 * rng.standard_normal(leaf.shape), leaf.dtype)

    return jax.tree.map(fill, shapes)


def compiled_step(config):
    """The compiled train step, and random arguments."""
    plan = make_plan(config, make_mesh(MeshConfig(), jax.devices()[:1]))
    rng = np.random.default_rng(0)
    params = random_like(
        jax.eval_shape(plan.task.init, *init_arguments(config, plan.model)), rng
    )
    images = jnp.zeros((1, 64, 64, 3))
    networks = {
        name: random_like(
            jax.eval_shape(network.init, jax.random.key(0), images, images)["params"],
            rng,
        )
        for name, network in plan.task.networks.items()
    }
    inputs = StepInputs(jnp.ones(len(config.lmbda)), networks)
    side = config.crop.size
    batch = rng.integers(0, 256, (config.batch_size, side, side, 3), np.uint8)
    args = plan.create(params), inputs, jnp.asarray(batch)
    lowered = jax.jit(plan.train_step.__wrapped__).lower(*args)
    flops = lowered.cost_analysis()["flops"]
    return lowered.compile(compiler_options(jax.default_backend())), args, flops


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def thread_seconds(directory: Path) -> dict[str, tuple[float, int]]:
    """Seconds and calls by name of the instruction, over all threads."""
    (path,) = directory.rglob("*.xplane.pb")
    totals = collections.defaultdict(lambda: [0.0, 0])
    for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            for event in line.events:
                stats = dict(event.stats)
                if "hlo_op" in stats:
                    entry = totals[str(stats["hlo_op"])]
                    entry[0] += event.duration_ns / 1e9
                    entry[1] += 1
    return {name: tuple(entry) for name, entry in totals.items()}


def instructions(text: str) -> dict[str, tuple[str, str]]:
    """Opcode and op_name by name of the instruction."""
    found = {}
    for line in text.splitlines():
        if match := _INSTRUCTION.match(line):
            name, opcode = match.groups()
            op_name = _OP_NAME.search(line)
            found[name] = opcode, op_name.group(1) if op_name else ""
    return found


def kind(name: str, opcode: str) -> str:
    """Kind of an operation: opcode, or the operations that a fusion is named after."""
    if opcode != "fusion":
        return opcode
    return re.sub(r"[.\d]+$", "", name).replace("_fusion", "") + " (fusion)"


def module(op_name: str, depth: int) -> str:
    """Path of the module, at most `depth` names, and the pass it belongs to."""
    back = "transpose(" in op_name
    parts = [p for p in op_name.split("/") if "(" not in p]
    path = "/".join(parts[:-1][:depth]) or "(none)"
    return f"{path} {'backward' if back else 'forward'}"


def table(title: str, rows: Iterable[tuple[str, float, float]], total: float) -> None:
    """Prints the largest rows."""
    print(f"\n| {title} | calls | ms | share |\n|---|---:|---:|---:|")
    for name, calls, seconds in sorted(rows, key=lambda row: -row[2])[:40]:
        print(f"| {name} | {calls:.0f} | {1e3 * seconds:.1f} | {seconds / total:.0%} |")


@click.command(cls=SettingsCommand)
@click.option("--steps", type=click.IntRange(1), default=3, show_default=True)
@click.option("--depth", type=click.IntRange(1), default=2, show_default=True)
@settings_options
def main(config, steps: int, depth: int) -> None:
    """Prints where a training step spends its CPU time."""
    if config is None:
        raise click.UsageError("Missing option '--config'.")
    check_settings(config)
    step, args, flops = compiled_step(config)
    jax.block_until_ready(step(*args))
    used = []
    for _ in range(steps):
        start = cpu_seconds()
        jax.block_until_ready(step(*args))
        used.append(cpu_seconds() - start)
    print(
        f"{config.stage}, {config.batch_size} images: {statistics.median(used):.2f} s "
        f"of CPU time, {flops / 1e9:.0f} GFLOP"
    )
    with tempfile.TemporaryDirectory() as directory:
        with jax.profiler.trace(directory):
            for _ in range(steps):
                jax.block_until_ready(step(*args))
        recorded = thread_seconds(Path(directory))
    known = instructions(step.as_text())
    kinds, modules = (collections.defaultdict(lambda: [0.0, 0.0]) for _ in range(2))
    for name, (seconds, calls) in recorded.items():
        opcode, op_name = known.get(name, ("other", ""))
        for totals, key in (
            (kinds, kind(name, opcode)),
            (modules, module(op_name, depth)),
        ):
            totals[key][0] += calls / steps
            totals[key][1] += seconds / steps
    total = sum(seconds for _, seconds in kinds.values())
    print(f"{total:.2f} s recorded on all threads, a step")
    for title, totals in (("operation", kinds), ("module", modules)):
        table(title, ((k, *v) for k, v in totals.items()), total)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"profile_step.py: {error}")
