"""Model FLOP utilisation: the share of a device's peak that training uses."""

import jax

from dlf_jax.training.devices import chips


def step_flops(compiled: jax.stages.Compiled, num_parts: int = 1) -> float | None:
    """Returns FLOPs of a train step on one device, as XLA counts them.

    Recomputed activations (rematerialisation) count twice.

    Args:
      compiled: the train step.
      num_parts: parts of a batch; XLA counts the body of the loop over them once.

    Returns:
      FLOPs, or None if XLA does not report them.
    """
    flops = (compiled.cost_analysis() or {}).get("flops")
    return None if flops is None else flops * num_parts


def utilization(
    flops: float | None, seconds: float, device_kind: str
) -> dict[str, float]:
    """Returns {"mfu": FLOPs over the peak FLOPs of the device in `seconds`}.

    The dictionary is empty if the FLOPs or the peak of the device are unknown.
    """
    chip = chips.find(device_kind)
    return (
        {} if flops is None or chip is None else {"mfu": flops / seconds / chip.flops}
    )
