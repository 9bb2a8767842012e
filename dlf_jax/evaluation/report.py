"""One HTML file with tables, plots and crops to compare, for any browser, offline."""

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
from dlf_jax.evaluation.runner import Row
from dlf_jax.evaluation.summary import image_names, titled
from dlf_jax.metrics.rate import bits_per_pixel
from dlf_jax.metrics.table import METRICS

CROP = 320


def render(
    rows: Sequence[Row],
    averages: pd.DataFrame,
    comparison: pd.DataFrame | None,
    plots: Sequence[Figure],
    *,
    subject: str,
    anchor: str | None,
    published: Sequence[PublishedCurve] = (),
    pictures: int = 3,
) -> str:
    """The text of the report.

    Args:
      rows: results; of the first images, crops are shown.
      averages: as `dlf_jax.evaluation.summary.means` gives it.
      comparison: as `dlf_jax.evaluation.summary.bd_rates` gives it, if there is one.
      plots: of rate and distortion.
      subject: a sentence about what was done.
      anchor: the codec that BD-rates are relative to.
      published: what is drawn in the plots besides.
      pictures: how many images are shown.
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
        # Names of files cannot end the script that holds the data.
        data=strict_json.dumps(_crops(rows, averages, pictures)).replace(
            "<", "\\u003c"
        ),
    )


def _bd_table(comparison: pd.DataFrame) -> str:
    """One row a codec, one column a metric: percent, and where it was taken."""

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
        "<p class='note'>Bits more or fewer at equal quality (PCHIP over the logarithm "
        "of the rate), with the qualities that both curves reach, over which the mean "
        "is taken.</p>"
    )


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)


def _crops(
    rows: Sequence[Row], averages: pd.DataFrame, pictures: int
) -> dict[str, Any]:
    """What the script on the page shows."""
    codecs = list(averages["codec"].unique())
    names = image_names(rows)
    images: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row.path not in images:
            if len(images) == pictures:
                continue
            original = {"picture": _crop(read_image(row.path))}
            files = [[] for _ in codecs]
            entry = {"name": names[row.path], "original": original, "files": files}
            images[row.path] = entry
        data = row.result.data
        file = {
            "setting": row.setting,
            "bytes": len(data),
            "bpp": bits_per_pixel(len(data), row.height, row.width),
            "picture": _crop(open_codec(row.codec).decompress(data)),
        }
        images[row.path]["files"][codecs.index(row.codec)].append(file)
    rates = averages.loc[averages["codec"] == codecs[0], "bpp"].tolist()
    return {"codecs": codecs, "rates": rates, "images": list(images.values())}


def _crop(image: np.ndarray) -> str:
    """The middle of an image, as the URL of a picture without loss."""
    top, left = (max(0, (side - CROP) // 2) for side in image.shape[:2])
    buffer = io.BytesIO()
    crop = Image.fromarray(image[top : top + CROP, left : left + CROP])
    crop.save(buffer, "WEBP", lossless=True)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
