"""Messages about values that are not finite."""

import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.training.run.divergence import check_finite
from dlf_jax.training.step.train_step import mean_metrics


def _steps(*changes):
    good = {"loss": 1.0, "l1": 0.5, "rate": 0.5, "gradient/encoder": 2.0}
    return [{k: jnp.float32(v) for k, v in (good | c).items()} for c in changes]


@pytest.mark.parametrize(
    ("pending", "message"),
    [
        (_steps({}, {"loss": np.nan, "rate": np.inf}, {"l1": np.nan}),
         "step 9: not finite: rate"),
        (_steps({"bpp/0": [np.nan, 1.0]}, {"bpp/0": [2.0, 1.0]}),
         "step 9: not finite: bpp/0"),
        (_steps({"loss": np.inf}), "step 10: the loss is not finite, though"),
        (_steps({"gradient/encoder": np.nan}, {"loss": np.nan, "l1": np.nan}),
         "step 9: the gradient of encoder is not finite, though the loss is"),
    ],
)  # fmt: skip
def test_first_step_and_culprit(pending, message):
    with pytest.raises(FloatingPointError, match=message):
        check_finite(mean_metrics(pending), pending, step=10)


def test_finite_values_pass():
    pending = _steps({"bpp/0": [0.0, 0.0]}, {"bpp/0": [2.0, 1.0]})
    check_finite(mean_metrics(pending), pending, step=2)
