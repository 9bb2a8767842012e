"""``dlf models``."""

import click


@click.command()
def models() -> None:
    """Lists the bundled models."""
    from dlf_jax.checkpoints.directory import bundled_models
    from dlf_jax.checkpoints.store import load_model
    from dlf_jax.codec.format import MODEL_ID_BYTES

    click.echo(f"{'name':12} {'model':8} {'parameters':>10}  {'rates':6} tile")
    for name in bundled_models():
        model = load_model(name)
        click.echo(
            f"{name:12} {model.fingerprint[:MODEL_ID_BYTES].hex():8} "
            f"{model.num_params / 1e6:>8.1f} M  0 to {model.config.num_rates - 1} "
            f"{model.config.tile_size} px"
        )
