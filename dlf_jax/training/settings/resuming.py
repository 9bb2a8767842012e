"""Settings of a resumed run: those of its start, except where they are free."""

import json
from typing import Any

import ml_collections
from flax.traverse_util import flatten_dict

from dlf_jax import strict_json
from dlf_jax.errors import UserError
from dlf_jax.training.settings.table import SETTINGS


def check_unchanged(saved: dict[str, Any], config: dict[str, Any]) -> None:
    """Raises UserError where `config` would make another run of the `saved` one."""
    before, now = (
        flatten_dict(json.loads(strict_json.dumps(values)), sep=".")
        for values in (saved, config)
    )
    for name in sorted(before.keys() | now.keys()):
        free = name in SETTINGS and SETTINGS[name].free
        if not free and before.get(name) != now.get(name):
            raise UserError(
                f"this run was started with {name} {before.get(name)} and cannot go on "
                f"with {now.get(name)}; leave it, or use another --workdir"
            )


def restored(saved: dict[str, Any]) -> ml_collections.ConfigDict:
    """The settings of a run as it saved them.

    Raises:
      UserError: names or lists that settings cannot have.
    """
    try:
        return ml_collections.ConfigDict(_tuples(saved)).lock()
    except (TypeError, ValueError) as error:
        raise UserError(f"the settings of the run are damaged: {error}") from error


def _tuples(value: Any) -> Any:
    """JSON has lists where settings have tuples."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
