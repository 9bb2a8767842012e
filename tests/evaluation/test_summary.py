"""Means and BD-rates of results."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlf_jax.evaluation.cache import Result
from dlf_jax.evaluation.runner import Measurement
from dlf_jax.evaluation.summary import (
    bd_rates,
    formatted,
    markdown,
    means,
    per_image,
)


def measured(image, codec, setting, size, psnr, ms_ssim, seconds=1.0):
    values = {"psnr": psnr, "ms_ssim": ms_ssim, "lpips_alex": 0.5}
    result = Result(bytes(size), seconds, 2 * seconds, values)
    return Measurement(Path(f"{image}.png"), codec, setting, 10, 16, result)


MEASUREMENTS = [
    measured("a", "new", "0", 10, 20.0, None),
    measured("a", "new", "1", 20, 22.0, None),
    measured("a", "old", "9", 40, 22.0, None),
    measured("b", "new", "0", 14, 21.0, 0.5),
    measured("b", "new", "1", 30, 24.0, 0.75),
    measured("b", "old", "9", 50, 25.0, 0.5, seconds=9.0),
    measured("c", "old", "9", 60, 25.0, 0.25),
]
METRICS = ["psnr", "ms_ssim"]


def test_a_line_for_each_file():
    table = per_image(MEASUREMENTS, METRICS)
    assert list(table["image"]) == [f"{name}.png" for name in "aaabbbc"]
    assert list(table["bpp"]) == [0.5, 1, 2, 0.7, 1.5, 2.5, 3]
    assert list(table.columns[-4:]) == [*METRICS, "encode_s", "decode_s"]


def test_means_and_medians():
    averages = means(per_image(MEASUREMENTS, METRICS), METRICS).set_index("setting")
    assert list(averages.index) == ["0", "1", "9"]
    assert list(averages["images"]) == [2, 2, 3]
    assert list(averages["psnr"]) == [20.5, 23, 24]
    assert list(averages["ms_ssim"]) == [0.5, 0.75, 0.375]
    assert averages.loc["9", "bpp"] == 2.5
    assert averages.loc["9", "encode_s"] == 1
    assert averages.loc["9", "decode_s"] == 2


def test_text_shows_what_is_missing():
    averages = means(per_image(MEASUREMENTS[:1], METRICS), METRICS)
    shown = formatted(averages).iloc[0]
    assert (shown["bpp"], shown["psnr"], shown["ms_ssim"]) == ("0.5000", "20.00", "n/a")


def test_markdown_has_a_line_for_each_setting():
    header, rule, *lines = markdown(
        means(per_image(MEASUREMENTS, METRICS), METRICS)
    ).split("\n")
    assert header.startswith("| codec | setting | images | bytes | bpp | PSNR [dB] | ")
    assert rule == "| --- |" + " ---: |" * 8
    assert lines[2].startswith("| old | 9 | 3 | 50.0 | 2.5000 | 24.00 | 0.3750 | 1.00")
    assert lines[3:] == [""]


def curves():
    rates = np.array([0.02, 0.05, 0.1])
    return pd.DataFrame(
        {
            "codec": ["old"] * 3 + ["half"] * 3 + ["one"],
            "bpp": [*rates, *(rates / 2), 0.1],
            "psnr": [25.0, 27, 30] * 2 + [28],
            "lpips_alex": [0.6, 0.5, 0.3] + [0.25, 0.2, 0.1] + [0.3],
        }
    )


def test_bd_rates_and_why_there_are_none():
    table = bd_rates(curves(), ["psnr", "lpips_alex"], "old").set_index(
        ["codec", "metric"]
    )
    assert list(table.index) == [
        (codec, metric)
        for codec in ("half", "one")
        for metric in ("psnr", "lpips_alex")
    ]
    saved = table.loc[("half", "psnr")]
    assert saved["percent"] == pytest.approx(-50)
    assert (saved["low"], saved["high"]) == (25, 30)
    assert np.isnan(table.loc[("half", "lpips_alex"), "percent"])
    assert "no quality in common" in table.loc[("half", "lpips_alex"), "note"]
    assert "two or more" in table.loc[("one", "psnr"), "note"]
