"""Settings of a run that is resumed: they are what they were."""

import json
from collections.abc import Iterator
from typing import Any

import ml_collections

from dlf_jax import strict_json
from dlf_jax.errors import UserError

# What may change, because the weights do not follow from it: where things are, how they
# are reported, and what only the first step of a run looks at.
_FREE = frozenset(
    {
        "data",
        "cache_photos",
        "max_undecodable",
        "num_threads",
        "mesh.data",
        "mesh.fsdp",
        "quick_compile",
        "log_every",
        "save_minutes",
        "profile",
        "init_from",
        "optimizer_from_donor",
    }
)


def check_unchanged(saved: dict[str, Any], config: dict[str, Any]) -> None:
    """Raises UserError where `config` would make another run of the `saved` one."""
    before, now = dict(_flat(saved)), dict(_flat(config))
    for name in sorted(before.keys() | now.keys()):
        if name not in _FREE and before.get(name) != now.get(name):
            raise UserError(
                f"this run was started with {name} {before.get(name)} and cannot go on "
                f"with {now.get(name)}; leave it, or use another --workdir"
            )


def restored(saved: dict[str, Any]) -> ml_collections.ConfigDict:
    """The settings of a run as it saved them."""
    return ml_collections.ConfigDict(_tuples(saved)).lock()


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs of dotted name and value, as JSON has them."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, json.loads(strict_json.dumps(value))


def _tuples(value: Any) -> Any:
    """JSON has lists where settings have tuples."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
