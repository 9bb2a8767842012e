"""``dlf evaluate``."""

import os
from collections.abc import Iterable
from pathlib import Path

import click

from dlf_jax.cli.paths import PATH
from dlf_jax.cli.reports import Style, as_line, style_options
from dlf_jax.errors import UserError
from dlf_jax.extras import needs

_METRICS = "psnr,ms_ssim,lpips_alex,dists"


@click.command()
@click.argument("paths", metavar="[PATHS]...", nargs=-1, type=PATH)
@click.option(
    "--images",
    metavar="PATH",
    multiple=True,
    type=PATH,
    help="File or folder, like PATHS.",
)
@click.option(
    "--codecs",
    metavar="NAME,...",
    default="dlf:dlf-nano",
    show_default=True,
    help="dlf:MODEL, jpeg, webp, avif, jpeg2000, jxl, heif, vvc, vvc-qpa, "
    "tfc:MODEL, tfci:MODEL; NAME@SETTING runs one setting instead of all.",
)
@click.option(
    "--metrics",
    metavar="NAME,...",
    default=_METRICS,
    show_default=True,
    help="lpips_vgg is also available.",
)
@click.option("--out", metavar="DIR", type=PATH, help="Folder for the report.")
@click.option(
    "--anchor",
    metavar="NAME",
    help="Reference codec of BD-rates; by default vvc, if it is measured.",
)
@click.option(
    "--published", metavar="IMAGES", help="Draw published curves: kodak or clic2020."
)
@click.option(
    "--features",
    is_flag=True,
    help="Also measure Fréchet and kernel distances of patches.",
)
@click.option(
    "--inception",
    metavar="FILE",
    type=PATH,
    help="InceptionV3 weights; the distances of --features are then FID and KID.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Processes that code images; 1 on a TPU, which serves one process.",
)
@style_options
def evaluate(
    paths: tuple[Path, ...],
    images: tuple[Path, ...],
    codecs: str,
    metrics: str,
    out: Path | None,
    anchor: str | None,
    published: str | None,
    features: bool,
    inception: Path | None,
    processes: int,
    style: Style,
) -> None:
    """Compares codecs on images: sizes, metrics, curves, a report.

    PATHS are photos, and folders with photos at any depth; hidden files are ignored.

    Prints means over the images.  With --out, also writes tables, plots and report.html
    into a folder, and keeps finished results there.  To resume an interrupted
    evaluation, repeat the command.
    """
    if style.quiet and not (out or style.json):
        raise click.UsageError("--quiet needs --out or --json for the results.")
    for package in ("pandas", "matplotlib"):
        needs(package, "evaluate")
    # Several processes share a GPU.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import pandas as pd

    from dlf_jax.evaluation import summary
    from dlf_jax.evaluation.cache import Cache
    from dlf_jax.evaluation.distances import feature_distances
    from dlf_jax.evaluation.outputs import write_outputs
    from dlf_jax.evaluation.published import published_curves
    from dlf_jax.evaluation.runner import evaluate as run
    from dlf_jax.metrics.table import parse_metrics

    files = _image_files([*images, *paths], out)
    names, specs = parse_metrics(metrics), specs_of(codecs)
    known = [spec.name for spec in specs]
    if anchor is None and "vvc" in known:
        anchor = "vvc"
    elif anchor is not None and anchor not in known:
        raise UserError(f"there is no anchor {anchor!r}: use one of {', '.join(known)}")
    curves = published_curves(published) if published else []
    network = None
    if features or inception:
        from dlf_jax.metrics.features import feature_network

        network = feature_network(inception)
    cache = Cache(out / "cache") if out else None

    style.begin()
    measurements = run(
        files, specs, names, cache=cache, processes=processes, bar=not style.quiet
    )
    averages = summary.means(summary.per_image(measurements, names), names)
    as_text = not (style.json or style.quiet)
    if as_text:
        click.echo(summary.formatted(averages).to_string(index=False))
    distances = feature_distances(measurements, network) if network else []
    if style.json:
        _print_objects(averages, distances)
    elif as_text and distances:
        table = pd.DataFrame(distances)
        click.echo(table.to_string(index=False, float_format="%.4f"))
    if out:
        write_outputs(
            out,
            measurements,
            names,
            anchor=anchor,
            published=curves,
            distances=distances,
        )
        if as_text:
            click.echo(out / "report.html")


def _print_objects(averages: "pandas.DataFrame", distances: list[dict]) -> None:
    """Prints means, with distances of features if there are any, as JSON."""
    further = {(row["codec"], row["setting"]): row for row in distances}
    for row in averages.to_dict("records"):
        click.echo(as_line(row | further.get((row["codec"], row["setting"]), {})))


def _image_files(paths: Iterable[Path], out: Path | None) -> list[Path]:
    """Returns files, and photos in folders except plots in `out`, each once."""
    from dlf_jax.data.folders import photos_in

    files, out = [], out and out.resolve()
    for path in paths:
        if path.is_dir():
            inside = [p for p in photos_in(path) if out not in p.resolve().parents]
            if not inside:
                raise UserError(
                    f"there are no images in {path}: name a folder of photos"
                )
            files += inside
        elif path.exists() and not path.is_file():  # pipes can be read only once
            raise UserError(f"{path} is not a regular file: name photos or folders")
        else:
            files.append(path)
    if not files:
        raise UserError("no images are named: dlf evaluate --images DIR")
    return list(dict.fromkeys(files))


def specs_of(codecs: str) -> "list[dlf_jax.evaluation.codecs.CodecSpec]":
    """Parses the value of --codecs."""
    from dlf_jax.evaluation.codecs import parse

    specs = [parse(text) for text in codecs.split(",")]
    if len({spec.name for spec in specs}) < len(specs):
        raise UserError("a codec is named twice: without @ it runs all its settings")
    return specs
