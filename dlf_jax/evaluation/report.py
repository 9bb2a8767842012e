"""HTML report: tables, plots and an interactive comparison of crops, in one file."""

import base64
import html
import importlib.resources
import io
import re
from collections.abc import Sequence
from string import Template
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from dlf_jax import strict_json
from dlf_jax.data.image_io import read_image
from dlf_jax.evaluation.codecs import open_codec
from dlf_jax.evaluation.published import PublishedCurve
from dlf_jax.evaluation.runner import Measurement
from dlf_jax.evaluation.summary import image_names, titled
from dlf_jax.metrics.rate import bits_per_pixel
from dlf_jax.metrics.table import METRICS

CROP = 320


def render(
    measurements: Sequence[Measurement],
    averages: pd.DataFrame,
    comparison: pd.DataFrame | None,
    plots: Sequence[Figure],
    *,
    subject: str,
    anchor: str | None,
    published: Sequence[PublishedCurve] = (),
    pictures: int = 3,
) -> str:
    """Renders the report as HTML.

    Args:
      measurements: results; crops of the first images are shown.
      averages: see `dlf_jax.evaluation.summary.means`.
      comparison: see `dlf_jax.evaluation.summary.bd_rates`; None without an anchor.
      plots: rate-distortion plots.
      subject: a sentence that describes the evaluation.
      anchor: reference codec of BD-rates.
      published: additional curves in the plots, to cite.
      pictures: number of images to show.
    """
    page = importlib.resources.files("dlf_jax.evaluation") / "report.html"
    cited = {f"{curve.label}: {curve.citation}; {curve.origin}." for curve in published}
    notes = "".join(
        f"<p class='note'>{html.escape(line)}</p>" for line in sorted(cited)
    )
    no_others = comparison is None or comparison.empty
    heading = f"<h2>BD-rate against {html.escape(anchor or '')}</h2>"
    return Template(page.read_text(encoding="utf-8")).substitute(
        subject=html.escape(subject),
        means=titled(averages).to_html(index=False, border=0),
        bd_rates="" if no_others else heading + _bd_table(comparison),
        plots="".join(map(_svg, plots)),
        citations=notes,
        # A file name must not close the script element.
        data=strict_json.dumps(_crops(measurements, averages, pictures)).replace(
            "<", "\\u003c"
        ),
    )


def _bd_table(comparison: pd.DataFrame) -> str:
    """Table of BD-rates in percent with their quality range: codecs x metrics."""

    def cell(line: pd.Series) -> str:
        if pd.isna(line["percent"]):
            return line["note"]
        d = METRICS[line["metric"]].digits
        return f"{line['percent']:+.1f} % ({line['low']:.{d}f} to {line['high']:.{d}f})"

    cells = comparison.assign(cell=comparison.apply(cell, axis=1))
    table = cells.pivot(index="codec", columns="metric", values="cell")
    table = table.loc[comparison["codec"].unique(), comparison["metric"].unique()]
    table = table.rename(columns={name: METRICS[name].title for name in table})
    table.columns.name = None
    return table.reset_index().to_html(index=False, border=0) + (
        "<p class='note'>Difference in bits at equal quality (PCHIP over the logarithm "
        "of the rate), and the range of qualities that both curves cover.</p>"
    )


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)


def _crops(
    measurements: Sequence[Measurement], averages: pd.DataFrame, pictures: int
) -> dict[str, Any]:
    """Data of the script on the page."""
    codecs = list(averages["codec"].unique())
    names = image_names(measurements)
    images: dict[Any, dict[str, Any]] = {}
    for measurement in measurements:
        if measurement.path not in images:
            if len(images) == pictures:
                continue
            original = {"picture": _crop(read_image(measurement.path))}
            files = [[] for _ in codecs]
            entry = {
                "name": names[measurement.path],
                "original": original,
                "files": files,
            }
            images[measurement.path] = entry
        data = measurement.result.data
        file = {
            "setting": measurement.setting,
            "bytes": len(data),
            "bpp": bits_per_pixel(len(data), measurement.height, measurement.width),
            "picture": _crop(open_codec(measurement.codec).decompress(data)),
        }
        images[measurement.path]["files"][codecs.index(measurement.codec)].append(file)
    rates = averages.loc[averages["codec"] == codecs[0], "bpp"].tolist()
    return {"codecs": codecs, "rates": rates, "images": list(images.values())}


def _crop(image: np.ndarray) -> str:
    """Centre crop of an image, as the data URL of a lossless picture."""
    top, left = (max(0, (side - CROP) // 2) for side in image.shape[:2])
    buffer = io.BytesIO()
    crop = Image.fromarray(image[top : top + CROP, left : left + CROP])
    crop.save(buffer, "WEBP", lossless=True)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
