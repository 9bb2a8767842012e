"""Writes the address of the repository into files; see launch/set_repository.sh.

Other programs read the address in [project.urls] of pyproject.toml.
Before the first run no file has an address or a badge that needs one.
"""

import functools
import re
import sys
from pathlib import Path

_BADGE = r"\[!\[Open in Colab\]\([^()]*\)\]\([^()]*\)"


def insert(text: str, former: str, anchor: str, new: str) -> str:
    """Replaces what matches `former` by `new`, which follows the first `anchor`."""
    text = re.sub(former, "", text, flags=re.MULTILINE)
    place = re.search(anchor, text, re.MULTILINE)
    if not place:
        raise ValueError(f"no line matches {anchor!r}; restore this line")
    return text[: place.end()] + new + text[place.end() :]


def project(text: str, url: str) -> str:
    """pyproject.toml with links for PyPI."""
    urls = {
        "Repository": url,
        "Issues": f"{url}/issues",
        "Changelog": f"{url}/blob/main/CHANGELOG.md",
    }
    table = "".join(f'{name} = "{link}"\n' for name, link in urls.items())
    former = r"^\[project\.urls\]\n(?:.+\n)+\n"
    return insert(text, former, r"^dlf = .*\n\n", f"[project.urls]\n{table}\n")


def citation(text: str, url: str) -> str:
    """CITATION.cff with its repository."""
    line = f"repository-code: {url}\n"
    return insert(text, r"^repository-code: .*\n", r"^license: .*\n", line)


def site(text: str, url: str) -> str:
    """docs/mkdocs.yml with the link in the header of every page."""
    line = f"repo_url: {url}\n"
    return insert(text, r"^repo_url: .*\n", r"^site_description: .*\n", line)


def badge(url: str, notebook: str) -> str:
    """Markdown of the badge that opens a notebook in Colab."""
    colab = "https://colab.research.google.com"
    path = f"{url.removeprefix('https://github.com/')}/blob/main/colab/{notebook}"
    picture = f"![Open in Colab]({colab}/assets/colab-badge.svg)"
    return f"[{picture}]({colab}/github/{path})"


def readme(text: str, url: str, notebooks: list[str]) -> str:
    """README.md with badges of the tests and of each notebook in its list."""
    tests = f"{url}/actions/workflows/tests.yml"
    line = f"[![tests]({tests}/badge.svg)]({tests})\n"
    text = insert(text, r"^\[!\[tests\].*\n", r"^(?=!\[licence)", line)
    for name in notebooks:
        link = rf"\(colab/{re.escape(name)}\)"
        former = rf"(?<={link}) {_BADGE}"
        text = insert(text, former, rf"^- .*{link}", f" {badge(url, name)}")
    return text


def notebook(text: str, url: str, name: str) -> str:
    """A notebook with its badge below the title, and the address in its first cell."""
    line = f'    "{badge(url, name)}\\n",\n    "\\n",\n'
    former = rf'^    "{_BADGE}\\n",\n    "\\n",\n'
    text = insert(text, former, r'^    "# .*\\n",\n    "\\n",\n', line)
    former = r'(?<=^    "REPOSITORY = \\")[^"\\]*'
    return insert(text, former, r'^    "REPOSITORY = \\"', url)


def main() -> None:
    """Changes all files, or none after an error."""
    url = re.sub(r"(\.git)?/?$", "", "".join(sys.argv[1:]))
    if not re.fullmatch(r"https://github\.com/[\w-]+/(?!\.+$)[\w.-]+", url):
        usage = "bash launch/set_repository.sh https://github.com/OWNER/NAME"
        sys.exit(f"not the address of a repository: {url!r}; run: {usage}")
    notebooks = sorted(path.name for path in Path("colab").glob("*.ipynb"))
    changes = {
        "pyproject.toml": project,
        "CITATION.cff": citation,
        "docs/mkdocs.yml": site,
        "README.md": functools.partial(readme, notebooks=notebooks),
    }
    for name in notebooks:
        changes[f"colab/{name}"] = functools.partial(notebook, name=name)
    new = {}
    for file, change in changes.items():
        try:
            new[file] = change(Path(file).read_text(encoding="utf-8"), url)
        except ValueError as error:
            sys.exit(f"{file}: {error}")
    for file, text in new.items():
        Path(file).write_text(text, encoding="utf-8")
    print(f"{url}: written into {', '.join(new)}")


if __name__ == "__main__":
    main()
