import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.entropy.four_step import FourStepContext
from dlf_jax.entropy_coding.partition import NUM_PARTS, part_masks

BATCH, GRID, CHANNELS, RATES = 2, (4, 6), 8, 3
MODEL = FourStepContext(CHANNELS, RATES, 3)
RATE = jnp.array([0, 2])


@pytest.fixture(scope="module")
def variables():
    """Random parameters of a size that makes the symbols differ from zero."""

    def touch_everything(model, y):
        model(y, model.prior(RATE, GRID))

    y = jnp.zeros((BATCH, *GRID, CHANNELS))
    shapes = jax.eval_shape(
        lambda key: MODEL.init(key, y, method=touch_everything), jax.random.key(0)
    )
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda s: jnp.asarray(0.3 * rng.normal(size=s.shape), jnp.float32), shapes
    )


@pytest.fixture(scope="module")
def y():
    shape = (BATCH, *GRID, CHANNELS)
    return jnp.asarray(
        np.random.default_rng(1).normal(scale=4, size=shape), jnp.float32
    )


@pytest.fixture(scope="module")
def prior(variables):
    run = jax.jit(lambda v: MODEL.apply(v, RATE, GRID, method="prior"))
    return run(variables)


def code(variables, y, prior, skip_threshold=None):
    return jax.jit(MODEL.apply, static_argnums=3)(variables, y, prior, skip_threshold)


@jax.jit
def step(variables, decoded, prior):
    """All parts' scales and means; the parts of one state share a program."""
    return [
        MODEL.apply(variables, part, decoded, prior, method="step")
        for part in range(NUM_PARTS)
    ]


def test_parameters_of_a_part_are_confined_to_it(variables, y, prior):
    for mask, (scales, means) in zip(
        part_masks(*GRID, CHANNELS), step(variables, y, prior), strict=True
    ):
        assert not np.any(np.asarray(scales)[:, ~mask])
        assert not np.any(np.asarray(means)[:, ~mask])
        assert np.all(np.asarray(scales)[:, mask] != 0)


@pytest.mark.parametrize("skip_threshold", [None, 0.12])
def test_a_decoder_that_drives_step_gets_the_same_latent(
    variables, y, prior, skip_threshold
):
    out = code(variables, y, prior, skip_threshold)
    decoded = jnp.zeros_like(y)
    for part, mask in enumerate(part_masks(*GRID, CHANNELS)):
        scales, means = step(variables, decoded, prior)[part]
        if skip_threshold is not None:
            scales = scales * (scales >= skip_threshold)
        np.testing.assert_array_equal(scales, out.scales * mask)
        np.testing.assert_array_equal(means, out.means * mask)
        decoded = decoded + out.symbols * mask + means
    np.testing.assert_array_equal(decoded * prior.step, out.y_hat)


def test_later_parts_depend_on_earlier_ones_only(variables, y, prior):
    """Changing what part 2 codes leaves parts 0, 1 and 2 as predicted before."""
    masks = part_masks(*GRID, CHANNELS)
    out, changed = (
        code(variables, y + offset * masks[2], prior) for offset in (0.0, 7.0)
    )
    for part in range(NUM_PARTS):
        same = np.array_equal(
            (out.scales * masks[part]), (changed.scales * masks[part])
        )
        assert same == (part <= 2)


def test_symbols_are_integers_near_the_residuals(variables, y, prior):
    out = code(variables, y, prior)
    np.testing.assert_array_equal(out.symbols, np.round(out.symbols))
    assert np.any(out.symbols != 0)
    assert float(jnp.abs(out.symbols - out.residuals).max()) <= 0.5
    # Nothing but the rounding separates the decoded latent from the latent.
    assert float(jnp.abs(out.y_hat - y).max()) <= 0.501 * float(prior.step.max())


def test_skipped_symbols_are_zero_and_have_no_scale(variables, y, prior):
    out = code(variables, y, prior, 0.5)
    skipped = np.asarray(out.scales) == 0
    assert 0 < skipped.mean() < 1
    assert not np.any(np.asarray(out.symbols)[skipped])
    assert float(out.scales[~skipped].min()) >= 0.5


def test_rounding_passes_gradients_on(variables, y, prior):
    gradient = jax.jit(
        jax.grad(lambda y: jnp.sum(MODEL.apply(variables, y, prior).y_hat))
    )(y)
    assert bool(jnp.all(jnp.isfinite(gradient)))
    assert bool(jnp.any(gradient != 0))


def test_prior_depends_on_rate_and_border(prior):
    assert float(prior.step.min()) >= 0.5
    assert bool(jnp.any(prior.means[0] != prior.means[1]))
    assert bool(jnp.any(prior.means[0, 0, 0] != prior.means[0, 2, 2]))
