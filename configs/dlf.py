"""Training of DLF codecs, one stage at a time.

  python -m dlf_jax.training.main --config configs/dlf.py:preset=nano,stage=STAGE \
      --workdir runs/STAGE --config.data=PHOTOS

Run again, the same command resumes.  ``--config.data`` takes one folder or several
separated by commas; one photo in twenty, chosen by its name, is kept for validation.
A later stage names the working directories it starts from, the last one winning, with
``--config.init_from=runs/vqgan,runs/tokenizer``.

Preset nano (dlf-nano, 128-px tiles, four rate points), 2 CPU cores, 600 photos: stages
vqgan, tokenizer, align, pixel in this order.
"""

import ml_collections

# Preset nano: what differs between the stages.
_NANO = {
    "vqgan": {
        "steps": 2_400,
        "batch_size": 8,
        "crop.size": 64,
        "loss.lpips": 0.25,
        "loss.lpips_alex": 0.5,
        "loss.lpips_images": 2,
        "optimizer.learning_rate": 1e-3,
    },
    "tokenizer": {"steps": 4_000, "batch_size": 8, "crop.size": 128},
    "align": {
        "steps": 1_600,
        "batch_size": 8,
        "crop.size": 128,
        "loss.latent": 5.0,
        "loss.cross_entropy": 0.05,
        "lmbda": (0.0,) * 4,
        "optimizer.learning_rate": 1e-3,
        "optimizer.warmup_steps": 50,
    },
    "pixel": {
        "steps": 6_000,
        "batch_size": 8,
        "crop.size": 128,
        "loss.lpips": 0.5,
        "loss.lpips_alex": 1.0,
        "loss.lpips_images": 2,
        "loss.decode_crop": 64,
        "lmbda": (12.0, 2.5, 0.5, 0.08),
        "lmbda_warmup": 1_500,
        "optimizer.learning_rate": 8e-4,
    },
}

# Options of the argument after the colon, with their defaults.
_OPTIONS = {"preset": "nano", "stage": "vqgan"}


def _parse(argument: str) -> dict[str, str]:
    """Reads "preset=nano,stage=vqgan"."""
    options = dict(_OPTIONS)
    for item in filter(None, argument.split(",")):
        name, _, value = item.partition("=")
        if name not in options or not value:
            raise ValueError(f"{item!r} is not one of {', '.join(options)} with =value")
        options[name] = value
    return options


def get_config(argument: str = "") -> ml_collections.ConfigDict:
    """Settings of one stage; every key can be overridden as --config.KEY=VALUE."""
    options = _parse(argument)
    stages = {"nano": _NANO}[options["preset"]]
    config = ml_collections.ConfigDict()

    # What to train.
    config.stage = options["stage"]  # a row of dlf_jax/training/stages.py
    config.model = f"dlf-{options['preset']}"  # sizes, dlf_jax/models/variants.py
    config.tune_semantic = True  # train the semantic branch too; it has no other origin
    config.init_from = ""  # earlier stages' workdirs or models, comma-separated

    # Data.
    config.data = ""  # folders of photos, comma-separated
    config.cache_photos = True  # keep decoded photos in memory, 3 bytes a pixel
    config.num_threads = 1  # threads that prepare crops
    config.validation_photos = 16  # held-out photos in the validation batch
    config.crop = ml_collections.ConfigDict()
    config.crop.size = 256  # side of a crop, a multiple of the tile
    config.crop.min_scale = 0.4  # photos are shrunk by up to this factor first
    config.crop.flip = True  # mirror half of the crops
    config.batch_size = 2  # crops a step, over all devices

    # Loss (dlf_jax/training/tasks.py).
    config.loss = ml_collections.ConfigDict()
    config.loss.l1 = 1.0  # mean absolute error on [-1, 1]
    config.loss.lpips = 1.0  # LPIPS-VGG
    config.loss.lpips_alex = 0.0  # LPIPS-AlexNet, cheap enough for every crop
    config.loss.adversarial = 0.0  # 0.8 as released; 0: no discriminator
    config.loss.discriminator_channels = 32  # width of its first layer
    config.loss.decode_crop = 128  # the codec decodes a random square of this side
    config.loss.lpips_crop = 64  # LPIPS sees a random square of this side
    config.loss.lpips_images = 0  # of so many images of a batch; 0: of all
    config.loss.latent = 1.0  # mean squared error of the VQGAN latent
    config.loss.continuous_target = True  # that latent before quantisation
    config.loss.cross_entropy = 0.1  # of the VQGAN codes
    config.loss.codebook = 0.1  # codebook term plus a quarter of the commitment term
    # Learnt through its quantiser, a VQGAN stays at blurs for thousands of steps.
    config.loss.continuous_share = 1.0  # of the images skip it

    # Rate.  A latent that the decoder cannot read yet must not be priced away.
    config.lmbda = (4.0, 2.0, 1.0, 0.5)  # weight of bpp for every rate point
    config.lmbda_warmup = 1_500  # steps of a linear rise from 0

    # Optimisation.
    config.seed = 0  # of weights, data order, crops, rates and noise
    config.steps = 0  # length of the stage; the schedule ends with it
    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.learning_rate = 3e-4  # peak
    config.optimizer.warmup_steps = 100  # linear rise to the peak, then half a cosine
    config.optimizer.final_factor = 0.02  # last learning rate over the peak
    config.optimizer.clip_norm = 1.0  # limit on the gradient norm
    config.optimizer.b1 = 0.9  # Adam's first decay
    config.optimizer.b2 = 0.99  # Adam's second decay
    config.ema_decay = 0.999  # moving average of the weights; 0 keeps none
    config.revive_every = 50  # steps between revivals of unused codebook entries

    # Logging and checkpoints.
    config.log_every = 50  # steps between log lines
    config.save_minutes = 5.0  # minutes between checkpoints

    config.update_from_flattened_dict(stages[options["stage"]])
    return config.lock()
