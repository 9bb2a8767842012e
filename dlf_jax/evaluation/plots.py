"""Rate-distortion plots."""

from collections.abc import Sequence

import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from dlf_jax.evaluation.published import PublishedCurve
from dlf_jax.metrics.table import METRICS

_MARKERS = tuple("osD^v<>pPX*h")
_PAIRS = colormaps["tab20"].colors  # dark and light colours alternate
_COLOURS = (*_PAIRS[::2], *_PAIRS[1::2])[: len(_MARKERS)]


def rate_plot(
    averages: pd.DataFrame, metric: str, published: Sequence[PublishedCurve] = ()
) -> Figure:
    """Plots one metric over the rate, on a logarithmic axis.

    Args:
      averages: see `dlf_jax.evaluation.summary.means`.
      metric: name in `METRICS`.
      published: curves drawn dashed and labelled as not measured here.
    """
    figure = Figure(figsize=(8.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(color=_COLOURS, marker=_MARKERS)
    for codec, curve in averages.groupby("codec", sort=False):
        curve = curve.sort_values("bpp")
        axes.plot(curve["bpp"], curve[metric], ms=5, label=codec)
    for curve in published:
        if metric in curve.values:
            label = f"{curve.label}: published, not measured here"
            axes.plot(curve.bpp, curve.values[metric], "k--", alpha=0.6, label=label)
            axes.annotate(curve.label, (curve.bpp[-1], curve.values[metric][-1]))
    direction = "higher" if METRICS[metric].higher_is_better else "lower"
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel("bits per pixel, whole files")
    axes.set_ylabel(f"{METRICS[metric].title} ({direction} is better)")
    axes.grid(which="both", alpha=0.25)
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return figure
