"""``dlf info``."""

import click

from dlf_jax.cli.session import errors_about
from dlf_jax.cli.streams import INPUT, Input


@click.command()
@click.argument("source", metavar="FILE", type=INPUT)
def info(source: Input) -> None:
    """Prints size, rate and model of FILE, - for stdin, without decoding it."""
    from dlf_jax.codec.container import parse
    from dlf_jax.codec.info import file_info

    data = source.read()
    with errors_about(source):
        about = file_info(parse(data))
    header_bytes = about.num_bytes - about.payload_bytes
    for name, value in (
        ("image", f"{about.width}x{about.height}"),
        ("size", f"{about.num_bytes:,} bytes, {header_bytes} of them header"),
        ("bpp", f"{about.bpp:.4f}"),
        ("rate", about.rate),
        ("model", about.model_id),
        ("coder", about.coder),
    ):
        click.echo(f"{name:6} {value}")
