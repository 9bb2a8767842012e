"""Tables of results: per image, means per codec and setting, BD-rates."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dlf_jax.errors import UserError
from dlf_jax.evaluation.runner import Measurement
from dlf_jax.files import printable
from dlf_jax.metrics.bd_rate import bd_rate
from dlf_jax.metrics.table import METRICS

TIMES = ["encode_s", "decode_s"]


def per_image(
    measurements: Sequence[Measurement], metrics: Sequence[str]
) -> pd.DataFrame:
    """Table with a row for each image, codec and setting."""
    names = image_names(measurements)
    return pd.DataFrame(
        {"image": names[measurement.path]} | measurement.record(metrics)
        for measurement in measurements
    )


def image_names(measurements: Sequence[Measurement]) -> dict[Path, str]:
    """Printable file names by path; whole paths where names coincide."""
    paths = dict.fromkeys(measurement.path for measurement in measurements)
    count = Counter(path.name for path in paths)
    return {
        path: printable(path.name if count[path.name] == 1 else path) for path in paths
    }


def means(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Averages for each codec and setting, in the order of `table`.

    Sizes and metrics are means over the images that have a value.  Seconds are
    medians, since the first image often includes start-up time.
    """
    groups = table.groupby(["codec", "setting"], sort=False)
    columns = {"images": ("image", "size")}
    columns |= {name: (name, "mean") for name in ("bytes", "bpp", *metrics)}
    columns |= {name: (name, "median") for name in TIMES}
    return groups.agg(**columns).reset_index()


def bd_rates(
    averages: pd.DataFrame, metrics: Sequence[str], anchor: str
) -> pd.DataFrame:
    """BD-rate of every codec against the anchor, for each metric.

    Columns: codec, metric, percent (None if undefined), low and high (the range of
    qualities), and note (the reason if undefined).
    """
    curves = {name: curve for name, curve in averages.groupby("codec", sort=False)}
    lines = []
    for codec in curves:
        if codec == anchor:
            continue
        for metric in metrics:
            pair = [
                curves[name][column].to_numpy(np.float64)
                for name in (anchor, codec)
                for column in ("bpp", metric)
            ]
            line = {"codec": codec, "metric": metric}
            try:
                found = bd_rate(*pair)
                line |= {"percent": found.percent, "low": found.low, "high": found.high}
            except UserError as error:
                line["note"] = str(error)
            lines.append(line)
    columns = ["codec", "metric", "percent", "low", "high", "note"]
    return pd.DataFrame(lines, columns=columns)


def formatted(averages: pd.DataFrame) -> pd.DataFrame:
    """Means as text with their significant digits; "n/a" where undefined."""
    digits = {"bytes": 1, "bpp": 4, **dict.fromkeys(TIMES, 2)}
    digits |= {name: metric.digits for name, metric in METRICS.items()}
    columns = {
        name: [
            "n/a" if pd.isna(value) else f"{value:.{digits[name]}f}"
            for value in averages[name]
        ]
        for name in averages
        if name in digits
    }
    return averages.assign(**columns)


def titled(averages: pd.DataFrame) -> pd.DataFrame:
    """`formatted`, with the titles of the metrics as column names."""
    titles = {name: metric.title for name, metric in METRICS.items()}
    titles |= {"encode_s": "encode [s]", "decode_s": "decode [s]"}
    return formatted(averages).rename(columns=titles)


def markdown(averages: pd.DataFrame) -> str:
    """Means as a Markdown table."""
    table = titled(averages)
    lines = [
        table.columns,
        ["---", *["---:"] * (table.shape[1] - 1)],
        *table.to_numpy(),
    ]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
