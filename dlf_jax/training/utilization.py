"""Model FLOP utilisation: the share of a device's peak that training uses."""

import jax

# Peak of one jax.Device in bfloat16, dense, in FLOP/s; by the start of its device_kind.
# TPUs: cloud.google.com/tpu/docs/system-architecture-tpu-vm and the pages of each
# version; a device of v2 and v3 is one of the two cores of a chip. GPUs: NVIDIA's data
# sheets of the SXM models, where half of what is given with sparsity counts.
_PEAKS = (
    ("TPU v2", 46e12 / 2),
    ("TPU v3", 123e12 / 2),
    ("TPU v4", 275e12),
    ("TPU v5 lite", 197e12),
    ("TPU v5", 459e12),  # v5p
    ("TPU v6 lite", 918e12),
    ("NVIDIA A100-SXM", 312e12),
    ("NVIDIA H100 80GB HBM3", 989e12),
    ("NVIDIA H200", 989e12),
)


def peak_flops(device_kind: str) -> float | None:
    """Peak of a device in FLOP/s, or None where it is not known.

    Args:
      device_kind: `jax.Device.device_kind`.
    """
    for start, peak in _PEAKS:
        if device_kind.startswith(start):
            return peak
    return None


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
    """{"mfu": FLOPs over what the device could have done in `seconds`}, or {}."""
    peak = peak_flops(device_kind)
    return {} if flops is None or peak is None else {"mfu": flops / seconds / peak}
