"""The search of a rate: targets are kept to, with few trials, and nothing is wasted."""

import dataclasses

import numpy as np
import pytest

from dlf_jax.codec.goal import Goal
from dlf_jax.codec.search import search
from dlf_jax.errors import UserError
from dlf_jax.metrics.psnr import psnr

RATES = list(range(100))
IMAGE = np.zeros((20, 40, 3), np.uint8)


@dataclasses.dataclass(frozen=True)
class Trial:
    """A file of ten bytes more than its rate, and a picture closer to black."""

    rate: int

    @property
    def data(self) -> bytes:
        return bytes(10 + self.rate)

    def picture(self) -> np.ndarray:
        return np.full_like(IMAGE, 100 - self.rate)


def find(goal: Goal, make=Trial) -> tuple[Trial, list[int]]:
    """The result, and the rates that were tried."""
    tried = []

    def encode(rate):
        tried.append(rate)
        return make(rate)

    return search(goal, IMAGE, RATES, encode), tried


def test_the_highest_rate_within_a_size():
    for num_bytes, rate in ((10, 0), (47, 37), (109, 99), (900, 99)):
        found, tried = find(Goal(target_bytes=num_bytes))
        assert found.rate == rate
        assert len(tried) == len(set(tried)) <= 8


def test_bits_per_pixel_are_those_of_the_image():
    assert find(Goal(target_bpp=0.4999))[0].rate == 39  # 49.99 bytes
    assert find(Goal(target_bpp=0.5))[0].rate == 40


def test_a_size_below_the_smallest_is_refused_with_the_smallest():
    with pytest.raises(UserError, match="takes 10 bytes at the lowest rate, not 9"):
        find(Goal(target_bytes=9))


def test_sizes_that_go_up_and_down_are_never_exceeded():
    rng = np.random.default_rng(0)
    dents = rng.integers(0, 8, len(RATES))

    class Uneven(Trial):
        data = property(lambda self: bytes(10 + self.rate + int(dents[self.rate])))

    for num_bytes in range(20, 120):
        found, _ = find(Goal(target_bytes=num_bytes), Uneven)
        assert num_bytes - 16 < len(found.data) <= num_bytes or found.rate == 99


def test_the_lowest_rate_of_a_quality():
    values = [float(psnr(IMAGE[None], Trial(r).picture()[None])[0]) for r in (60, 61)]
    found, tried = find(Goal(target_psnr=values[1]))
    assert found.rate == 61 and len(tried) <= 9
    assert find(Goal(target_psnr=values[0] + 1e-3))[0].rate == 61
    assert find(Goal(target_psnr=1.0))[0].rate == 0


def test_a_quality_out_of_reach_is_refused_with_the_best():
    with pytest.raises(UserError, match="PSNR .* is 48.13 at the highest"):
        find(Goal(target_psnr=50))


def test_distances_go_down(monkeypatch):
    from dlf_jax.metrics import table

    metric = dataclasses.replace(
        table.METRICS["lpips_alex"],
        function=lambda image, recon: recon.mean(axis=(1, 2, 3)) / 100,
        min_side=1,
    )
    monkeypatch.setitem(table.METRICS, "lpips_alex", metric)
    assert find(Goal(target_lpips=0.3))[0].rate == 70
    with pytest.raises(UserError, match="is 0.0100 at .*: use a higher target"):
        find(Goal(target_lpips=0.001))


def test_an_image_too_small_for_a_metric_is_refused():
    with pytest.raises(UserError, match="LPIPS-Alex needs sides of 32 pixels"):
        find(Goal(target_lpips=0.3))
