"""Accelerators by jax's `device_kind`: peak arithmetic, memory, bandwidths."""

import dataclasses

_GIB = 2.0**30
_CLOUD = "https://cloud.google.com/tpu/docs/"
_NVIDIA = "https://www.nvidia.com/en-us/data-center/"


@dataclasses.dataclass(frozen=True)
class Chip:
    """One `jax.Device`, which is a core of a chip on TPU v2, v3 and 7x.

    Attributes:
      kinds: values of `device_kind`. They match as a whole: "TPU v5" is a v5p and no
        start of a v5e, and a part of a GPU ("... MIG 1g.10gb") is no GPU.
      flops: peak of dense products in bfloat16, FLOP/s.
      memory: bytes. Of a TPU those that its compiler gives to programs, which is what
        libtpu 0.0.42 names when they do not suffice ("exceeds available HBM (15.75G)"
        on the 16 GiB of a v5e); of a GPU those of the data sheet.
      bandwidth: of the memory, bytes/s.
      links: bytes/s to all other chips together, in one direction; None for no links or
        an unpublished speed.
      source: page with the figures. Those of TPUs are of whole chips, those of NVIDIA's
        GPUs with sparsity, which doubles `flops`.
    """

    kinds: tuple[str, ...]
    flops: float
    memory: float
    bandwidth: float
    links: float | None
    source: str


CHIPS = (
    Chip(("TPU v2",), 46e12 / 2, 7.48 * _GIB, 700e9 / 2, None, _CLOUD + "v2"),
    Chip(("TPU v3",), 123e12 / 2, 15.48 * _GIB, 900e9 / 2, None, _CLOUD + "v3"),
    # Its page rounds the bandwidth to 1200e9.
    Chip(("TPU v4",), 275e12, 30.75 * _GIB, 1228e9, 300e9, _CLOUD + "v4"),
    Chip(
        ("TPU v5 lite", "TPU v5e"),
        197e12,
        15.75 * _GIB,
        819e9,
        200e9,
        _CLOUD + "v5e",
    ),
    Chip(("TPU v5", "TPU v5p"), 459e12, 95.74 * _GIB, 2765e9, 600e9, _CLOUD + "v5p"),
    Chip(
        ("TPU v6 lite", "TPU v6e"),
        918e12,
        31.25 * _GIB,
        1638e9,
        400e9,
        _CLOUD + "v6e",
    ),
    Chip(
        ("TPU7x",), 2307e12 / 2, 94.75 * _GIB, 7380e9 / 2, 600e9 / 2, _CLOUD + "tpu7x"
    ),
    Chip(
        ("NVIDIA A100-SXM4-40GB",), 312e12, 40 * _GIB, 1555e9, 300e9, _NVIDIA + "a100/"
    ),
    Chip(
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM-80GB"),
        312e12,
        80 * _GIB,
        2039e9,
        300e9,
        _NVIDIA + "a100/",
    ),
    Chip(
        ("NVIDIA A100-PCIE-40GB",), 312e12, 40 * _GIB, 1555e9, None, _NVIDIA + "a100/"
    ),
    Chip(
        ("NVIDIA A100 80GB PCIe",), 312e12, 80 * _GIB, 1935e9, None, _NVIDIA + "a100/"
    ),
    Chip(
        ("NVIDIA H100 80GB HBM3",), 989e12, 80 * _GIB, 3350e9, 450e9, _NVIDIA + "h100/"
    ),
    Chip(("NVIDIA H100 PCIe",), 756e12, 80 * _GIB, 2000e9, None, _NVIDIA + "h100/"),
    Chip(("NVIDIA H100 NVL",), 835e12, 94 * _GIB, 3900e9, None, _NVIDIA + "h100/"),
    Chip(("NVIDIA H200",), 989e12, 141 * _GIB, 4800e9, 450e9, _NVIDIA + "h200/"),
    Chip(("NVIDIA H200 NVL",), 835e12, 141 * _GIB, 4800e9, None, _NVIDIA + "h200/"),
    Chip(("NVIDIA B200",), 2250e12, 180 * _GIB, 7700e9, 900e9, _NVIDIA + "hgx/"),
    Chip(
        ("NVIDIA GB200",),
        2500e12,
        186 * _GIB,
        8000e9,
        900e9,
        _NVIDIA + "gb200-nvl72/",
    ),
    Chip(("NVIDIA L4",), 121e12, 24 * _GIB, 300e9, None, _NVIDIA + "l4/"),
    Chip(("NVIDIA L40S",), 362e12, 48 * _GIB, 864e9, None, _NVIDIA + "l40s/"),
)

_BY_KIND = {kind: chip for chip in CHIPS for kind in chip.kinds}


def find(device_kind: str) -> Chip | None:
    """Returns the row of a `jax.Device.device_kind`, or None for an unknown kind."""
    return _BY_KIND.get(device_kind)
