"""The modules of `dlf_jax/web`, run by Node, compute the same as Python."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import dlf_jax
from dlf_jax.codec.codec import Codec
from dlf_jax.limits import Limits
from tests.browser.cases import synthetic_analysis, write_cases
from tests.pictures import noise

_HERE = Path(__file__).parent
_MODEL = "dlf-nano"
_SIZES = [(1, 1), (7, 300), (140, 260)]


def run_node(*files: str, cases: Path | None = None) -> int:
    """Runs test files in Node and returns the number of tests; all must pass."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    env = os.environ | ({"DLF_BROWSER_CASES": str(cases)} if cases else {})
    command = [node, "--test", "--test-reporter=tap"]
    command += [str(_HERE / file) for file in files]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    totals = dict(re.findall(r"^# (\w+) (\d+)$", done.stdout, re.MULTILINE))
    assert totals["pass"] == totals["tests"], done.stdout
    return int(totals["tests"])


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(dlf_jax.load(_MODEL).model, Limits(pixels=10_000_000))


def test_modules_by_themselves():
    assert run_node("modules.test.mjs") > 5


def test_symbols_and_bytes_are_those_of_python(codec, tmp_path, monkeypatch):
    monkeypatch.setattr(codec.network, "analyze", synthetic_analysis(codec, 0))
    images = [
        (f"{height}x{width}-{rate}", noise(height, width), rate)
        for height, width in _SIZES
        for rate in (0, 1, 2, 3, 1.40625)
    ]
    write_cases(tmp_path, codec, _MODEL, images, num_damaged=150)
    assert run_node("conformance.test.mjs", cases=tmp_path) == len(images) + 2


@pytest.mark.slow  # four sizes are compiled
def test_photos_of_all_sizes(codec, tmp_path):
    data = pytest.importorskip("skimage.data")
    from PIL import Image

    photo = Image.fromarray(data.astronaut())
    images = []
    for width, height in ((1, 1), (300, 7), (768, 512), (2000, 1500)):
        image = np.asarray(photo.resize((width, height)))
        images += [(f"{width}-{rate}", image, rate) for rate in range(codec.num_rates)]
    write_cases(tmp_path, codec, _MODEL, images, num_damaged=150)
    assert run_node("conformance.test.mjs", cases=tmp_path) == len(images) + 2
