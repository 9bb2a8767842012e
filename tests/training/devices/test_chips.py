"""The table of accelerators."""

import pytest

from dlf_jax.training.devices import chips


@pytest.mark.parametrize(
    ("kind", "teraflops"),
    [
        ("TPU v2", 23),
        ("TPU v3", 61.5),
        ("TPU v4", 275),
        ("TPU v5 lite", 197),
        ("TPU v5e", 197),
        ("TPU v5", 459),
        ("TPU v5p", 459),
        ("TPU v6 lite", 918),
        ("TPU7x", 1153.5),  # a core; 2307 a chip
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H100 NVL", 835),
        ("NVIDIA H200", 989),
        ("NVIDIA H200 NVL", 835),
        ("NVIDIA B200", 2250),
        ("NVIDIA GB200", 2500),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
    ],
)
def test_peaks(kind, teraflops):
    assert chips.find(kind).flops == teraflops * 1e12


@pytest.mark.parametrize(
    "kind",
    [
        "cpu",
        "TPU v4 lite",
        "TPU v9",
        "NVIDIA GeForce RTX 3090",
        "NVIDIA L40",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
    ],
)
def test_the_start_of_a_name_is_not_enough(kind):
    assert chips.find(kind) is None


@pytest.mark.parametrize(
    ("kind", "of_the_chip", "cores"),
    [
        ("TPU v2", 16, 2),
        ("TPU v3", 32, 2),
        ("TPU v4", 32, 1),
        ("TPU v5 lite", 16, 1),
        ("TPU v5", 96, 1),
        ("TPU v6 lite", 32, 1),
        ("TPU7x", 192, 2),
    ],
)
def test_programs_have_most_of_the_memory_of_a_tpu(kind, of_the_chip, cores):
    gibibytes = chips.find(kind).memory / 2**30
    assert 7 / 8 < gibibytes / (of_the_chip / cores) < 1


def test_no_kind_is_in_two_rows():
    kinds = [kind for chip in chips.CHIPS for kind in chip.kinds]
    assert len(kinds) == len(set(kinds))
