"""Runs: every result is computed once, and interrupted runs resume."""

import numpy as np
import pytest
from PIL import Image

from dlf_jax.errors import UserError
from dlf_jax.evaluation.cache import Cache
from dlf_jax.evaluation.codecs import parse
from dlf_jax.evaluation.runner import evaluate
from dlf_jax.metrics.psnr import psnr


def test_rows_in_order_with_true_sizes_and_metrics(photos, counting):
    rows = evaluate(photos, [parse("count"), parse("jpeg@5")], ["psnr", "ms_ssim"])
    assert [(r.path, r.codec, r.setting) for r in rows] == [
        (path, *what)
        for path in photos
        for what in [("count", "2"), ("count", "4"), ("count", "6"), ("jpeg", "5")]
    ]
    image = np.asarray(Image.open(photos[1]))
    row = rows[5]
    assert (row.height, row.width) == image.shape[:2]
    assert row.result.data == counting.compress(image, "4")
    recon = counting.decompress(row.result.data)
    assert row.result.values == {
        "psnr": pytest.approx(float(psnr(image[None], recon[None])[0])),
        "ms_ssim": None,
    }


def test_an_interrupted_run_goes_on(photos, counting, tmp_path):
    cache = Cache(tmp_path / "cache")
    counting.fails_at = 4
    with pytest.raises(KeyboardInterrupt):
        evaluate(photos, [parse("count")], ["psnr"], cache=cache)
    counting.fails_at = -1
    rows = evaluate(photos, [parse("count")], ["psnr"], cache=cache)
    assert counting.calls == len(rows) == 6
    assert evaluate(photos, [parse("count")], ["psnr"], cache=cache) == rows
    assert counting.calls == 6


def test_another_version_is_done_again(photos, counting, tmp_path):
    cache = Cache(tmp_path / "cache")
    for version in ("1", "2", "1"):
        counting.version = version
        evaluate(photos[:1], [parse("count@2")], ["psnr"], cache=cache)
    assert counting.calls == 2


def test_more_metrics_are_added_to_those_that_are_there(photos, counting, tmp_path):
    cache = Cache(tmp_path / "cache")
    for names in (["psnr"], ["ms_ssim"], ["psnr", "ms_ssim"]):
        (row,) = evaluate(photos[:1], [parse("count@2")], names, cache=cache)
        assert set(names) <= set(row.result.values)
    assert counting.calls == 1


def test_a_codec_that_changes_the_size_is_rejected(photos, counting, monkeypatch):
    monkeypatch.setattr(counting, "decompress", lambda data: np.zeros((3, 4, 3)))
    with pytest.raises(
        UserError, match="0.png: count decoded 4 x 3 pixels instead of 40 x 24"
    ):
        evaluate(photos, [parse("count")], ["psnr"])


@pytest.mark.slow
def test_processes_give_what_one_gives(photos):
    specs = [parse("jpeg"), parse("webp@0")]
    alone = evaluate(photos, specs, ["psnr"])
    shared = evaluate(photos, specs, ["psnr"], processes=2)
    assert [
        (r.path, r.codec, r.setting, r.result.data, r.result.values) for r in alone
    ] == [(r.path, r.codec, r.setting, r.result.data, r.result.values) for r in shared]
