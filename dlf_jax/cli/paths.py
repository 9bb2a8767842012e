"""Types of options and arguments that name files: ``~`` is the home directory.

The shell expands it in front of a word, but not in ``--out=~/report``.  A file whose
name begins with it is ``./~name``.
"""

import os
from pathlib import Path
from typing import Any

import click


class _Path(click.Path):
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Expands, and converts as click does."""
        return super().convert(os.path.expanduser(value), param, ctx)


PATH = _Path(path_type=Path)
# Of names that may be those of a model or a bucket.
TEXT = _Path()
