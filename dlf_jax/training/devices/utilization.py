"""Model FLOP utilisation: the share of a device's peak that training uses."""

import jax

from dlf_jax.training.devices import chips


def step_flops(compiled: jax.stages.Compiled, num_parts: int = 1) -> float | None:
    """FLOPs of a train step on one device, as XLA counts them.

    What is computed twice for rematerialisation counts twice.

    Args:
      compiled: the step.
      num_parts: in which it takes a batch; XLA counts the body of their loop once.

    Returns:
      The number, or None where XLA does not say.
    """
    flops = (compiled.cost_analysis() or {}).get("flops")
    return None if flops is None else flops * num_parts


def utilization(
    flops: float | None, seconds: float, device_kind: str
) -> dict[str, float]:
    """{"mfu": FLOPs over what the device could have done in `seconds`}.

    {} where the FLOPs or the peak of the device are not known.
    """
    chip = chips.find(device_kind)
    return (
        {} if flops is None or chip is None else {"mfu": flops / seconds / chip.flops}
    )
