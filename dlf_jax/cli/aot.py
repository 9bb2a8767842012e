"""``dlf aot``."""

import click

from dlf_jax.cli.settings import SettingsCommand, settings_options
from dlf_jax.errors import UserError


@click.command(cls=SettingsCommand)
@click.option(
    "--topology",
    metavar="SLICE",
    help="Slice of chips, such as v5e:4x4, v6e:2x4 or v5p:2x2x1.",
)
@click.option(
    "--photo",
    metavar="PIXELS",
    type=click.IntRange(1),
    help="Compile the codec for photos of this side instead of a stage.",
)
@settings_options
def aot(
    config: "ml_collections.ConfigDict | None", topology: str | None, photo: int | None
) -> None:
    """Compiles for an absent TPU slice, and prints what it needs.

    \b
    dlf aot --topology=v5e:4x4 --config=configs/dlf.py:preset=l,stage=vqgan

    Memory, arithmetic and collectives are those that the compiler of the slice reports.
    Needs the extra aot.
    """
    if config is None or topology is None:
        raise UserError("name the slice with --topology and the settings with --config")

    import jax

    from dlf_jax.training.devices.aot import compile_codec, compile_stage, slice_of
    from dlf_jax.training.devices.hlo_report import HEADER, report
    from dlf_jax.training.devices.sharding import MeshConfig, make_mesh
    from dlf_jax.training.settings.checks import check_settings
    from dlf_jax.training.settings.sizes import model_config

    jax.config.update("jax_platforms", "cpu")
    check_settings(config)
    model = model_config(config.model.to_dict())
    if photo and photo % model.tile_size:
        raise UserError(
            f"--photo must be a multiple of the tile of {config.model.variant}, "
            f"{model.tile_size}, not {photo}"
        )
    devices = slice_of(topology)
    if photo:
        programs = compile_codec(model, devices[0], photo)
        shape, batch = "1x1", 1
    else:
        mesh = make_mesh(MeshConfig(**config.mesh), devices)
        programs = {config.stage: compile_stage(config, mesh)}
        shape, batch = "x".join(map(str, mesh.devices.shape)), config.batch_size
    click.echo(HEADER)
    for name, program in programs.items():
        click.echo(report(name, shape, batch, program, devices[0].device_kind))
