"""What a person watches: a progress bar or lines, metrics.jsonl and TensorBoard."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorboardX
from tqdm import tqdm

from dlf_jax import strict_json
from dlf_jax.typing import UInt8


class Monitor:
    """Reports of one process; processes other than the first report nothing.

    A terminal shows a bar with images/s, the time left and the loss; elsewhere every
    report is a line on stdout.  `workdir` receives event files under ``tensorboard/``
    and, unless it is a URL, ``metrics.jsonl`` with the same names: nothing can be
    appended to files in a bucket.
    """

    def __init__(
        self,
        workdir: os.PathLike,
        *,
        first_step: int,
        num_steps: int,
        batch_size: int,
        main_process: bool,
        terminal: Any = None,
    ):
        """Args:
        workdir: of the run, there already.
        first_step: steps made before.
        num_steps: length of the run, those included.
        batch_size: images a step, over all devices.
        main_process: whether to report at all.
        terminal: file for the bar, stderr unless told; none is shown where it is no
          terminal.
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
        # Two runs that begin in one second would share a file without the suffix.
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
        """Seconds a step took since the last `train` or `restart_clock`."""
        return (time.monotonic() - self._since) / max(step - self._step, 1)

    def restart_clock(self, step: int) -> None:
        """Leaves out of images/s what came since the last step, such as validation."""
        self._step, self._since = step, time.monotonic()

    def train(self, step: int, metrics: Mapping[str, float]) -> None:
        """Reports the means of the steps since the last report, "loss" among them."""
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
        """Reports what was found on the photos that are not trained on."""
        if metrics:
            self._report(step, {f"val/{name}": x for name, x in metrics.items()})
        if self._active:
            for name, picture in pictures.items():
                self._events.add_image(f"val/{name}", picture, step, dataformats="HWC")
            self._events.flush()
        self.restart_clock(step)

    def say(self, message: str) -> None:
        """A line for people alone."""
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
