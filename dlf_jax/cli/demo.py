"""``dlf demo``."""

import tempfile
import webbrowser
from pathlib import Path

import click

from dlf_jax import interruption
from dlf_jax.cli.paths import PATH, TEXT
from dlf_jax.cli.session import status
from dlf_jax.files import check_output


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port on this machine, 0 for any free one.",
)
@click.option(
    "--export",
    "directory",
    metavar="DIR",
    type=PATH,
    help="Write the page as static files for any web server, and end.",
)
@click.option(
    "--model",
    metavar="NAME_OR_DIR",
    type=TEXT,
    default="dlf-nano",
    show_default=True,
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--force", is_flag=True, help="Overwrite files in DIR.")
def demo(
    port: int, directory: Path | None, model: str, no_browser: bool, force: bool
) -> None:
    """Opens a page that compresses and decompresses in the browser, until Ctrl-C.

    Only this machine can reach the page. Networks and coder run in the browser: nothing
    is uploaded. Needs the extra onnx, and npm once.
    """
    from dlf_jax.browser.site import Server, write_site

    if directory is not None:
        check_output(directory, force, folder=True)
        with status("writing the page"):
            write_site(model, directory)
        files = [path for path in directory.rglob("*") if path.is_file()]
        total = sum(path.stat().st_size for path in files)
        click.echo(f"{directory}: {len(files)} files, {total:,} bytes")
        return
    folder = tempfile.TemporaryDirectory()
    with interruption.cleaning(folder.cleanup):
        with Server(Path(folder.name), port) as server:
            with status("preparing the page"):
                write_site(model, Path(folder.name))
            click.echo(f"{server.url} (end with Ctrl-C)")
            if not no_browser:
                webbrowser.open(server.url)
            server.serve_forever()
