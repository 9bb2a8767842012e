"""Cuts the official codec at reduced sizes down to what is shipped.

    python -m tests.golden.select_codec PARITY/tiny_a OUT.npz

All weights are 8 MB.  Shipped are those of the context model, of both codebooks and of
the projection behind the second one, and the arrays between which they stand: from the
semantic vectors to tokens, from the detail latent to symbols, scales and bits, and from
the logits to the input of the VQGAN's decoder.  Arrays keep their official layouts;
of the logits and what follows, every fourth row and column is kept.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

from tests.golden.select_units import select

_WEIGHTS = re.compile(
    r"hybrid_codec\.quantize\..*"
    r"|hybrid_codec\.quantize_feat\.(factorized_prior_vec|y_prior_fusion|y_spatial).*"
    r"|vqgan\.(quantize|post_quant_conv)\..*"
)
_STATIONS = {
    "z": "vectors",
    "z_indices": "tokens",
    "bn.y": "y",
    "bn.quant_step": "step",
    "bn.y_q": "symbols",
    "bn.scales_hat": "scales",
    "bn.y_hat": "y_hat",
    "bpp": "bpp",
}
_STRIDED = {
    "logits": "logits",
    "vqgan_latent": "latent",
    "vqgan.post_quant_conv": "projected",
}
# Inputs, and below which scale their symbols are skipped.
CASES = {"A_none": None, "B_0.12": 0.12}


def select_codec(folder: Path) -> dict[str, np.ndarray]:
    """Arrays to ship, named "weights/NAME" or "CASE.STATION", and the sizes.

    Args:
      folder: one of the complete set, with ``params.npz`` and ``acts_CASE.npz``.
    """
    sizes = json.loads((folder / "config.json").read_text())
    arrays = {"sizes": np.array(json.dumps(_plain(sizes)))}
    with np.load(folder / "params.npz") as file:
        names = [name for name in file.files if _WEIGHTS.fullmatch(name)]
        arrays |= {f"weights/{name}": file[name] for name in names}
    for case in CASES:
        with np.load(folder / f"acts_{case}.npz") as file:
            for name, station in _STATIONS.items():
                arrays[f"{case}.{station}"] = file[name]
            for name in _STRIDED.keys() & set(file.files):
                arrays[f"{case}.{_STRIDED[name]}"] = file[name][..., ::4, ::4]
        symbols = arrays[f"{case}.symbols"]
        arrays[f"{case}.symbols"] = symbols.astype(np.int8)
        assert (arrays[f"{case}.symbols"] == symbols).all()
    return arrays


def _plain(sizes: dict) -> dict:
    """Sizes alone, without the measurements beside them."""
    kinds = (int, list)
    trunks = {side: sizes[side] for side in ("enc", "dec")}
    return trunks | {k: v for k, v in sizes.items() if isinstance(v, kinds)}


if __name__ == "__main__":
    source, target = sys.argv[1:]
    np.savez_compressed(target, **select(select_codec(Path(source))))
