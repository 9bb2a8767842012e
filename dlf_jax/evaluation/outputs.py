"""Output files of an evaluation."""

import io
import platform
from collections.abc import Sequence
from pathlib import Path

import dlf_jax
from dlf_jax import strict_json
from dlf_jax.evaluation import plots, summary
from dlf_jax.evaluation.codecs import open_codec
from dlf_jax.evaluation.published import PublishedCurve
from dlf_jax.evaluation.report import render
from dlf_jax.evaluation.runner import Measurement
from dlf_jax.files import write_file


def write_outputs(
    folder: Path,
    measurements: Sequence[Measurement],
    metrics: Sequence[str],
    *,
    anchor: str | None,
    published: Sequence[PublishedCurve] = (),
    distances: Sequence[dict] = (),
) -> None:
    """Writes results.csv and .json, table.md, plots as PNG and SVG, and report.html.

    Args:
      folder: an existing folder.
      measurements: see `dlf_jax.evaluation.runner.evaluate`.
      metrics: names in `dlf_jax.metrics.table.METRICS`.
      anchor: reference codec of BD-rates; None omits BD-rates.
      published: additional curves to draw.
      distances: see `dlf_jax.evaluation.distances.feature_distances`.
    """
    table = summary.per_image(measurements, metrics)
    averages = summary.means(table, metrics)
    comparison = summary.bd_rates(averages, metrics, anchor) if anchor else None
    codecs = list(averages["codec"].unique())
    _write(folder / "results.csv", table.to_csv(index=False))
    _write(folder / "table.md", summary.markdown(averages))
    results = {
        "dlf_jax": dlf_jax.__version__,
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": {codec: open_codec(codec).version for codec in codecs},
        "means": averages.to_dict("records"),
        "anchor": anchor,
        "bd_rates": comparison.to_dict("records") if anchor else [],
        "distances": list(distances),
    }
    _write(folder / "results.json", strict_json.dumps(results, indent=1))
    figures = {name: plots.rate_plot(averages, name, published) for name in metrics}
    for name, figure in figures.items():
        for extension in ("png", "svg"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=extension, dpi=150)
            path = folder / f"{name}.{extension}"
            write_file(path, buffer.getvalue(), overwrite=True)
    images = averages["images"].iloc[0]
    subject = f"{len(codecs)} codecs on {images} images, dlf_jax {dlf_jax.__version__}."
    page = render(
        measurements,
        averages,
        comparison,
        list(figures.values()),
        subject=subject,
        anchor=anchor,
        published=published,
    )
    _write(folder / "report.html", page)


def _write(path: Path, text: str) -> None:
    write_file(path, text.encode(), overwrite=True)
