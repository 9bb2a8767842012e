"""Published curves: complete, ordered, and labelled as not measured here."""

import io

import pandas as pd
import pytest

from dlf_jax.errors import UserError
from dlf_jax.evaluation.plots import rate_plot
from dlf_jax.evaluation.published import published_curves
from tests.evaluation.test_summary import curves


@pytest.mark.parametrize("images", ["kodak", "clic2020"])
def test_every_point_has_every_value_and_better_ones_cost_more(images):
    for curve in published_curves(images):
        assert curve.citation and "digitised" in curve.origin
        assert curve.bpp == sorted(curve.bpp)
        assert set(curve.values) >= {"lpips_alex", "dists"}
        for values in curve.values.values():
            assert len(values) == len(curve.bpp)
            assert values == sorted(values, reverse=True)


def test_numbers_of_dlf_on_kodak():
    (dlf,) = [c for c in published_curves("kodak") if c.label == "DLF"]
    assert dlf.bpp == [0.0079, 0.0097, 0.0125, 0.0156]
    assert dlf.values["lpips_alex"][0] == 0.2847
    assert dlf.values["dists"][-1] == 0.1254


def test_other_images_are_rejected():
    with pytest.raises(UserError, match="'div2k': use kodak, clic2020"):
        published_curves("div2k")


def test_a_plot_tells_measured_from_published():
    figure = rate_plot(curves(), "lpips_alex", published_curves("kodak"))
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert "LPIPS-Alex (lower is better)" in axes.get_ylabel()
    styles = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert styles == {
        "old": "-",
        "half": "-",
        "one": "-",
        "DLF: published, not measured here": "--",
        "MS-ILLM: published, not measured here": "--",
    }
    ours = axes.lines[1]
    assert list(ours.get_xdata()) == [0.01, 0.025, 0.05]
    figure.savefig(io.BytesIO(), format="png")


def test_published_curves_are_left_out_where_they_have_no_value():
    figure = rate_plot(curves(), "psnr", published_curves("kodak"))
    assert len(figure.axes[0].lines) == 3


def test_every_codec_looks_different():
    one = curves().query("codec == 'one'")
    many = pd.concat(one.assign(codec=f"codec {i}") for i in range(12))
    lines = rate_plot(many, "lpips_alex").axes[0].lines
    assert len({line.get_color() for line in lines}) == 12
    assert len({line.get_marker() for line in lines}) == 12
