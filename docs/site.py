"""Hooks of mkdocs: a page of reference for each package, and links to folders."""

import re
from pathlib import Path
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_REPOSITORY = Path(__file__).resolve().parent.parent
_PACKAGE = _REPOSITORY / "dlf_jax"
_REFERENCE = re.compile(r"docs/([\w-]+)\.md#([\w-]+)")
# An entry "low, high: ..." of a docstring, whose second name is taken for a type.
_NAMES = re.compile(
    r"<code>(?:<[^>]*>)?(\w+,)(?:<[^>]*>)?</code></td>\s*<td>\s*<code>(.+)</code>"
)
_TARGET = re.compile(r'(?:href|src)="([^":#?]+)["#?]')
_LINK = re.compile(r"\[([^\[\]]+)\]\(([^()\s#:]+)\)")


def _parts() -> list[str]:
    return sorted(path.parent.name for path in _PACKAGE.glob("*/__init__.py"))


def _page(part: str) -> str:
    return f"docs/reference/{part}.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the pages to the navigation."""
    pages = [{part: _page(part)} for part in ("dlf_jax", *_parts())]
    config.nav.append({"Reference": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    texts = {part: f"# dlf_jax.{part}\n\n::: dlf_jax.{part}\n" for part in _parts()}
    texts["dlf_jax"] = "# dlf_jax\n\n::: dlf_jax.api\n\n::: dlf_jax.errors.UserError\n"
    for part, text in texts.items():
        files.append(File.generated(config, _page(part), content=text))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Keeps only the text of links to folders, which have no page."""
    folder = (_REPOSITORY / page.file.src_uri).parent

    def text(link: re.Match[str]) -> str:
        return link[1] if (folder / link[2]).is_dir() else link[0]

    return _LINK.sub(text, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Renders conventions of our docstrings that mkdocstrings does not know."""
    if page.file.src_uri.startswith("docs/reference/"):
        html = _REFERENCE.sub(r'<a href="../\1.html#\2">\g<0></a>', html)
        html = _NAMES.sub(r"<code>\1 \2</code></td>\n<td>", html)
        html = html.replace("\b", "")  # of click: no new line breaks
    return html


def on_post_build(config: MkDocsConfig) -> None:
    """Ends with an error if a page needs a file that the site lacks."""
    site = Path(config.site_dir)
    pages = [path for path in site.rglob("*.html") if path.name != "404.html"]
    missing = {
        f"{page.relative_to(site)}: {target}"
        for page in pages
        for target in _TARGET.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / unquote(target)).exists()
    }
    if missing:
        raise Abort("\n".join(["These targets are missing:", *sorted(missing)]))
