"""Joins and plots the logs of consecutive training runs.

  python launch/studies/nano/training_log.py FOLDER NAME=RUN...

Writes two files into FOLDER.  training_log.jsonl has the rows of every metrics.jsonl
with the name of the run, rounded to four digits and without time stamps.
training_curves.png shows LPIPS-Alex and bpp of held-out photos at every rate, over the
steps of all runs.  Needs the extra evaluate.
"""

from pathlib import Path

import click

from dlf_jax import strict_json
from dlf_jax.training.run.curves import draw, read_log

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
    draw(logs, _PANELS).savefig(folder / "training_curves.png", dpi=100)


if __name__ == "__main__":
    main()
