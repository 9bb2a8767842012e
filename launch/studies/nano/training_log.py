"""Joins and plots the logs of consecutive training runs.

  python launch/studies/nano/training_log.py FOLDER NAME=RUN...

Writes two files into FOLDER.  training_log.jsonl has the rows of every metrics.jsonl
with the name of the run, rounded to four digits and without time stamps.
training_curves.png shows LPIPS-Alex and bpp of held-out photos at every rate, over the
steps of all runs.  Needs the extra evaluate.
"""

import json
from pathlib import Path

import click
from matplotlib.figure import Figure

from dlf_jax import strict_json

_PANELS = {"val/lpips_alex/": "LPIPS-Alex", "val/bpp/": "bits per pixel"}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("runs", metavar="NAME=RUN...", nargs=-1, required=True)
def main(folder: Path, runs: tuple[str, ...]) -> None:
    """Writes the joined log and the plot."""
    named = [run.partition("=")[::2] for run in runs]
    for name, workdir in named:
        if not (Path(workdir) / "metrics.jsonl").is_file():
            raise click.UsageError(f"{name}={workdir}: no metrics.jsonl in {workdir!r}")
    logs = {name: read_log(Path(workdir)) for name, workdir in named}
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "training_log.jsonl", "w") as file:
        for name, rows in logs.items():
            for row in rows:
                print(strict_json.dumps({"run": name} | row), file=file)
    draw(logs).savefig(folder / "training_curves.png", dpi=100)


def read_log(workdir: Path) -> list[dict[str, float]]:
    """Reads the log of a run; for repeated steps the last row counts.

    Values that are not finite, and truncated lines, are dropped.
    """
    rows: dict[tuple[int, bool], dict[str, float]] = {}
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


def draw(logs: dict[str, list[dict[str, float]]]) -> Figure:
    """Plots one panel for each of `_PANELS`, with a line for every rate."""
    figure = Figure(figsize=(8.5, 6), layout="constrained")
    panels = figure.subplots(len(_PANELS), sharex=True)
    for axes, (prefix, title) in zip(panels, _PANELS.items(), strict=True):
        start, lines = 0, {}
        for name, rows in logs.items():
            axes.axvline(start, color="grey", lw=0.8)
            axes.annotate(name, (start, 1), xycoords=("data", "axes fraction"))
            for row in rows:
                for key, value in row.items():
                    if key.startswith(prefix):
                        lines.setdefault(key.removeprefix(prefix), []).append(
                            (start + row["step"], value)
                        )
            start += max((row["step"] for row in rows), default=0)
        for rate in sorted(lines):
            axes.plot(*zip(*lines[rate], strict=True), "o-", ms=3, label=f"rate {rate}")
        axes.set_yscale("log")
        axes.set_ylabel(title)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid(which="both", alpha=0.25)
    panels[-1].set_xlabel("steps")
    named = panels[0].get_legend_handles_labels()
    panels[0].legend(*named, fontsize="small", ncols=4)
    return figure


if __name__ == "__main__":
    main()
