"""Types of options and arguments that name files: ``~`` is the home directory.

The shell expands ``~`` at the start of a word, but not in ``--out=~/report``.  A file
called ``~name`` is written ``./~name``.
"""

import os
from pathlib import Path
from typing import Any

import click


class _Path(click.Path):
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Expands ``~``, then converts like click; an empty name is an error."""
        if not value:
            self.fail("the name is empty", param, ctx)
        return super().convert(os.path.expanduser(value), param, ctx)


PATH = _Path(path_type=Path)
# For names that may be those of a model or a bucket.
TEXT = _Path()
