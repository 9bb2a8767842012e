"""Curves of training runs, from their logs.  Drawing needs Matplotlib."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def read_log(workdir: Path) -> list[dict[str, int | float]]:
    """Reads the log of a run; for repeated steps the last row counts.

    Values that are not finite, and truncated lines, are dropped.

    Args:
      workdir: folder of the run, with its metrics.jsonl.

    Returns:
      Rows by step, rounded to four digits, those of validation apart.
    """
    rows: dict[tuple[int, bool], dict[str, int | float]] = {}
    for line in (workdir / "metrics.jsonl").read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        step = row.pop("step")
        del row["time"]
        validation = any(key.startswith("val/") for key in row)
        rounded = {
            key: float(f"{value:.4g}")
            for key, value in row.items()
            if value is not None
        }
        rows[step, validation] = {"step": step} | rounded
    return [rows[key] for key in sorted(rows)]


def draw(
    logs: Mapping[str, Sequence[Mapping[str, int | float]]], panels: Mapping[str, str]
) -> Any:
    """Plots consecutive runs, a panel below the other.

    Args:
      logs: name of a run -> its rows, in the order of training.
      panels: beginning of the plotted keys -> title.  A key of more than this has its
        own line: "val/bpp/" has one for each rate.  Panels without values are left out.

    Returns:
      A Matplotlib figure.
    """
    from matplotlib.figure import Figure

    keys = {key for rows in logs.values() for row in rows for key in row}
    panels = {
        prefix: title
        for prefix, title in panels.items()
        if any(key.startswith(prefix) for key in keys)
    } or dict([*panels.items()][:1])
    figure = Figure(figsize=(8.5, 3 * len(panels)), layout="constrained")
    figures = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, (prefix, title) in zip(figures, panels.items(), strict=True):
        start, lines = 0, {}
        for name, rows in logs.items():
            axes.axvline(start, color="grey", lw=0.8)
            below_the_top = {"xytext": (3, -11), "textcoords": "offset points"}
            corner = ("data", "axes fraction")
            axes.annotate(name, (start, 1), xycoords=corner, **below_the_top)
            for row in rows:
                for key, value in row.items():
                    if key.startswith(prefix):
                        lines.setdefault(key.removeprefix(prefix), []).append(
                            (start + row["step"], value)
                        )
            start += max((row["step"] for row in rows), default=0)
        for rate in sorted(lines):
            label = f"rate {rate}" if rate else None
            axes.plot(*zip(*lines[rate], strict=True), "o-", ms=3, label=label)
        axes.set_yscale("log")
        axes.set_ylabel(title)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid(which="both", alpha=0.25)
        if any(lines):
            axes.legend(fontsize="small", ncols=4)
    figures[-1].set_xlabel("steps")
    return figure
