"""Settings of a resumed run: unchanged, except for those that are free."""

import json
from typing import Any

import ml_collections

from dlf_jax import strict_json
from dlf_jax.errors import UserError
from dlf_jax.paths import flatten, nest
from dlf_jax.training.settings.kinds import Settings
from dlf_jax.training.settings.sizes import SIZES
from dlf_jax.training.settings.table import RENAMED, SETTINGS


def check_unchanged(saved: Settings, config: Settings) -> None:
    """Raises UserError if `config` differs from the `saved` settings of its run."""
    before, now = (
        flatten(json.loads(strict_json.dumps(values)), ".")
        for values in (_with_new_names(saved), config)
    )
    for name in sorted(before.keys() | now.keys()):
        free = name in SETTINGS and SETTINGS[name].free
        if not free and before.get(name) != now.get(name):
            raise UserError(
                f"this run was started with {name} {before.get(name)} and cannot be "
                f"resumed with {now.get(name)}; keep the value, or use another "
                "--workdir"
            )


def restored(saved: Settings) -> ml_collections.ConfigDict:
    """Returns the settings of a run as it saved them.

    Raises:
      UserError: names or lists that settings cannot have.
    """
    try:
        return ml_collections.ConfigDict(_tuples(_with_new_names(saved))).lock()
    except (TypeError, ValueError) as error:
        raise UserError(f"the settings of the run are damaged: {error}") from error


def _with_new_names(saved: Settings) -> Settings:
    """Settings of a run of any version, with today's names and sizes."""
    renamed = {old.replace(".", "/"): RENAMED[old].replace(".", "/") for old in RENAMED}
    found = {renamed.get(path, path): value for path, value in flatten(saved).items()}
    if "model/variant" in found:
        # Runs do not save sizes that did not exist yet.
        found = dict.fromkeys(name.replace(".", "/") for name in SIZES) | found
    return nest(found)


def _tuples(value: Any) -> Any:
    """JSON has lists where settings have tuples."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
