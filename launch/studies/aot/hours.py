"""Estimated hours and dollars of the stages of preset l: the table of docs/training.md.

  python launch/studies/aot/hours.py

Steps and images are settings of configs/dlf.py; bounds of images/s on 16 chips of v5e
come from README.md beside this file.  All other machines have these bounds times the
ratio of memory bandwidths, because memory is the slowest part of every stage.
"""

import dataclasses
import re
import runpy
from pathlib import Path

from dlf_jax.training.devices.chips import find

_HERE = Path(__file__).resolve().parent
_CONFIGS = _HERE.parents[2] / "configs" / "dlf.py"
# Stages with their program in README.md, and a remark.
_STAGES = {
    "vqgan": ("vqgan", " (or a download)"),
    "tokenizer": ("tokenizer", " (or a download)"),
    "align_warmup": ("align", ""),
    "align": ("align", ""),
    "pixel": ("pixel", ""),
    "pixel_512": ("pixel_512", " (optional)"),
    "tune_semantic": ("tune_semantic", " (optional)"),
}
_ONE_RATE = ("align_warmup", "align", "pixel")


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine to rent.

    Attributes:
      name: title of its column.
      kind: `device_kind` of its chips in jax.
      chips: number of chips.
      price: US dollars an hour for all chips.
    """

    name: str
    kind: str
    chips: int
    price: float

    @property
    def bandwidth(self) -> float:
        """Memory bandwidth of all chips, in bytes/s."""
        return self.chips * find(self.kind).bandwidth


MACHINES = (
    Machine("v5e-16", "TPU v5 lite", 16, 16 * 1.20),
    Machine("v6e-8", "TPU v6 lite", 8, 8 * 2.70),
    Machine("v4-32", "TPU v4", 16, 16 * 3.22),
    Machine("8x A100 80 GB", "NVIDIA A100-SXM4-80GB", 8, 22.32),
    Machine("8x H100 SXM", "NVIDIA H100 80GB HBM3", 8, 31.92),
)


def bounds() -> dict[str, float]:
    """Images/s of each program on 16 chips of v5e, from README.md."""
    text = (_HERE / "README.md").read_text(encoding="utf-8")
    section = text.partition("## 16 chips of v5e\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| 1x16 \|.*\| ([\d.]+) \|$", section, re.MULTILINE)
    return {program: float(images) for program, images in rows}


def table() -> str:
    """The Markdown table: hours by stage and machine, and dollars of one rate."""
    get_config = runpy.run_path(str(_CONFIGS))["get_config"]
    images_per_second = bounds()
    speeds = [m.bandwidth / MACHINES[0].bandwidth for m in MACHINES]
    hours, rows = {}, []
    for stage, (program, remark) in _STAGES.items():
        config = get_config(f"preset=l,stage={stage}")
        steps, images = config.steps, config.batch_size
        hours[stage] = steps * images / images_per_second[program] / 3600
        title = f"`{stage}`, {steps:,} x {images}{remark}"
        rows.append([title, *(f"{_rounded(hours[stage] / s)} h" for s in speeds)])
    rows.append(["list price of an hour", *(f"${m.price:.2f}" for m in MACHINES)])
    total = sum(hours[stage] for stage in _ONE_RATE)
    dollars = [total / s * m.price for m, s in zip(MACHINES, speeds, strict=True)]
    title = "one rate: `align_warmup`, `align` and `pixel`"
    rows.append([title, *(f"${round(x, -1):.0f}" for x in dollars)])
    head = ["stage, steps x images", *(machine.name for machine in MACHINES)]
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    lines.insert(1, f"|---|{'---:|' * len(MACHINES)}")
    return "\n".join(lines)


def _rounded(hours: float) -> str:
    return f"{hours:.0f}" if hours >= 50 else f"{hours:.1f}"


if __name__ == "__main__":
    print(table())
