"""The settings of a stage: meaning and range of each.

The one place for both: ``dlf train --help`` prints the table, and `check_values` holds
every value to it.  Limits that settings set one another:
`dlf_jax.training.settings.checks`.
"""

import difflib
import math
import textwrap
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, get_args

from flax.traverse_util import flatten_dict

from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training.settings.kinds import (
    Choice,
    Kind,
    Number,
    Rows,
    Steps,
    Switch,
    Text,
    Whole,
)
from dlf_jax.training.stages.table import STAGES
from dlf_jax.training.step.optimizer import Name, Schedule
from dlf_jax.training.step.precision import DTYPES


class Setting(NamedTuple):
    """One row of the table.

    Attributes:
      kind: values that make sense.
      meaning: for people.
      free: a resumed run may change it, because no weight follows from it: where
        things are, how they are reported, and what only the first step looks at.
    """

    kind: Kind
    meaning: str
    free: bool = False


_ON_OFF, _COUNT, _AT_LEAST_ONE = Switch(), Whole(0), Whole(1)
_CROPS = Whole(1, 2**16)
_SIDE = Whole(1, math.isqrt(DEFAULT_LIMITS.pixels))  # no photo is larger
_WEIGHT = Number(0)
_SHARE = Number(0, 1)
_DECAY = Number(0, 1, without=(1,))

SETTINGS: Mapping[str, Setting] = {
    # ---- What to train ---------------------------------------------------------------
    "stage": Setting(Choice(STAGES), "configs/dlf.py has their order"),
    "model": Setting(Choice(VARIANTS), "sizes of the networks"),
    "tune_semantic": Setting(_ON_OFF, "train the semantic branch too"),
    "init_from": Setting(
        Text(),
        "donors: workdirs of earlier stages or models, comma-separated, the last one "
        "winning; none among them lets what no donor has start at random",
        free=True,
    ),
    "optimizer_from_donor": Setting(
        _ON_OFF, "continue with the moments of the last donor too", free=True
    ),
    # ---- Data ------------------------------------------------------------------------
    "data": Setting(
        Text(), "folders or datasets (dlf_jax/data/sources.py), comma-separated", True
    ),
    "cache_photos": Setting(
        _ON_OFF, "keep decoded photos in memory, 3 bytes a pixel", free=True
    ),
    "max_undecodable": Setting(
        _SHARE, "tolerated share of undecodable photos; one always is", free=True
    ),
    "num_threads": Setting(
        Whole(1, 1024), "threads a process that decode and crop", free=True
    ),
    "crop.size": Setting(
        _SIDE, "side of a crop; a multiple of the tile except in stage vqgan"
    ),
    "crop.min_scale": Setting(
        Number(0, 1, without=(0,)), "photos are first shrunk by up to this factor"
    ),
    "crop.flip": Setting(_ON_OFF, "mirror half of the crops"),
    "batch_size": Setting(_CROPS, "crops a step, over all devices"),
    # ---- Validation, on centre crops of held-out photos ------------------------------
    "validation.every": Setting(_AT_LEAST_ONE, "steps between validations"),
    "validation.photos": Setting(_COUNT, "number of photos; 0: no validation"),
    "validation.size": Setting(_SIDE, "side of their crops, a multiple of the tile"),
    # ---- Devices ---------------------------------------------------------------------
    "mesh.data": Setting(
        _COUNT, "devices that repeat the state; 0: all that fsdp leaves", free=True
    ),
    "mesh.fsdp": Setting(
        _AT_LEAST_ONE, "devices that share one copy of the state", free=True
    ),
    "dtype": Setting(Choice(DTYPES), "of linear maps and convolutions"),
    "remat": Setting(_ON_OFF, "compute blocks twice, to save memory"),
    "accumulate": Setting(_CROPS, "parts that a batch is split into, to save memory"),
    "quick_compile": Setting(
        _ON_OFF, "slower programs, for runs shorter than compiling", free=True
    ),
    # ---- Loss (dlf_jax/training/losses/image.py) -----------------------------------
    "loss.l1": Setting(_WEIGHT, "weight of the mean absolute error on [-1, 1]"),
    "loss.lpips": Setting(_WEIGHT, "weight of LPIPS-VGG"),
    "loss.lpips_alex": Setting(
        _WEIGHT, "weight of LPIPS-AlexNet, cheap enough for all that is decoded"
    ),
    "loss.dists": Setting(_WEIGHT, "weight of DISTS on the squares of LPIPS-VGG"),
    "loss.adversarial": Setting(
        _WEIGHT, "weight of the adversarial term; 0: no discriminator"
    ),
    "loss.discriminator_channels": Setting(
        Whole(1, 4096), "width of the discriminator's first layer"
    ),
    "loss.discriminator_images": Setting(
        _COUNT, "images that the discriminator normalises together; 0: all"
    ),
    "loss.decode_crop": Setting(
        _COUNT, "side of the square that the codec decodes for the image loss; 0: all"
    ),
    "loss.lpips_crop": Setting(
        Whole(16), "side of the random square that LPIPS-VGG and DISTS see"
    ),
    "loss.lpips_images": Setting(
        _COUNT, "images of every part of a batch that LPIPS-VGG and DISTS see; 0: all"
    ),
    "loss.blockiness": Setting(
        _WEIGHT, "weight of the visible grid of cells in an image"
    ),
    "loss.latent": Setting(_WEIGHT, "weight of the squared error of the VQGAN latent"),
    "loss.continuous_target": Setting(
        _ON_OFF, "that error is to the latent before quantisation"
    ),
    "loss.cross_entropy": Setting(
        _WEIGHT, "weight of the cross-entropy of the VQGAN codes"
    ),
    "loss.codebook": Setting(
        _WEIGHT, "weight of the codebook term plus a quarter of the commitment term"
    ),
    "loss.uniformity": Setting(
        _WEIGHT, "weight against equal tokens of all tiles, for small models"
    ),
    "loss.continuous_share": Setting(
        _SHARE, "share of images that skip the quantiser in stage vqgan"
    ),
    "adversarial_start": Setting(_COUNT, "steps before the discriminator enters"),
    # ---- Rate (dlf_jax/training/losses/rate_control.py), lowest rate first ---------
    "lmbda": Setting(
        Rows(None, "((4.0, 5.0), (1.0,))"),
        "weights of bpp; a rate point starts with its first",
    ),
    "bpp_window": Setting(
        Rows(2, "((0.01, 0.02), (0.02, 0.03)), or () for none"),
        "bpp at validation beyond which a rate point moves to its next weight",
    ),
    "lmbda_warmup": Setting(_COUNT, "steps over which these weights rise from 0"),
    # ---- Optimisation ----------------------------------------------------------------
    "seed": Setting(
        Whole(0, 2**32 - 1), "of weights, data order, crops, rates and noise"
    ),
    "steps": Setting(_AT_LEAST_ONE, "length of the stage and of its schedule"),
    "optimizer.name": Setting(Choice(get_args(Name)), "adam as released"),
    "optimizer.lr": Setting(Number(0, 1, without=(0,)), "peak of the learning rate"),
    "optimizer.schedule": Setting(
        Choice(get_args(Schedule)), "course of the learning rate after the rise"
    ),
    "optimizer.warmup_steps": Setting(_COUNT, "steps of the linear rise to the peak"),
    "optimizer.final_factor": Setting(
        _SHARE, "last learning rate of the cosine over the peak"
    ),
    "optimizer.clip_norm": Setting(_WEIGHT, "limit on the gradient norm; 0: none"),
    "optimizer.b1": Setting(_DECAY, "decay of Adam's first moment"),
    "optimizer.b2": Setting(_DECAY, "decay of Adam's second moment"),
    "ema_decay": Setting(_DECAY, "of the moving average of the weights; 0: none"),
    "revive_every": Setting(
        _AT_LEAST_ONE, "steps between revivals of unused codebook entries"
    ),
    # ---- Reports and checkpoints -----------------------------------------------------
    "log_every": Setting(_AT_LEAST_ONE, "steps between reports", free=True),
    "save_minutes": Setting(_WEIGHT, "minutes between checkpoints", free=True),
    "profile": Setting(
        Steps(),
        "steps to record, both included; none is recorded before the second step of a "
        "process",
        free=True,
    ),
}


def check_values(values: Mapping[str, Any], names: Collection[str]) -> None:
    """Raises UserError where one of `names` is missing in `values` or out of range."""
    found = _flat(values)
    for name in names:
        if name not in found:
            raise UserError(
                f"setting {name} is missing; it must be {SETTINGS[name].kind}"
            )
        if not SETTINGS[name].kind.allows(found[name]):
            raise UserError(out_of_range(name, found[name]))


def check_all_values(values: Mapping[str, Any]) -> None:
    """`check_values` of all settings; unknown ones are errors as well."""
    for name in _flat(values):
        if name not in SETTINGS:
            raise UserError(unknown(name))
    check_values(values, SETTINGS)


def out_of_range(name: str, value: Any) -> str:
    """The line about a value that a setting cannot have."""
    return f"{name} must be {SETTINGS[name].kind}, not {value!r}"


def unknown(name: str) -> str:
    """The line about a name that no setting has."""
    similar = difflib.get_close_matches(name, SETTINGS, n=1)
    hint = f"; is {similar[0]} meant?" if similar else ""
    return f"there is no setting {name}{hint}"


def explain() -> str:
    """The table as text for a terminal."""
    paragraphs = [
        textwrap.fill(
            f"{name}: {row.meaning} ({row.kind})",
            width=80,
            initial_indent="  ",
            subsequent_indent="      ",
            break_on_hyphens=False,
        )
        for name, row in SETTINGS.items()
    ]
    return "\n".join(["settings, each set by --config.NAME=VALUE:", *paragraphs])


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return flatten_dict(dict(values), sep=".")
