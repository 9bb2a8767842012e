"""Table of the settings of a stage: meaning and range of each.

``dlf train --help`` prints it, and `check_values` checks values with it.  The sizes of
the network are in `dlf_jax.training.settings.sizes`, the weights of loss terms in
`dlf_jax.training.losses.table`; limits between settings are in
`dlf_jax.training.settings.checks`.
"""

import difflib
import math
import textwrap
from collections.abc import Collection, Mapping
from typing import get_args

from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS
from dlf_jax.paths import flatten
from dlf_jax.training.losses.table import TERMS
from dlf_jax.training.settings.kinds import (
    Choice,
    Number,
    Rows,
    Setting,
    Settings,
    Steps,
    Switch,
    Text,
    Whole,
)
from dlf_jax.training.settings.sizes import SIZES
from dlf_jax.training.stages.table import STAGES
from dlf_jax.training.step.optimizer import Name, Schedule
from dlf_jax.training.step.precision import DTYPES

_ON_OFF, _COUNT, _AT_LEAST_ONE = Switch(), Whole(0), Whole(1)
_CROPS = Whole(1, 2**16)
_SIDE = Whole(1, math.isqrt(DEFAULT_LIMITS.pixels))  # no photo is larger
_WEIGHT = Number(0)
_SHARE = Number(0, 1)
_DECAY = Number(0, 1, without=(1,))

SETTINGS: Mapping[str, Setting] = {
    # ---- What to train ---------------------------------------------------------------
    "stage": Setting(
        Choice(STAGES), "the stage to train; configs/dlf.py has the order"
    ),
    "model.variant": SIZES["model.variant"],
    "tune_semantic": Setting(_ON_OFF, "train the semantic branch too"),
    "init_from": Setting(
        Text(),
        "workdirs of earlier stages or models to take parameters from, separated "
        "by commas; the last one wins; with none among them, missing parameters start "
        "at random",
        free=True,
    ),
    "optimizer_from_donor": Setting(
        _ON_OFF, "take over the optimiser state of the last of init_from too", free=True
    ),
    # ---- Data ------------------------------------------------------------------------
    "data": Setting(
        Text(),
        "folders of photos or datasets (dlf_jax/data/sources.py), comma-separated",
        free=True,
    ),
    "cache_photos": Setting(
        _ON_OFF, "keep decoded photos in memory, 3 bytes per pixel", free=True
    ),
    "max_undecodable": Setting(
        _SHARE,
        "tolerated share of undecodable photos; one is always tolerated",
        free=True,
    ),
    "num_threads": Setting(
        Whole(1, 1024), "threads that decode and crop, per process", free=True
    ),
    "crop.size": Setting(
        _SIDE, "side of a crop in pixels; a multiple of the tile except in stage vqgan"
    ),
    "crop.min_scale": Setting(
        Number(0, 1, without=(0,)),
        "smallest random scale of a photo before it is cropped",
    ),
    "crop.flip": Setting(_ON_OFF, "mirror a random half of the crops"),
    "batch_size": Setting(_CROPS, "crops per step, over all devices"),
    # ---- Validation, on centre crops of held-out photos ------------------------------
    "validation.every": Setting(_AT_LEAST_ONE, "steps between validations"),
    "validation.photos": Setting(_COUNT, "number of held-out photos; 0: no validation"),
    "validation.size": Setting(
        _SIDE, "side of their centre crops in pixels, a multiple of the tile"
    ),
    # ---- Devices ---------------------------------------------------------------------
    "mesh.data": Setting(
        _COUNT,
        "copies of the state; 0: as many as there are devices, over fsdp",
        free=True,
    ),
    "mesh.fsdp": Setting(
        _AT_LEAST_ONE, "devices that share one copy of the state", free=True
    ),
    "dtype": Setting(Choice(DTYPES), "type of linear maps and convolutions"),
    "remat": Setting(
        _ON_OFF, "compute blocks again in the backward pass, to save memory"
    ),
    "accumulate": Setting(_CROPS, "parts that a batch is split into, to save memory"),
    "quick_compile": Setting(
        _ON_OFF, "compile faster to slower programs, for short runs", free=True
    ),
    # ---- Loss (dlf_jax/training/losses/table.py) -------------------------------------
    **{f"loss.{row.weight}": Setting(_WEIGHT, row.meaning) for row in TERMS},
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
        _COUNT, "side of the square that is decoded for the image loss; 0: everything"
    ),
    "loss.perceptual_crop": Setting(
        Whole(16), "side of the random square that LPIPS-VGG and DISTS compare"
    ),
    "loss.perceptual_images": Setting(
        _COUNT,
        "images of each part of a batch that LPIPS-VGG and DISTS compare; 0: all",
    ),
    "loss.continuous_target": Setting(
        _ON_OFF, "loss.latent is the error of the latent before quantisation"
    ),
    "loss.continuous_share": Setting(
        _SHARE, "share of images that skip the quantiser in stage vqgan"
    ),
    "adversarial_start": Setting(_COUNT, "steps before the discriminator enters"),
    # ---- Rate (dlf_jax/training/losses/rate_control.py), lowest rate first -----------
    "lmbda": Setting(
        Rows(None, "((4.0, 5.0), (1.0,))"),
        "weights of the bits per pixel of each rate point, which starts with its first",
    ),
    "bpp_window": Setting(
        Rows(2, "((0.01, 0.02), (0.02, 0.03)), or () for none"),
        "range of bits per pixel at validation, beyond which a rate point takes its "
        "next or its previous weight",
    ),
    "lmbda_warmup": Setting(_COUNT, "steps over which these weights rise from 0"),
    # ---- Optimisation ----------------------------------------------------------------
    "seed": Setting(
        Whole(0, 2**32 - 1), "seed of weights, data order, crops, rates and noise"
    ),
    "steps": Setting(_AT_LEAST_ONE, "length of the stage and of its schedule"),
    "optimizer.name": Setting(
        Choice(get_args(Name)), "the optimiser; adam as released"
    ),
    "optimizer.lr": Setting(Number(0, 1, without=(0,)), "peak of the learning rate"),
    "optimizer.schedule": Setting(
        Choice(get_args(Schedule)), "learning rate after its rise"
    ),
    "optimizer.warmup_steps": Setting(_COUNT, "steps of the linear rise to the peak"),
    "optimizer.final_factor": Setting(
        _SHARE, "last learning rate of the cosine schedule, over the peak"
    ),
    "optimizer.clip_norm": Setting(
        _WEIGHT, "limit on the norm of the gradient; 0: none"
    ),
    "optimizer.b1": Setting(_DECAY, "decay of Adam's first moment"),
    "optimizer.b2": Setting(_DECAY, "decay of Adam's second moment"),
    "ema_decay": Setting(_DECAY, "decay of the moving average of the weights; 0: none"),
    "revive_every": Setting(
        _AT_LEAST_ONE, "steps between revivals of unused codebook entries"
    ),
    # ---- Sizes of the network --------------------------------------------------------
    **SIZES,
    # ---- Reports and checkpoints -----------------------------------------------------
    "log_every": Setting(_AT_LEAST_ONE, "steps between reports", free=True),
    "save_minutes": Setting(_WEIGHT, "minutes between checkpoints", free=True),
    "profile": Setting(
        Steps(),
        "first and last step to profile; the first step of a process is never profiled",
        free=True,
    ),
}


# Old name -> new name.
RENAMED: Mapping[str, str] = {
    "model": "model.variant",
    "loss.lpips": "loss.lpips_vgg",
    "loss.lpips_crop": "loss.perceptual_crop",
    "loss.lpips_images": "loss.perceptual_images",
}


def check_values(values: Settings, names: Collection[str]) -> None:
    """Raises UserError if one of `names` is missing in `values` or out of range."""
    found = flatten(values, ".")
    for name in names:
        if name not in found:
            raise UserError(
                f"setting {name} is missing; it must be {SETTINGS[name].kind}"
            )
        if not SETTINGS[name].kind.allows(found[name]):
            raise UserError(out_of_range(name, found[name]))


def check_all_values(values: Settings) -> None:
    """Raises UserError for missing and unknown settings and values out of range."""
    for name in flatten(values, "."):
        if name not in SETTINGS:
            raise UserError(unknown(name))
    check_values(values, SETTINGS)


def out_of_range(name: str, value: object) -> str:
    """Returns the message about a value out of the range of its setting."""
    return f"{name} must be {SETTINGS[name].kind}, not {value!r}"


def unknown(name: str) -> str:
    """Returns the message about a name that no setting has."""
    if name in RENAMED:
        return f"setting {name} was renamed: use {RENAMED[name]}"
    similar = difflib.get_close_matches(name, SETTINGS, n=1)
    hint = f"; is {similar[0]} meant?" if similar else ""
    return f"unknown setting {name}{hint}"


def explain() -> str:
    """Returns the table as text for a terminal."""
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
