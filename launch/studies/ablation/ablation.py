"""Ablation study: short training runs that differ in one part of the codec.

  python launch/studies/ablation/ablation.py PHOTOS WORKDIR [VARIANT...]
  dlf evaluate WORKDIR/held_out --codecs dlf:WORKDIR/models/dlf,dlf:WORKDIR/models/... \
      --anchor dlf:WORKDIR/models/dlf --out WORKDIR/report

Trains one VQGAN and one tokenizer, and from these every variant for the same number of
steps.  Repeat the command to resume.  VARIANT restricts training to the named variants,
so that several machines can share the work once VQGAN and tokenizer exist.
launch/studies/ablation/README.md describes the variants and has the results.
"""

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import click
from etils import epath

from dlf_jax.compile_cache import enable_compile_cache
from dlf_jax.data.crops import center_crop
from dlf_jax.data.image_io import encode_image
from dlf_jax.data.photos import Photos, split_holdout
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError
from dlf_jax.files import write_file
from dlf_jax.training.export.export import export
from dlf_jax.training.run.checkpointing import absolute
from dlf_jax.training.run.loop import train

CONFIGS = Path(__file__).parents[3] / "configs" / "dlf.py"

# Upper limits of the steps of the preset.
STEPS = {"vqgan": 2_400, "tokenizer": 1_500, "align": 400}
HELD_OUT = 24  # number of photos for the comparison
HELD_OUT_SIDE = 384  # of their centre crops, in pixels
TOKEN_CROPS = 1024


@dataclasses.dataclass(frozen=True)
class Variant:
    """Changes of a variant against the full codec.

    Attributes:
      model: changed fields of `DLFConfig`.
      lmbda: weight of bpp at all rates; None keeps those of the preset.
      tune_semantic: also train the semantic branch.
      run: name of the variant whose training run is exported, if not its own.
      token_crops: see `dlf_jax.training.export.export.export`.
    """

    model: dict[str, Any] = dataclasses.field(default_factory=dict)
    lmbda: float | None = None
    tune_semantic: bool = True
    run: str | None = None
    token_crops: int = TOKEN_CROPS


ABLATIONS = {
    "dlf": Variant(),
    # Such a high λ would change the tokens through the shared layers.
    "no_detail": Variant(
        model={"num_interaction_blocks": 0}, lmbda=20.0, tune_semantic=False
    ),
    "no_semantic": Variant(model={"codebook_size": 2}),  # the minimum
    "no_interaction": Variant(model={"num_interaction_blocks": 0}),
    "fixed_length": Variant(run="dlf", token_crops=0),
}


@click.command()
@click.argument("photos")
@click.argument("workdir", type=click.Path(path_type=Path))
@click.argument("names", metavar="[VARIANT]...", nargs=-1)
@click.option("--preset", default="nano", show_default=True, help="nano or smoke.")
def main(photos: str, workdir: Path, names: tuple[str, ...], preset: str) -> None:
    """Trains VARIANTs (default: all) on PHOTOS and writes models into WORKDIR."""
    unknown = set(names) - set(ABLATIONS)
    if unknown:
        known = ", ".join(ABLATIONS)
        raise click.BadParameter(f"unknown variant {unknown.pop()!r}: use {known}")
    try:
        run_all(photos, workdir, names or tuple(ABLATIONS), preset)
    except UserError as error:
        raise click.ClickException(str(error)) from None


def run_all(photos: str, workdir: Path, names: tuple[str, ...], preset: str) -> None:
    """Trains variants and exports the models into `workdir`."""
    write_held_out(photos, workdir / "held_out")
    enable_compile_cache()
    trainer = Trainer(preset, photos, absolute(str(workdir)))
    for stage in ("vqgan", "tokenizer"):
        trainer.stage(stage, stage, init_from=("vqgan",) * (stage != "vqgan"))
    for name in names:
        variant = ABLATIONS[name]
        run = trainer.codec(variant.run or name, ABLATIONS[variant.run or name])
        directory = workdir / "models" / name
        if not directory.exists():
            directory.parent.mkdir(exist_ok=True)
            export(run, directory, token_crops=variant.token_crops)


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Runs stages of a preset in folders of `root`."""

    preset: str
    photos: str
    root: epath.Path

    def codec(self, name: str, variant: Variant) -> epath.Path:
        """Trains a variant to predict the latents of the VQGAN; returns the run."""
        pixel = self._config("pixel")
        return self.stage(
            "align",
            f"{name}/align",
            init_from=("vqgan", "tokenizer"),
            model=variant.model,
            tune_semantic=variant.tune_semantic,
            # λ ramps up, except in no_detail, where it removes the details at once.
            lmbda=((variant.lmbda,),) * len(pixel.lmbda)
            if variant.lmbda
            else pixel.lmbda,
            lmbda_warmup=0 if variant.lmbda else self._config("align").steps,
            bpp_window=(),
        )

    def stage(self, stage: str, run: str, *, init_from=(), **settings) -> epath.Path:
        """Trains a stage, or resumes it; returns the run."""
        config = self._config(stage).unlock()
        config.data = self.photos
        config.init_from = ",".join(str(self.root / donor) for donor in init_from)
        config.update(settings)
        train(config.lock(), self.root / run)
        return self.root / run

    def _config(self, stage: str):
        get_config = runpy.run_path(str(CONFIGS))["get_config"]
        config = get_config(f"preset={self.preset},stage={stage}")
        config.steps = min(config.steps, STEPS.get(stage, config.steps))
        return config


def write_held_out(photos: str, directory: Path) -> None:
    """Writes centre crops of held-out photos."""
    source = open_source(photos)
    _, held_out = split_holdout(source)
    directory.mkdir(parents=True, exist_ok=True)
    kept = Photos(source, held_out[:HELD_OUT], max_undecodable=0.0)
    for i in range(len(kept)):
        crop = center_crop(kept[i], HELD_OUT_SIDE)
        path = directory / f"{i:02}.png"
        write_file(path, encode_image(crop, ".png"), overwrite=True)


if __name__ == "__main__":
    main()
