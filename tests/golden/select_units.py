"""Cuts the official units down to what is shipped.

    python tests/golden/select_units.py UNITS.npz OUT.npz

The weights have five significant bits and are kept as the upper halves of their
float32; of the largest input and output, only the first image is kept.
"""

import sys

import numpy as np

_FIRST_ONLY = ("swin_pair_2x3_windows_nhwc.in0", "swin_pair_2x3_windows_nhwc.out0")


def select(units: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that are shipped: weights as uint16 halves, named "u16:…"."""
    selected = {}
    for name, array in units.items():
        if name in _FIRST_ONLY:
            array = array[:1]
        if "/" in name and array.dtype == np.float32 and array.ndim:
            bits = array.view(np.uint32)
            assert not (bits & 0xFFFF).any(), name
            selected[f"u16:{name}"] = (bits >> 16).astype(np.uint16)
        else:
            selected[name] = array
    return selected


def restore(selected: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inverse of `select`."""
    return {
        name.removeprefix("u16:"): (
            (array.astype(np.uint32) << 16).view(np.float32)
            if name.startswith("u16:")
            else array
        )
        for name, array in selected.items()
    }


if __name__ == "__main__":
    source, target = sys.argv[1:]
    with np.load(source) as file:
        np.savez_compressed(target, **select(dict(file)))
