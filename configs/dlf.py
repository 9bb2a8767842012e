"""Training of DLF codecs, one stage at a time.

  dlf train --config configs/dlf.py:preset=PRESET,stage=STAGE --workdir runs/STAGE \
      --config.data=PHOTOS

Run again, the same command resumes.  Every key below can be set as --config.KEY=VALUE.
``--config.data`` takes folders and datasets, separated by commas
(`dlf_jax/data/sources.py`); one photo in twenty, chosen by its name, is kept for
validation.  A later stage names the working directories that it starts from, the last
one winning, with ``--config.init_from=runs/vqgan,runs/tokenizer``; a directory that
`dlf convert` made of official parts does as well.

preset=l: the published model (dlf-l, 1.24 G parameters) as it was trained, one rate a
run: rate=qp0 (the smallest files) to rate=qp3.  resolution=PIXELS changes the side of
the crops, 256, and 512 in the last two stages.  Not trained: no stage has run to its
end.  The hours are an estimate for 16 TPU v5e chips at 40 % of their peak of 197
TFLOP/s: steps x images x TFLOP / (16 x 197 x 0.4) seconds, where an image takes four
times the FLOPs of its forward pass (docs/architecture.md#sizes-and-cost), for
backward pass and rematerialisation.

  stage          starts from        steps x images  TFLOP/image  hours  official
  vqgan          nothing             500_000 x 16        1.9       3.3  taming
  tokenizer      vqgan             1_000_000 x 256       2.0     113    TiTok-L-32
  align_warmup   vqgan,tokenizer      25_000 x 16        3.6       0.3  stage0 (1 epoch)
  align          align_warmup        175_000 x 16        3.6       2.2  stage1 (7)
  pixel          align               300_000 x 16        4.4       4.7  stage2 (12)
  pixel_512      pixel                50_000 x 8        17.5       1.5  optional
  tune_semantic  pixel_512            25_000 x 8        17.5       0.8  optional

Official vqgan and tokenizer are downloads, which `dlf convert` reads.  What the paper's
code leaves open is ours: the lengths of vqgan, pixel_512 and tune_semantic.

preset=nano: dlf-nano (128-px tiles, four rates) on 2 CPU cores with 600 photos; stages
vqgan, tokenizer, align, pixel, context, decoder in this order.  The settings of pixel
are, but for loss.uniformity and revive_every, those of run 6 of several that made the
weights of the package, in eleven hours in all and without tokenizer
(dlf_jax/weights/dlf-nano/MODEL_CARD.md); in one run from align, 12 hours at 2.1 s a
step, they are untried.
context and decoder, a matter of minutes, start from a codec that is done.  context is
the rate alone: it fits what predicts the symbols, and pictures hardly change.  decoder
smooths the borders of cells, and symbols stay as they are.

preset=smoke: every stage of preset l in six steps of a toy, to see the machinery work
with one's own photos; the results are noise.  The seven stages one after the other took
87, 23, 93, 40, 105, 64 and 107 seconds on two CPU cores, next to all of it for tracing
and compiling; the first one fetched the weights of LPIPS, too.  A later stage finds in
the compilation cache what earlier ones left there: pixel alone, from nothing, took 160.
"""

import ml_collections

# ---- Rates of preset l (docs/architecture.md#rate-control) --------------------------

# The detail branch alone counts; tokens add 0.00586 bpp.
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

# ---- Presets: what differs from the keys below --------------------------------------


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
        # taming's recipe for ImageNet: a rate of 4.5e-6 for every image of a step.
        "vqgan": {
            "steps": 500_000,
            "loss.adversarial": 0.8,
            "adversarial_start": 250_000,
            "optimizer.lr": 7.2e-5,
        },
        # TiTok's first stage, but for its weight decay of 1e-4.
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
    size = int(options["resolution"] or size)
    return {
        "model": "dlf-l",
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
        "loss.lpips_crop": size,
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
        "loss.lpips": 0.0,
        "loss.lpips_alex": 1.5,
        "loss.dists": 1.8,
        "loss.lpips_crop": 96,
        "loss.lpips_images": 2,
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
            "loss.lpips": 0.25,
            "loss.lpips_alex": 0.5,
            "loss.lpips_images": 2,
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
            # What does not move costs nothing.
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
    common = {"model": "dlf-nano", "batch_size": 8, "crop.size": 128}
    return common | _choose(stages, options, "stage")


def _smoke(options: dict[str, str]) -> dict[str, object]:
    """A toy: the stages of preset l in six steps each."""
    large = _large(options)
    model_and_size = {
        "model": "dlf-smoke",
        "steps": 6,
        "num_threads": 1,
        "crop.size": 32,
        "batch_size": 4,
        "dtype": "float32",
        "remat": False,
        "quick_compile": True,
        "validation.every": 3,
        "validation.photos": 4,
        "validation.size": 32,
        "loss.lpips_crop": 32,
        "loss.lpips_images": 2,
        "loss.discriminator_channels": 4,
        "optimizer.lr": 1e-3,
        "log_every": 3,
    }
    return large | model_and_size


_PRESETS = {"l": _large, "nano": _nano, "smoke": _smoke}

# Options of the argument after the colon, with their defaults.
_OPTIONS = {"preset": "nano", "stage": "vqgan", "rate": "qp0", "resolution": ""}


def _parse(argument: str) -> dict[str, str]:
    """Reads "preset=nano,stage=vqgan"."""
    options = dict(_OPTIONS)
    for item in filter(None, argument.split(",")):
        name, _, value = item.partition("=")
        if name not in options or not value:
            raise ValueError(f"{item!r} is not one of {', '.join(options)} with =value")
        options[name] = value
    return options


def _choose(table: dict, options: dict[str, str], name: str) -> object:
    """The entry of `table` that an option names."""
    if options[name] not in table:
        raise ValueError(f"{name}={options[name]} is not one of {', '.join(table)}")
    return table[options[name]]


def get_config(argument: str = "") -> ml_collections.ConfigDict:
    """Settings of one stage; every key can be overridden as --config.KEY=VALUE."""
    options = _parse(argument)
    config = ml_collections.ConfigDict()

    # What to train.
    config.stage = options["stage"]  # a row of dlf_jax/training/stages.py
    config.model = ""  # sizes, dlf_jax/models/variants.py
    config.tune_semantic = True  # train the semantic branch too
    config.init_from = ""  # earlier stages' workdirs or models, comma-separated
    config.optimizer_from_donor = False  # go on with the last one's moments too

    # Data.
    config.data = ""  # folders or datasets, comma-separated: dlf_jax/data/sources.py
    config.cache_photos = True  # keep decoded photos in memory, 3 bytes a pixel
    config.max_undecodable = 0.05  # share of photos that may be, one at least
    config.num_threads = 1  # threads a process that decode and crop
    config.crop = ml_collections.ConfigDict()
    config.crop.size = 256  # side of a crop; a multiple of the tile, but in vqgan
    config.crop.min_scale = 0.4  # photos are shrunk by up to this factor first
    config.crop.flip = True  # mirror half of the crops
    config.batch_size = 2  # crops a step, over all devices

    # Validation, on centre crops of photos that are not trained on.
    config.validation = ml_collections.ConfigDict()
    config.validation.every = 1_000  # steps in between
    config.validation.photos = 16  # how many
    config.validation.size = 128  # side of their crops, a multiple of the tile

    # Devices.
    config.mesh = ml_collections.ConfigDict()
    config.mesh.data = 0  # devices with the state repeated; 0: all that fsdp leaves
    config.mesh.fsdp = 1  # devices that share one copy of the state
    config.dtype = "float32"  # of linear maps and convolutions; or bfloat16
    config.remat = False  # compute blocks twice, to save memory
    config.accumulate = 1  # parts that a batch is taken in, to save memory
    config.quick_compile = False  # slower programs, for runs shorter than compiling

    # Loss (dlf_jax/training/losses.py).
    config.loss = ml_collections.ConfigDict()
    config.loss.l1 = 1.0  # mean absolute error on [-1, 1]
    config.loss.lpips = 1.0  # LPIPS-VGG
    config.loss.lpips_alex = 0.0  # LPIPS-AlexNet, cheap enough for every crop
    config.loss.dists = 0.0  # DISTS on what LPIPS-VGG sees
    config.loss.adversarial = 0.0  # 0.8 as released; 0: no discriminator
    config.loss.discriminator_channels = 32  # width of its first layer
    config.loss.discriminator_images = 0  # that it normalises together; 0: all
    config.loss.decode_crop = 128  # the codec decodes a square of this side; 0: all
    config.loss.lpips_crop = 64  # LPIPS-VGG and DISTS see a random square of this side
    config.loss.lpips_images = 0  # of so many images of a batch; 0: of all
    config.loss.blockiness = 0.0  # the grid of cells that shows in an image
    config.loss.latent = 1.0  # mean squared error of the VQGAN latent
    config.loss.continuous_target = True  # that latent before quantisation
    config.loss.cross_entropy = 0.1  # of the VQGAN codes
    config.loss.codebook = 0.1  # codebook term plus a quarter of the commitment term
    config.loss.uniformity = 0.0  # likeness of the tiles' tokens; small models need it
    # Learnt through its quantiser, a VQGAN stays at blurs for thousands of steps.
    config.loss.continuous_share = 1.0  # of the images skip it
    config.adversarial_start = 0  # steps before the discriminator enters

    # Rate (dlf_jax/training/rate_control.py), for every rate point, lowest rate first.
    config.lmbda = ((4.0,), (2.0,), (1.0,), (0.5,))  # weights of bpp, ascending
    config.bpp_window = ()  # (lower, upper) bpp at validation; beyond, λ moves on
    # A latent that the decoder cannot read yet must not be priced away.
    config.lmbda_warmup = 1_500  # steps of a linear rise from 0

    # Optimisation.
    config.seed = 0  # of weights, data order, crops, rates and noise
    config.steps = 0  # length of the stage; the schedule ends with it
    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.name = "adam"  # as released; or muon, for its kernels
    config.optimizer.lr = 3e-4  # peak
    config.optimizer.schedule = "cosine"  # half a cosine after the rise; or constant
    config.optimizer.warmup_steps = 100  # linear rise to the peak
    config.optimizer.final_factor = 0.02  # last learning rate over the peak
    config.optimizer.clip_norm = 1.0  # limit on the gradient norm; 0: none
    config.optimizer.b1 = 0.9  # Adam's first decay
    config.optimizer.b2 = 0.99  # Adam's second decay
    config.ema_decay = 0.999  # moving average of the weights; 0 keeps none
    config.revive_every = 50  # steps between revivals of unused codebook entries

    # Reports and checkpoints.
    config.log_every = 50  # steps between reports
    config.save_minutes = 5.0  # minutes between checkpoints
    # The first step of a run, which is compiled then, cannot be recorded.
    config.profile = (0, 0)  # first and last step of a profile; (0, 0): none

    config.update_from_flattened_dict(_choose(_PRESETS, options, "preset")(options))
    return config.lock()
