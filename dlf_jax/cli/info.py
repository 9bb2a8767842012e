"""``dlf info``."""

import contextlib

import click

from dlf_jax.cli.failures import Files
from dlf_jax.cli.reports import Style, as_line, file_facts, json_option
from dlf_jax.cli.session import errors_about
from dlf_jax.cli.streams import INPUT, Input


@click.command()
@click.argument("sources", metavar="FILE...", type=INPUT, nargs=-1, required=True)
@json_option
def info(sources: tuple[Input, ...], as_json: bool) -> None:
    """Prints size, rate and model of files IN, - for stdin."""
    from dlf_jax.codec.container import parse
    from dlf_jax.codec.info import file_info

    files = Files("info", len(sources), Style(json=as_json, quiet=True))
    with contextlib.closing(files):
        for source in sources:
            with files.work(source):
                data = source.read()
                with errors_about(source):
                    about = file_info(parse(data))
                header = about.num_bytes - about.payload_bytes
                facts = file_facts(source, about) | {"header_bytes": header}
                rows = {
                    "image": f"{about.width}x{about.height}",
                    "size": f"{about.num_bytes:,} bytes, {header} of them header",
                    "bpp": f"{about.bpp:.4f}",
                    "rate": about.rate,
                    "model": about.model_id,
                    "coder": about.coder,
                }
                if len(sources) > 1:
                    rows = {"file": source, **rows}
                lines = [f"{name:6} {value}" for name, value in rows.items()]
                files.show(*([as_line(facts)] if as_json else lines))
    files.end()
