import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.perceptual.discriminator import PatchDiscriminator


@pytest.fixture(scope="module")
def small():
    """A narrow discriminator with random statistics, and a batch of images."""
    module = PatchDiscriminator(4)
    image = jax.random.uniform(jax.random.key(0), (2, 32, 48, 3), minval=-1, maxval=1)
    variables = jax.jit(lambda k: module.init(k, image, train=True))(jax.random.key(1))
    return module, variables, image


def test_one_logit_a_patch():
    module = PatchDiscriminator()
    image = jax.ShapeDtypeStruct((1, 256, 512, 3), jnp.float32)
    logits, variables = jax.eval_shape(
        lambda key, x: module.init_with_output(key, x, train=True),
        jax.random.key(0),
        image,
    )
    assert logits.shape == (1, 30, 62, 1)
    assert variables["params"]["conv_3"]["kernel"].shape == (4, 4, 256, 512)
    assert "bias" not in variables["params"]["conv_1"]
    assert variables["batch_stats"]["norm_3"]["var"].shape == (512,)


def test_training_normalises_with_the_batch(small):
    """Level and contrast of a layer's input have no effect in training mode."""
    module, variables, image = small

    def logits(factor, train):
        scaled = jax.tree.map(jnp.copy, variables)
        scaled["params"]["conv_1"]["kernel"] *= factor
        return module.apply(scaled, image, train=train, mutable=["batch_stats"])[0]

    # Large factors, so that the epsilon of the normalisation does not count.
    np.testing.assert_allclose(
        logits(3e3, True), logits(1e3, True), rtol=1e-3, atol=1e-5
    )
    assert not np.allclose(logits(3e3, False), logits(1e3, False), rtol=0.1)


def test_running_statistics_move_a_tenth_of_the_way(small):
    module, variables, image = small
    (_, first), (_, second) = (
        module.apply(v, image, train=True, mutable=["batch_stats"])
        for v in (
            variables,
            variables
            | {
                "batch_stats": jax.tree.map(
                    lambda x: x + 10.0, variables["batch_stats"]
                )
            },
        )
    )
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(b - a, 9.0, rtol=1e-5)


def test_evaluation_leaves_the_statistics_alone(small):
    module, variables, image = small
    _, updates = module.apply(variables, image, train=False, mutable=["batch_stats"])
    for old, new in zip(
        jax.tree.leaves(variables["batch_stats"]), jax.tree.leaves(updates), strict=True
    ):
        np.testing.assert_array_equal(old, new)


def test_groups_of_images_normalise_apart(small):
    """Normalises as on separate devices; running statistics follow the mean."""
    _, variables, image = small

    def judge(image, norm_images):
        module = PatchDiscriminator(4, norm_images)
        return module.apply(variables, image, train=True, mutable=["batch_stats"])

    logits, updates = judge(image, 1)
    alone = [judge(image[i : i + 1], 0) for i in range(2)]
    np.testing.assert_allclose(
        logits, np.concatenate([found for found, _ in alone]), rtol=1e-4, atol=1e-5
    )
    assert not np.allclose(logits, judge(image, 0)[0], rtol=1e-2)
    means = jax.tree.map(lambda a, b: (a + b) / 2, *(stats for _, stats in alone))
    for a, b in zip(jax.tree.leaves(updates), jax.tree.leaves(means), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
