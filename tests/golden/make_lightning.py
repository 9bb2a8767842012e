"""Writes lightning.ckpt and lightning_legacy.ckpt with PyTorch, which no test needs.

    pip install torch
    python tests/golden/make_lightning.py

Both hold the entries of a Lightning checkpoint: the state dict, and beside it objects
of classes that a reader does not have.  Nothing here but `main` needs PyTorch.
"""

import argparse
import collections
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent


def expected() -> dict[str, np.ndarray]:
    """The arrays of the state dict, as they are read."""
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return {
        "whole": whole,
        "part": whole[1, :, 1:3].T,
        "tied": whole,
        "repeated": np.broadcast_to(np.float32([[7], [8]]), (2, 3)),
        "parameter": np.ones((2, 2), np.float32),
        "half": np.float16([1.5, -np.inf]),
        "brain": np.float32([1.5, -2.0, 3.140625]),
        "double": np.float64([1 / 3]),
        "count": np.array(7, np.int64),
        "flags": np.array([True, False]),
        "none": np.empty((0, 4), np.float32),
    }


class _Container:
    """Like OmegaConf's: rebuilt by `__setstate__`, and with items."""

    def __init__(self, content: Any):
        self.content = content

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise AssertionError("code of the file runs")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__


class _Callback(list):
    """Like a callback that is pickled whole, with a constructor that must not run."""

    def __reduce_ex__(self, _: int) -> tuple:
        return _rebuild, (1,), {"best": 1.0}, iter([1, 2]), iter([("a", 3)])


def _rebuild(_: int) -> None:
    raise AssertionError("code of the file runs")


def main() -> None:
    """Writes both files."""
    import torch

    foreign = types.ModuleType("elsewhere")
    sys.modules["elsewhere"] = foreign
    for thing in (_Container, _Callback, _rebuild):
        thing.__module__ = "elsewhere"
        setattr(foreign, thing.__name__, thing)

    arrays = expected()
    whole = torch.from_numpy(arrays["whole"])
    state = collections.OrderedDict(
        (name, torch.from_numpy(np.array(array))) for name, array in arrays.items()
    )
    state["whole"] = state["tied"] = whole
    state["part"] = whole[1, :, 1:3].t()
    state["repeated"] = torch.tensor([[7.0], [8.0]]).expand(2, 3)
    state["parameter"] = torch.nn.Parameter(torch.ones(2, 2))
    state["brain"] = state["brain"].bfloat16()
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    sizes = _Container({"width": 3, "nested": _Container([1, 2])})
    checkpoint = {
        "epoch": 3,
        "global_step": 70,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "progress": {"total": {"ready": 4}}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': 'loss'}": {
                "best_model_score": torch.tensor(0.25),
                "dirpath": Path("runs"),
                "seen": {1, 2},
            },
            _Callback: [_Callback()],
        },
        "optimizer_states": [
            {"state": {0: {"exp_avg": whole + 1}}, "param_groups": [{"lr": 1e-4}]}
        ],
        "lr_schedulers": [collections.defaultdict(list, last=[np.float64(1.0)])],
        "hparams_name": "config",
        "hyper_parameters": {
            "args": argparse.Namespace(lr=1e-4, betas=(0.9, 0.95)),
            "config": sizes,
            "device": torch.device("cpu"),
            "dtype": torch.float32,
            "shape": torch.Size([2, 3]),
        },
    }
    for name, is_zip in (("lightning", True), ("lightning_legacy", False)):
        path = FOLDER / f"{name}.ckpt"
        torch.save(checkpoint, path, _use_new_zipfile_serialization=is_zip)


if __name__ == "__main__":
    main()
