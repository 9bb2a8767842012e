"""Quality lines."""

import dataclasses

import numpy as np

from dlf_jax.cli.quality import Quality, measure, number
from dlf_jax.errors import UserError
from dlf_jax.metrics.table import METRICS


def test_text():
    assert str(Quality(30.123, 0.98765, 0.1)) == (
        "PSNR 30.12 dB, MS-SSIM 0.9877, LPIPS-Alex 0.1000"
    )
    assert str(Quality(float("inf"), None, None)) == (
        "PSNR inf dB, MS-SSIM n/a, LPIPS-Alex n/a"
    )
    assert number(3.0, 0) == "3"


def test_missing_weights_cost_one_note_not_the_rest(monkeypatch, capsys):
    def fail(image, recon):
        raise UserError("weights are not there")

    broken = dataclasses.replace(METRICS["lpips_alex"], function=fail)
    monkeypatch.setitem(METRICS, "lpips_alex", broken)
    image = np.zeros((32, 32, 3), np.uint8)
    for _ in range(2):
        assert measure(image, image) == Quality(float("inf"), None, None)
    assert capsys.readouterr().err == "dlf: weights are not there\n"
