"""Ordered regex rules over parameter paths: which parameters a stage trains."""

import re
from collections.abc import Sequence

from dlf_jax.paths import flatten, nest
from dlf_jax.typing import Params

# Ordered (regex, label) pairs over "/"-joined paths; the first match wins, and a
# parameter without a match is an error.
Rules = tuple[tuple[str, str], ...]

FROZEN = "frozen"
# Every other label is a group of trained parameters with an optimiser of its own.
TRAINED = "trained"
DECODER = "decoder"  # of the VQGAN, from the image stages on
ADVERSARY = "adversary"  # the discriminator


def first_match(path: str, rules: Rules) -> tuple[str, str] | None:
    """Returns the first rule whose regex matches the whole of `path`."""
    return next((rule for rule in rules if re.fullmatch(rule[0], path)), None)


def match_rules(tree: Params, rules: Rules) -> Params:
    """Returns the label of every leaf.

    Args:
      tree: nested dictionaries of parameters.
      rules: ordered (regex, label) pairs; a regex must match the whole path.  A rule
        may match nothing: some sizes have no shift masks, for example.

    Returns:
      Tree of labels with the structure of `tree`.

    Raises:
      ValueError: a parameter has no rule.
    """
    found = {path: first_match(path, rules) for path in flatten(tree)}
    for path, rule in found.items():
        if rule is None:
            raise ValueError(f"no rule says whether {path} is trained")
    labels = {path: rule[1] for path, rule in found.items()}
    return nest(labels)


def trained_paths(params: Params, rules: Rules) -> tuple[str, ...]:
    """Returns the paths of all parameters that `rules` do not freeze."""
    labels = flatten(match_rules(params, rules))
    return tuple(path for path, label in labels.items() if label != FROZEN)


def select(tree: Params, paths: Sequence[str]) -> Params:
    """Returns the subtree of `tree` with the leaves at `paths`."""
    leaves = flatten(tree)
    return nest({p: leaves[p] for p in paths})


def merge(tree: Params, part: Params) -> Params:
    """Returns `tree` with the leaves of `part` in place of its own."""
    leaves = flatten(tree) | flatten(part)
    return nest(leaves)
