"""Fixed-point layers agree with integer arithmetic, and close to with real numbers."""

import numpy as np
import pytest

from dlf_jax.entropy_coding import fixed_point as fp

SHIFT = 9


def random_layer(rng, shape, largest):
    """Integer weights, and the layer that has them."""
    layer = {
        "kernel": rng.integers(-largest, largest + 1, shape),
        "bias": rng.integers(-fp.ONE, fp.ONE + 1, shape[-1]),
    }
    params = {f"x/{name}": value for name, value in layer.items()}
    checked = fp.checked(params | {"x/shift": np.array(SHIFT)})
    return layer, {path.removeprefix("x/"): value for path, value in checked.items()}


def finish(sums, bias):
    """Rounding and clipping after the sums of a layer, in Python's integers."""
    rounded = (sums + (1 << SHIFT - 1)) >> SHIFT
    return np.clip((rounded + bias).astype(np.int64), -fp.LIMIT, fp.LIMIT)


@pytest.mark.parametrize("largest", [20, 32767])
def test_dense_is_integer_arithmetic(largest):
    rng = np.random.default_rng(0)
    layer, ours = random_layer(rng, (64, 24), largest)
    x = rng.integers(-fp.LIMIT, fp.LIMIT + 1, (5, 7, 64))
    expected = finish(x.astype(object) @ layer["kernel"].astype(object), layer["bias"])
    np.testing.assert_array_equal(fp.dense(ours, x.astype(float)), expected)
    assert (np.abs(expected) == fp.LIMIT).any() == (largest > 20)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 4)])
def test_depthwise_conv_is_integer_arithmetic(size):
    rng = np.random.default_rng(0)
    layer, ours = random_layer(rng, (3, 3, 1, 4), 300)
    x = rng.integers(-fp.LIMIT // 8, fp.LIMIT // 8, (*size, 4))
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    sums = np.zeros_like(x)
    for row, col, i, j in np.ndindex(*size, 3, 3):
        sums[row, col] += padded[row + i, col + j] * layer["kernel"][i, j, 0]
    expected = finish(sums, layer["bias"])
    np.testing.assert_array_equal(fp.depthwise_conv(ours, x.astype(float)), expected)


def test_leaky_relu_rounds_half_up():
    x = np.array([5.0, 0.0, -1.0, -3.0, -4.0, -1001.0])
    assert fp.leaky_relu(x, 0.5).tolist() == [5, 0, 0, -1, -2, -500]
    # 0.01 is 10486 / 2^20 here.
    assert fp.leaky_relu(np.array([-(2.0**24)]), 0.01) == -167776


def test_weights_come_back_to_half_a_unit():
    rng = np.random.default_rng(0)
    params = {"a/kernel": rng.normal(size=(3, 4)), "a/bias": 100 * rng.normal(size=4)}
    stored = fp.quantize(params)
    assert stored["a/kernel"].dtype == np.int16 and stored["a/bias"].dtype == np.int32
    assert 2**14 <= np.abs(stored["a/kernel"]).max() < 2**15
    back = fp.dequantize(stored)
    unit = 0.5 ** stored["a/shift"]
    np.testing.assert_allclose(back["a/kernel"], params["a/kernel"], 0, unit / 2)
    np.testing.assert_allclose(back["a/bias"], params["a/bias"], 1e-7, 0.5 / fp.ONE)
    again = fp.quantize(back)
    assert all(np.array_equal(again[path], stored[path]) for path in stored)


@pytest.mark.parametrize("value", [np.nan, np.inf, 4097.0])
@pytest.mark.parametrize("path", ["a/bias", "prior_vector"])
def test_numbers_that_do_not_fit_are_refused(path, value):
    with pytest.raises(ValueError, match=f"{path} does not fit"):
        fp.quantize({path: np.array([0.0, value])})


def test_kernels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a/kernel does not fit"):
        fp.quantize({"a/kernel": np.full((2, 2), 32768.0)})


def test_sums_that_may_not_be_exact_are_refused():
    """2^14 weights of 2^15 and maps of 2^24 just reach 2^53."""
    shift = {"a/shift": np.array(0)}
    fp.checked({"a/kernel": np.full((2**14, 1), 32767)} | shift)
    with pytest.raises(ValueError, match="may not be exact"):
        fp.checked({"a/kernel": np.full((2**14 + 1, 1), 32767)} | shift)
    # So do a bias of 2^23 and its half, 30 places up.
    small = {"a/kernel": np.ones((1, 1)), "a/shift": np.array(30)}
    fp.checked(small | {"a/bias": np.full(1, 2**22)})
    with pytest.raises(ValueError, match="may not be exact"):
        fp.checked(small | {"a/bias": np.full(1, -(2**23))})


@pytest.mark.parametrize(
    "params",
    [
        {"prior_vector": np.array([0.5])},
        {"prior_vector": np.array([2.0**25])},
        {"a/kernel": np.ones((1, 1))},
        {"a/kernel": np.ones((1, 1)), "a/shift": np.array(-1)},
        {"a/kernel": np.ones((1, 1)), "a/shift": np.array(31)},
        {"a/kernel": np.full((1, 1), 40000), "a/shift": np.array(1)},
    ],
)
def test_other_weights_are_refused(params):
    with pytest.raises(ValueError):
        fp.checked(params)
