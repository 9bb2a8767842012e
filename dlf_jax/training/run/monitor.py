"""Reports of a run: a progress bar or lines, metrics.jsonl and TensorBoard."""

import os
import sys
import time
from collections.abc import Mapping
from io import TextIOBase

import numpy as np
import tensorboardX
from tqdm import tqdm

from dlf_jax import strict_json
from dlf_jax.typing import UInt8


class Monitor:
    """Reports of one process; processes other than the first report nothing.

    A terminal shows a bar with images/s, the remaining time and the loss; elsewhere
    every report is a line on stdout.  `workdir` receives event files under
    ``tensorboard/`` and, unless it is a URL, ``metrics.jsonl`` with the same names:
    files in a bucket cannot be appended to.
    """

    def __init__(
        self,
        workdir: os.PathLike,
        *,
        first_step: int,
        num_steps: int,
        batch_size: int,
        main_process: bool,
        terminal: TextIOBase | None = None,
    ):
        """Args:
        workdir: existing folder of the run.
        first_step: number of earlier steps.
        num_steps: length of the run, earlier steps included.
        batch_size: images per step, over all devices.
        main_process: whether to report at all.
        terminal: file for the bar, by default stderr; a file that is no terminal gets
          no bar.
        """
        self._active = main_process
        self._batch_size = batch_size
        self._step, self._since = first_step, time.monotonic()
        if not main_process:
            return
        terminal = terminal or sys.stderr
        self._bar = tqdm(
            initial=first_step,
            total=num_steps,
            unit="step",
            file=terminal,
            disable=not terminal.isatty(),
            dynamic_ncols=True,
        )
        self._log = None
        if "://" not in str(workdir):
            self._log = (workdir / "metrics.jsonl").open("a")
        # Without the suffix, two runs that begin in one second share a file.
        self._events = tensorboardX.SummaryWriter(
            str(workdir / "tensorboard"), filename_suffix=f".{first_step}"
        )

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *exc_info) -> None:
        if self._active:
            self._bar.close()
            if self._log:
                self._log.close()
            self._events.close()

    def seconds_per_step(self, step: int) -> float:
        """Returns the mean time of a step since the last `train` or `restart_clock`."""
        return (time.monotonic() - self._since) / max(step - self._step, 1)

    def restart_clock(self, step: int) -> None:
        """Excludes the time since the last step, such as that of validation."""
        self._step, self._since = step, time.monotonic()

    def train(self, step: int, metrics: Mapping[str, float]) -> None:
        """Reports means over the steps since the last report; needs a "loss"."""
        images_per_s = self._batch_size / self.seconds_per_step(step)
        if self._active:
            self._bar.set_postfix_str(
                f"{images_per_s:.1f} images/s, loss {metrics['loss']:.4g}",
                refresh=False,
            )
            self._bar.update(step - self._bar.n)
        self._report(step, {**metrics, "images/s": images_per_s})
        self.restart_clock(step)

    def validation(
        self,
        step: int,
        metrics: Mapping[str, float],
        pictures: Mapping[str, UInt8[np.ndarray, "H W 3"]],
    ) -> None:
        """Reports metrics and pictures of held-out photos."""
        if metrics:
            self._report(step, {f"val/{name}": x for name, x in metrics.items()})
        if self._active:
            for name, picture in pictures.items():
                self._events.add_image(f"val/{name}", picture, step, dataformats="HWC")
            self._events.flush()
        self.restart_clock(step)

    def say(self, message: str) -> None:
        """Prints a line."""
        if self._active:
            self._bar.write(message)
            sys.stdout.flush()

    def _report(self, step: int, metrics: Mapping[str, float]) -> None:
        if not self._active:
            return
        parts = " ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        if self._bar.disable:
            self.say(f"step {step:>7} {parts}")
        for name, value in metrics.items():
            self._events.add_scalar(name, value, step)
        if self._log:
            line = {"step": step, "time": round(time.time(), 1), **metrics}
            self._log.write(strict_json.dumps(line) + "\n")
            self._log.flush()
