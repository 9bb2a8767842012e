"""Training of DLF codecs, one stage at a time.

  dlf train --config configs/dlf.py:preset=PRESET,stage=STAGE --workdir runs/STAGE \
      --config.data=PHOTOS

To resume an interrupted run, repeat the command.  Every key below can be set as
--config.KEY=VALUE; ``dlf train --help`` lists meaning and range of each, from
`dlf_jax/training/settings/table.py`.  ``--config.data`` takes folders and datasets,
separated by commas (`dlf_jax/data/sources.py`); one photo in twenty, chosen by its
name, is held out for validation.

A later stage starts from the working directories of earlier ones, as in
``--config.init_from=runs/vqgan,runs/tokenizer``; the last one wins.  Models are allowed
there too, as are directories that `dlf convert` made from official parts.  A stage that
lacks parameters of earlier ones is rejected, unless ``--config.init_from=none`` asks
for random weights, or ``MODEL,none`` for random weights where MODEL has none.

Sizes of the network are those of --config.model.variant, with changes such as
--config.model.detail_width=128 or --config.model.vqgan.channels=32.

preset=l: the published model (dlf-l, 1.24 G parameters) with its published settings,
for one rate per run: rate=qp0 (the smallest files) to rate=qp3.  resolution=PIXELS
changes the side of the crops, by default 256, and 512 in the last two stages.  No stage
has been run to its end.  The hours are an estimate for 16 TPU v5e chips at 40 % of
their peak of 197 TFLOP/s: steps x images x TFLOP / (16 x 197 x 0.4) seconds.  With
backward pass and rematerialisation, an image takes four times the FLOPs of its forward
pass (docs/architecture.md#sizes-and-cost).

  stage          starts from        steps x images  TFLOP/image  hours  official
  vqgan          nothing             500_000 x 16        1.9       3.3  taming
  tokenizer      vqgan             1_000_000 x 256       2.0     113    TiTok-L-32
  align_warmup   vqgan,tokenizer      25_000 x 16        3.6       0.3  stage0 (1 epoch)
  align          align_warmup        175_000 x 16        3.6       2.2  stage1 (7)
  pixel          align               300_000 x 16        4.4       4.7  stage2 (12)
  pixel_512      pixel                50_000 x 8        17.5       1.5  optional
  tune_semantic  pixel_512            25_000 x 8        17.5       0.8  optional

The official vqgan and tokenizer are downloads, which `dlf convert` reads.  The lengths
of vqgan, pixel_512 and tune_semantic are ours: the official code leaves them open.

preset=nano: dlf-nano (128-px tiles, four rates) on 2 CPU cores with 600 photos; stages
vqgan, tokenizer, align, pixel, context, decoder in this order.  The settings of pixel
are those of run 6 of the bundled model, except loss.uniformity and revive_every; the
runs of that model took eleven hours and had no tokenizer
(dlf_jax/weights/dlf-nano/MODEL_CARD.md).  A single run from align, 12 hours at 2.1 s
per step, is untested.
context and decoder take minutes and start from a finished codec.  context trains the
prediction of the symbols, so the rate falls and reconstructions hardly change.  decoder
smooths the borders of cells, and symbols stay the same.

preset=smoke: every stage of preset l in six steps with a toy network, to try the
programs on your own photos; the results are noise.  The seven stages in a row took 87,
23, 93, 40, 105, 64 and 107 seconds on two CPU cores, most of it tracing and compiling;
the first one also fetched the weights of LPIPS.  A later stage reuses the compilation
cache of earlier ones: pixel without a cache took 160 seconds.
"""

import ml_collections
from ml_collections import config_dict

# ---- Rates of preset l (docs/architecture.md#rate-control) --------------------------

# Of the detail branch; tokens add 0.00586 bpp.
_ALIGN_LADDER = (
    *(4.0, 4.78, 5.72, 6.85, 8.19, 9.8),
    *(11.72, 14.02, 16.77, 20.06, 24.0, 26.0),
)
_RATES = {
    "qp0": {
        "align_window": (0.008, 0.015),
        "pixel_ladder": (
            *(1.0, 4.0, 8.0, 9.24, 10.61, 12.19),
            *(14.0, 16.08, 18.47, 21.22, 24.38, 28.0),
        ),
        "pixel_window": (0.003, 0.008),
    },
    "qp1": {
        "align_window": (0.008, 0.015),
        "pixel_ladder": (
            *(1.0, 4.0, 6.0, 8.26, 8.97, 9.74),
            *(10.58, 11.5, 12.49, 13.56, 14.73, 16.0),
        ),
        "pixel_window": (0.005, 0.010),
    },
    "qp2": {
        "align_window": (0.010, 0.015),
        "pixel_ladder": (
            *(1.0, 4.0, 4.31, 4.65, 5.01, 5.41),
            *(5.83, 6.29, 6.78, 7.31, 7.88, 8.5),
        ),
        "pixel_window": (0.010, 0.015),
    },
    "qp3": {
        "align_window": (0.010, 0.015),
        "pixel_ladder": (
            *(1.0, 4.0, 4.15, 4.31, 4.47, 4.64),
            *(4.82, 5.0, 5.19, 5.38, 5.59, 5.8),
        ),
        "pixel_window": (0.015, 0.020),
    },
}

# ---- Sizes of the network: fields of dlf_jax.models.config.DLFConfig by type ---------

_SIZES = {
    int: (
        *("encoder.width", "encoder.num_layers", "encoder.num_heads"),
        *("decoder.width", "decoder.num_layers", "decoder.num_heads"),
        *("num_interaction_blocks", "num_stage_blocks", "num_detail_in_blocks"),
        *("num_detail_out_blocks", "num_fusion_in_blocks", "num_fusion_blocks"),
        *("patch_size", "grid", "window", "head_width", "num_tokens", "codebook_size"),
        *("token_width", "detail_width", "stem_channels", "latent_channels"),
        *("num_spatial_blocks", "num_rates", "fusion_width", "vqgan.channels"),
        *("vqgan.num_res_blocks", "vqgan.z_channels", "vqgan.embed_dim"),
        *("vqgan.num_codes", "vqgan.norm_groups", "vqgan.patch"),
        "vqgan.texture_channels",
    ),
    tuple: (
        *("encoder_interactions", "decoder_interactions", "vqgan.multipliers"),
        "vqgan.attention_levels",
    ),
    bool: ("vqgan.mid_attention", "vqgan.linear_path"),
    float: ("skip_threshold",),
}


def _sizes() -> ml_collections.ConfigDict:
    """A variant, and sizes; unset ones, None, are those of the variant."""
    parts = {"encoder": {}, "decoder": {}, "vqgan": {}}
    config = ml_collections.ConfigDict({"variant": ""} | parts)
    for kind, names in _SIZES.items():
        for name in names:
            part, _, field = name.rpartition(".")
            node = config[part] if part else config
            node[field] = config_dict.placeholder(kind)
    return config


# ---- Presets: values that differ from the keys below --------------------------------


def _large(options: dict[str, str]) -> dict[str, object]:
    """dlf-l, as released where there is a release.

    See docs/architecture.md#training-stages.
    """
    rate = _choose(_RATES, options, "rate")
    pixel = {
        "steps": 300_000,
        "loss.adversarial": 0.8,
        "lmbda": (rate["pixel_ladder"],),
        "bpp_window": (rate["pixel_window"],),
    }
    # At 512 px, λ is the last one of the ladder.
    last = {"lmbda": (rate["pixel_ladder"][-1:],), "bpp_window": (), "batch_size": 8}
    stages = {
        # taming's recipe for ImageNet: learning rate 4.5e-6 per image of a step.
        "vqgan": {
            "steps": 500_000,
            "loss.adversarial": 0.8,
            "adversarial_start": 250_000,
            "optimizer.lr": 7.2e-5,
        },
        # TiTok's first stage, without its weight decay of 1e-4.
        "tokenizer": {
            "steps": 1_000_000,
            "batch_size": 256,
            "loss.cross_entropy": 1.0,
            "optimizer.lr": 1e-4,
            "optimizer.schedule": "cosine",
            "optimizer.warmup_steps": 10_000,
            "optimizer.final_factor": 0.1,
            "optimizer.clip_norm": 1.0,
            "optimizer.b1": 0.9,
            "optimizer.b2": 0.99,
            "ema_decay": 0.999,
        },
        "align_warmup": {"steps": 25_000, "lmbda": ((1e-3,),)},
        "align": {
            "steps": 175_000,
            "optimizer_from_donor": True,
            "lmbda": (_ALIGN_LADDER,),
            "bpp_window": (rate["align_window"],),
        },
        "pixel": pixel | {"optimizer_from_donor": True},
        "pixel_512": pixel | last | {"steps": 50_000, "optimizer.lr": 2e-5},
        "tune_semantic": pixel
        | last
        | {
            "steps": 25_000,
            "tune_semantic": True,
            "optimizer.lr": 1e-6,
        },
    }
    stage = _choose(stages, options, "stage")
    size = 512 if options["stage"] in ("pixel_512", "tune_semantic") else 256
    size = _pixels(options["resolution"]) or size
    return {
        "model.variant": "dlf-l",
        "tune_semantic": False,
        "cache_photos": False,
        "num_threads": 16,
        "crop.size": size,
        "crop.min_scale": 1.0,
        "crop.flip": False,
        "batch_size": 16,
        "dtype": "bfloat16",
        "remat": True,
        "validation.every": 5_000,
        "validation.photos": 64,
        "validation.size": 512,
        "loss.continuous_target": False,
        "loss.cross_entropy": 0.25,
        "loss.codebook": 1.0,
        "loss.continuous_share": 0.0,
        "loss.decode_crop": 0,
        "loss.perceptual_crop": size,
        "loss.discriminator_channels": 64,
        "loss.discriminator_images": 4,
        "lmbda": ((1.0,),),
        "lmbda_warmup": 0,
        "optimizer.lr": 4e-5,
        "optimizer.schedule": "constant",
        "optimizer.warmup_steps": 0,
        "optimizer.clip_norm": 0.0,
        "optimizer.b1": 0.5,
        "optimizer.b2": 0.9,
        "ema_decay": 0.0,
        "revive_every": 1_000,  # 50 batches of 16 crops have 6 tokens an entry
    } | stage


def _nano(options: dict[str, str]) -> dict[str, object]:
    """dlf-nano, for two CPU cores."""
    pixel = {
        "steps": 20_000,
        "crop.min_scale": 0.85,
        "loss.lpips_vgg": 0.0,
        "loss.lpips_alex": 1.5,
        "loss.dists": 1.8,
        "loss.perceptual_crop": 96,
        "loss.perceptual_images": 2,
        "loss.uniformity": 0.05,
        "lmbda": ((18.0,), (4.7,), (1.15,), (0.12,)),
        "optimizer.name": "muon",
        "optimizer.lr": 5e-4,
        "revive_every": 1_000,
    }
    stages = {
        "vqgan": {
            "steps": 2_400,
            "crop.size": 64,
            "loss.lpips_vgg": 0.25,
            "loss.lpips_alex": 0.5,
            "loss.perceptual_images": 2,
            "optimizer.lr": 1e-3,
        },
        "tokenizer": {"steps": 4_000, "loss.uniformity": 0.05},
        "align": {
            "steps": 1_600,
            "loss.latent": 5.0,
            "loss.cross_entropy": 0.05,
            "loss.uniformity": 0.05,
            "lmbda": ((0.0,),) * 4,
            "optimizer.lr": 1e-3,
            "optimizer.warmup_steps": 50,
            "revive_every": 1_000,  # 50 batches have 3 tokens an entry
        },
        "pixel": pixel,
        "decoder": pixel
        | {
            "steps": 900,
            "loss.blockiness": 1.0,
            "optimizer.lr": 1e-4,
            # Terms without a trained parameter are left out.
            "loss.codebook": 0.0,
            "loss.uniformity": 0.0,
            "lmbda": ((0.0,),) * 4,
            "lmbda_warmup": 0,
        },
        "context": {
            "steps": 5_000,
            "crop.min_scale": 0.6,
            "loss.codebook": 0.0,
            "lmbda": ((1.0,),) * 4,
            "lmbda_warmup": 0,
            "optimizer.lr": 2e-3,
        },
    }
    common = {"model.variant": "dlf-nano", "batch_size": 8, "crop.size": 128}
    return common | _choose(stages, options, "stage")


def _smoke(options: dict[str, str]) -> dict[str, object]:
    """A toy: the stages of preset l in six steps each."""
    large = _large(options)
    model_and_size = {
        "model.variant": "dlf-smoke",
        "steps": 6,
        "num_threads": 1,
        "crop.size": 32,
        "batch_size": 4,
        "dtype": "float32",
        "remat": False,
        "quick_compile": True,
        "adversarial_start": 0,
        "validation.every": 3,
        "validation.photos": 4,
        "validation.size": 32,
        "loss.perceptual_crop": 32,
        "loss.perceptual_images": 2,
        "loss.discriminator_channels": 4,
        "optimizer.lr": 1e-3,
        "optimizer.warmup_steps": 0,
        "log_every": 3,
    }
    return large | model_and_size


_PRESETS = {"l": _large, "nano": _nano, "smoke": _smoke}

# Options of the argument after the colon, their defaults, and the presets of some.
_OPTIONS = {"preset": "nano", "stage": "vqgan", "rate": "qp0", "resolution": ""}
_ONLY_OF = {"rate": ("l", "smoke"), "resolution": ("l",)}


def _parse(argument: str) -> dict[str, str]:
    """Reads "preset=nano,stage=vqgan"."""
    given = {}
    for item in filter(None, argument.split(",")):
        name, _, value = item.partition("=")
        if name not in _OPTIONS or not value:
            raise ValueError(
                f"{item!r} is not one of {', '.join(_OPTIONS)} with =value"
            )
        given[name] = value
    options = _OPTIONS | given
    for name, presets in _ONLY_OF.items():
        if name in given and options["preset"] not in presets:
            raise ValueError(
                f"{name} is an option of preset {' and '.join(presets)}, not of "
                f"{options['preset']}"
            )
    return options


def _choose(table: dict, options: dict[str, str], name: str) -> object:
    """The entry of `table` that an option names."""
    if options[name] not in table:
        raise ValueError(f"{name}={options[name]} is not one of {', '.join(table)}")
    return table[options[name]]


def _pixels(text: str) -> int:
    """A number of pixels; 0 for no text."""
    if text and not (text.isdecimal() and int(text)):
        raise ValueError(f"resolution={text} is not a number of pixels")
    return int(text or 0)


def get_config(argument: str = "") -> ml_collections.ConfigDict:
    """Settings of one stage; every key can be overridden as --config.KEY=VALUE."""
    options = _parse(argument)
    config = ml_collections.ConfigDict()

    # What to train.
    config.stage = options["stage"]
    config.model = _sizes()
    config.tune_semantic = True
    config.init_from = ""
    config.optimizer_from_donor = False

    # Data.
    config.data = ""
    config.cache_photos = True
    config.max_undecodable = 0.05
    config.num_threads = 1
    config.crop = ml_collections.ConfigDict()
    config.crop.size = 256
    config.crop.min_scale = 0.4
    config.crop.flip = True
    config.batch_size = 2

    # Validation, on centre crops of held-out photos.
    config.validation = ml_collections.ConfigDict()
    config.validation.every = 1_000
    config.validation.photos = 16
    config.validation.size = 128

    # Devices.
    config.mesh = ml_collections.ConfigDict()
    config.mesh.data = 0
    config.mesh.fsdp = 1
    config.dtype = "float32"
    config.remat = False
    config.accumulate = 1
    config.quick_compile = False

    # Loss.
    config.loss = ml_collections.ConfigDict()
    config.loss.l1 = 1.0
    config.loss.lpips_vgg = 1.0
    config.loss.lpips_alex = 0.0
    config.loss.dists = 0.0
    config.loss.adversarial = 0.0  # 0.8 as released
    config.loss.discriminator_channels = 32
    config.loss.discriminator_images = 0
    config.loss.decode_crop = 128
    config.loss.perceptual_crop = 64
    config.loss.perceptual_images = 0
    config.loss.blockiness = 0.0
    config.loss.latent = 1.0
    config.loss.continuous_target = True
    config.loss.cross_entropy = 0.1
    config.loss.codebook = 0.1
    config.loss.uniformity = 0.0
    # Trained through its quantiser, a VQGAN stays blurred for thousands of steps.
    config.loss.continuous_share = 1.0
    config.adversarial_start = 0

    # Rate.
    config.lmbda = ((4.0,), (2.0,), (1.0,), (0.5,))
    config.bpp_window = ()
    # Otherwise the rate removes the latent before the decoder can use it.
    config.lmbda_warmup = 1_500

    # Optimisation.
    config.seed = 0
    config.steps = 0  # every stage sets it
    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.name = "adam"
    config.optimizer.lr = 3e-4
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 100
    config.optimizer.final_factor = 0.02
    config.optimizer.clip_norm = 1.0
    config.optimizer.b1 = 0.9
    config.optimizer.b2 = 0.99
    config.ema_decay = 0.999
    config.revive_every = 50

    # Reports and checkpoints.
    config.log_every = 50
    config.save_minutes = 5.0
    config.profile = (0, 0)

    config.update_from_flattened_dict(_choose(_PRESETS, options, "preset")(options))
    return config.lock()
