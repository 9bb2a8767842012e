"""Rate estimates against TF-Compression's own entropy model, where that is installed.

It needs an environment of its own (tensorflow-compression 2.14.1, see
requirements.txt): ``pip install tensorflow-compression jaxtyping pytest`` and then
``python -m pytest -c /dev/null --rootdir . tests/entropy_coding/test_tfc_model.py``.
"""

import numpy as np
import pytest

from dlf_jax.entropy_coding.tables import Distribution, load_gaussian_tables

tfc = pytest.importorskip("tensorflow_compression")
tf = pytest.importorskip("tensorflow")

NUM_SYMBOLS = 20_000


def draw(scales, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(scales), NUM_SYMBOLS).astype(np.int32)
    return np.rint(rng.normal(size=NUM_SYMBOLS) * scales[rows]).astype(np.int32), rows


def information(distributions, symbols, rows):
    return sum(
        distributions[row].bits[distributions[row].intervals(np.array([symbol]))[0]]
        for symbol, row in zip(symbols, rows, strict=True)
    )


@pytest.fixture(scope="module")
def model():
    scales = tf.constant(load_gaussian_tables().scale_table)
    return tfc.LocationScaleIndexedEntropyModel(
        tfc.NoisyNormal,
        num_scales=len(scales),
        scale_fn=lambda index: tf.gather(scales, tf.cast(index, tf.int32)),
        coding_rank=1,
        compression=True,
        tail_mass=2**-14,
    )


def of_tfc(model):
    """The tables of a model of tfc as distributions of ours."""
    offsets = model.cdf_offset.numpy()
    flat, rows = model.cdf.numpy(), []
    while len(flat):
        length = 2 + int(np.argmax(flat[1:] == 2 ** abs(flat[0])))
        scale = 65536 >> abs(int(flat[0]))
        cdf = np.unique(flat[1:length]) * scale
        rows.append(Distribution(cdf, int(offsets[len(rows)]), escape=flat[0] < 0))
        flat = flat[length:]
        flat = flat[np.argmax(flat < 0) :] if (flat < 0).any() else flat[:0]
    return rows


def test_same_tables_same_bits(model):
    """Our sum of -log2 p under tfc's tables is the length of tfc's stream."""
    scales = load_gaussian_tables().scale_table
    symbols, rows = draw(scales)
    theirs = of_tfc(model)
    inside = [
        0 <= s - theirs[r].offset < theirs[r].size
        for s, r in zip(symbols, rows, strict=True)
    ]
    symbols, rows = symbols[inside], rows[inside]
    assert len(symbols) > 0.99 * NUM_SYMBOLS
    stream = model.compress(tf.constant(symbols, tf.float32), tf.constant(rows))
    bits = information(theirs, symbols, rows)
    assert 8 * len(stream.numpy()) == pytest.approx(bits, rel=1e-3)


def test_our_tables_give_the_bits_of_tfcs_model(model):
    """The integer Gaussian tables against the exact probabilities of tfc's prior."""
    tables = load_gaussian_tables()
    symbols, rows = draw(tables.scale_table)
    # Beyond its table a symbol costs what the escape code takes, by design.
    inside = np.abs(symbols) <= np.array([-tables.rows[r].offset for r in rows])
    likely = inside & (tables.scale_table[rows] > 0.3) & (tables.scale_table[rows] < 12)
    symbols, rows = symbols[likely], rows[likely]
    _, bits = model(tf.constant(symbols, tf.float32), tf.constant(rows), training=False)
    ours = information(tables.rows, symbols, rows)
    assert ours == pytest.approx(float(bits), rel=1e-3)
